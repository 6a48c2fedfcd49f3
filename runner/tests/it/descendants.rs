//! The runner on a machine that others use too: it ends what descends from it, and nobody else.

use std::time::{Duration, Instant};

use toolhatch_runner::protocol::{Ending, Order, Report};

use crate::support::namespace::{self, RUNNER};
use crate::support::session::{Session, script};

/// Not the first process of its namespace, with a bystander beside it that has to outlive it, and nobody else may: the exit
/// code tells.
const BESIDE: &str = "sleep 600 & \"$0\" serve --descendants \"$@\"; code=$?; kill -0 $! || exit 99; set -- /proc/[0-9]*; \
                      [ $# = 2 ] || exit 98; exit $code";

fn start(options: &[&str]) -> Option<Session> {
    namespace::works().then(|| {
        let line = [&["sh", "-c", BESIDE, RUNNER], options].concat();
        Session::of(namespace::confined(&line))
    })
}

#[test]
fn it_serves_as_it_does_in_a_container() {
    let Some(mut session) = start(&[]) else {
        return;
    };
    let outcome = session.script("echo out; echo err >&2; exit 42");
    assert_eq!(outcome.text(), "out");
    assert_eq!(outcome.stderr, b"err\n");
    assert_eq!(outcome.ending(), Ending::Exited(42));
    // What is around it is not its own: nothing is known of who was killed for want of memory.
    assert_eq!(outcome.ended().oom_kills, None);
    let outcome = session.script("kill -9 $$");
    assert_eq!(outcome.ending(), Ending::Signalled(9));
}

#[test]
fn whatever_a_command_leaves_is_ended_and_nobody_else() {
    let Some(mut session) = start(&[]) else {
        return;
    };
    let escape = "setsid setsid sleep 61 & (setsid sh -c 'trap \"\" TERM HUP; sleep 62; sleep 62' &) ; exit 5";
    let outcome = session.script(escape);
    assert_eq!(outcome.ending(), Ending::Exited(5));
    assert!(outcome.ended().leftovers > 0, "{outcome:?}");
    let seen = session.script("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(seen.text().contains("sleep 600"), "{seen:?}");
    assert!(!seen.text().contains("sleep 61"), "{seen:?}");
    assert!(!seen.text().contains("sleep 62"), "{seen:?}");
    session.close();
    assert_eq!(session.exit().code(), Some(0));
}

#[test]
fn the_deadline_kills_what_has_left_its_group() {
    let Some(mut session) = start(&[]) else {
        return;
    };
    let mut run = script(
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 60; sleep 60' & sleep 60; sleep 60",
    );
    run.deadline_ms = 100;
    run.grace_ms = 50;
    let begun = Instant::now();
    let outcome = session.outcome(run);
    assert_eq!(outcome.ending(), Ending::Signalled(9));
    assert!(outcome.ended().timed_out);
    assert!(begun.elapsed() < Duration::from_secs(10));
    let id = session.run(script("trap '' TERM; sleep 60 & wait; sleep 60"));
    session.started(id);
    session.order(id, &Order::Kill);
    assert_eq!(session.finish(id).ending(), Ending::Signalled(9));
}

#[test]
fn it_ends_with_all_of_its_own_when_the_host_is_gone() {
    for is_told in [false, true] {
        let Some(mut session) = start(&["--idle-seconds", "60"]) else {
            return;
        };
        let text = "trap '' TERM HUP; setsid sleep 60 & (setsid sleep 60 &); echo ready; sleep 60; sleep 60";
        let id = session.run(script(text));
        session.started(id);
        assert_eq!(session.next(), (id, Report::Stdout(b"ready\n".to_vec())));
        if is_told {
            session.order(id, &Order::Exit);
        } else {
            session.close();
        }
        assert_eq!(session.exit().code(), Some(0));
    }
}

#[test]
fn a_silent_host_ends_it() {
    let Some(mut session) = start(&["--idle-seconds", "1"]) else {
        return;
    };
    let id = session.run(script("setsid sleep 60 & sleep 60"));
    session.started(id);
    let (_, report) = session.next();
    assert!(
        matches!(&report, Report::Error(text) if text.contains("no word")),
        "{report:?}"
    );
    assert_eq!(session.exit().code(), Some(3));
}
