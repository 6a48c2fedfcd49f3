//! What flows through: standard output, error and input.

use std::time::Duration;

use toolhatch_runner::protocol::{Ending, Order, Report, STDIN_WINDOW};

use crate::support::random::Random;
use crate::support::session::{Session, command, script};

#[test]
fn both_outputs_are_kept_apart_and_in_order() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let outcome =
        session.script("for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf end");
    assert_eq!(outcome.text(), "out 1\nout 2\nout 3\nend");
    assert_eq!(outcome.stderr, b"err 1\nerr 2\nerr 3\n");
    assert_eq!(outcome.ending(), Ending::Exited(0));
}

#[test]
fn output_comes_while_the_command_runs() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run = script("echo first; read line; echo second $line");
    run.stdin = true;
    let id = session.run(run);
    session.started(id);
    assert_eq!(session.next(), (id, Report::Stdout(b"first\n".to_vec())));
    session.order(id, &Order::Stdin(b"now\n".to_vec()));
    let outcome = session.finish(id);
    assert_eq!(outcome.text(), "second now");
}

#[test]
fn frames_in_the_output_are_output() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut forged = Vec::new();
    Report::Pong.encode(1, &mut forged).unwrap();
    let octal = forged
        .iter()
        .map(|byte| format!("\\{byte:03o}"))
        .collect::<String>();
    let outcome = session.script(&format!("printf '{octal}'; printf '\\377\\000' >&2"));
    assert_eq!(outcome.stdout, forged);
    assert_eq!(outcome.stderr, [0xff, 0]);
}

#[test]
fn twenty_megabytes_arrive_whole() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let megabytes = 20_usize;
    let text = format!(
        "head -c {} /dev/zero | tr '\\0' x; echo done >&2",
        megabytes << 20
    );
    let outcome = session.script(&text);
    assert_eq!(outcome.stdout.len(), megabytes << 20);
    assert!(outcome.stdout.iter().all(|byte| *byte == b'x'));
    assert_eq!(outcome.stderr, b"done\n");
}

#[test]
fn a_host_that_does_not_read_stops_the_command_and_not_the_runner() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let id = session.run(script("exec yes 0123456789abcdef"));
    session.started(id);
    std::thread::sleep(Duration::from_millis(500));
    let status = std::fs::read_to_string(format!("/proc/{}/status", session.runner_pid()));
    let status = status.expect("the runner");
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = rss.unwrap().trim().trim_end_matches(" kB").parse::<u64>();
    assert!(kilobytes.unwrap() < 6 << 10, "{status}");

    // Orders are heard all the same.
    session.order(id, &Order::Kill);
    let outcome = session.finish(id);
    assert_eq!(outcome.ending(), Ending::Signalled(9));
    assert!(outcome.stdout.len() < 2 << 20, "{}", outcome.stdout.len());
    assert_eq!(session.script("echo again").text(), "again");
}

#[test]
fn the_deadline_passes_also_when_the_host_does_not_read() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run = script("exec yes");
    run.deadline_ms = 200;
    let id = session.run(run);
    session.started(id);
    std::thread::sleep(Duration::from_millis(1500));
    let outcome = session.finish(id);
    assert!(outcome.ended().timed_out);
    assert!(outcome.ended().duration_us < 1_200_000, "{outcome:?}");
}

/// Sends all of this to a command, as much at once as there is credit for, and returns what it wrote.
fn pipe_through(
    session: &mut Session,
    run: toolhatch_runner::protocol::Run,
    bytes: &[u8],
) -> Vec<u8> {
    let id = session.run(run);
    let (mut rest, mut credit, mut is_ended) = (bytes, STDIN_WINDOW, false);
    let mut output = Vec::new();
    loop {
        while credit > 0 && !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(credit).min(50_000));
            credit -= piece.len();
            session.order(id, &Order::Stdin(piece.to_vec()));
            rest = after;
        }
        if rest.is_empty() && !is_ended {
            session.order(id, &Order::StdinEnd);
            is_ended = true;
        }
        match session.next().1 {
            Report::Started(_) => {}
            Report::Taken(count) => credit += usize::try_from(count).unwrap(),
            Report::Stdout(bytes) => output.extend(bytes),
            Report::Ended(ended) => {
                assert_eq!(ended.ending, Ending::Exited(0));
                return output;
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
}

#[test]
fn standard_input_arrives_whole_and_ends() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run = command(&["cat"]);
    run.stdin = true;
    let bytes = Random::new(3).bytes(3 << 20);
    assert!(pipe_through(&mut session, run.clone(), &bytes) == bytes);
    assert_eq!(pipe_through(&mut session, run.clone(), b""), b"");

    // A command that stops reading does not stop the host from sending the rest.
    run.argv = script("head -c 5; exec <&-; sleep 0.2").argv;
    assert_eq!(pipe_through(&mut session, run, &bytes), &bytes[..5]);
}

#[test]
fn without_standard_input_there_is_its_end() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    assert_eq!(session.outcome(command(&["cat"])).text(), "");
    // What comes for it nevertheless is taken and thrown away.
    let id = session.run(script("sleep 0.2; cat"));
    session.started(id);
    session.order(id, &Order::Stdin(b"hello".to_vec()));
    assert_eq!(session.next(), (id, Report::Taken(5)));
    assert_eq!(session.finish(id).text(), "");
}

#[test]
fn a_command_that_does_not_read_does_not_stand_in_the_way_of_orders() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run = script("sleep 30");
    run.stdin = true;
    let id = session.run(run);
    session.started(id);
    for _ in 0..4 {
        session.order(id, &Order::Stdin(vec![0; STDIN_WINDOW / 4]));
    }
    session.order(77, &Order::Ping);
    let mut taken = 0;
    loop {
        match session.next() {
            (_, Report::Taken(count)) => taken += count,
            (77, Report::Pong) => break,
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(usize::try_from(taken).unwrap() < STDIN_WINDOW, "{taken}");
    session.order(id, &Order::Kill);
    assert_eq!(session.finish(id).ending(), Ending::Signalled(9));
}

#[test]
fn more_standard_input_than_the_window_ends_the_session() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run = script("sleep 30");
    run.stdin = true;
    let id = session.run(run);
    session.started(id);
    for _ in 0..3 {
        session.order(id, &Order::Stdin(vec![0; STDIN_WINDOW]));
    }
    loop {
        match session.next().1 {
            Report::Taken(_) => {}
            Report::Error(text) => {
                assert!(text.contains("standard input"), "{text}");
                break;
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!(session.exit().code(), Some(65));
}
