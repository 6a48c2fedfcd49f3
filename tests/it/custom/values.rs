//! Values of every type, there and back.

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::probe::{self, Probe};

/// Values that come back as they were sent.
fn round_trips() -> Vec<(&'static str, Vec<Value>)> {
    let shapes = vec![
        json!({"tag": "circle", "value": 1.5}),
        json!({"tag": "polygon", "value": []}),
        json!({"tag": "polygon", "value": [{"x": 0.0, "y": -0.0, "label": null}]}),
        json!({"tag": "dot", "value": null}),
        json!({"tag": "dot", "value": {"x": 1.0, "y": 2.0, "label": "p"}}),
        json!({"tag": "nothing"}),
    ];
    let all_shapes: Vec<Value> = shapes.iter().map(|shape| json!([1, shape])).collect();
    vec![
        ("bool", vec![json!(true), json!(false)]),
        ("u8", vec![json!(0), json!(255)]),
        ("u16", vec![json!(0), json!(65535)]),
        ("u32", vec![json!(0), json!(u32::MAX)]),
        (
            "u64",
            vec![json!(0), json!(u64::MAX), json!(9_007_199_254_740_993_u64)],
        ),
        ("s8", vec![json!(-128), json!(127)]),
        ("s16", vec![json!(-32768), json!(32767)]),
        ("s32", vec![json!(i32::MIN), json!(i32::MAX)]),
        ("s64", vec![json!(i64::MIN), json!(i64::MAX), json!(-1)]),
        (
            "f32",
            vec![
                json!(0.0),
                json!(-0.0),
                json!(0.1),
                json!(3.402_823_5e38),
                json!("NaN"),
                json!("Infinity"),
                json!("-Infinity"),
            ],
        ),
        (
            "f64",
            vec![
                json!(0.0),
                json!(-0.0),
                json!(0.1),
                json!(f64::MAX),
                json!(f64::MIN_POSITIVE),
                json!(5e-324),
                json!("NaN"),
                json!("Infinity"),
                json!("-Infinity"),
            ],
        ),
        (
            "char",
            vec![
                json!("a"),
                json!("\0"),
                json!("ß"),
                json!("🦀"),
                json!("\u{10ffff}"),
            ],
        ),
        (
            "string",
            vec![
                json!(""),
                json!("a\0b\n\"\\"),
                json!("grüße 🦀 \u{202e}"),
                json!("x".repeat(100_000)),
            ],
        ),
        (
            "bytes",
            vec![
                json!(""),
                json!("AA=="),
                json!("/+8="),
                json!("AAECAwT//g=="),
            ],
        ),
        (
            "strings",
            vec![json!([]), json!([""]), json!(["a", "", "ü"])],
        ),
        (
            "tuple",
            vec![json!([0, "", false]), json!([255, "x", true])],
        ),
        (
            "point",
            vec![
                json!({"x": 1.0, "y": -2.5, "label": null}),
                json!({"x": "NaN", "y": "-Infinity", "label": "here"}),
            ],
        ),
        ("shape", shapes),
        ("color", vec![json!("red"), json!("green"), json!("blue")]),
        (
            "permissions",
            vec![
                json!([]),
                json!(["read"]),
                json!(["read", "write", "execute"]),
            ],
        ),
        ("option", vec![json!(null), json!(0), json!(7)]),
        (
            "options",
            vec![
                json!(null),
                json!({"some": null}),
                json!({"some": {"some": 7}}),
            ],
        ),
        (
            "three-options",
            vec![
                json!(null),
                json!({"some": null}),
                json!({"some": {"some": null}}),
                json!({"some": {"some": {"some": "x"}}}),
            ],
        ),
        (
            "outcomes",
            vec![
                json!({"both": {"ok": 1}, "good": {"ok": 2}, "bad": {"ok": null}, "bare": {"ok": null}}),
                json!({"both": {"err": "e"}, "good": {"err": null}, "bad": {"err": "f"}, "bare": {"err": null}}),
            ],
        ),
        (
            "nested",
            vec![
                json!([]),
                json!([null, {"ok": []}, {"err": "AAE="}, {"ok": all_shapes}]),
            ],
        ),
    ]
}

/// Numbers as they are written, because reading them could hide what was lost.
#[test]
fn floats_are_exact_to_the_last_digit() {
    let probe = Probe::new();
    for (function, written) in [
        ("echo-f64", "0.1"),
        ("echo-f64", "-0.0"),
        ("echo-f64", "5e-324"),
        ("echo-f64", "1e-45"),
        ("echo-f64", "2.2250738585072014e-308"),
        ("echo-f64", "2.2250738585072011e-308"),
        ("echo-f64", "1.7976931348623157e308"),
        ("echo-f64", "7.2057594037927933e16"),
        ("echo-f64", "8.41e21"),
        ("echo-f64", "5.0e-20"),
        ("echo-f64", "9007199254740993.5"),
        ("echo-f64", "0.30000000000000004"),
        ("echo-f32", "0.1"),
        ("echo-f32", "1e-45"),
        ("echo-f32", "3.4028235e38"),
        ("echo-f32", "1.1754944e-38"),
    ] {
        let arguments = format!("{{\"value\": {written}}}");
        let file = probe::file();
        let words = [
            "call",
            file.to_str().expect("UTF-8"),
            function,
            "--args",
            &arguments,
        ];
        let output = probe.env.run(words).ok();
        let text = output
            .stdout
            .trim_start_matches("{\"result\":")
            .trim_end_matches(['}', '\n']);
        let exact = if function == "echo-f32" {
            text.parse::<f32>().map(f32::to_bits) == written.parse::<f32>().map(f32::to_bits)
        } else {
            text.parse::<f64>().map(f64::to_bits) == written.parse::<f64>().map(f64::to_bits)
        };
        assert!(exact, "{written} came back as {text}");
    }
}

/// Equal as JSON, and with the sign of zero.
fn same(left: &Value, right: &Value) -> bool {
    let [left_text, right_text] = [left, right].map(Value::to_string);
    left == right && left_text == right_text
}

#[test]
fn values_of_every_type_come_back_as_they_were_sent() {
    let probe = Probe::new();
    let cases: Vec<(String, Value)> = round_trips()
        .into_iter()
        .flat_map(|(name, values)| {
            values
                .into_iter()
                .map(move |value| (format!("echo-{name}"), value))
        })
        .collect();
    let input: String = cases
        .iter()
        .map(|(name, value)| {
            format!(
                "{}\n",
                json!({"tool": probe::file(), "name": name, "args": {"value": value}})
            )
        })
        .collect();
    let output = probe.env.run(["call", "--jsonl"]).stdin(input).ok();
    let answers = output.json_lines();
    assert_eq!(answers.len(), cases.len(), "{output}");
    for ((name, value), answer) in cases.iter().zip(answers) {
        let structured = &answer["structured"];
        let is_object = ["echo-point", "echo-shape", "echo-outcomes"].contains(&name.as_str());
        let back = if is_object {
            structured
        } else {
            &structured["result"]
        };
        assert!(
            same(back, value),
            "{name}: {value} came back as {structured}"
        );
        let text = answer["content"][0]["text"]
            .as_str()
            .expect("text for those who read no JSON");
        assert_eq!(text, structured.to_string());
    }
}

#[test]
fn other_ways_to_write_a_value_are_read_too() {
    let probe = Probe::new();
    for (name, written, expected) in [
        ("u8", json!(2.0), json!(2)),
        ("s32", json!(-2.0), json!(-2)),
        ("u64", json!("18446744073709551615"), json!(u64::MAX)),
        ("s64", json!("-9223372036854775808"), json!(i64::MIN)),
        ("f64", json!(3), json!(3.0)),
        ("f32", json!(16_777_217), json!(16_777_216.0)),
        (
            "permissions",
            json!(["execute", "read"]),
            json!(["read", "execute"]),
        ),
    ] {
        let call = probe.call(&format!("echo-{name}"), json!({"value": written}));
        call.gives(expected);
    }
    // An option may be left out, and so may the one field that holds an option.
    probe.call("echo-option", json!({})).gives(Value::Null);
    let call = probe.call("echo-point", json!({"value": {"x": 1, "y": 2}}));
    let output = call.run().ok();
    assert_eq!(
        output.json()["structured"],
        json!({"x": 1.0, "y": 2.0, "label": null}),
        "{output}"
    );
    let call = probe.call("echo-shape", json!({"value": {"tag": "dot"}}));
    let output = call.run().ok();
    assert_eq!(
        output.json()["structured"],
        json!({"tag": "dot", "value": null}),
        "{output}"
    );
    probe
        .call("several", json!({"first": 1, "third": []}))
        .gives(Value::Null);
}

#[test]
fn the_failure_of_a_function_is_the_error_of_the_tool() {
    let probe = Probe::new();
    let call = |function: &str, good: bool| probe.call(function, json!({"good": good}));
    let output = call("either", true).run().ok();
    assert_eq!(
        output.json()["structured"],
        json!({"x": 1.5, "y": -2.0, "label": null}),
        "{output}"
    );
    call("maybe", true).gives(json!("good"));
    for function in ["check", "bare"] {
        let output = call(function, true).run().ok();
        assert_eq!(output.json()["structured"], json!({}), "{output}");
    }
    let point = json!({"tag": "dot", "value": {"x": 1.5, "y": -2.0, "label": null}});
    for (function, value, told) in [
        ("either", point, "\"tag\":\"dot\""),
        ("maybe", Value::Null, "the tool failed"),
        ("check", json!("it is bad"), "the tool failed: it is bad"),
        ("bare", Value::Null, "the tool failed"),
    ] {
        let output = call(function, false).fails(1, "E3401", told);
        assert_eq!(
            output.json()["error"]["details"]["structured"],
            value,
            "{output}"
        );
    }
    probe.still_works();
}

#[test]
fn single_arguments_are_read_by_their_types() {
    let env = TestEnv::new();
    let file = probe::file();
    let file = file.to_str().expect("UTF-8");
    let call = |function: &str, argument: &str| {
        env.run(["call", file, function, "--json", "--arg", argument])
    };
    for (function, argument, expected) in [
        ("echo-u8", "value=7", json!(7)),
        ("echo-u64", "value=18446744073709551615", json!(u64::MAX)),
        ("echo-s64", "value=-9223372036854775808", json!(i64::MIN)),
        ("echo-f64", "value=NaN", json!("NaN")),
        ("echo-f64", "value=-0", json!(-0.0)),
        ("echo-bool", "value=true", json!(true)),
        ("echo-string", "value=7", json!("7")),
        ("echo-string", "value=", json!("")),
        ("echo-string", "value=a=b", json!("a=b")),
        ("echo-string", "value:=\"x\"", json!("x")),
        ("echo-char", "value=7", json!("7")),
        ("echo-color", "value=red", json!("red")),
        ("echo-option", "value=7", json!(7)),
        ("echo-strings", "value:=[\"a\",\"b\"]", json!(["a", "b"])),
        ("echo-strings", "value=[\"a\"]", json!(["a"])),
        ("echo-bytes", "value=AAE=", json!("AAE=")),
    ] {
        let output = call(function, argument).ok();
        let result = &output.json()["structured"]["result"];
        assert!(same(result, &expected), "{argument}: {output}");
    }
    for (function, argument, code) in [
        ("echo-u8", "value=x", "E3302"),
        ("echo-u8", "value=300", "E3301"),
        ("echo-bool", "value=yes", "E3302"),
        ("echo-u8", "valeu=7", "E3302"),
    ] {
        call(function, argument).fails_with(2, code);
    }
}
