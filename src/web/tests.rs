use std::sync::Arc;
use std::time::Instant;

use super::testing::{Reply, Server};
use super::*;

fn client(options: Options) -> Client {
    Client::new(options)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn post(client: &Client, url: &str) -> Result<Answer> {
    let endpoint = url.parse().expect("a URL");
    run(client.send(Method::POST, &endpoint, HeaderMap::new(), "{}"))
}

fn post_and_read(client: &Client, url: &str, max: usize) -> Result<Vec<u8>> {
    let endpoint: Endpoint = url.parse().expect("a URL");
    run(async {
        client
            .send(Method::POST, &endpoint, HeaderMap::new(), "{}")
            .await?
            .read(max)
            .await
    })
}

/// Status, time to wait and error of what is not a success.
fn refusal(client: &Client, url: &str) -> (u16, Option<Duration>, Error) {
    let endpoint: Endpoint = url.parse().expect("a URL");
    run(async {
        let sent = client.send(Method::POST, &endpoint, HeaderMap::new(), "{}");
        let answer = sent.await.expect("an answer");
        let (status, wait) = (answer.status(), answer.retry_after());
        (status, wait, answer.into_refusal().await)
    })
}

#[test]
fn a_request_says_who_sends_it_and_nothing_it_was_not_told() {
    let server = Server::start(|_, _| Reply::Answer(200, "", b"abc".to_vec()));
    let body = post_and_read(&client(Options::default()), &server.url("/x?y=1"), 3);
    assert_eq!(body.expect("answered"), b"abc");
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /x?y=1 HTTP/1.1");
    assert_eq!(request.body, b"{}");
    let agent = &request.headers["user-agent"];
    assert_eq!(agent, concat!("toolhatch/", env!("CARGO_PKG_VERSION")));
    let names: Vec<&str> = request.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["accept", "content-length", "host", "user-agent"]);
}

#[test]
fn redirects_are_answers() {
    let other = Server::start(|_, _| Reply::status(200));
    let location = format!("location: {}\r\n", other.url("/")).leak() as &str;
    let server = Server::start(move |_, _| Reply::Answer(307, location, Vec::new()));
    let (status, _, error) = refusal(&client(Options::default()), &server.url("/"));
    assert_eq!(status, 307);
    assert_eq!(error.code(), Code::E3508);
    assert!(error.hints().concat().contains("not followed"), "{error}");
    assert!(other.requests().is_empty());
}

#[test]
fn bodies_are_read_to_their_limit_and_no_further() {
    let client = client(Options::default());
    let endless = Server::start(|_, _| Reply::Endless);
    let begun = Instant::now();
    let error = post_and_read(&client, &endless.url("/"), 1 << 20).expect_err("too much");
    assert_eq!(error.code(), Code::E3508);
    assert!(
        error.to_string().contains("more than 1048576 bytes"),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(10));

    let large = Server::start(|_, _| Reply::Answer(200, "", vec![b'x'; 11]));
    assert!(post_and_read(&client, &large.url("/"), 10).is_err());
    assert_eq!(
        post_and_read(&client, &large.url("/"), 11)
            .expect("fits")
            .len(),
        11
    );
}

#[test]
fn every_way_to_fail_has_its_code() {
    let client = client(Options {
        timeout: Duration::from_millis(300),
        ..Options::default()
    });
    let hangs = Server::start(|_, _| Reply::Hang(Duration::from_secs(5)));
    let begun = Instant::now();
    let error = post(&client, &hangs.url("/")).expect_err("no answer");
    assert_eq!(error.code(), Code::E3503, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(3));

    let closes = Server::start(|_, _| Reply::Close);
    let error = post(&client, &closes.url("/")).expect_err("no answer");
    assert_eq!(error.code(), Code::E3502, "{error}");

    let cuts = Server::start(|_, _| Reply::CutShort);
    let error = post_and_read(&client, &cuts.url("/"), 1000).expect_err("cut");
    assert_eq!(error.code(), Code::E3502, "{error}");

    // A port that was free a moment ago: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}/t0ken", port.local_addr().expect("bound"));
    drop(port);
    let error = post(&client, &url).expect_err("nobody there");
    assert_eq!(error.code(), Code::E3506, "{error}");
    let told = format!("{error} {:?}", error.causes());
    assert!(!told.contains("t0ken"), "{told}");
    assert!(told.contains("refused"), "{told}");
}

#[test]
fn refusals_carry_what_the_service_says() {
    for (status, code) in [
        (401, Code::E3507),
        (403, Code::E3507),
        (404, Code::E3508),
        (413, Code::E3508),
        (429, Code::E3504),
        (500, Code::E3502),
        (503, Code::E3502),
    ] {
        let server = Server::start(move |_, _| {
            Reply::Answer(status, "retry-after: 7\r\n", b"no such\nmodel".to_vec())
        });
        let (_, wait, error) = refusal(&client(Options::default()), &server.url("/"));
        assert_eq!(wait, Some(Duration::from_secs(7)));
        assert_eq!(error.code(), code, "{status}");
        assert_eq!(error.causes(), ["no such model"]);
        assert_eq!(error.details()["retry_after_s"], 7);
    }
}

#[test]
fn plain_http_stays_on_this_machine() {
    // An address of the range for documentation: nothing would ever answer there.
    let url = "http://192.0.2.1:9/";
    let error = post(&client(Options::default()), url).expect_err("refused");
    assert_eq!(error.code(), Code::E3004);
    assert!(error.hints().concat().contains("plain_http"), "{error}");
    let allowing = client(Options {
        plain_http: true,
        ..Options::default()
    });
    assert!(allowing.check(&url.parse().expect("a URL")).is_ok());

    let server = Server::start(|_, _| Reply::status(204));
    let url = format!("http://localhost:{}/", server.port());
    let answer = post(&client(Options::default()), &url).expect("here");
    assert_eq!(answer.status(), 204);
}

#[test]
fn tls_is_spoken_with_those_who_are_trusted() {
    let pem = include_bytes!("tests/localhost.pem");
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(pem).expect("a key");
    let certificate = CertificateDer::from_pem_slice(pem).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate");
    let config = Arc::new(config);
    let server = Server::over(
        move |stream, _| {
            let connection =
                rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            rustls::StreamOwned::new(connection, stream)
        },
        |_, _| Reply::status(200),
    );
    let url = format!("https://localhost:{}/", server.port());
    let error = post(&client(Options::default()), &url).expect_err("not trusted");
    assert_eq!(error.code(), Code::E3506, "{error}");
    assert!(
        error.causes().concat().contains("certificate"),
        "{:?}",
        error.causes()
    );
    assert!(server.requests().is_empty());

    let trusting = client(Options {
        roots: pem.to_vec(),
        ..Options::default()
    });
    assert_eq!(post(&trusting, &url).expect("trusted").status(), 200);
    // The certificate is for the name alone.
    let by_address = format!("https://127.0.0.1:{}/", server.port());
    assert!(post(&trusting, &by_address).is_err());

    let broken = client(Options {
        roots: b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n".to_vec(),
        ..Options::default()
    });
    assert_eq!(post(&broken, &url).expect_err("no PEM").code(), Code::E3004);
}
