//! Values that do not fit.

use serde_json::json;

use crate::support::probe::Probe;

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
