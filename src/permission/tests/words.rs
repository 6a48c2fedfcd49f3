//! The words in which a person is asked.

use super::capability;
use crate::permission::{Kind, Request};

#[test]
fn requests_are_put_in_plain_words() {
    for (entry, words) in [
        (
            "file_read=/home/me/project",
            "read /home/me/project and everything below it",
        ),
        (
            "file_write=/w",
            "create, change and remove /w and everything below it",
        ),
        (
            "network_http=https://api.github.com/repos/**;methods=GET",
            "send HTTPS GET requests to api.github.com, paths /repos/**",
        ),
        (
            "network_http=a.com",
            "send HTTP and HTTPS requests to a.com",
        ),
        (
            "network_http=http://*.a.com:8080;methods=GET,POST;private",
            "send unencrypted HTTP GET and POST requests to every host below a.com, port 8080, \
             also on this machine and in private networks",
        ),
        (
            "network_tcp=db.a.com:5432",
            "open TCP connections to db.a.com, port 5432",
        ),
        (
            "network_udp=8.8.8.0/24:*",
            "exchange UDP datagrams with 8.8.8.0/24, every port",
        ),
        ("env=LANG", "read the environment variable LANG"),
        (
            "secrets=T;host=api.a.com;header=Authorization",
            "have the secret T put into the header authorization of requests to api.a.com, without seeing it",
        ),
        ("secrets=T;reveal", "see the value of the secret T"),
        (
            "subprocess=image:alpine;command:grep",
            "run the command grep in containers of the image alpine",
        ),
        (
            "subprocess=image:direct;command:grep",
            "run the command grep as a process of this machine",
        ),
        (
            "subprocess=image:ssh:build.example",
            "run any command on build.example, with all that its account there may do",
        ),
        (
            "subprocess=image:ssh:*",
            "run any command on any other machine, with all that its account there may do",
        ),
        ("tool_invoke=files.*", "call the tools files.*"),
        ("tool_invoke=files.read", "call the tool files.read"),
        (
            "state=1MiB",
            "keep up to 1MiB of data of its own between calls",
        ),
        ("documents=notes/*", "use the documents notes/*"),
        (
            "checkpoint=on",
            "save and restore checkpoints of the session",
        ),
    ] {
        assert_eq!(Request::new(capability(entry)).in_plain_words(), words);
    }
}

#[test]
fn a_request_says_where_it_appears_and_whether_it_is_needed() {
    let request = Request {
        mount: Some("/workspace".to_owned()),
        optional: true,
        ..Request::new(capability("file_read=/p"))
    };
    assert_eq!(
        request.in_plain_words(),
        "read /p and everything below it, which it sees as /workspace (it works without)"
    );
}

#[test]
fn broad_requests_say_so() {
    for kind in Kind::ALL {
        let request = Request::broad(kind);
        assert!(!request.in_plain_words().is_empty());
        assert!(request.warning().is_some(), "{kind}");
        assert_eq!(request.scope().kinds(), [kind]);
    }
    assert_eq!(
        Request::broad(Kind::NetworkHttp).in_plain_words(),
        "send HTTP and HTTPS requests to every host, every port, also on this machine, in private networks \
         and at cloud metadata services"
    );
    assert_eq!(
        Request::broad(Kind::Env).warning().as_deref(),
        Some("it asks for all of env and names no scope")
    );
}

#[test]
fn a_request_for_credentials_comes_with_a_warning() {
    let warning = |entry| Request::new(capability(entry)).warning();
    assert_eq!(
        warning("file_read=/home/me/.ssh").as_deref(),
        Some("/home/me/.ssh holds credentials")
    );
    assert!(warning("file_write=/w/.git/hooks").is_some());
    assert!(warning("secrets=T;reveal").is_some());
    assert_eq!(warning("file_read=/home/me/project"), None);
    assert_eq!(warning("secrets=T"), None);
}

#[test]
fn hostile_names_cannot_rewrite_the_question() {
    let request = Request::new(capability("file_read=/a\u{202e}b\u{200b}"));
    let words = request.in_plain_words();
    assert_eq!(words, r"read /a\u{202e}b\u{200b} and everything below it");
}
