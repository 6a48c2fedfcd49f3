use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::config::CredentialSource;
use crate::web::testing::{Received, Reply, Server};

fn config(server: &Server, api: EmbeddingApi) -> EmbeddingConfig {
    EmbeddingConfig {
        url: Some(server.url("/base").parse().expect("a URL")),
        api,
        model: "m-1".to_owned(),
        timeout: Duration::from_secs(5),
        ..EmbeddingConfig::default()
    }
}

fn embed(config: &EmbeddingConfig, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    let environment = [("MODEL_KEY", "k3y"), ("BAD_KEY", "a\nb")]
        .into_iter()
        .collect();
    let endpoint = EmbeddingEndpoint::configured(config, &environment)?.expect("configured");
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(endpoint.embed(&texts))
}

fn input(request: &Received) -> Vec<String> {
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    serde_json::from_value(body["input"].clone()).expect("texts")
}

/// A vector that tells its text, by the number it ends with.
fn vector_of(text: &str) -> Value {
    let number: u32 = text.trim_start_matches('x').parse().expect("a number");
    json!([number, 1.5])
}

/// Answers as OpenAI does, the last text first.
fn openai(request: &Received) -> Reply {
    let data: Vec<Value> = input(request)
        .iter()
        .enumerate()
        .rev()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector_of(text)}))
        .collect();
    Reply::json(
        &json!({"object": "list", "data": data, "model": "m-1", "usage": {"total_tokens": 1}}),
    )
}

#[test]
fn vectors_are_in_the_order_of_the_texts_whatever_that_of_the_answer_is() {
    let server = Server::start(|_, request| openai(request));
    let vectors = embed(&config(&server, EmbeddingApi::Openai), &["7", "8", "9"]);
    assert_eq!(
        vectors.expect("answered"),
        [vec![7.0, 1.5], vec![8.0, 1.5], vec![9.0, 1.5]]
    );
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /base/embeddings HTTP/1.1");
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(
        body,
        json!({"model": "m-1", "input": ["7", "8", "9"], "encoding_format": "float"})
    );
    assert!(!request.headers.contains_key("authorization"));
}

#[test]
fn ollama_is_asked_in_its_own_way() {
    let server = Server::start(|_, request| {
        let vectors: Vec<Value> = input(request).iter().map(|text| vector_of(text)).collect();
        Reply::json(&json!({"model": "m-1", "embeddings": vectors, "total_duration": 1}))
    });
    let vectors = embed(&config(&server, EmbeddingApi::Ollama), &["1", "2"]).expect("answered");
    assert_eq!(vectors, [vec![1.0, 1.5], vec![2.0, 1.5]]);
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /base/api/embed HTTP/1.1");
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(body, json!({"model": "m-1", "input": ["1", "2"]}));
}

#[test]
fn many_and_long_texts_go_in_batches() {
    let server = Server::start(|_, request| openai(request));
    let many: Vec<String> = (0..150).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let vectors = embed(&config(&server, EmbeddingApi::Openai), &many).expect("answered");
    let numbers: Vec<f32> = vectors.iter().map(|vector| vector[0]).collect();
    assert_eq!(numbers, (0_u16..150).map(f32::from).collect::<Vec<_>>());
    let sizes: Vec<usize> = server
        .requests()
        .iter()
        .map(|one| input(one).len())
        .collect();
    assert_eq!(sizes, [64, 64, 22]);

    let long: Vec<String> = vec!["ä".repeat(20_000); 20];
    let parts = batches(&long);
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
    assert!(parts.iter().flatten().all(|text| text.len() == TEXT_BYTES));
    assert!(batches(&[]).is_empty());
}

#[test]
fn a_key_is_sent_and_shown_nowhere() {
    let server = Server::start(|_, _| Reply::status(401));
    let with_key = EmbeddingConfig {
        key: Some(CredentialSource::Variable("MODEL_KEY".to_owned())),
        ..config(&server, EmbeddingApi::Openai)
    };
    let error = embed(&with_key, &["1"]).expect_err("refused");
    assert_eq!(server.requests()[0].headers["authorization"], "Bearer k3y");
    let told = format!("{error:?}");
    assert!(!told.contains("k3y"), "{told}");
    assert!(error.hints().concat().contains("key_env"), "{error}");

    for (variable, why) in [("BAD_KEY", "cannot be sent"), ("NO_KEY", "not set")] {
        let config = EmbeddingConfig {
            key: Some(CredentialSource::Variable(variable.to_owned())),
            ..config(&server, EmbeddingApi::Openai)
        };
        let error = embed(&config, &["1"]).expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.code(), Code::E3004);
    }
}

#[test]
fn every_trouble_is_the_same_code_with_its_own_way_out() {
    let answer = |status, text: &str| Reply::Answer(status, "", text.as_bytes().to_vec());
    for (api, reply, said) in [
        (
            EmbeddingApi::Ollama,
            answer(404, "model \"m-1\" not found"),
            "ollama pull m-1",
        ),
        (
            EmbeddingApi::Openai,
            answer(404, ""),
            "ends where `/embeddings` follows",
        ),
        (
            EmbeddingApi::Openai,
            answer(429, ""),
            "limits how much it is asked",
        ),
        (
            EmbeddingApi::Openai,
            answer(301, ""),
            "Redirects are not followed",
        ),
        (
            EmbeddingApi::Openai,
            answer(500, "out of memory"),
            "out of memory",
        ),
        (
            EmbeddingApi::Openai,
            answer(200, "<html>"),
            "try `search.embedding.api = \"ollama\"`",
        ),
        (
            EmbeddingApi::Ollama,
            answer(200, "{\"data\": []}"),
            "missing field `embeddings`",
        ),
        (EmbeddingApi::Openai, Reply::CutShort, "to its end"),
        (EmbeddingApi::Openai, Reply::Close, "the connection broke"),
        (
            EmbeddingApi::Openai,
            Reply::Endless,
            "more than 33554432 bytes",
        ),
    ] {
        let server = Server::start(move |_, _| reply.clone());
        let error = embed(&config(&server, api), &["1"]).expect_err(said);
        assert_eq!(error.code(), Code::E3501, "{error}");
        let all = format!("{error} {:?} {:?}", error.causes(), error.hints().concat());
        assert!(
            all.contains(&said.replace('"', "\\\"")) || all.contains(said),
            "{said}: {all}"
        );
        assert!(
            all.contains("asking model m-1 at http://127.0.0.1"),
            "{all}"
        );
    }
    let hangs = Server::start(|_, _| Reply::Hang(Duration::from_secs(20)));
    let impatient = EmbeddingConfig {
        timeout: Duration::from_millis(200),
        ..config(&hangs, EmbeddingApi::Openai)
    };
    let begun = Instant::now();
    let error = embed(&impatient, &["1"]).expect_err("no answer");
    assert!(
        error.hints().concat().contains("search.embedding.timeout"),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn answers_that_do_not_fit_the_question_are_refused() {
    for (answer, why) in [
        (json!({"data": []}), "one for each text"),
        (
            json!({"data": [{"index": 0, "embedding": [1]}]}),
            "one for each text",
        ),
        (
            json!({"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}),
            "two vectors",
        ),
        (
            json!({"data": [{"index": 2, "embedding": [1]}]}),
            "of text 2, of 2",
        ),
        (
            json!({"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}),
            "one length",
        ),
        (
            json!({"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]}),
            "vectors of 0 numbers",
        ),
        (
            json!({"data": [{"index": 0, "embedding": [1e300]}, {"index": 1, "embedding": [1]}]}),
            "out of range",
        ),
        (
            json!({"data": [{"index": 0, "embedding": "AAAA"}]}),
            "not what was expected",
        ),
    ] {
        let server = Server::start(move |_, _| Reply::json(&answer));
        let error = embed(&config(&server, EmbeddingApi::Openai), &["1", "2"]).expect_err(why);
        assert_eq!(error.code(), Code::E3501);
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    let server = Server::start(|_, _| Reply::json(&json!({"embeddings": [[1], [2], [3]]})));
    let error = embed(&config(&server, EmbeddingApi::Ollama), &["1"]).expect_err("three");
    assert!(error.to_string().contains("3 for 1 texts"), "{error}");
}

#[test]
fn a_model_must_be_named_and_plain_http_stays_here() {
    let server = Server::start(|_, _| Reply::status(500));
    let unnamed = EmbeddingConfig {
        model: String::new(),
        ..config(&server, EmbeddingApi::Openai)
    };
    assert_eq!(
        embed(&unnamed, &["1"]).expect_err("unnamed").code(),
        Code::E3004
    );
    let plain = EmbeddingConfig {
        url: Some("http://192.0.2.1/v1".parse().expect("a URL")),
        ..config(&server, EmbeddingApi::Openai)
    };
    let error = embed(&plain, &["1"]).expect_err("refused");
    assert!(error.hints().concat().contains("https://"), "{error}");
    let nothing = EmbeddingConfig::default();
    let none = EmbeddingEndpoint::configured(&nothing, &Environment::default());
    assert!(none.expect("valid").is_none());
}
