//! What arguments become, above all those that somebody chose to do harm.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::manifest::ToolSpec;

/// A container whose `[tools.container]` holds these lines; every name in them is an argument.
fn spec(lines: &str) -> ContainerSpec {
    let text = format!(
        "schema = 1\n[[tools]]\nname = 'x'\ndescription = 'x'\n\
         input_schema.type = 'object'\ninput_schema.properties = {{ a = {{}}, b = {{}}, verbose = {{}}, 'odd name' = {{}} }}\n\
         [tools.container]\nimage = 'busybox'\n{lines}"
    );
    let manifest = crate::manifest::custom::parse("x", &text).unwrap_or_else(|e| panic!("{e}"));
    let tool: ToolSpec = manifest.tools.into_iter().next().expect("one");
    tool.container.expect("there")
}

fn argv(command: &str, arguments: Value) -> Vec<String> {
    let filled = spec(&format!("command = {command}")).fill(&arguments);
    filled.unwrap_or_else(|error| panic!("{error}")).argv
}

fn refusal(lines: &str, arguments: Value) -> Error {
    let Err(error) = spec(lines).fill(&arguments) else {
        panic!("not refused: {}", lines.get(..80).unwrap_or(lines));
    };
    assert_eq!(error.code(), Code::E3301);
    let text = error.to_string();
    assert!(
        text.starts_with("filling in the command of the tool: "),
        "{text}"
    );
    error
}

#[test]
fn values_become_elements() {
    for (command, arguments, expected) in [
        ("['p']", json!({}), &["p"][..]),
        ("['p', '{a}']", json!({"a": "x y"}), &["p", "x y"]),
        ("['p', '{a}']", json!({"a": ""}), &["p", ""]),
        ("['p', '{a}']", json!({}), &["p"]),
        ("['p', '{a}']", json!({"a": null}), &["p"]),
        ("['p', '{a}']", json!({"a": -1.5}), &["p", "-1.5"]),
        ("['p', '{a}']", json!({"a": true}), &["p", "true"]),
        (
            "['p', '{a}']",
            json!({"a": {"k": [1]}}),
            &["p", "{\"k\":[1]}"],
        ),
        (
            "['p', '{a}', 'z']",
            json!({"a": ["x", 1, false]}),
            &["p", "x", "1", "false", "z"],
        ),
        ("['p', '{a}']", json!({"a": []}), &["p"]),
        ("['p', '--n={a}']", json!({"a": 3}), &["p", "--n=3"]),
        ("['p', '--n={a}']", json!({"a": "-3"}), &["p", "--n=-3"]),
        ("['p', '--n={a}']", json!({}), &["p"]),
        ("['p', '{a}:{b}']", json!({"a": "x"}), &["p"]),
        ("['p', '{a}:{b}']", json!({"a": "x", "b": 1}), &["p", "x:1"]),
        ("['p', '{a}px']", json!({"a": -5}), &["p", "-5px"]),
        ("['p', '{odd name}']", json!({"odd name": 1}), &["p", "1"]),
        ("['p', '{{a}}']", json!({"a": "x"}), &["p", "{a}"]),
        (
            "['p', { when = 'verbose', then = ['-v', '{a}'] }, 'z']",
            json!({"verbose": true, "a": 1}),
            &["p", "-v", "1", "z"],
        ),
        (
            "['p', { when = 'verbose', then = ['-v', '{a}'] }, 'z']",
            json!({"verbose": true}),
            &["p", "-v", "z"],
        ),
        (
            "['p', { when = 'verbose', then = ['-v'] }, 'z']",
            json!({"verbose": false}),
            &["p", "z"],
        ),
        (
            "['p', { when = 'verbose', then = ['-v'] }, 'z']",
            json!({"verbose": null}),
            &["p", "z"],
        ),
        (
            "['p', { when = 'a', then = ['-a', '{a}'] }]",
            json!({"a": ""}),
            &["p", "-a", ""],
        ),
        (
            "['p', { when = 'a', then = ['-a'] }]",
            json!({"a": 0}),
            &["p", "-a"],
        ),
    ] {
        assert_eq!(
            argv(command, arguments.clone()),
            expected,
            "{command} {arguments}"
        );
    }
}

#[test]
fn a_value_stays_one_element_whatever_is_in_it() {
    for hostile in [
        "; rm -rf /",
        "$(id)",
        "`id`",
        "a && b || c | d > e < f",
        "'\"\\",
        "line\nend\r\n",
        "{b}",
        "{{a}}",
        "{a:any}",
        "${HOME} %s *",
        "\u{1b}]0;x\u{7} \u{202e} 日本 🦀",
        "@file",
    ] {
        let arguments = json!({"a": hostile, "b": "SECOND"});
        assert_eq!(
            argv("['p', '{a}', 'z']", arguments.clone()),
            ["p", hostile, "z"]
        );
        assert_eq!(
            argv("['p', 'x{a}y']", arguments.clone()),
            ["p".to_owned(), format!("x{hostile}y")]
        );
        let filled = spec("command = ['p']\nstdin = '{a}'\nenv = { X = '{a}' }").fill(&arguments);
        let filled = filled.expect("filled");
        assert_eq!(filled.stdin.as_deref(), Some(hostile.as_bytes()));
        assert_eq!(filled.env, [("X".to_owned(), hostile.to_owned())]);
    }
}

#[test]
fn a_text_that_looks_like_a_flag_is_refused() {
    for (command, arguments) in [
        ("['p', '{a}']", json!({"a": "-rf"})),
        ("['p', '{a}']", json!({"a": "-"})),
        ("['p', '{a}']", json!({"a": "--"})),
        ("['p', '{a}']", json!({"a": ["x", "--output=/x"]})),
        ("['p', '{a}.txt']", json!({"a": "--output=x"})),
        ("['p', '{b}{a}']", json!({"b": "", "a": "-x"})),
        ("['p', '{a}-x']", json!({"a": ""})),
        ("['p', '{b}{a}']", json!({"b": -1, "a": "rf"})),
        ("['p', '{a}', '--']", json!({"a": "-x"})),
        ("['p', 'x--', '{a}']", json!({"a": "-x"})),
        (
            "['p', { when = 'verbose', then = ['--'] }, '{a}']",
            json!({"a": "-x"}),
        ),
        ("['p', { when = 'a', then = ['{a}'] }]", json!({"a": "-x"})),
        ("['p', '{b}', '{a}']", json!({"b": "x", "a": "-x"})),
    ] {
        let error = refusal(&format!("command = {command}"), arguments);
        let text = error.to_string();
        assert!(
            text.contains("begins with `-` and looks like a flag"),
            "{text}"
        );
        assert!(error.hints().iter().any(|hint| hint.contains(":any}")));
        assert!(error.details().contains_key("argument"));
    }
    for (command, value) in [
        ("['p', '--', '{a}']", "-x"),
        ("['p', '--', 'y', '{a}']", "-x"),
        ("['p', '{a:any}']", "-x"),
        ("['p', '{a:any}.txt']", "-x"),
        ("['p', { when = 'a', then = ['--'] }, '{a}']", "-x"),
        ("['p', '{a}']", "\u{2212}x"),
        ("['p', './{a}']", "-x"),
    ] {
        assert!(
            argv(command, json!({"a": value}))
                .last()
                .expect("one")
                .contains(value.trim_end_matches(".txt"))
        );
    }
    // A value does not open the way for the ones after it.
    let error = refusal(
        "command = ['p', '{a:any}', '{b}']",
        json!({"a": "--", "b": "-x"}),
    );
    assert!(error.to_string().contains("\"b\""), "{error}");
}

#[test]
fn shapes_that_do_not_fit_their_place_are_refused() {
    for (lines, arguments, why) in [
        (
            "command = ['p', '{a}']",
            json!([1]),
            "the arguments are not an object",
        ),
        (
            "command = ['p', '{a}']",
            json!(null),
            "the arguments are not an object",
        ),
        (
            "command = ['p', '{a}']",
            json!({"a": [null]}),
            "for each of its items",
        ),
        (
            "command = ['p', '{a}']",
            json!({"a": [["x"]]}),
            "for each of its items",
        ),
        (
            "command = ['p', '{a}']",
            json!({"a": [{}]}),
            "for each of its items",
        ),
        (
            "command = ['p', 'x{a}']",
            json!({"a": ["x"]}),
            "part of a text",
        ),
        (
            "command = ['p', 'x{a}']",
            json!({"a": {}}),
            "part of a text",
        ),
        (
            "command = ['p']\nstdin = '{a}'",
            json!({"a": ["x"]}),
            "part of a text",
        ),
        (
            "command = ['p']\nenv = { X = '{a}' }",
            json!({"a": {}}),
            "part of a text",
        ),
        (
            "command = ['p', '{a}']",
            json!({"a": "x\0y"}),
            "NUL character",
        ),
        (
            "command = ['p', '{a}']",
            json!({"a": ["x\0"]}),
            "NUL character",
        ),
        (
            "command = ['p', 'x{a}']",
            json!({"a": "\0"}),
            "NUL character",
        ),
        (
            "command = ['p']\nenv = { X = '{a}' }",
            json!({"a": "\0"}),
            "NUL character",
        ),
    ] {
        let error = refusal(lines, arguments);
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_command_ends_where_the_kernel_ends_it() {
    let fits = "x".repeat(MAX_COMMAND - 3);
    assert_eq!(
        argv("['p', '{a}']", json!({"a": fits}))[1].len(),
        fits.len()
    );
    let exactly = "x".repeat(MAX_COMMAND - 1);
    let many: Vec<Value> = vec![json!("ab"); MAX_COMMAND / 3 + 1];
    for (lines, value) in [
        ("command = ['p', '{a}']", json!(exactly)),
        ("command = ['p', 'x{a}']", json!(exactly)),
        ("command = ['p', '{a}']", json!(many)),
        ("command = ['p', '{a}']", json!({"k": exactly})),
        ("command = ['p']\nenv = { X = '{a}' }", json!(exactly)),
        (
            "command = ['p']\nenv = { X = '{a}', Y = '{a}' }",
            json!(&fits[..70_000]),
        ),
    ] {
        let error = refusal(lines, json!({"a": value}));
        let text = error.to_string();
        assert!(text.contains("larger than 131072 bytes"), "{text}");
        assert!(text.len() < 500, "{text}");
    }
    // A short template that names a long value very often ends before it fills the memory.
    let often = "{a}".repeat(20_000);
    let value = json!({"a": "x".repeat(100_000)});
    refusal(&format!("command = ['p', 'x{often}']"), value.clone());
    let error = refusal(&format!("command = ['p']\nstdin = '{often}'"), value);
    assert!(
        error.to_string().contains("larger than 67108864 bytes"),
        "{error}"
    );
}

#[test]
fn standard_input_is_a_text_a_line_of_json_or_nothing() {
    let stdin = |lines: &str, arguments: Value| {
        let filled = spec(&format!("command = ['p']\n{lines}")).fill(&arguments);
        filled
            .expect("filled")
            .stdin
            .map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
    };
    assert_eq!(stdin("", json!({"a": 1})), None);
    assert_eq!(stdin("stdin = '{a}'", json!({})), None);
    assert_eq!(stdin("stdin = 'x'", json!({})).as_deref(), Some("x"));
    assert_eq!(
        stdin("stdin = \"-{a}\\n\"", json!({"a": "-\0"})).as_deref(),
        Some("--\0\n")
    );
    let line = stdin(
        "stdin = { json = true }",
        json!({"b": "x\ny", "a": [1, null]}),
    );
    assert_eq!(line.as_deref(), Some("{\"b\":\"x\\ny\",\"a\":[1,null]}\n"));
    let huge = json!({"a": "x".repeat(MAX_STDIN)});
    for lines in ["stdin = '{a} '", "stdin = { json = true }"] {
        refusal(&format!("command = ['p']\n{lines}"), huge.clone());
    }
}

#[test]
fn variables_are_left_out_with_their_arguments() {
    let filled = spec("command = ['p']\nenv = { A = 'x', B = '{a}', C = 'n={b}', D = '' }")
        .fill(&json!({"a": "-x=y"}))
        .expect("filled");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        filled.env,
        [pair("A", "x"), pair("B", "-x=y"), pair("D", "")]
    );
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[-{}a:$;\\\\\"' \n\0]{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[ab]", inner, 0..2)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn has_number(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Array(items) => items.iter().any(has_number),
        Value::Object(table) => table.values().any(has_number),
        _ => false,
    }
}

proptest! {
    #[test]
    fn whatever_the_arguments_are_the_author_decides_on_the_flags(a in value(), b in value()) {
        let spec = spec("command = ['p', '-f', '{a}', 'x{a}', '{a}{b}', { when = 'b', then = ['-b', '{b}'] }]");
        let arguments = json!({"a": a, "b": b});
        if let Ok(command) = spec.fill(&arguments) {
            prop_assert_eq!(&command.argv[0], "p");
            prop_assert_eq!(&command.argv[1], "-f");
            prop_assert!(command.argv.iter().all(|element| !element.contains('\0')));
            // Only a number can begin with a sign that the author did not write.
            if !has_number(&arguments) {
                let mut others = command.argv[2..].iter().filter(|element| *element != "-b");
                prop_assert!(others.all(|element| !element.starts_with('-')), "{:?}", command);
            }
            // The same arguments always make the same command.
            prop_assert_eq!(spec.fill(&arguments).ok(), Some(command));
        }
    }

    #[test]
    fn text_comes_through_unchanged_behind_a_double_dash(texts in proptest::collection::vec("[^\0]{0,20}", 0..5)) {
        let filled = spec("command = ['p', '--', '{a}']").fill(&json!({"a": texts}));
        let argv = filled.expect("filled").argv;
        prop_assert_eq!(&argv[2..], texts.as_slice());
    }
}
