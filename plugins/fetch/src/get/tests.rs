use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use toolhatch_plugin::testing;

use super::*;

/// What is answered to a call, after it was held against the schemas.
fn call(arguments: Value) -> Result<(Value, Vec<Content>)> {
    let info = testing::info::<get>();
    assert_fits(&info.input_schema, &arguments);
    let output = testing::run::<get>(&arguments)?;
    let result = output.structured.unwrap();
    assert_fits(info.output_schema.as_ref().unwrap(), &result);
    Ok((result, output.content))
}

fn assert_fits(schema: &str, value: &Value) {
    let schema = serde_json::from_str(schema).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{value}");
}

/// Answers every request with this.
fn answer(content_type: &'static str, body: impl Into<Vec<u8>>) {
    let body = body.into();
    testing::http(move |_| {
        Ok(Response::new(200)
            .with_header("Content-Type", content_type)
            .with_body(body.clone()))
    });
}

fn text(content: &[Content]) -> Vec<&str> {
    let texts = content.iter().filter_map(|block| match block {
        Content::Text(content) => Some(content.text.as_str()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn the_examples_of_the_schema_are_valid() {
    let info = testing::info::<get>();
    let schema: Value = serde_json::from_str(&info.input_schema).unwrap();
    let examples = schema["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 3);
    for example in examples {
        assert_fits(&info.input_schema, example);
    }
}

#[test]
fn a_page_becomes_markdown() {
    answer(
        "text/html; charset=iso-8859-1",
        *b"<title>T\xe9</title><h1>H\xe9</h1><p><a href=/x>y</a>",
    );
    let (result, content) =
        call(json!({"url": "https://example.com/a", "readable": false})).unwrap();
    assert_eq!(
        result,
        json!({
            "url": "https://example.com/a", "status": 200, "content_type": "text/html; charset=iso-8859-1", "title": "Té",
            "readable": false, "text": "# Hé\n\n[y](https://example.com/x)", "length": 32, "size": 47, "truncated": false
        })
    );
    assert_eq!(
        text(&content),
        [
            "Té (https://example.com/a)",
            "# Hé\n\n[y](https://example.com/x)"
        ]
    );
}

#[test]
fn other_forms_are_as_asked_for() {
    for (format, expected) in [
        ("text", "A"),
        ("html", "<h1>A</h1>"),
        ("raw", "<h1>A</h1><script>b</script>"),
    ] {
        answer("text/html", "<h1>A</h1><script>b</script>");
        let (result, _) = call(json!({"url": "https://example.com", "format": format})).unwrap();
        assert_eq!(result["text"], expected, "{format}");
    }
    answer("application/json", "{\"a\":1.0}");
    let (result, _) = call(json!({"url": "https://example.com"})).unwrap();
    assert_eq!(result["text"], "{\n  \"a\": 1.0\n}");
    answer("application/json", "{\"a\":");
    let (result, _) = call(json!({"url": "https://example.com"})).unwrap();
    assert_eq!(result["text"], "{\"a\":");
}

#[test]
fn parts_follow_each_other_and_make_the_whole() {
    let whole: String = ('a'..='z').flat_map(|letter| [letter, 'é']).collect();
    let mut read = String::new();
    let mut start = 0;
    loop {
        answer("text/plain; charset=utf-8", whole.as_bytes());
        let (result, content) =
            call(json!({"url": "https://example.com", "start_index": start, "max_length": 20}))
                .unwrap();
        read.push_str(result["text"].as_str().unwrap());
        assert_eq!(result["length"], 52);
        assert_eq!(result["truncated"], result["next_start"].is_u64());
        match result["next_start"].as_u64() {
            Some(next) => {
                assert!(
                    text(&content)[1].contains(&format!("`start_index` {next}")),
                    "{content:?}"
                );
                start = next;
            }
            None => break,
        }
    }
    assert_eq!(read, whole);
    let error = call(json!({"url": "https://example.com", "start_index": 52})).unwrap_err();
    assert!(
        matches!(&error, ToolError::InvalidArguments(why) if why.contains("52 characters")),
        "{error}"
    );
}

#[test]
fn what_is_too_large_is_cut_and_told() {
    answer("text/plain", "a".repeat(100));
    let (result, content) = call(json!({"url": "https://example.com", "max_bytes": 99})).unwrap();
    assert_eq!(
        (&result["size"], &result["truncated"]),
        (&json!(99), &json!(true))
    );
    assert!(
        text(&content)[1].contains("`max_bytes` is 99"),
        "{content:?}"
    );
    answer("text/plain", "a".repeat(99));
    let (result, _) = call(json!({"url": "https://example.com", "max_bytes": 99})).unwrap();
    assert_eq!(result["truncated"], false);
}

fn packed(encoding: &'static str, body: Vec<u8>) {
    testing::http(move |request| {
        assert!(
            request
                .headers()
                .iter()
                .any(|(name, value)| name == "Accept-Encoding" && value == "gzip, deflate")
        );
        Ok(Response::new(200)
            .with_header("Content-Type", "text/plain")
            .with_header("Content-Encoding", encoding)
            .with_body(body.clone()))
    });
}

#[test]
fn packed_bodies_are_unpacked_up_to_the_cap() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    // A small body that becomes a large one.
    gzip.write_all(&vec![b'a'; 30 << 20]).unwrap();
    let gzip = gzip.finish().unwrap();
    packed("gzip", gzip.clone());
    let (result, _) = call(json!({"url": "https://example.com"})).unwrap();
    assert_eq!(
        (&result["size"], &result["truncated"]),
        (&json!(5 << 20), &json!(true))
    );
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(b"hello").unwrap();
    packed("Deflate", zlib.finish().unwrap());
    let (result, _) = call(json!({"url": "https://example.com"})).unwrap();
    assert_eq!(result["text"], "hello");

    for (encoding, body, why) in [
        ("gzip", gzip[..1000].to_vec(), "is not whole gzip"),
        ("gzip", b"plain".to_vec(), "is not whole gzip"),
        ("deflate", b"\xff\xff".to_vec(), "is not whole deflate"),
        ("br", b"x".to_vec(), "encoded as `br`"),
    ] {
        packed(encoding, body);
        let error = call(json!({"url": "https://example.com"})).unwrap_err();
        assert!(
            matches!(&error, ToolError::Failed(message) if message.contains(why)),
            "{encoding}: {error}"
        );
    }
}

#[test]
fn what_is_no_text_is_told_and_returned_where_it_is_wanted_and_small() {
    let png = b"\x89PNG\r\n\x1a\n\0\0".to_vec();
    answer("image/png", png.clone());
    let (result, content) = call(json!({"url": "https://example.com/i.png"})).unwrap();
    assert_eq!((&result["text"], &result["size"]), (&json!(""), &json!(10)));
    assert_eq!(
        text(&content),
        [
            "https://example.com/i.png: 10 bytes of image/png; `binary` returns them where they are at most 1 MiB"
        ]
    );
    let (_, content) = call(json!({"url": "https://example.com/i.png", "binary": true})).unwrap();
    assert!(
        matches!(&content[1], Content::Image(image) if image.data == png),
        "{content:?}"
    );
    answer("application/zip", vec![0; (1 << 20) + 1]);
    let (_, content) = call(json!({"url": "https://example.com", "binary": true})).unwrap();
    assert_eq!(content.len(), 1);
    assert!(
        text(&content)[0].ends_with("more than 1 MiB is not returned"),
        "{content:?}"
    );
    answer("", b"a\0b".to_vec());
    let (_, content) = call(json!({"url": "https://example.com", "binary": true})).unwrap();
    assert!(matches!(&content[1], Content::Resource(_)), "{content:?}");
}

#[test]
fn redirects_are_followed_and_a_failure_is_an_answer() {
    testing::http(|request| {
        Ok(match request.url() {
            "https://example.com/" | "https://example.com" => {
                Response::new(302).with_header("Location", "/there")
            }
            _ => Response::new(404)
                .with_header("Content-Type", "text/plain")
                .with_body("not here"),
        })
    });
    let (result, content) = call(json!({"url": "https://example.com"})).unwrap();
    assert_eq!(
        (&result["url"], &result["status"]),
        (&json!("https://example.com/there"), &json!(404))
    );
    assert_eq!(
        text(&content),
        ["not here", "[the server answered with status 404]"]
    );

    testing::http(|_| Ok(Response::new(301).with_header("Location", "/again")));
    let error = call(json!({"url": "https://example.com"})).unwrap_err();
    assert!(error.to_string().contains("more than 5 times"), "{error}");
}

#[test]
fn only_web_addresses_and_headers_of_ones_own_are_sent() {
    testing::http(|_| panic!("nothing is to be sent"));
    for url in [
        "ftp://example.com",
        "file:///etc/passwd",
        "example.com",
        "https://",
    ] {
        let error = call(json!({"url": url})).unwrap_err();
        assert!(
            matches!(error, ToolError::InvalidArguments(_)),
            "{url}: {error}"
        );
    }
    for (name, value) in [
        ("Host", "other"),
        ("a b", "c"),
        ("", "x"),
        ("X", "a\r\nY: b"),
        ("Transfer-Encoding", "chunked"),
    ] {
        let error =
            call(json!({"url": "https://example.com", "headers": {name: value}})).unwrap_err();
        assert!(
            matches!(error, ToolError::InvalidArguments(_)),
            "{name}: {error}"
        );
    }
    testing::http(|request| {
        let agents = request
            .headers()
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
        assert_eq!(
            agents.map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
            ["me"]
        );
        Ok(Response::new(204))
    });
    let (result, _) =
        call(json!({"url": "https://example.com", "headers": {"user-agent": "me"}})).unwrap();
    assert_eq!(result["status"], 204);
}
