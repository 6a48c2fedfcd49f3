//! JSON as the input schema of a tool: whatever a stranger's tool asks for, the policies still load, and a call of it is
//! answered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use toolhatch::policy::{Ask, DEFAULT_FILE, DEFAULT_POLICIES, Policies, Question, ToolShape};
use toolhatch::schema::parse_strict;

/// Looks at the arguments as a whole, so that all of them are converted.
const LOOKS: &str = r#"@id("looks") forbid (principal, action == Action::"a.b", resource) when { context == context };"#;

fuzz_target!(|text: &str| {
    let Ok(Value::Array(pair)) = parse_strict(text) else {
        return;
    };
    let [input_schema, args] = pair.as_slice() else {
        return;
    };
    let tools = [ToolShape {
        id: "a.b".parse().expect("an id"),
        input_schema: input_schema.clone(),
    }];
    Policies::load(&[(DEFAULT_FILE, DEFAULT_POLICIES)], &tools).expect("no tool stops the default");
    let policies =
        Policies::load(&[("looks.cedar", LOOKS)], &tools).expect("no tool stops a policy");
    let question = json!({
        "version": 1,
        "principal": {"user": "ann"},
        "ask": {"action": "tool.invoke", "args": args, "resource": {
            "id": "a.b", "origin": "wasm", "version": "1.0.0", "risk": "low",
            "digest": format!("sha256:{}", "0".repeat(64)),
        }},
        "time": 1_800_000_000,
    });
    let question: Question = serde_json::from_value(question).expect("a question");
    assert!(matches!(question.ask, Ask::Invoke { .. }));
    assert!(!policies.decide(&question).allow, "there is no permit");
});
