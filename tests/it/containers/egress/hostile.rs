//! Requests that mean no good, or make no sense.

use super::{printed, raw, server, shell};
use crate::containers::machine;
use crate::support::docker::Docker;

#[test]
fn odd_spellings_of_hosts_are_refused_with_a_sentence() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let server = server();
    let port = server.address().port();
    // Everything public is granted, and nothing of this machine.
    let ask = |first: &str| {
        let output = shell(
            docker,
            &env,
            &["*:*"],
            &raw(&format!("{first} HTTP/1.1\\r\\n\\r\\n")),
        );
        printed(&output.ok())
    };
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "127.1",
        "127.0.0.1.",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[::]",
        "localhost",
        "a.localhost",
        "169.254.169.254",
    ] {
        let said = ask(&format!("CONNECT {host}:{port}"));
        assert!(
            said.starts_with("HTTP/1.1 403") && said.contains("E3211"),
            "{host}: {said}"
        );
        let said = ask(&format!("GET http://{host}:{port}/"));
        assert!(
            said.starts_with("HTTP/1.1 403") && said.contains("E3211"),
            "{host}: {said}"
        );
    }
    for first in [
        "CONNECT user@host.invalid:443",
        "CONNECT host.invalid",
        "CONNECT host.invalid:0",
        "CONNECT host.invalid:99999",
        "CONNECT /x",
        "CONNECT :443",
        "GET http://user:pw@host.invalid/",
        "GET https://host.invalid/",
        "GET ftp://host.invalid/",
        "GET /",
        "OPTIONS *",
        "GET http://host.invalid:x/",
        "GET http:///",
        "GET host.invalid:80",
        "CONNECT [fe80::1%%25lo]:80",
    ] {
        let said = ask(first);
        let is_refused = ["HTTP/1.1 400", "HTTP/1.1 403"]
            .iter()
            .any(|status| said.starts_with(status));
        assert!(is_refused, "{first}: {said}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn requests_that_mean_two_things_are_refused() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let server = server();
    let granted = server.address().to_string();
    let ask = |text: &str| {
        let output = shell(docker, &env, &[&granted], &raw(text)).output();
        printed(&output)
    };
    let url = server.url("/");
    for text in [
        format!("GET {url} HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n"),
        format!("GET {url} HTTP/1.1\\r\\nHost: {granted}\\r\\nHost: evil.example\\r\\n\\r\\n"),
        format!(
            "POST {url} HTTP/1.1\\r\\nContent-Length: 3\\r\\nContent-Length: 4\\r\\n\\r\\nabcd"
        ),
        format!("POST {url} HTTP/1.1\\r\\nTransfer-Encoding: xchunked\\r\\n\\r\\nabcd"),
        format!("GET {url} HTTP/1.1\\r\\nX : y\\r\\n\\r\\n"),
        "\\001\\002\\003\\004\\r\\n\\r\\n".to_owned(),
        "\\026\\003\\001\\002\\000\\001\\000\\001\\374\\003\\003\\r\\n".to_owned(),
    ] {
        let said = ask(&text);
        assert!(said.starts_with("HTTP/1.1 400"), "{text}: {said}");
    }
    assert_eq!(server.requests().len(), 0);
    // A length beside chunks is no length: the server gets one request, and not two.
    let text = format!(
        "POST {url} HTTP/1.1\\r\\nContent-Length: 3\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3\\r\\nabc\\r\\n0\\r\\n\\r\\n"
    );
    let said = ask(&text);
    let seen = server.requests();
    assert!(
        said.starts_with("HTTP/1.1 400") || (seen.len() == 1 && seen[0].body == b"abc"),
        "{said} {seen:?}"
    );
    // Headers without an end.
    let huge = format!(
        "(printf 'GET {url} HTTP/1.1\\r\\n'; yes 'X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' | head -c 1000000) | nc 127.0.0.1 3128"
    );
    let output = shell(docker, &env, &[&granted], &huge).output();
    assert!(printed(&output).starts_with("HTTP/1.1 4"), "{output}");
}

#[test]
fn a_server_that_is_not_there_is_told_from_one_that_is_denied() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("bound").to_string()
    };
    for first in [format!("CONNECT {gone}"), format!("GET http://{gone}/")] {
        let script = raw(&format!("{first} HTTP/1.1\\r\\n\\r\\n"));
        let said = printed(&shell(docker, &env, &[&gone], &script).ok());
        assert!(
            said.starts_with("HTTP/1.1 502") && said.contains("refused"),
            "{first}: {said}"
        );
    }
}
