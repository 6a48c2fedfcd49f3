//! A policy file from anywhere: reading it never panics; where it loads every kind of question gets an answer, the same
//! with the check of types and without, and none is a yes that no policy gave.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use toolhatch::policy::{Policies, Question, ToolShape};

static TOOLS: LazyLock<Vec<ToolShape>> = LazyLock::new(|| {
    let input_schema = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "mode": {"enum": ["read", "write"]},
            "depth": {"type": "integer"},
            "ratio": {"type": "number"},
            "force": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "options": {"type": "object", "properties": {"deep": {"type": "boolean"}}, "required": ["deep"]},
        },
        "required": ["path"],
    });
    ["files.read", "files.write", "web.fetch"]
        .map(|id| ToolShape {
            id: id.parse().expect("an id"),
            input_schema: input_schema.clone(),
        })
        .into()
});

/// One question of each kind.
static QUESTIONS: LazyLock<Vec<Question>> = LazyLock::new(|| {
    let tool = json!({
        "id": "files.read", "origin": "wasm", "version": "1.0.0", "risk": "high", "tags": ["local"],
        "digest": format!("sha256:{}", "0".repeat(64)),
    });
    let args = json!({
        "path": "/a", "mode": "read", "depth": -1, "ratio": 0.25, "tags": ["x", "x"], "options": {"deep": true},
    });
    let host = json!({"name": "a.example", "port": 443, "address": "192.0.2.1"});
    [
        json!({"action": "tool.invoke", "resource": tool, "args": args}),
        json!({"action": "tool.list", "resource": tool}),
        json!({"action": "fs.mount", "resource": {"path": "/a", "access": "write", "mount": "/b"}}),
        json!({"action": "net.connect", "resource": host}),
        json!({"action": "exec.container", "resource": {"reference": "docker.io/library/alpine:3"}}),
        json!({"action": "secret.read", "resource": {"name": "TOKEN", "host": "a.example"}}),
        json!({"action": "mcp.register", "resource": {"name": "files"}}),
    ]
    .map(|ask: Value| {
        let is_of_tool = ask["action"].as_str().is_some_and(|action| action.starts_with("tool."));
        let question = json!({
            "version": 1,
            "principal": {"user": "ann", "agent": "a", "session": "s1"},
            "ask": ask,
            "tool": if is_of_tool { Value::Null } else { tool.clone() },
            "time": 1_800_000_000,
            "session": {"tainted": true, "labels": ["x"], "calls": 3},
        });
        serde_json::from_value(question).expect("a question")
    })
    .into()
});

fuzz_target!(|text: &str| {
    let sources = [("fuzz.cedar", text)];
    let Ok(policies) = Policies::load(&sources, &TOOLS) else {
        return;
    };
    let unchecked = Policies::load_checked(&sources, &TOOLS).expect("it has just passed the check");
    assert_eq!(policies.list(), unchecked.list());
    for question in QUESTIONS.iter() {
        let decision = policies.decide(question);
        assert_eq!(decision, unchecked.decide(question));
        assert_eq!(decision, policies.decide_by_cedar(question));
        assert_eq!(decision, policies.explain(question).decision);
        assert!(!decision.allow || !decision.determining.is_empty() && decision.errors.is_empty());
    }
});
