//! HTTP: what a grant allows.

mod servers;
mod targets;

use serde_json::{Value, json};

use super::{request, web};
use crate::support::http::{Response, Server};
use crate::support::probe::Probe;

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
                let said = call.denied("E3211", " was denied: ");
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
