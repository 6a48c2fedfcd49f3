//! Custom tools: components without a manifest, whose functions are tools by their types alone.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::probe::{self, Probe};
use crate::support::source::root;

/// The descriptions of the probe's tools, by name; with its WIT beside it or without.
fn described(env: &TestEnv, with_wit: bool) -> Vec<Value> {
    let file = env.path("probe.wasm");
    std::fs::copy(probe::file(), &file).expect("copied");
    if with_wit {
        std::fs::copy(
            probe::file().with_extension("wit"),
            file.with_extension("wit"),
        )
        .expect("copied");
    }
    let output = env.run(["tools", "list", "probe.wasm", "--json"]).ok();
    let tools = output.json()["tools"].as_array().cloned();
    tools.unwrap_or_else(|| panic!("there should be tools\n{output}"))
}

#[track_caller]
fn tool<'a>(tools: &'a [Value], id: &str) -> &'a Value {
    let found = tools.iter().find(|tool| tool["id"] == id);
    found.unwrap_or_else(|| panic!("there is no {id}"))
}

#[test]
fn the_probes_are_the_ones_their_wit_describes() {
    for (source, built) in [
        ("plugins/probe/wit/probe.wit", probe::file()),
        ("plugins/probe/async/wit/probe.wit", probe::async_file()),
    ] {
        let built_from = std::fs::read_to_string(root().join(source)).expect("readable");
        let beside = std::fs::read_to_string(built.with_extension("wit")).expect("readable");
        assert_eq!(
            built_from, beside,
            "rebuild the probes: scripts/build-plugins"
        );
    }
}

#[test]
fn every_exported_function_is_a_tool_with_ranges_in_its_schema() {
    let env = TestEnv::new();
    let tools = described(&env, false);
    assert!(tools.len() > 60, "{}", tools.len());
    let value = |name: &str| {
        let tool = tool(&tools, &format!("probe.{name}"));
        assert_eq!(tool["input_schema"]["required"], json!(["value"]), "{name}");
        assert_eq!(
            tool["input_schema"]["additionalProperties"], false,
            "{name}"
        );
        tool["input_schema"]["properties"]["value"].clone()
    };
    for (name, minimum, maximum) in [
        ("echo-u8", json!(0), json!(255)),
        ("echo-u16", json!(0), json!(65535)),
        ("echo-u32", json!(0), json!(u32::MAX)),
        ("echo-s8", json!(-128), json!(127)),
        ("echo-s16", json!(-32768), json!(32767)),
        ("echo-s32", json!(i32::MIN), json!(i32::MAX)),
    ] {
        assert_eq!(
            value(name),
            json!({"type": "integer", "minimum": minimum, "maximum": maximum})
        );
    }
    assert_eq!(value("echo-u64")["anyOf"][0]["maximum"], json!(u64::MAX));
    assert_eq!(value("echo-s64")["anyOf"][0]["minimum"], json!(i64::MIN));
    assert_eq!(value("echo-string"), json!({"type": "string"}));
    assert_eq!(value("echo-bytes")["contentEncoding"], "base64");
    assert_eq!(value("echo-char")["maxLength"], 1);
    assert_eq!(value("echo-color")["enum"], json!(["red", "green", "blue"]));
    assert_eq!(value("echo-permissions")["uniqueItems"], true);
    assert_eq!(
        value("echo-tuple")["prefixItems"].as_array().map(Vec::len),
        Some(3)
    );
    let point = value("echo-point");
    assert_eq!(
        point["required"],
        json!(["x", "y"]),
        "an option may be left out"
    );
    let output = &tool(&tools, "probe.echo-point")["output_schema"];
    assert_eq!(
        output["properties"]["x"]["anyOf"][0]["type"], "number",
        "a record is the result itself"
    );
    let output = &tool(&tools, "probe.echo-u8")["output_schema"];
    assert_eq!(
        output["properties"]["result"]["maximum"], 255,
        "anything else is under `result`"
    );
    let several = &tool(&tools, "probe.several")["input_schema"];
    assert_eq!(several["required"], json!(["first", "third"]));
}

#[test]
fn descriptions_come_from_the_wit_beside_the_component() {
    let env = TestEnv::new();
    let bare = described(&env, false);
    let bare = tool(&bare, "probe.read-file")["description"]
        .as_str()
        .expect("a description");
    assert!(
        !bare.contains("Reads a file as text") && bare.contains("path"),
        "{bare}"
    );
    let tools = described(&env, true);
    let told = |name: &str| tool(&tools, &format!("probe.{name}"))["description"].to_string();
    assert!(
        told("read-file").contains("Reads a file as text."),
        "{}",
        told("read-file")
    );
    assert!(told("echo-u8").contains("The smallest number there is."));
    let point = &tool(&tools, "probe.echo-point")["input_schema"]["properties"]["value"];
    assert_eq!(
        point["properties"]["x"]["description"], "To the right.",
        "{point}"
    );
    let shape = tool(&tools, "probe.echo-shape")["input_schema"].to_string();
    assert!(
        shape.contains("By its radius.") && shape.contains("What can be drawn."),
        "{shape}"
    );
    // What is not WIT is an error, and not passed over.
    env.write("probe.wit", b"package ;");
    env.run(["tools", "list", "probe.wasm", "--json"])
        .fails_with(2, "E3105");
}

#[test]
fn a_tool_can_be_shown_alone() {
    let env = TestEnv::new();
    described(&env, true);
    let output = env.run(["tools", "show", "probe.wasm", "echo-u8"]).ok();
    for told in [
        "probe.echo-u8",
        "The smallest number there is.",
        "value",
        "0",
        "255",
    ] {
        assert!(output.stdout.contains(told), "{told}: {output}");
    }
    let output = env
        .run(["tools", "show", "probe.wasm", "ecko-u8"])
        .fails_with(4, "E3101");
    assert!(
        output.stderr.contains("Did you mean `echo-u8`?"),
        "{output}"
    );
    let output = env.run(["call", "probe.wasm"]).fails_with(4, "E3101");
    assert!(
        output.stderr.contains("several tools, and none was named"),
        "{output}"
    );
}

#[test]
fn functions_of_the_same_name_are_told_apart_by_their_interface() {
    let env = TestEnv::new();
    let file = guests::wat("collide");
    let file = file.to_str().expect("UTF-8");
    for (name, expected) in [("first.count", 1), ("second.count", 2), ("alone", 1)] {
        let output = env.run(["call", file, name, "--json"]).ok();
        assert_eq!(output.json()["structured"]["result"], expected, "{output}");
        assert_eq!(output.json()["tool"], format!("collide.{name}"), "{output}");
    }
    env.run(["call", file, "count"]).fails_with(4, "E3101");
}

#[test]
fn a_component_asks_for_what_it_imports() {
    let probe = Probe::new();
    let output = probe
        .env
        .run([
            "tools",
            "show",
            probe::file().to_str().expect("UTF-8"),
            "nothing",
            "--json",
        ])
        .ok();
    let asked = output.json()["requests"].to_string();
    for kind in [
        "file_read",
        "file_write",
        "network_http",
        "network_tcp",
        "network_udp",
        "env",
    ] {
        assert!(asked.contains(kind), "{kind}: {output}");
    }
    let adder = guests::component(guests::ADDER);
    probe.env.write("adder.wasm", &adder);
    let output = probe
        .env
        .run(["tools", "show", "adder.wasm", "--json"])
        .ok();
    assert_eq!(output.json()["requests"], json!([]), "{output}");
    // Allowing it what it cannot use is harmless, and told.
    let words = [
        "call",
        "adder.wasm",
        "--arg",
        "a=1",
        "--arg",
        "b=2",
        "--allow",
        "env=USER",
    ];
    let output = probe.env.run(words).ok();
    assert!(
        output.stderr.contains("allowing it changes nothing"),
        "{output}"
    );
}

#[test]
fn everything_a_component_asks_for_can_be_allowed_at_once() {
    let probe = Probe::new();
    let file = probe.env.write("data/a.txt", b"inside");
    probe.env.write("data/.ssh/id", b"key");
    let read = |path: &Path| {
        let path = path.to_str().expect("UTF-8");
        let call = probe.call("read-file", json!({"path": path}));
        call.flag("--allow-requested")
    };
    read(&file).gives(json!("inside"));
    read(&probe.env.path("data/.ssh/id")).is_denied("E3210", "holds credentials");
    read(Path::new("/proc/self/environ")).is_denied("E3210", "is a window into the kernel");
    let path = probe.env.path("data/new.txt");
    let arguments = json!({"path": path, "text": "new"});
    probe
        .call("write-file", arguments)
        .flag("--allow-requested")
        .run()
        .ok();
    assert_eq!(std::fs::read_to_string(path).expect("written"), "new");
    let call = probe.call("variable", json!({"name": "USER"}));
    call.flag("--allow-requested").gives(json!("me"));
}

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
    left == right && left.to_string() == right.to_string()
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
fn what_does_not_fit_is_told_with_its_place() {
    let probe = Probe::new();
    let deep = json!([null, {"ok": [[1, {"tag": "polygon", "value": [{"x": 1, "y": "2"}]}]]}]);
    for (name, value, path, told) in [
        (
            "u8",
            json!(256),
            "/value",
            "an integer from 0 to 255, found 256",
        ),
        (
            "u8",
            json!(-1),
            "/value",
            "an integer from 0 to 255, found -1",
        ),
        (
            "u8",
            json!(1.5),
            "/value",
            "an integer from 0 to 255, found 1.5",
        ),
        (
            "u8",
            json!("1"),
            "/value",
            "an integer from 0 to 255, found",
        ),
        (
            "u8",
            json!(null),
            "/value",
            "an integer from 0 to 255, found null",
        ),
        ("s8", json!(-129), "/value", "an integer from -128 to 127"),
        (
            "u64",
            json!("18446744073709551616"),
            "/value",
            "or its digits as a string",
        ),
        ("u64", json!("01"), "/value", "or its digits as a string"),
        (
            "u64",
            json!(1e19),
            "/value",
            "an integer from 0 to 18446744073709551615",
        ),
        (
            "s64",
            json!("--1"),
            "/value",
            "an integer from -9223372036854775808",
        ),
        (
            "f32",
            json!(1e39),
            "/value",
            "a number from -3.4028235e38 to 3.4028235e38",
        ),
        (
            "f64",
            json!("nan"),
            "/value",
            "\"NaN\", \"Infinity\" or \"-Infinity\"",
        ),
        ("bool", json!(0), "/value", "true or false, found 0"),
        ("char", json!(""), "/value", "exactly one character"),
        ("char", json!("ab"), "/value", "exactly one character"),
        ("string", json!(5), "/value", "a string, found 5"),
        ("bytes", json!("AA"), "/value", "base64"),
        ("bytes", json!("!!!!"), "/value", "base64"),
        ("bytes", json!([1, 2]), "/value", "base64"),
        ("strings", json!(["a", 1]), "/value/1", "a string, found 1"),
        ("strings", json!({}), "/value", "an array"),
        (
            "tuple",
            json!([1, "a"]),
            "/value",
            "an array of exactly 3 items",
        ),
        (
            "tuple",
            json!([1, 2, true]),
            "/value/1",
            "a string, found 2",
        ),
        ("point", json!({"x": 1}), "/value", "the field `y`"),
        (
            "point",
            json!({"x": 1, "y": 2, "z": 3}),
            "/value/z",
            "an unknown field `z`",
        ),
        ("point", json!([1, 2]), "/value", "an object"),
        (
            "shape",
            json!("circle"),
            "/value",
            "an object with the key \"tag\"",
        ),
        (
            "shape",
            json!({"tag": "circel", "value": 1}),
            "/value/tag",
            "one of the cases",
        ),
        (
            "shape",
            json!({"tag": "circle"}),
            "/value",
            "the field `value`",
        ),
        (
            "shape",
            json!({"tag": "nothing", "value": 1}),
            "/value/value",
            "carries none",
        ),
        (
            "shape",
            json!({"tag": "circle", "value": 1, "extra": 1}),
            "/value/extra",
            "an unknown field `extra`",
        ),
        (
            "color",
            json!("purple"),
            "/value",
            "one of the cases `red`, `green`, `blue`",
        ),
        (
            "permissions",
            json!(["read", "read"]),
            "/value/1",
            "a flag that did not come before",
        ),
        (
            "permissions",
            json!(["fly"]),
            "/value/0",
            "one of the flags",
        ),
        (
            "options",
            json!(7),
            "/value",
            "null or an object with the one key \"some\"",
        ),
        ("options", json!({"some": 7}), "/value/some", "\"some\""),
        (
            "outcomes",
            json!({"both": 1, "good": {"ok": 1}, "bad": {"ok": null}, "bare": {"ok": null}}),
            "/value/both",
            "either the key \"ok\" or the key \"err\"",
        ),
        (
            "outcomes",
            json!({"both": {"ok": 1}, "good": {"ok": 1}, "bad": {"ok": 5}, "bare": {"ok": null}}),
            "/value/bad/ok",
            "null",
        ),
        ("nested", deep, "/value/1/ok/0/1/value/0/y", "a number"),
    ] {
        let output = probe
            .call(&format!("echo-{name}"), json!({"value": value}))
            .fails(2, "E3301", told);
        let error = &output.json()["error"];
        assert_eq!(error["details"]["path"], path, "{output}");
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.contains(&format!("at {path}: expected")),
            "{output}"
        );
    }
    for (arguments, told) in [
        (json!({}), "the argument `value`"),
        (
            json!({"value": 1, "valeu": 1}),
            "an unknown argument `valeu`",
        ),
        (json!({"vlaue": 1}), "vlaue"),
    ] {
        probe.call("echo-u8", arguments).fails(2, "E3301", told);
    }
    probe.still_works();
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

#[test]
fn a_manifest_beside_a_component_of_functions_narrows_what_it_asks_for() {
    let env = TestEnv::new();
    std::fs::copy(probe::file(), env.path("probe.wasm")).expect("copied");
    env.write("data/a.txt", b"inside");
    env.write("other/b.txt", b"other");
    let manifest = r#"
        schema = 1
        name = "reader"
        version = "1.0.0"
        description = "Reads one folder"

        [permissions]
        file_read = [{ path = "${workspace}/data", mount = "/input" }]
    "#;
    env.write("probe.plugin.toml", manifest.as_bytes());
    let call = |words: &[&str]| {
        env.run(
            ["call", "probe.wasm", "read-file", "--json"]
                .iter()
                .chain(words),
        )
    };
    for words in [
        ["--arg", "path=/input/a.txt", "--allow", "file_read=data"],
        ["--arg", "path=data/a.txt", "--allow", "file_read=data"],
        ["--arg", "path=/input/a.txt", "--allow", "file_read=."],
        ["--arg", "path=/input/a.txt", "--allow-requested", "--json"],
    ] {
        let output = call(&words[..if words[3] == "--json" { 3 } else { 4 }]).ok();
        assert_eq!(output.json()["structured"]["result"], "inside", "{output}");
        assert_eq!(output.json()["tool"], "reader.read-file", "{output}");
    }
    // What the manifest does not ask for cannot be granted.
    let output =
        call(&["--arg", "path=other/b.txt", "--allow", "file_read=other"]).fails_with(1, "E3401");
    assert!(
        output.json()["warnings"]
            .to_string()
            .contains("does not ask for"),
        "{output}"
    );
    assert_eq!(output.json()["denials"][0]["code"], "E3210", "{output}");
    assert!(Path::new(&env.path("other/b.txt")).exists());
}
