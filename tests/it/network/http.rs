//! HTTP.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::{request, web};
use crate::support::http::{Response, Server};
use crate::support::probe::{Call, Kind, Probe};

/// A server that answers with what it was asked.
fn server() -> Server {
    Server::start(|request| {
        let body = String::from_utf8_lossy(&request.body);
        Response::new(200, format!("{} {} {body}", request.method, request.target))
    })
}

/// The scope of a server, with options behind it.
fn scope(server: &Server, options: &str) -> String {
    format!("network_http={}{options}", server.url(""))
}

#[test]
fn a_granted_server_can_be_asked() {
    let probe = Probe::new();
    let server = server();
    let call = probe.call("web-get", json!({"url": server.url("/a?b=c")}));
    let output = call.allow(scope(&server, "")).run().ok();
    assert_eq!(
        output.json()["structured"]["body"],
        "GET /a?b=c ",
        "{output}"
    );
    let effect = &output.json()["effects"][0];
    assert_eq!(effect["type"], "http", "{output}");
    assert_eq!(
        effect["url"],
        server.url("/a"),
        "a query may hold a secret: {output}"
    );
    // By name: that it leads to this machine must have been granted too.
    let port = server.address().port();
    let url = format!("http://localhost:{port}/named");
    for allowed in [
        format!("http://localhost:{port};private"),
        format!("http://*:{port};private"),
    ] {
        let call = probe.call("web-get", json!({"url": url}));
        let output = call.allow(format!("network_http={allowed}")).run().ok();
        assert_eq!(
            output.json()["structured"]["body"],
            "GET /named ",
            "{output}"
        );
    }
    let mut post = request(&server.url("/post"));
    post["method"] = json!("POST");
    post["body"] = json!("hello");
    let output = web(&probe, post).allow(scope(&server, "")).run().ok();
    assert_eq!(
        output.json()["structured"]["body"],
        "POST /post hello",
        "{output}"
    );
    assert_eq!(output.json()["usage"]["bytes_out"], 5, "{output}");
    let host = server.requests()[0].header("host").map(str::to_owned);
    assert_eq!(host, Some(server.address().to_string()));
}

#[test]
fn a_grant_is_for_its_port_method_path_and_scheme() {
    for probe in Probe::both() {
        let server = server();
        let other = super::http::server();
        let get = |url: &str| request(url);
        let with_method = |method: &str| {
            let mut request = request(&server.url("/x"));
            request["method"] = json!(method);
            request
        };
        let cases: [(String, Value, bool); 14] = [
            (scope(&server, ""), get(&other.url("/")), false),
            (
                scope(&server, "").replace("http:", "https:"),
                get(&server.url("/")),
                false,
            ),
            (scope(&server, ";methods=GET"), with_method("GET"), true),
            (scope(&server, ";methods=GET"), with_method("POST"), false),
            (scope(&server, ";methods=GET"), with_method("get"), false),
            (
                scope(&server, ";methods=GET,POST"),
                with_method("POST"),
                true,
            ),
            (
                scope(&server, "/public/**"),
                get(&server.url("/public/a/b")),
                true,
            ),
            (
                scope(&server, "/public/**"),
                get(&server.url("/public/a?x=/private")),
                true,
            ),
            (
                scope(&server, "/public/**"),
                get(&server.url("/private")),
                false,
            ),
            (
                scope(&server, "/public/**"),
                get(&server.url("/publicity")),
                false,
            ),
            (
                scope(&server, "/public/**"),
                get(&server.url("/public/../private")),
                false,
            ),
            (
                scope(&server, "/public/**"),
                get(&server.url("/public/%2e%2e/private")),
                false,
            ),
            (
                scope(&server, "/public/**"),
                get(&server.url("/public/%2F..%2Fprivate")),
                false,
            ),
            (
                scope(&server, "/public/*"),
                get(&server.url("/public/a/b")),
                false,
            ),
        ];
        let mut expected = 0;
        for (scope, request, is_allowed) in cases {
            let call = web(&probe, request.clone()).allow(scope.clone());
            if is_allowed {
                expected += 1;
                call.run().ok();
            } else {
                let said = call.is_denied("E3211", " was denied: ");
                assert!(
                    said.contains("HttpRequestDenied"),
                    "{scope} {request}: {said}"
                );
            }
            assert_eq!(server.requests().len(), expected, "{scope} {request}");
        }
        assert_eq!(other.requests().len(), 0);
        probe.still_works();
    }
}

#[test]
fn the_flag_that_a_denial_suggests_allows_it() {
    let probe = Probe::new();
    let server = server();
    let get = || probe.call("web-get", json!({"url": server.url("/x")}));
    let output = get().run().fails_with(1, "E3401");
    let flag = output.json()["denials"][0]["flag"].clone();
    let flag = flag.as_str().expect("a flag");
    let quoted = flag.strip_prefix("--allow ").expect("an `--allow` flag");
    get().allow(quoted.trim_matches('\'')).run().ok();
}

/// Every way to write an address of this machine, of a private network or of a cloud's metadata service.
#[test]
fn private_addresses_are_denied_to_a_grant_of_everything_public() {
    for probe in Probe::both() {
        let server = server();
        let port = server.address().port();
        for host in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.255.255.254",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0.0.0.0",
            "0",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[2002:7f00:1::]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "169.254.0.1",
            "169.254.169.254",
            "2852039166",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[fc00::1]",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            let call = web(&probe, request(&format!("http://{host}:{port}/")));
            let output = call
                .allow("network_http=http://*:*")
                .run()
                .fails_with(1, "E3401");
            let denial = &output.json()["denials"][0];
            // What is not even a name or an address does not come so far.
            let is_refused =
                output.stdout.contains("request-refused") || output.stdout.contains("Invalid");
            assert!(denial["code"] == "E3211" || is_refused, "{host}: {output}");
        }
        assert_eq!(
            server.requests().len(),
            0,
            "none of them may have reached the server"
        );
        probe.still_works();
    }
}

#[test]
fn metadata_services_are_denied_to_a_grant_of_private_addresses() {
    for probe in Probe::both() {
        for host in [
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
        ] {
            let call = web(&probe, request(&format!("http://{host}/latest/meta-data/")));
            let call = call.allow("network_http=http://*;private");
            call.is_denied("E3211", "cloud's metadata service");
        }
    }
}

/// Names of this machine in the hosts file that do not say so themselves, as `localhost` does.
fn private_names() -> Vec<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut names: Vec<String> = hosts
        .lines()
        .filter_map(|line| line.split('#').next()?.strip_prefix("127."))
        .flat_map(|line| line.split_whitespace().skip(1))
        .filter(|name| !name.contains("localhost"))
        .map(str::to_owned)
        .collect();
    names.push("localhost".to_owned());
    names
}

#[test]
fn a_name_that_leads_to_a_private_address_needs_a_grant_that_says_so() {
    for probe in Probe::both() {
        let server = server();
        let port = server.address().port();
        for name in private_names() {
            let get = |scope: String| {
                let call = web(&probe, request(&format!("http://{name}:{port}/")));
                call.allow(format!("network_http={scope}"))
            };
            let before = server.requests().len();
            let said = get(format!("http://*:{port}")).is_denied(
                "E3211",
                "it is an address of this machine, and network_http reaches less far",
            );
            assert!(
                said.contains("Prohibited") || said.contains("Denied"),
                "{said}"
            );
            if name != "localhost" {
                let denied = get(format!("http://{name}:{port}"))
                    .is_denied("E3211", "an address of this machine");
                assert!(denied.contains("Prohibited"), "{denied}");
            }
            assert_eq!(server.requests().len(), before, "{name}");
            get(format!("http://{name}:{port};private")).run().ok();
        }
    }
}

#[test]
fn every_redirect_is_decided_on_again() {
    let probe = Probe::new();
    let target = server();
    let target_url = target.url("/secret");
    let redirecting = Server::start(move |request| match request.target.as_str() {
        "/away" => Response::new(302, "").header("location", &target_url),
        "/metadata" => Response::new(307, "").header("location", "http://169.254.169.254/latest/"),
        "/file" => Response::new(302, "").header("location", "file:///etc/passwd"),
        "/round" => Response::new(302, "").header("location", "/round"),
        "/near" => Response::new(302, "").header("location", "/there"),
        _ => Response::new(200, "arrived"),
    });
    let get = |path: &str| probe.call("web-get", json!({"url": redirecting.url(path)}));
    let output = get("/near").allow(scope(&redirecting, "")).run().ok();
    assert_eq!(output.json()["structured"]["body"], "arrived", "{output}");
    get("/near")
        .allow(scope(&redirecting, "/near"))
        .is_denied("E3211", "/there was denied");
    let address = target.address().to_string();
    get("/away")
        .allow(scope(&redirecting, ""))
        .is_denied("E3211", &address);
    get("/metadata")
        .allow(scope(&redirecting, ""))
        .is_denied("E3211", "169.254.169.254");
    get("/file")
        .allow(scope(&redirecting, ""))
        .fails(1, "E3401", "");
    get("/round")
        .allow(scope(&redirecting, ""))
        .fails(1, "E3401", "too many redirects");
    assert_eq!(target.requests().len(), 0, "nothing may have arrived there");
    get("/away")
        .allow(scope(&redirecting, ""))
        .allow(scope(&target, ""))
        .run()
        .ok();
    assert_eq!(target.requests().len(), 1);
    probe.still_works();
}

/// GHSA-5qpp-g3j2-8frx: a path that is a whole URL made the request go to another host than the one that was checked.
#[test]
fn ghsa_5qpp_g3j2_8frx_a_path_cannot_name_another_host() {
    for probe in Probe::both() {
        let (granted, other) = (server(), server());
        let evil = other.address();
        for path in [
            format!("http://{evil}/"),
            format!("//{evil}/"),
            format!("@{evil}/"),
            format!(":80@{evil}/"),
            format!("\\\\{evil}\\"),
            format!("/\r\nHost: {evil}\r\n\r\n"),
            "/ HTTP/1.1\r\nX: y".to_owned(),
            "*".to_owned(),
            "no-slash".to_owned(),
        ] {
            let mut request = request(&granted.url("/"));
            request["path"] = json!(path);
            let output = web(&probe, request)
                .allow(scope(&granted, ""))
                .run()
                .output();
            assert!(
                [Some(0), Some(1)].contains(&output.code),
                "{path:?}: {output}"
            );
        }
        assert_eq!(other.requests().len(), 0, "the other host was asked");
        for request in granted.requests() {
            assert!(
                request.target.starts_with('/') && !request.target.contains("://"),
                "{request:?}"
            );
            assert_eq!(
                request.header("host"),
                Some(granted.address().to_string().as_str())
            );
            assert_eq!(
                request
                    .headers
                    .iter()
                    .filter(|(name, _)| name == "host")
                    .count(),
                1
            );
        }
        probe.still_works();
    }
}

#[test]
fn an_authority_means_one_host_only() {
    for probe in Probe::both() {
        let (granted, other) = (server(), server());
        let (good, evil) = (granted.address(), other.address());
        for authority in [
            format!("{good}@{evil}"),
            format!("user@{evil}"),
            format!("user:{good}@{evil}"),
            format!("{evil}#{good}"),
            format!("{evil}?{good}"),
            format!("{evil}/{good}"),
            format!("{evil}\\{good}"),
            format!("{good},{evil}"),
            format!("{evil} {good}"),
            format!("{evil}\t{good}"),
            format!("{good}\r\nx: y"),
            format!("{good}\0{evil}"),
            format!("user@{good}"),
            "127.0.0.1:".to_owned(),
            "127.0.0.1:0".to_owned(),
            "127.0.0.1:99999".to_owned(),
            "127.0.0.1:-1".to_owned(),
            "127.0.0.1:80x".to_owned(),
            "[127.0.0.1]".to_owned(),
            "[::1".to_owned(),
            "[::1%25lo]:80".to_owned(),
            ":80".to_owned(),
            String::new(),
        ] {
            let mut request = request("http://x/");
            request["authority"] = json!(authority);
            let call = web(&probe, request).allow(scope(&granted, ""));
            let output = call.run().fails_with(1, "E3401");
            assert!(
                !output.stdout.contains("internal"),
                "{authority:?}: {output}"
            );
        }
        assert_eq!((granted.requests().len(), other.requests().len()), (0, 0));
        for scheme in ["ftp", "file", "gopher", "ws"] {
            let mut request = request(&granted.url("/"));
            request["scheme"] = json!(scheme);
            web(&probe, request)
                .allow(scope(&granted, ""))
                .fails(1, "E3401", "");
        }
        assert_eq!(granted.requests().len(), 0);
        probe.still_works();
    }
}

#[test]
fn the_headers_that_say_who_is_asked_are_the_hosts() {
    for probe in Probe::both() {
        let server = server();
        for (name, value) in [
            ("host", "other.example"),
            ("Host", "other.example"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "x"),
            ("x-a", "b\r\nhost: other.example"),
            ("x a", "b"),
        ] {
            let mut request = request(&server.url("/"));
            request["headers"] = json!([[name, value]]);
            let call = web(&probe, request).allow(scope(&server, ""));
            call.fails(1, "E3401", "header-refused");
        }
        let mut request = request(&server.url("/"));
        request["headers"] = json!([["x-a", "b"], ["X-A", "c"]]);
        web(&probe, request).allow(scope(&server, "")).run().ok();
        let seen = server.requests();
        assert_eq!(seen.len(), 1);
        let values: Vec<&str> = seen[0]
            .headers
            .iter()
            .filter(|(name, _)| name == "x-a")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(values, ["b", "c"]);
    }
}

#[test]
fn bodies_are_counted_and_cut_off() {
    for probe in Probe::both() {
        let config = "[limits]\nhttp_bytes = \"1KiB\"\n";
        probe.env.write(probe.env.user_config(), config.as_bytes());
        let server = Server::start(|request| match request.target.as_str() {
            "/small" => Response::new(200, "x".repeat(1024)),
            _ => Response::new(200, "x".repeat(100_000)),
        });
        let get = |path: &str| web(&probe, request(&server.url(path))).allow(scope(&server, ""));
        let output = get("/small").run().ok();
        assert_eq!(output.json()["usage"]["bytes_in"], 1024, "{output}");
        let output = get("/large").fails(1, "E3401", "the tool failed: ");
        let message = output.json()["error"]["message"].to_string();
        assert!(
            message.contains("body size") || message.contains("BodySize"),
            "{output}"
        );
        let mut post = request(&server.url("/small"));
        post["method"] = json!("POST");
        post["body"] = json!("x".repeat(2000));
        web(&probe, post)
            .allow(scope(&server, ""))
            .fails(1, "E3401", "");
        probe.still_works();
    }
}

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

#[test]
fn nobody_is_asked_about_a_name_that_was_not_granted() {
    let probe = Probe::new();
    let denied = |call: Call<'_>| call.is_denied("E3211", "stolen-data.attacker.example");
    let url = "http://stolen-data.attacker.example/";
    let output = web(&probe, request(url)).run().fails_with(1, "E3401");
    assert!(!output.stdout.contains("DnsError"), "{output}");
    denied(web(&probe, request(url)));
    denied(web(&probe, request(url)).allow("network_http=api.attacker.example"));
    denied(web(&probe, request(url)).allow("network_http=attacker.example"));
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
