//! Servers that do not behave.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::{request, web};
use super::server;
use crate::support::probe::{Kind, Probe};

/// A server that takes one connection, reads a little, writes this, and then keeps the line open or closes it.
fn rude_server(answer: &'static [u8], stays: bool) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let serving = std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else {
            return;
        };
        drop(stream.read(&mut [0; 4096]));
        drop(stream.write_all(answer));
        if stays {
            // Until the other side goes away.
            drop(std::io::copy(&mut stream, &mut std::io::sink()));
        }
    });
    (url, serving)
}

#[test]
fn a_server_that_never_answers_does_not_outlast_the_call() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab",
    ] {
        let probe = Probe::new();
        probe.still_works();
        let (url, serving) = rude_server(answer, true);
        let call = web(&probe, request(&format!("{url}/")));
        let call = call
            .allow(format!("network_http={url}"))
            .flag("--timeout=700ms");
        let output = call.fails(124, "E3402", "did not finish within 700ms");
        assert!(output.elapsed < Duration::from_secs(20), "{output}");
        serving.join().expect("the connection was closed");
        probe.still_works();
    }
}

#[test]
fn an_answer_that_is_not_http_is_an_error_of_the_guests() {
    for probe in Probe::both() {
        for answer in [
            &b""[..],
            b"SSH-2.0-OpenSSH\r\n",
            b"HTTP/1.1 99999 X\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n",
        ] {
            let (url, serving) = rude_server(answer, false);
            let call = web(&probe, request(&format!("{url}/")));
            let call = call.allow(format!("network_http={url}"));
            call.fails(1, "E3401", "the tool failed: ");
            serving.join().expect("served");
        }
        // One that speaks no TLS.
        let (url, serving) = rude_server(b"HTTP/1.1 200 OK\r\n\r\n", false);
        let url = url.replace("http:", "https:");
        let call = web(&probe, request(&format!("{url}/")));
        let call = call.allow(format!("network_http={url}"));
        call.fails(1, "E3401", "ErrorCode::");
        serving.join().expect("served");
        probe.still_works();
    }
}

/// A server that reads a request whose body comes in chunks, and answers with a body and these trailers.
fn trailing_server(trailers: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let serving = std::thread::spawn(move || {
        let mut seen = Vec::new();
        let Ok((mut stream, _)) = listener.accept() else {
            return String::new();
        };
        let mut buffer = [0; 4096];
        while !(seen.ends_with(b"\r\n\r\n") && seen.windows(5).any(|end| end == b"\r\n0\r\n")) {
            match stream.read(&mut buffer) {
                Ok(count @ 1..) => seen.extend_from_slice(&buffer[..count]),
                _ => break,
            }
        }
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n";
        drop(stream.write_all(format!("{head}{trailers}\r\n").as_bytes()));
        String::from_utf8_lossy(&seen).into_owned()
    });
    (url, serving)
}

/// GHSA-jxcf-8qw5-5c33: what comes after a body went past the list of headers that are not a guest's to set or see.
#[test]
fn ghsa_jxcf_8qw5_5c33_trailers_are_held_to_the_same_rules_as_headers() {
    let probe = Probe::of(Kind::Async);
    let with_trailers = |url: &str, trailers: Value| {
        let mut request = request(&format!("{url}/"));
        request["method"] = json!("POST");
        request["body"] = json!("body");
        request["headers"] = json!([["trailer", "x-a"]]);
        request["trailers"] = trailers;
        web(&probe, request).allow(format!("network_http={url}"))
    };
    let (url, serving) =
        trailing_server("x-b: c\r\nhost: other.example\r\nconnection: upgrade\r\n");
    let output = with_trailers(&url, json!([["x-a", "b"]])).run().ok();
    let response = output.json()["structured"].clone();
    assert_eq!(response["body"], "ok", "{output}");
    assert_eq!(response["trailers"], json!(["x-b"]), "{output}");
    let seen = serving.join().expect("served");
    assert!(seen.contains("\r\nx-a: b\r\n"), "{seen}");
    for name in [
        "host",
        "connection",
        "transfer-encoding",
        "proxy-authorization",
        "upgrade",
    ] {
        let server = server();
        with_trailers(&server.url(""), json!([[name, "x"]])).fails(1, "E3401", "header-refused");
        assert_eq!(server.requests().len(), 0, "{name}");
    }
    probe.still_works();
}

/// What 48.0.7, the version that mended GHSA-r8xh-cgf7-392j, came to refuse: a body with two lengths, or with one that is not
/// its own, of which two servers in a row may each believe another, and take the rest for a request that nobody checked.
#[test]
fn a_body_has_one_length_and_that_is_its_own() {
    for probe in Probe::both() {
        let server = server();
        let url = server.url("");
        let body = "POST /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
        let own = body.len().to_string();
        let sent = |lengths: &[&str]| {
            let headers: Vec<Value> = lengths
                .iter()
                .map(|length| json!(["content-length", length]))
                .collect();
            let mut request = request(&format!("{url}/"));
            request["method"] = json!("POST");
            request["body"] = json!(body);
            request["headers"] = json!(headers);
            web(&probe, request).allow(format!("network_http={url}"))
        };
        sent(&[&own]).run().ok();
        assert_eq!(server.requests().len(), 1);
        for lengths in [[own.as_str(), "0"], ["0", &own], [&own, &own]] {
            let output = sent(&lengths).run().output();
            assert_eq!(output.code, Some(1), "{lengths:?}: {output}");
        }
        for length in ["0", "5", "500", "-1", "5, 5"] {
            let output = sent(&[length]).run().output();
            // Where it is sent all the same, then no more of it than was said.
            assert!(
                output.code == Some(1) || length == "0",
                "{length}: {output}"
            );
        }
        // A connection that ended before its request did has no target.
        for request in server.requests().iter().skip(1) {
            assert!(["", "/"].contains(&request.target.as_str()), "{request:?}");
            // Of one that promised more than there was, all there was may have come before the connection ended.
            let said = request.header("content-length").unwrap_or_default();
            let said: usize = said
                .split(',')
                .next()
                .unwrap_or_default()
                .trim()
                .parse()
                .unwrap_or(0);
            assert!(request.body.len() <= said, "{request:?}");
        }
        probe.still_works();
    }
}
