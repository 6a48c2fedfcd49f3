//! How commands end, how they are not started at all, and how the runner ends.

use std::process::Command;
use std::time::{Duration, Instant};

use toolhatch_runner::protocol::{Ending, Order, Refusal, Report};

use crate::support::namespace::{self, BUILT, RUNNER};
use crate::support::session::{Session, command, script};

#[test]
fn exit_codes_and_signals_are_exact() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    for code in [0_u8, 1, 2, 42, 126, 127, 128, 137, 255] {
        let outcome = session.script(&format!("exit {code}"));
        assert_eq!(outcome.ending(), Ending::Exited(code));
        assert_eq!(outcome.ended().leftovers, 0);
        assert!(!outcome.ended().timed_out);
    }
    for signal in [1_u8, 6, 9, 11, 15] {
        let outcome = session.script(&format!("kill -{signal} $$; sleep 30"));
        assert_eq!(outcome.ending(), Ending::Signalled(signal));
    }
}

#[test]
fn what_a_command_took_is_told() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let busy =
        session.script("sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; sleep 0.2");
    let ended = busy.ended();
    assert!(ended.user_us > 1000, "{ended:?}");
    assert!(
        (200_000..10_000_000).contains(&ended.duration_us),
        "{ended:?}"
    );
    assert!(ended.max_rss_bytes > 100 << 10, "{ended:?}");
    assert_eq!(ended.oom_kills.unwrap_or(0), 0);
}

#[test]
fn the_host_can_send_signals() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let id = session.run(script(
        "trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.05; done",
    ));
    session.started(id);
    assert_eq!(session.next(), (id, Report::Stdout(b"ready\n".to_vec())));
    session.order(id + 50, &Order::Signal(9));
    session.order(id, &Order::Signal(10));
    let outcome = session.finish(id);
    assert_eq!(outcome.text(), "got it");
    assert_eq!(outcome.ending(), Ending::Exited(3));
    // Too late for this one, and a mistake of nobody.
    session.order(id, &Order::Signal(9));
    session.order(id, &Order::Kill);
    session.order(id, &Order::StdinEnd);
    assert_eq!(session.script("echo fine").text(), "fine");
}

#[test]
fn a_signal_is_not_lost_however_early_it_comes() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    for _ in 0..50 {
        let id = session.run(command(&["sleep", "30"]));
        session.order(id, &Order::Signal(15));
        assert_eq!(session.finish(id).ending(), Ending::Signalled(15));
    }
}

#[test]
fn the_deadline_asks_first_and_kills_then() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut polite = script("trap 'echo bye; exit 7' TERM; while :; do sleep 0.02; done");
    polite.deadline_ms = 150;
    polite.grace_ms = 10_000;
    let outcome = session.outcome(polite);
    assert_eq!(
        (outcome.text(), outcome.ending()),
        ("bye", Ending::Exited(7))
    );
    assert!(outcome.ended().timed_out);

    let mut stubborn = script("trap '' TERM; echo here; while :; do sleep 0.02; done");
    stubborn.deadline_ms = 150;
    stubborn.grace_ms = 250;
    let begun = Instant::now();
    let outcome = session.outcome(stubborn);
    assert_eq!(
        (outcome.text(), outcome.ending()),
        ("here", Ending::Signalled(9))
    );
    assert!(outcome.ended().timed_out);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(400), "{took:?}");
    assert!(took < Duration::from_millis(3000), "{took:?}");
}

#[test]
fn the_deadline_kills_what_has_left_its_group() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run =
        script("trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 60' & sleep 60; sleep 60");
    run.deadline_ms = 100;
    run.grace_ms = 50;
    let outcome = session.outcome(run);
    assert_eq!(outcome.ending(), Ending::Signalled(9));
    assert_eq!(
        session.script("grep -lx sleep /proc/[0-9]*/comm").text(),
        ""
    );
}

#[test]
fn one_command_runs_at_a_time() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let first = session.run(script("sleep 0.3; echo one"));
    session.started(first);
    let second = session.run(script("echo two"));
    let (id, report) = session.next();
    assert_eq!(id, second);
    assert!(matches!(report, Report::Refused(refused) if refused.refusal == Refusal::Busy));
    assert_eq!(session.finish(first).text(), "one");
    assert_eq!(session.script("echo three").text(), "three");
}

#[test]
fn what_cannot_be_started_says_why() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let made = session.script(
        "mkdir /dev/shm/d; cd /dev/shm; echo 'exit 0' > plain; chmod 644 plain; echo 'not a program' > text; \
         chmod 755 text; printf '#!/no/such/shell\\n' > script; chmod 755 script",
    );
    assert_eq!(made.ending(), Ending::Exited(0));
    let mut zero = command(&["true"]);
    zero.argv.push(b"a\0b".to_vec());
    let mut nameless = command(&["true"]);
    nameless.env.push(b"NAME".to_vec());
    let mut elsewhere = command(&["true"]);
    elsewhere.cwd = b"/no/such/folder".to_vec();
    let mut into_file = command(&["true"]);
    into_file.cwd = b"/dev/shm/plain".to_vec();
    let cases = [
        (command(&["no-such-program"]), Refusal::NotFound, 2),
        (command(&["/no/such/program"]), Refusal::NotFound, 2),
        (command(&["/dev/shm/plain/x"]), Refusal::NotFound, 2),
        (command(&["/dev/shm/plain"]), Refusal::NotExecutable, 13),
        (command(&["/dev/shm/text"]), Refusal::NotExecutable, 8),
        (command(&["/dev/shm/d"]), Refusal::NotExecutable, 13),
        (command(&["/dev/shm/script"]), Refusal::NotExecutable, 2),
        (command(&[]), Refusal::Invalid, 0),
        (command(&[""]), Refusal::Invalid, 0),
        (zero, Refusal::Invalid, 0),
        (nameless, Refusal::Invalid, 0),
        (elsewhere, Refusal::Directory, 2),
        (into_file, Refusal::Directory, 20),
    ];
    for (run, refusal, errno) in cases {
        let outcome = session.outcome(run);
        let refused = outcome.end.expect_err("refused");
        assert_eq!(
            (refused.refusal, refused.errno),
            (refusal, errno),
            "{refused:?}"
        );
        assert!(!refused.text.is_empty());
    }
    assert_eq!(session.script("echo fine").text(), "fine");
}

#[test]
fn the_end_of_its_input_ends_everything() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let id = session.run(script("trap '' TERM HUP; setsid sleep 60 & sleep 60"));
    session.started(id);
    let runner = session.runner_pid();
    session.close();
    assert_eq!(session.exit().code(), Some(0));
    assert!(!std::path::Path::new(&format!("/proc/{runner}")).exists());
}

#[test]
fn a_host_that_does_not_hear_any_more_ends_everything() {
    if !namespace::works() {
        return;
    }
    let mut command = namespace::confined(&[RUNNER, "serve"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let keep = child.stdin.take();
    drop(child.stdout.take());
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    };
    drop(keep);
    assert_eq!(status.code(), Some(0));
}

#[test]
fn it_ends_when_the_host_is_silent_for_too_long() {
    let Some(mut session) = Session::start(&["--idle-seconds", "2"]) else {
        return;
    };
    let begun = Instant::now();
    let id = session.run(script("sleep 60"));
    session.started(id);
    // Each word extends it.
    for ping in 100..106 {
        std::thread::sleep(Duration::from_millis(500));
        session.order(ping, &Order::Ping);
        assert_eq!(session.next(), (ping, Report::Pong));
    }
    assert!(begun.elapsed() > Duration::from_millis(2500));
    let silent = Instant::now();
    let (_, report) = session.next();
    assert!(
        matches!(&report, Report::Error(text) if text.contains("no word")),
        "{report:?}"
    );
    assert_eq!(session.exit().code(), Some(3));
    assert!(silent.elapsed() < Duration::from_secs(8));
}

#[test]
fn it_ends_when_its_time_is_over() {
    let Some(mut session) = Session::start(&["--deadline-seconds", "1", "--idle-seconds", "60"])
    else {
        return;
    };
    let id = session.run(script("sleep 60"));
    session.started(id);
    let (_, report) = session.next();
    assert!(
        matches!(&report, Report::Error(text) if text.contains("time")),
        "{report:?}"
    );
    assert_eq!(session.exit().code(), Some(4));
}

#[test]
fn it_ends_when_it_is_told_to() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let id = session.run(script("trap '' TERM; sleep 60"));
    session.started(id);
    session.order(0, &Order::Exit);
    assert_eq!(session.exit().code(), Some(0));

    // As `docker stop` does it, from outside.
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let pid = session.runner_pid().to_string();
    let id = session.run(script("sleep 60"));
    session.started(id);
    let killed = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.unwrap().success());
    assert_eq!(session.exit().code(), Some(0));
}

#[test]
fn what_is_no_frame_ends_it() {
    for (bytes, told) in [
        (&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], "bytes"),
        (&[b'?', 0, 0, 0, 0, 0, 0, 0, 0], "unknown kind"),
        (&[b'r', 0, 0, 0, 0, 0, 0, 0, 0], "makes no sense"),
    ] {
        let Some(mut session) = Session::start(&[]) else {
            return;
        };
        session.send(bytes);
        let (_, report) = session.next();
        assert!(
            matches!(&report, Report::Error(text) if text.contains(told)),
            "{report:?}"
        );
        assert_eq!(session.exit().code(), Some(65));
    }
}

#[test]
fn it_does_not_serve_where_it_would_kill_somebody_else() {
    if !namespace::works() {
        return;
    }
    // The shell is the first process, so this one is not; should it serve after all, it is still among its own.
    let text = "\"$0\" serve </dev/null & wait $!; echo \"exit $?\"";
    let output = namespace::confined(&["sh", "-c", text, RUNNER])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "exit 77\n");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("first process"), "{complaint}");
}

#[test]
fn it_says_how_it_is_used() {
    let ask = |words: &[&str]| {
        let output = Command::new(BUILT).args(words).output().unwrap();
        let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code().unwrap(), texts)
    };
    let (code, [help, nothing]) = ask(&["--help"]);
    assert_eq!((code, nothing.as_str()), (0, ""));
    assert!(help.starts_with("Usage: toolhatch-runner probe"), "{help}");
    for wrong in [
        &[][..],
        &["dance"],
        &["serve", "--idle-seconds"],
        &["serve", "--idle-seconds", "-1"],
        &["serve", "--idle-seconds", "soon"],
        &["serve", "--for", "1"],
    ] {
        let (code, [nothing, usage]) = ask(wrong);
        assert_eq!(
            (code, nothing.as_str(), usage == help),
            (64, "", true),
            "{wrong:?}"
        );
    }
}
