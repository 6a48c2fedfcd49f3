//! Nothing of one command is left for the next, and no command has a hold on the runner.

use std::time::Duration;

use toolhatch_runner::protocol::{Ending, Order, Report};

use crate::support::session::{Session, command, script};

#[test]
fn the_environment_is_what_was_sent() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run = command(&["env"]);
    run.env = vec![
        b"PATH=/usr/bin:/bin".to_vec(),
        b"A=1".to_vec(),
        b"B=x y=z".to_vec(),
    ];
    assert_eq!(
        session.outcome(run).text(),
        "PATH=/usr/bin:/bin\nA=1\nB=x y=z"
    );
    let only_path = session.outcome(command(&["env"]));
    assert!(only_path.text().starts_with("PATH=/"), "{only_path:?}");
    assert_eq!(only_path.text().lines().count(), 1);
}

#[test]
fn programs_are_found_in_the_path_of_the_command_and_never_in_its_folder() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let prepared = session.script(
        "mkdir /dev/shm/bin /dev/shm/work; cp /bin/true /dev/shm/bin/mine; cp /bin/true /dev/shm/work/here",
    );
    assert_eq!(prepared.ending(), Ending::Exited(0));
    let mut mine = command(&["mine"]);
    mine.env = vec![b"PATH=/no/such:/dev/shm/bin".to_vec()];
    assert_eq!(session.outcome(mine).ending(), Ending::Exited(0));
    for path in [&b"PATH="[..], b"PATH=:", b"PATH=:/usr/bin:"] {
        let mut here = command(&["here"]);
        here.env = vec![path.to_vec()];
        here.cwd = b"/dev/shm/work".to_vec();
        assert!(session.outcome(here).end.is_err());
    }
}

#[test]
fn a_command_starts_with_a_clean_slate() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run = script(
        "pwd; umask; ls /proc/self/fd | tr '\\n' ' '; echo; sed -n '/^Sig[BIC]/p' /proc/self/status | tr -d '\\n'; \
         echo; set -- $(cat /proc/$$/stat); [ $5 = $$ ] && [ $6 = $$ ] && echo own session",
    );
    run.cwd = b"/usr".to_vec();
    run.umask = 0o027;
    let outcome = session.outcome(run);
    let zeroes = "0000000000000000";
    let signals = format!("SigBlk:\t{zeroes}SigIgn:\t{zeroes}SigCgt:\t{zeroes}");
    let expected = format!("/usr\n0027\n0 1 2 3 \n{signals}\nown session");
    assert_eq!(outcome.text(), expected);
}

#[test]
fn whatever_a_command_starts_ends_with_it() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    // A process that waits for its child may reap it while both are being killed; the last of these has one.
    let ways = [
        ("sleep 60 &", 1..=1),
        ("setsid sleep 60 & sleep 0.1", 1..=1),
        (
            "(setsid sh -c '(sleep 60 &) ; (sleep 61 &)' &) ; sleep 0.2",
            2..=2,
        ),
        ("for i in $(seq 100); do sleep 60 & done", 100..=100),
        ("sh -c 'kill -STOP $$; sleep 60' & sleep 0.1", 1..=1),
        (
            "nohup sh -c 'trap \"\" TERM HUP; sleep 60; sleep 60' >/dev/null & sleep 0.1",
            1..=2,
        ),
    ];
    for (text, leftovers) in ways {
        let outcome = session.script(text);
        assert_eq!(outcome.ending(), Ending::Exited(0), "{text}");
        let killed = outcome.ended().leftovers;
        assert!(leftovers.contains(&killed), "{killed}: {text}");
        assert!(outcome.ended().duration_us < 3_000_000, "{text}");
        // The runner and this shell.
        let left = session.script("set -- /proc/[0-9]*; echo $#");
        assert_eq!(left.text(), "2", "{text}");
    }
}

#[test]
fn output_of_leftovers_is_told_and_does_not_hold_up_the_end() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let outcome = session.script("sh -c 'echo from below; sleep 60' & sleep 0.3; echo from above");
    assert_eq!(outcome.text(), "from below\nfrom above");
    assert!(outcome.ended().duration_us < 3_000_000);
    assert!((1..=2).contains(&outcome.ended().leftovers), "{outcome:?}");
}

#[test]
fn a_command_cannot_wait_for_the_secrets_of_the_next() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    // Everything that can be tried without rights: a process that hides and looks into all others, again and again.
    let spy = "setsid sh -c 'trap \"\" TERM HUP; while :; do cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline \
               /proc/[0-9]*/fd/0 2>/dev/null </dev/null >> /dev/shm/seen; done' >/dev/null 2>&1 & sleep 0.2; echo away";
    assert_eq!(session.script(spy).text(), "away");
    let mut secret = script("sleep 0.3; cat >/dev/null");
    secret.env.push(b"SECRET=hunter2".to_vec());
    secret.stdin = true;
    let id = session.run(secret);
    session.order(id, &Order::Stdin(b"hunter2".to_vec()));
    session.order(id, &Order::StdinEnd);
    assert_eq!(session.finish(id).ending(), Ending::Exited(0));
    let seen =
        session.script("[ -s /dev/shm/seen ] && echo it looked; grep -c hunter2 /dev/shm/seen");
    assert_eq!(seen.text(), "it looked\n0");
}

#[test]
fn the_runner_cannot_be_looked_into() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    for file in [
        "environ", "mem", "maps", "fd/0", "fd/1", "auxv", "cwd/", "root/", "stack",
    ] {
        let outcome = session.script(&format!(
            "head -c 1 /proc/1/{file} 2>&1 >/dev/null || exit 9"
        ));
        assert_eq!(outcome.ending(), Ending::Exited(9), "{file}: {outcome:?}");
    }
    let forged = session.script("echo x > /proc/1/fd/1");
    assert_ne!(forged.ending(), Ending::Exited(0));
    // The same of a process of its own can be read, so it is not for want of /proc.
    assert_eq!(
        session
            .script("head -c 1 /proc/$$/environ >/dev/null")
            .ending(),
        Ending::Exited(0)
    );
}

#[test]
fn a_command_cannot_end_the_runner() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    for signal in [
        "TERM", "INT", "HUP", "KILL", "STOP", "QUIT", "USR1", "CHLD", "PIPE", "SEGV",
    ] {
        session.script(&format!("kill -{signal} 1; kill -{signal} -1; echo $$"));
    }
    assert_eq!(session.script("echo still here").text(), "still here");
}

#[test]
fn a_command_that_narrows_the_runner_has_run_the_last_one() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    assert_eq!(
        session.script("ulimit -n 16; ulimit -c 0").ending(),
        Ending::Exited(0)
    );
    let outcome = session.script("prlimit --pid 1 --nofile=16:16");
    assert_eq!(outcome.ending(), Ending::Exited(0));
    session.run(script("echo next"));
    let (_, report) = session.next();
    assert!(
        matches!(&report, Report::Error(text) if text.contains("limits")),
        "{report:?}"
    );
    assert_eq!(session.exit().code(), Some(5));
}

#[test]
fn commands_are_killed_for_want_of_memory_before_the_runner() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let outcome = session.script("cat /proc/self/oom_score_adj /proc/1/oom_score_adj");
    let scores = outcome
        .text()
        .lines()
        .map(|line| line.parse::<i32>().unwrap());
    let [command, runner] = scores.collect::<Vec<_>>().try_into().unwrap();
    assert!(command > runner || runner == 1000, "{command} {runner}");
}

#[test]
fn many_commands_one_after_the_other_leave_nothing_open() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let count = |session: &Session| {
        let folder = format!("/proc/{}/fd", session.runner_pid());
        std::fs::read_dir(folder).map(Iterator::count)
    };
    session.script("true");
    let before = count(&session).ok();
    for round in 0..200 {
        let outcome = session.outcome(command(&["true"]));
        assert_eq!(outcome.ending(), Ending::Exited(0), "{round}");
    }
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(count(&session).ok(), before);
}
