//! What a guest can reach of the network: the hosts, ports, methods and paths that were granted, at addresses within reach.

mod http;
mod sockets;

use serde_json::{Value, json};

use crate::support::probe::{Call, Probe};

/// A request of the probe's for a URL, taken apart without looking for sense in it.
fn request(url: &str) -> Value {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    json!({
        "method": "GET", "scheme": scheme, "authority": authority, "path": path, "headers": [],
    })
}

/// Sends a request over HTTP.
fn web(probe: &Probe, request: Value) -> Call<'_> {
    probe.call("web", json!({"request": request}))
}

#[test]
fn every_kind_of_network_access_needs_its_own_grant() {
    let probe = Probe::new();
    let calls = [
        (
            "network_http",
            "web-get",
            json!({"url": "http://127.0.0.1:9/"}),
        ),
        (
            "network_tcp",
            "tcp-ask",
            json!({"address": "127.0.0.1:9", "line": "x"}),
        ),
        (
            "network_udp",
            "udp-ask",
            json!({"address": "127.0.0.1:9", "text": "x", "connected": false}),
        ),
        ("network_tcp", "resolve", json!({"name": "localhost"})),
    ];
    for (kind, function, arguments) in &calls {
        let sentence = format!("no {kind} was granted");
        probe
            .call(function, arguments.clone())
            .denied("E3211", &sentence);
        for other in [
            "network_http=http://127.0.0.1:9",
            "network_tcp=127.0.0.1:9",
            "network_udp=127.0.0.1:9",
        ] {
            if !other.starts_with(kind) {
                let call = probe.call(function, arguments.clone()).allow(other);
                call.denied("E3211", &sentence);
            }
        }
    }
    probe.still_works();
}

#[test]
fn nothing_is_granted_that_the_operator_denies() {
    let probe = Probe::new();
    let config = "[permissions]\ndeny = [\"network_tcp\", \"network_http\"]\n";
    probe.env.write(probe.env.user_config(), config.as_bytes());
    let call = probe.call("tcp-ask", json!({"address": "127.0.0.1:9", "line": "x"}));
    let call = call.allow("network_tcp=127.0.0.1:9");
    call.denied("E3211", "no network_tcp was granted");
    let call = probe.call("web-get", json!({"url": "http://127.0.0.1:9/"}));
    let output = call
        .allow("network_http=http://127.0.0.1:9")
        .run()
        .fails_with(1, "E3401");
    let warnings = output.json()["warnings"].to_string();
    assert!(
        warnings.contains("does not permit network_http"),
        "{output}"
    );
}

#[test]
fn variables_are_seen_only_by_name() {
    let probe = Probe::new();
    let see = |scope: Option<&str>| {
        let call = probe.call("variables", json!({}));
        match scope {
            Some(scope) => call.allow(scope),
            None => call,
        }
    };
    see(None).gives(json!([]));
    see(Some("env=USER")).gives(json!(["USER"]));
    see(Some("env=MISSING")).gives(json!([]));
    see(Some("env=USER=you")).gives(json!(["USER"]));
    see(Some("env=*")).fails(2, "E3004", "`*` is not a valid env scope");
    let value = |scope: &str| {
        let call = probe.call("variable", json!({"name": "USER"}));
        call.allow(scope)
    };
    value("env=USER").gives(json!("me"));
    value("env=USER=you").gives(json!("you"));
    value("env=USER=").gives(json!(""));
    value("env=LANG").gives(Value::Null);
    // Nothing of the host's command line or standard input reaches a guest.
    probe.call("arguments", json!({})).gives(json!([]));
    let run = probe
        .call("read-input", json!({}))
        .run()
        .stdin("for the host")
        .ok();
    assert_eq!(run.json()["structured"]["result"], "", "{run}");
}
