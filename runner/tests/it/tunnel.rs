//! Connections of a command that end at the host.

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use toolhatch_runner::protocol::{
    Ending, MAX_CONNECTIONS, Order, Part, Refusal, Report, Run, Segment, TUNNEL_WINDOW,
};

use crate::support::session::{Session, script};

/// A shell script that may have connections.
fn connecting(text: &str) -> Run {
    let mut run = script(text);
    run.proxy = Some(0);
    run
}

/// Starts it; the port it can connect to is what it is told on standard input.
fn start(session: &mut Session, text: &str) -> (u32, u16) {
    let mut run = connecting(&format!("read port; {text}"));
    run.stdin = true;
    // Some programs ask where they are, and ours may be hidden below /tmp.
    run.cwd = b"/".to_vec();
    let id = session.run(run);
    let (_, Report::Listening(port)) = session.next() else {
        panic!("it has to say where it listens first");
    };
    session.started(id);
    session.order(id, &Order::Stdin(format!("{port}\n").into_bytes()));
    session.order(id, &Order::StdinEnd);
    (id, port)
}

fn say(session: &mut Session, id: u32, connection: u32, part: Part) {
    session.order(id, &Order::Tunnel(Segment { connection, part }));
}

/// What comes next that is not about standard input.
fn next(session: &mut Session) -> Report {
    loop {
        match session.next() {
            (_, Report::Taken(_)) => {}
            (_, report) => return report,
        }
    }
}

fn segment(report: Report) -> (u32, Part) {
    let Report::Tunnel(Segment { connection, part }) = report else {
        panic!("unexpected: {report:?}");
    };
    (connection, part)
}

/// A shell script that has a connection as its descriptor 3.
fn connected(text: &str) -> String {
    format!("bash -c \"exec 3<>/dev/tcp/127.0.0.1/$port; {text}\"")
}

/// How the command ends, whatever it has still to say on its connections.
fn end(session: &mut Session) -> Ending {
    loop {
        match next(session) {
            Report::Tunnel(_) | Report::Opened(_) => {}
            Report::Ended(ended) => return ended.ending,
            other => panic!("unexpected: {other:?}"),
        }
    }
}

#[test]
fn both_directions_flow_and_end_each_for_itself() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let talk = "python3 -c 'import socket, sys
s = socket.create_connection((\"127.0.0.1\", int(sys.argv[1])))
s.sendall(b\"hello\"); s.shutdown(socket.SHUT_WR)
print(s.makefile().read())' $port";
    let (id, _) = start(&mut session, talk);
    assert_eq!(next(&mut session), Report::Opened(0));
    assert_eq!(
        segment(next(&mut session)),
        (0, Part::Data(b"hello".to_vec()))
    );
    assert_eq!(segment(next(&mut session)), (0, Part::End));
    say(&mut session, id, 0, Part::Taken(5));
    // Its own direction has ended, and it still listens.
    say(&mut session, id, 0, Part::Data(b"an answer".to_vec()));
    say(&mut session, id, 0, Part::End);
    assert_eq!(segment(next(&mut session)), (0, Part::Taken(9)));
    assert_eq!(session.finish(id).text(), "an answer");
}

#[test]
fn a_connection_is_not_told_before_the_start() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    // It is looked for in so many places that it is not executed yet when somebody connects.
    let places = "/:".repeat(60_000);
    let mut run = connecting("sleep 10");
    run.env = vec![format!("PATH={places}/usr/bin:/bin").into_bytes()];
    let id = session.run(run);
    let (_, Report::Listening(port)) = session.next() else {
        panic!("it has to say where it listens first");
    };
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("taken");
    session.started(id);
    assert_eq!(next(&mut session), Report::Opened(0));
    drop(stream);
    session.order(id, &Order::Kill);
    assert_eq!(end(&mut session), Ending::Signalled(9));
}

#[test]
fn a_connection_that_the_host_closes_gives_up_what_was_sent_before() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    // It sends more than anybody reads, and reads only then.
    let talk = "python3 -c 'import socket, sys
s = socket.create_connection((\"127.0.0.1\", int(sys.argv[1])))
s.sendall(b\"x\" * 3000000); print(s.makefile().read())' $port";
    let (id, _) = start(&mut session, talk);
    assert_eq!(next(&mut session), Report::Opened(0));
    say(&mut session, id, 0, Part::Data(b"no".to_vec()));
    say(&mut session, id, 0, Part::Close);
    let mut received = 0;
    loop {
        match next(&mut session) {
            Report::Tunnel(Segment {
                part: Part::Data(bytes),
                ..
            }) => received += bytes.len(),
            Report::Tunnel(_) => {}
            Report::Stdout(bytes) => {
                assert_eq!(bytes, b"no\n");
                break;
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(received <= TUNNEL_WINDOW, "{received}");
    assert_eq!(session.finish(id).ending(), Ending::Exited(0));
}

#[test]
fn one_that_nobody_takes_from_stops_no_other_and_no_order() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let talk = "python3 -c 'import socket, sys, threading, time
connect = lambda: socket.create_connection((\"127.0.0.1\", int(sys.argv[1])))
*floods, s = [connect() for _ in range(4)]
def flood(it):
    try: it.sendall(b\"x\" * 100000000)
    except OSError: pass
for it in floods: threading.Thread(target=flood, args=(it,), daemon=True).start()
s.sendall(b\"small\")
print(s.recv(10).decode(), flush=True)
time.sleep(60)' $port";
    let (id, _) = start(&mut session, talk);
    let mut flooded = [0; 3];
    loop {
        match next(&mut session) {
            Report::Opened(_) => {}
            Report::Tunnel(Segment { connection, part }) => match part {
                Part::Data(bytes) if connection == 3 => {
                    assert_eq!(bytes, b"small");
                    break;
                }
                Part::Data(bytes) => flooded[connection as usize] += bytes.len(),
                other => panic!("unexpected: {other:?}"),
            },
            other => panic!("unexpected: {other:?}"),
        }
    }
    // Two of them are sent more than they read, as much as there is room for.
    for connection in 0..2 {
        say(
            &mut session,
            id,
            connection,
            Part::Data(vec![0; TUNNEL_WINDOW]),
        );
    }
    say(&mut session, id, 3, Part::Data(b"heard".to_vec()));
    loop {
        match next(&mut session) {
            Report::Stdout(bytes) => {
                assert_eq!(bytes, b"heard\n");
                break;
            }
            Report::Tunnel(Segment { connection, part }) => {
                if let Part::Data(bytes) = part {
                    flooded[connection as usize] += bytes.len();
                }
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(
        flooded.iter().all(|count| *count <= TUNNEL_WINDOW),
        "{flooded:?}"
    );
    session.order(id, &Order::Kill);
    assert_eq!(end(&mut session), Ending::Signalled(9));
}

#[test]
fn there_are_no_more_connections_at_once_than_that() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let talk = "python3 -c 'import socket, sys, time
port = int(sys.argv[1])
all = [socket.create_connection((\"127.0.0.1\", port)) for _ in range(70)]
print(\"all\", flush=True)
time.sleep(60)' $port";
    let (id, _) = start(&mut session, talk);
    let mut opened = Vec::new();
    let mut has_all = false;
    while opened.len() < MAX_CONNECTIONS || !has_all {
        match next(&mut session) {
            Report::Opened(number) => opened.push(number),
            Report::Stdout(_) => has_all = true,
            other => panic!("unexpected: {other:?}"),
        }
    }
    let waiting = session.next_within(Duration::from_millis(200));
    assert!(
        waiting
            .as_ref()
            .is_none_or(|(_, it)| matches!(it, Report::Taken(_))),
        "{waiting:?}"
    );
    // Those that the host is done with make room, also where the command keeps them.
    for connection in 0..6 {
        say(&mut session, id, connection, Part::Close);
    }
    for number in 64..70 {
        assert_eq!(next(&mut session), Report::Opened(number));
    }
    session.order(id, &Order::Kill);
    assert_eq!(end(&mut session), Ending::Signalled(9));
}

#[test]
fn one_that_has_sent_its_end_makes_room_for_another() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let talk = "python3 -c 'import socket, sys, time
all = [socket.create_connection((\"127.0.0.1\", int(sys.argv[1]))) for _ in range(64)]
all.pop(1).close()
all.append(socket.create_connection((\"127.0.0.1\", int(sys.argv[1]))))
time.sleep(60)' $port";
    let (id, _) = start(&mut session, talk);
    let mut said = Vec::new();
    loop {
        match next(&mut session) {
            Report::Opened(64) => break,
            Report::Opened(_) => {}
            report => said.push(segment(report)),
        }
    }
    assert_eq!(said, [(1, Part::End), (1, Part::Close)]);
    session.order(id, &Order::Kill);
    assert_eq!(end(&mut session), Ending::Signalled(9));
}

#[test]
fn connections_end_with_their_command() {
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let leave = connected("setsid sleep 60 & echo to >&3");
    let (id, port) = start(&mut session, &leave);
    assert_eq!(end(&mut session), Ending::Exited(0));
    // Nobody listens any more, neither for a command without connections nor where the port was.
    let knock = format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}' 2>/dev/null || echo nobody");
    assert_eq!(session.script(&knock).text(), "nobody");
    // What comes for it now is nobody's mistake.
    say(&mut session, id, 0, Part::Data(vec![1]));
    assert_eq!(session.script("echo on").text(), "on");
    // The same port can be had again at once.
    let mut again = connecting("true");
    again.proxy = Some(port);
    let id = session.run(again);
    assert_eq!(session.next(), (id, Report::Listening(port)));
    assert_eq!(session.finish(id).ending(), Ending::Exited(0));
}

#[test]
fn a_port_that_somebody_has_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let Some(mut session) = Session::start(&[]) else {
        return;
    };
    let mut run = script("echo not reached");
    run.proxy = Some(taken.local_addr().unwrap().port());
    let refused = session.outcome(run).end.unwrap_err();
    assert_eq!(refused.refusal, Refusal::Proxy, "{refused:?}");
    assert!(refused.text.contains("127.0.0.1"), "{refused:?}");
    assert_eq!(session.script("echo on").text(), "on");
}

#[test]
fn what_cannot_be_said_of_a_connection_ends_the_session() {
    let wrong = [
        (7, Part::End),
        (0, Part::Data(vec![0; TUNNEL_WINDOW + 1])),
        (0, Part::Taken(1)),
    ];
    for (connection, part) in wrong {
        let Some(mut session) = Session::start(&[]) else {
            return;
        };
        let (id, _) = start(&mut session, &connected("sleep 60"));
        assert_eq!(next(&mut session), Report::Opened(0));
        say(&mut session, id, connection, part);
        loop {
            match session.next().1 {
                Report::Error(text) => {
                    assert!(text.contains("connection"), "{text}");
                    break;
                }
                Report::Taken(_) | Report::Tunnel(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
        assert_eq!(session.exit().code(), Some(65));
    }
}
