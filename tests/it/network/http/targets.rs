//! Whom a request is for: the one that was granted, however the address, the name, the path or a redirect are written.

use serde_json::json;

use super::super::{request, web};
use super::{scope, server};
use crate::support::http::{Response, Server};
use crate::support::probe::{Call, Probe};

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
            call.denied("E3211", "cloud's metadata service");
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
            let said = get(format!("http://*:{port}")).denied(
                "E3211",
                "it is an address of this machine, and network_http reaches less far",
            );
            assert!(
                said.contains("Prohibited") || said.contains("Denied"),
                "{said}"
            );
            if name != "localhost" {
                let denied = get(format!("http://{name}:{port}"))
                    .denied("E3211", "an address of this machine");
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
        .denied("E3211", "/there was denied");
    let address = target.address().to_string();
    get("/away")
        .allow(scope(&redirecting, ""))
        .denied("E3211", &address);
    get("/metadata")
        .allow(scope(&redirecting, ""))
        .denied("E3211", "169.254.169.254");
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
fn nobody_is_asked_about_a_name_that_was_not_granted() {
    let probe = Probe::new();
    let denied = |call: Call<'_>| call.denied("E3211", "stolen-data.attacker.example");
    let url = "http://stolen-data.attacker.example/";
    let output = web(&probe, request(url)).run().fails_with(1, "E3401");
    assert!(!output.stdout.contains("DnsError"), "{output}");
    denied(web(&probe, request(url)));
    denied(web(&probe, request(url)).allow("network_http=api.attacker.example"));
    denied(web(&probe, request(url)).allow("network_http=attacker.example"));
}
