//! Cleaning the folders for temporary files.

use toolhatch_runner::protocol::{Ending, Refusal};

use crate::support::namespace::{self, RUNNER};
use crate::support::session::{Session, script};

fn cleaned(text: &str) -> toolhatch_runner::protocol::Run {
    let mut run = script(text);
    run.clean_tmp = true;
    run
}

#[test]
fn what_earlier_commands_left_is_removed_where_that_is_asked_for() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let left = session.script(
        "cd /tmp && mkdir -p a/b/c .hidden && echo x > a/b/c/file && echo x > .hidden/y && mkfifo pipe && \
         mkdir closed && echo x > closed/z && chmod 000 closed && mkdir a/shut && touch a/shut/x && chmod 100 a/shut && \
         mkdir .toolhatch-1 && touch .toolhatch-1/x .toolhatch-2 && echo x > /dev/shm/segment && \
         ln -s /dev/shm/segment link && ln -s /usr far && ln -s /nowhere dangling",
    );
    assert_eq!(left.ending(), Ending::Exited(0), "{left:?}");
    let kept = session.script("ls -A /tmp | wc -l");
    assert_eq!(kept.text(), "9");
    let outcome = session.outcome(cleaned("ls -A /tmp /dev/shm; ls /usr | wc -l"));
    let lines = outcome.text().lines().collect::<Vec<_>>();
    let [shm, empty, tmp, usr] = lines.as_slice() else {
        panic!("{outcome:?}");
    };
    assert_eq!([*shm, *empty, *tmp], ["/dev/shm:", "", "/tmp:"]);
    assert_ne!(*usr, "0");
}

#[test]
fn links_are_removed_and_not_followed() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    // Another folder of the same user that is not one for temporary files.
    let outcome = session.script(
        "mkdir /mnt/linked && touch /mnt/linked/precious && ln -s /mnt/linked /tmp/direct && mkdir -p /tmp/d && \
         ln -s /mnt/linked /tmp/d/below && ls /tmp/d/below/",
    );
    assert_eq!(outcome.text(), "precious");
    let outcome = session.outcome(cleaned("ls -A /tmp; ls /mnt/linked"));
    assert_eq!(outcome.text(), "precious");
}

#[test]
fn deep_and_many_are_no_problem() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    // Deeper than any path is long: each round moves what was made before to the bottom of the next.
    let deep = "cd /tmp; path=$(printf 'dir/%.0s' $(seq 900)); mkdir -p $path; \
                for round in 1 2; do mv dir up && mkdir -p $path && mv up $path || exit 1; done";
    assert_eq!(session.script(deep).ending(), Ending::Exited(0));
    let many = "cd /dev/shm; seq 5000 | xargs touch; mkdir m; cd m; seq 3000 | xargs mkdir";
    assert_eq!(session.script(many).ending(), Ending::Exited(0));
    let outcome = session.outcome(cleaned("ls -A /tmp; ls -A /dev/shm"));
    assert_eq!(outcome.text(), "");
}

#[test]
fn mounts_inside_are_kept() {
    if !namespace::works() {
        return;
    }
    let text = "mkdir -p /tmp/deep/mounted /tmp/own && mount -t tmpfs tmpfs /tmp/deep/mounted && \
                touch /tmp/deep/mounted/kept && exec \"$@\"";
    let line = ["sh", "-c", text, "sh", RUNNER, "serve"];
    let mut session = Session::of(namespace::first(&line));
    let outcome = session.outcome(cleaned("cd /tmp; find . -type f; ls"));
    assert_eq!(outcome.text(), "./deep/mounted/kept\ndeep");
}

#[test]
fn a_folder_of_somebody_is_never_cleaned() {
    if !namespace::works() {
        return;
    }
    // A part of another file system, though that is in memory too.
    let text = "mkdir /mnt/theirs && touch /mnt/theirs/precious && mount --bind /mnt/theirs /tmp && exec \"$@\"";
    let line = ["sh", "-c", text, "sh", RUNNER, "serve"];
    let mut session = Session::of(namespace::first(&line));
    let refused = session.outcome(cleaned("true")).end.expect_err("refused");
    assert_eq!(refused.refusal, Refusal::Unclean);
    assert!(refused.text.contains("/tmp"), "{refused:?}");
    assert_eq!(session.script("ls /tmp").text(), "precious");
}
