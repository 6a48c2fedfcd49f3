use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{ToolError, testing};

/// What was sent: method, address, headers, body.
type Sent = (String, String, Vec<(String, String)>, Vec<u8>);

/// Answers requests by their addresses, and keeps what was sent.
fn server(answer: fn(&str) -> Response) -> Rc<RefCell<Vec<Sent>>> {
    let sent = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&sent);
    testing::http(move |request| {
        let (method, url) = (request.method().to_owned(), request.url().to_owned());
        let headers = request.headers().to_vec();
        let response = answer(&url);
        let body = request.into_body().unwrap();
        log.borrow_mut().push((method, url, headers, body));
        Ok(response)
    });
    sent
}

#[test]
fn a_request_is_sent_and_its_answer_read() {
    let sent = server(|_| {
        Response::new(201)
            .with_header("Content-Type", "application/json")
            .with_body(r#"{"id": 7}"#)
    });
    let response = post("https://a/things")
        .query("kind", "a b")
        .header("X-One", "1")
        .json(&json!({"name": "x"}))
        .timeout(Duration::from_secs(1))
        .send()
        .unwrap();
    assert_eq!((response.status(), response.is_success()), (201, true));
    assert_eq!(response.header("content-TYPE"), Some("application/json"));
    assert_eq!(response.url(), "https://a/things?kind=a%20b");
    assert_eq!(response.json::<Value>().unwrap()["id"], 7);
    let headers = [("X-One", "1"), ("Content-Type", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let expected = (
        "POST".to_owned(),
        "https://a/things?kind=a%20b".to_owned(),
        headers.to_vec(),
        br#"{"name":"x"}"#.to_vec(),
    );
    assert_eq!(*sent.borrow(), [expected]);
}

#[test]
fn a_body_is_streamed_both_ways() {
    let sent = server(|_| Response::new(200).with_body("abc".repeat(1000)));
    let body = std::io::repeat(b'x').take(100_000);
    let mut response = put("https://a/").body_from(body).send().unwrap();
    let mut first = [0; 3];
    response.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"abc");
    let rest = response.text().unwrap();
    assert_eq!(rest.len(), 2997);
    let sent = sent.borrow();
    assert_eq!(sent.first().map(|sent| sent.3.len()), Some(100_000));
}

#[test]
fn a_body_that_is_too_large_or_no_text_is_an_error() {
    server(|url| match url {
        "https://a/text" => Response::new(200).with_body("12345"),
        _ => Response::new(200).with_body([0xff]),
    });
    let text = |limit| get("https://a/text").send().unwrap().limit(limit).text();
    assert_eq!(text(5).unwrap(), "12345");
    assert_eq!(text(4).unwrap_err(), Error::TooLarge(4));
    assert_eq!(text(0).unwrap_err(), Error::TooLarge(0));
    let error = get("https://a/").send().unwrap().text().unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    let error = get("https://a/text")
        .send()
        .unwrap()
        .json::<Vec<u8>>()
        .unwrap_err();
    assert!(matches!(error, ToolError::Failed(_)), "{error:?}");
}

/// `/n` redirects to `/n-1`, and `/0` answers.
fn countdown(url: &str) -> Response {
    match url
        .rsplit('/')
        .next()
        .and_then(|number| number.parse::<u32>().ok())
    {
        Some(0) | None => Response::new(200).with_body(url.as_bytes()),
        Some(number) => Response::new(302).with_header("Location", (number - 1).to_string()),
    }
}

#[test]
fn redirects_are_followed_as_far_as_asked_for() {
    let sent = server(countdown);
    assert_eq!(get("https://a/b/3").send().unwrap().status(), 302);
    assert_eq!(sent.borrow().len(), 1);
    let response = get("https://a/b/3").redirects(3).send().unwrap();
    assert_eq!(response.url(), "https://a/b/0");
    assert_eq!(response.text().unwrap(), "https://a/b/0");
    let error = get("https://a/b/3").redirects(2).send().unwrap_err();
    assert_eq!(error, Error::TooManyRedirects(2));
}

#[test]
fn a_redirect_keeps_what_may_be_sent_again() {
    let sent = server(|url| match url {
        "https://a/see-other" => Response::new(303).with_header("Location", "/end"),
        "https://a/moved" => Response::new(307).with_header("Location", "https://b/end"),
        "https://a/away" => Response::new(302).with_header("Location", "ftp://b/"),
        _ => Response::new(200),
    });
    let request = |path: &str| {
        post(format!("https://a/{path}"))
            .header("authorization", "secret")
            .header("Accept", "text/html")
            .body("hello")
            .redirects(5)
    };
    request("see-other").send().unwrap();
    request("moved").send().unwrap();
    let names = |sent: &Sent| {
        let names: Vec<String> = sent.2.iter().map(|(name, _)| name.clone()).collect();
        names.join(" ")
    };
    let sent = sent.take();
    let [_, seen, _, moved] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(
        (seen.0.as_str(), names(seen).as_str()),
        ("GET", "authorization Accept")
    );
    assert!(seen.3.is_empty());
    // It is another host.
    assert_eq!(
        (moved.0.as_str(), names(moved).as_str()),
        ("POST", "Accept")
    );
    assert_eq!(moved.3, b"hello");
    assert!(matches!(request("away").send(), Err(Error::Invalid(_))));
    let streamed = post("https://a/moved")
        .body_from(&b"once"[..])
        .redirects(5)
        .send();
    assert!(
        matches!(&streamed, Err(Error::Invalid(why)) if why.contains("again")),
        "{streamed:?}"
    );
}

#[test]
fn a_status_may_be_an_error() {
    server(|url| {
        let status = url
            .rsplit('/')
            .next()
            .and_then(|status| status.parse().ok());
        Response::new(status.unwrap_or(500)).with_header("Retry-After", "3")
    });
    let of = |status: u16| {
        let response = get(format!("https://a/{status}")).send().unwrap();
        response
            .error_for_status()
            .map(|response| response.status())
    };
    assert_eq!(of(204).unwrap(), 204);
    assert!(matches!(of(404), Err(ToolError::NotFound(_))));
    assert!(
        matches!(of(403), Err(ToolError::Failed(message)) if message.contains("https://a/403"))
    );
    let after = Some(Duration::from_secs(3));
    assert!(matches!(of(429), Err(ToolError::Retryable { after: given, .. }) if given == after));
}

#[test]
fn what_cannot_be_sent_is_said_when_it_is_sent() {
    let sent = server(|_| Response::new(200));
    let map = std::collections::BTreeMap::from([(vec![1], 1)]);
    for request in [get("not an address"), post("https://a/").json(&map)] {
        assert!(matches!(request.send(), Err(Error::Invalid(_))));
    }
    assert!(sent.borrow().is_empty());
}

#[test]
fn without_a_host_there_is_no_network() {
    let error = get("https://a/").send().unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(why) if why.contains("testing::http")),
        "{error:?}"
    );
}

#[test]
fn headers_are_not_written_to_logs() {
    let request = get("https://a/").header("Authorization", "secret");
    assert_eq!(format!("{request:?}"), "Request(GET https://a/)");
}
