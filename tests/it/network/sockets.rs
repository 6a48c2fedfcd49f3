//! TCP, UDP and names.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::probe::{Call, Probe};

/// A TCP server that sends lines back in upper case, and counts who comes. It ends with the test process.
struct Shouting {
    address: SocketAddr,
    visitors: Arc<AtomicUsize>,
}

impl Shouting {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let visitors = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&visitors);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut line = String::new();
                let mut reader = BufReader::new(stream);
                drop(reader.read_line(&mut line));
                drop(
                    reader
                        .into_inner()
                        .write_all(line.to_uppercase().as_bytes()),
                );
            }
        });
        Self { address, visitors }
    }

    fn visitors(&self) -> usize {
        self.visitors.load(Ordering::SeqCst)
    }
}

fn ask<'a>(probe: &'a Probe, address: &str) -> Call<'a> {
    probe.call("tcp-ask", json!({"address": address, "line": "hello"}))
}

#[test]
fn tcp_reaches_the_granted_address_and_port_and_no_other() {
    for probe in Probe::both() {
        let (granted, other) = (Shouting::start(), Shouting::start());
        let scope = format!("network_tcp={}", granted.address);
        let output = ask(&probe, &granted.address.to_string())
            .allow(&scope)
            .run()
            .ok();
        assert_eq!(output.json()["structured"]["result"], "HELLO", "{output}");
        assert_eq!(output.json()["effects"][0]["type"], "tcp", "{output}");
        let said = ask(&probe, &other.address.to_string())
            .allow(&scope)
            .denied(
                "E3211",
                &format!("{} was denied: network_tcp covers only", other.address),
            );
        assert_eq!(said, "access-denied");
        assert_eq!((granted.visitors(), other.visitors()), (1, 0));
        ask(&probe, &granted.address.to_string())
            .allow("network_tcp=127.0.0.0/8:*")
            .gives(json!("HELLO"));
        probe.still_works();
    }
}

#[test]
fn private_addresses_are_denied_to_a_grant_of_everything_public() {
    for probe in Probe::both() {
        let server = Shouting::start();
        let port = server.address.port();
        for ip in [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "10.0.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[fe80::1]",
            "[fd00:ec2::254]",
        ] {
            let output = ask(&probe, &format!("{ip}:{port}"))
                .allow("network_tcp=*:*")
                .run()
                .fails_with(1, "E3401");
            let report = output.json();
            let is_invalid = output.stdout.contains("invalid-argument");
            assert!(
                report["denials"][0]["code"] == "E3211" || is_invalid,
                "{ip}: {output}"
            );
        }
        ask(&probe, &format!("169.254.169.254:{port}"))
            .allow("network_tcp=*:*;private")
            .denied("E3211", "cloud's metadata service");
        assert_eq!(server.visitors(), 0);
        ask(&probe, &server.address.to_string())
            .allow("network_tcp=*:*;private")
            .gives(json!("HELLO"));
    }
}

#[test]
fn a_grant_of_a_name_is_one_of_the_addresses_that_the_name_has() {
    let probe = Probe::new();
    let server = Shouting::start();
    let port = server.address.port();
    let scope = format!("network_tcp=localhost:{port}");
    let by_name = |name: &str, port: u16| {
        let arguments = json!({"name": name, "port": port, "line": "hello"});
        probe.call("tcp-ask-name", arguments)
    };
    by_name("localhost", port)
        .allow(&scope)
        .gives(json!("HELLO"));
    by_name("localhost", port).denied("E3211", "looking up the name localhost was denied");
    // Whoever did not ask for the name does not have its address.
    ask(&probe, &server.address.to_string())
        .allow(&scope)
        .denied("E3211", "was denied");
    let other = Shouting::start();
    by_name("localhost", other.address.port())
        .allow(&scope)
        .denied("E3211", "was denied");
    assert_eq!((server.visitors(), other.visitors()), (1, 0));
}

#[test]
fn names_are_looked_up_only_where_they_were_granted() {
    for probe in Probe::both() {
        let resolve = |name: &str| probe.call("resolve", json!({"name": name}));
        let output = resolve("localhost")
            .allow("network_tcp=localhost:80")
            .run()
            .ok();
        let found = output.json()["structured"]["result"].to_string();
        assert!(
            found.contains("127.0.0.1") || found.contains("::1"),
            "{output}"
        );
        assert_eq!(
            output.json()["effects"][0],
            json!({"type": "lookup", "name": "localhost"}),
            "{output}"
        );
        for name in [
            "localhost",
            "secret.attacker.example",
            "x.localhost.attacker.example",
            "127.0.0.1",
            "::1",
            "2130706433",
            "",
            ".",
            "a..b",
            "not a name",
            "localhost\0",
        ] {
            // A refusal at once, not an answer of a name server.
            let output = resolve(name)
                .allow("network_http=http://localhost")
                .allow("network_tcp=db.example.com:*")
                .run()
                .fails_with(1, "E3401");
            assert!(
                output.stdout.contains("\"E3211\"") && output.stdout.contains("access-denied"),
                "{name:?}: {output}"
            );
        }
        resolve("other.example.com")
            .allow("network_tcp=db.example.com:*")
            .denied("E3211", "other.example.com");
        resolve("localhost")
            .allow("network_tcp=127.0.0.0/8:*")
            .denied("E3211", "localhost");
        probe.still_works();
    }
}

/// A UDP server that sends datagrams back in upper case, and counts them. It ends with the test process.
fn shouting_udp() -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    let datagrams = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&datagrams);
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            counted.fetch_add(1, Ordering::SeqCst);
            let text = String::from_utf8_lossy(&buffer[..length]).to_uppercase();
            drop(socket.send_to(text.as_bytes(), from));
        }
    });
    (address, datagrams)
}

fn send(probe: &Probe, address: SocketAddr, connected: bool) -> Call<'_> {
    let arguments =
        json!({"address": address.to_string(), "text": "hello", "connected": connected});
    probe.call("udp-ask", arguments)
}

/// GHSA-hmmr-87qq-258j: tying a UDP socket to an address went past the check of where it may send.
#[test]
fn ghsa_hmmr_87qq_258j_udp_reaches_the_granted_address_and_no_other() {
    for probe in Probe::both() {
        let ((granted, received), (other, stolen)) = (shouting_udp(), shouting_udp());
        let scope = format!("network_udp={granted}");
        for connected in [false, true] {
            let output = send(&probe, granted, connected).allow(&scope).run().ok();
            assert_eq!(output.json()["structured"]["result"], "HELLO", "{output}");
            assert!(
                output.json()["effects"].to_string().contains("\"udp\""),
                "{output}"
            );
            let said = send(&probe, other, connected).allow(&scope).denied(
                "E3211",
                &format!("{other} was denied: network_udp covers only"),
            );
            assert_eq!(said, "access-denied");
            send(&probe, granted, connected)
                .allow("network_udp=*:*")
                .denied("E3211", "was denied");
        }
        // A datagram that was sent has arrived by now: those that were answered came after it.
        assert_eq!(
            (
                received.load(Ordering::SeqCst),
                stolen.load(Ordering::SeqCst)
            ),
            (2, 0)
        );
        probe.still_works();
    }
}

#[test]
fn nobody_listens() {
    for probe in Probe::both() {
        let scopes = [
            None,
            Some("network_tcp=*:*;private"),
            Some("network_tcp=127.0.0.0/8:*"),
            Some("network_udp=*:*;private"),
        ];
        let call = |function: &str, address: &str, scope: Option<&str>| {
            let call = probe.call(function, json!({"address": address}));
            match scope {
                Some(scope) => call.allow(scope),
                None => call,
            }
        };
        for scope in scopes {
            // To every address of the machine, at a port of the system's choice: binding is what connecting begins with.
            for address in ["0.0.0.0:0", "[::]:0"] {
                call("tcp-listen", address, scope).fails(1, "E3401", "access-denied");
            }
            for (function, address) in [
                ("tcp-listen", "127.0.0.1:0"),
                ("tcp-listen", "[::1]:0"),
                ("tcp-listen", "127.0.0.1:8080"),
                ("tcp-listen", "0.0.0.0:8080"),
                ("udp-bind", "127.0.0.1:5353"),
                ("udp-bind", "127.0.0.1:0"),
                ("udp-bind", "0.0.0.0:5353"),
            ] {
                let said = call(function, address, scope)
                    .denied("E3211", "tools open connections, they do not accept them");
                assert_eq!(said, "access-denied", "{function} {address} {scope:?}");
            }
        }
        probe.still_works();
    }
}

#[test]
fn a_server_that_never_answers_does_not_outlast_the_call() {
    for probe in Probe::both() {
        probe.still_works();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let call = ask(&probe, &address).allow(format!("network_tcp={address}"));
        let output =
            call.flag("--timeout=700ms")
                .fails(124, "E3402", "did not finish within 700ms");
        assert!(output.elapsed < Duration::from_secs(20), "{output}");
        probe.still_works();
    }
}
