//! What goes to other machines: records of the audit log, and texts that a model makes vectors of.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::http::{Request, Response, Server};
use crate::support::process::Run;
use crate::support::source::root;

fn add(env: &TestEnv) -> Run {
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.run(["call", "adder.wasm", "--arg", "a=1", "--arg", "b=2"])
}

fn configure(env: &TestEnv, text: &str) {
    env.write(env.user_config(), text.as_bytes());
}

/// The records a receiver was sent, in the order in which they came.
fn received(requests: &[Request]) -> Vec<Value> {
    // A connection can be opened and not be used.
    let used = requests.iter().filter(|request| request.method == "POST");
    let batches =
        used.map(|request| serde_json::from_slice::<Vec<Value>>(&request.body).expect("a batch"));
    batches.flatten().collect()
}

#[test]
fn a_webhook_gets_every_record_once_it_is_there_again() {
    let env = TestEnv::new();
    let is_up = Arc::new(AtomicBool::new(true));
    let up = Arc::clone(&is_up);
    let server = Server::start(move |_| {
        Response::new(if up.load(Ordering::SeqCst) { 204 } else { 503 }, "")
    });
    let secret = env.write("secret", b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    configure(
        &env,
        &format!(
            "[audit.webhook]\nurl = \"{}\"\nsecret_file = \"{}\"\nclose_wait = \"20s\"\n",
            server.url("/records"),
            secret.display()
        ),
    );
    // One call of one process, which confines itself and must still reach the receiver.
    add(&env).ok();
    let requests = server.requests();
    let request = requests
        .iter()
        .find(|request| request.method == "POST")
        .expect("a delivery");
    assert_eq!(
        request.header("content-type"),
        Some("application/cloudevents-batch+json")
    );
    let signature = request.header("webhook-signature").expect("signed");
    assert!(signature.starts_with("v1,"), "{signature}");
    let kinds: Vec<String> = received(&requests)
        .iter()
        .map(|record| record["type"].as_str().expect("a type").to_owned())
        .collect();
    for kind in ["toolhatch.execution_start", "toolhatch.execution_end"] {
        assert!(kinds.iter().any(|other| other == kind), "{kinds:?}");
    }

    // While it is down, calls go on and nothing is lost.
    is_up.store(false, Ordering::SeqCst);
    configure(
        &env,
        &format!(
            "[audit.webhook]\nurl = \"{}\"\nclose_wait = \"1ms\"\n",
            server.url("/records")
        ),
    );
    let output = env
        .run([
            "call",
            "adder.wasm",
            "--arg",
            "a=2",
            "--arg",
            "b=2",
            "--json",
        ])
        .ok();
    let call = output.json()["call"].as_str().expect("an id").to_owned();
    env.run(["audit", "deliver"]).fails_with(4, "E3704");
    is_up.store(true, Ordering::SeqCst);
    let delivered = env.run(["audit", "deliver", "--json"]).ok().json();
    assert!(delivered["delivered"].as_u64() > Some(0), "{delivered}");
    let records = received(&server.requests());
    let of_call = records
        .iter()
        .filter(|record| record["executionid"] == call.as_str());
    assert!(of_call.count() >= 2, "{records:?}");
    let exported = env.run(["audit", "export"]).ok();
    for line in exported.stdout.lines() {
        let record: Value = serde_json::from_str(line).expect("JSON");
        let is_delivered = records.iter().any(|other| other["id"] == record["id"]);
        assert!(is_delivered, "{line}");
    }
}

#[test]
fn a_syslog_gets_each_record_as_a_message() {
    let env = TestEnv::new();
    let syslog = UdpSocket::bind("127.0.0.1:0").expect("a port");
    syslog
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("set");
    let address = syslog.local_addr().expect("bound");
    configure(
        &env,
        &format!("[audit.syslog]\naddress = \"udp://{address}\"\n"),
    );
    add(&env).ok();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = syslog.recv(&mut buffer).expect("a message");
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(message.starts_with("<"), "{message}");
        if message.contains("toolhatch.execution_end") {
            assert!(message.contains("adder.add"), "{message}");
            break;
        }
    }
}

#[test]
fn standard_output_gets_records_where_it_carries_nothing_that_programs_read() {
    let env = TestEnv::new();
    configure(&env, "[audit]\nstdout = true\n");
    let output = add(&env).ok();
    assert!(
        output.stdout.contains("toolhatch.execution_end"),
        "{output}"
    );
    let words = [
        "call",
        "adder.wasm",
        "--arg",
        "a=1",
        "--arg",
        "b=2",
        "--json",
    ];
    let output = env.run(words).ok();
    assert_eq!(output.stdout.lines().count(), 1, "{output}");
}

#[test]
fn a_project_cannot_send_records_anywhere() {
    let env = TestEnv::new();
    let server = Server::start(|_| Response::new(204, ""));
    env.write(
        ".toolhatch/config.toml",
        format!("[audit.webhook]\nurl = \"{}\"\n", server.url("/")).as_bytes(),
    );
    add(&env).fails_with(2, "E3004");
    assert!(server.requests().is_empty());
}

/// Vectors of two directions: one for what is about letters, one for everything else.
fn vectors(request: &Request) -> Response {
    let asked: Value = serde_json::from_slice(&request.body).expect("JSON");
    let texts = asked["input"].as_array().expect("a list");
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let text = text.as_str().expect("a text");
            let is_code = text.contains("complexity") || text.contains("tangled");
            let vector = if is_code { [1.0, 0.0] } else { [0.0, 1.0] };
            json!({"index": index, "embedding": vector})
        })
        .collect();
    Response::new(200, json!({"data": data}).to_string()).header("content-type", "application/json")
}

#[test]
fn a_model_finds_tools_by_what_they_mean() {
    let env = TestEnv::new();
    let dist = root().join("plugins/dist");
    let search = || {
        let words = ["tools", "search", "how", "tangled", "is", "it", "--json"];
        env.run(words).output()
    };
    for plugin in ["files.wasm", "analyze-code.wasm"] {
        let file = dist.join(plugin);
        env.run(["plugin", "install", file.to_str().expect("UTF-8")])
            .ok();
    }
    let server = Server::start(vectors);
    let configured = |url: &str| {
        configure(
            &env,
            &format!("[search.embedding]\nurl = \"{url}\"\nmodel = \"two-ways\"\n"),
        );
    };
    configured(&server.url("/v1"));
    let found = search().ok().json();
    assert_eq!(
        found["hits"][0]["id"], "analyze-code.analyze-code",
        "{found}"
    );
    let asked = server.requests().len();
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.target == "/v1/embeddings")
    );
    // What is known is not sent again: only the question is.
    search().ok();
    assert_eq!(server.requests().len(), asked + 1);

    // Without the model there are still the words.
    drop(server);
    let without = search().ok();
    let warnings = without.json()["warnings"].to_string();
    assert!(warnings.contains("by words only"), "{without}");
}
