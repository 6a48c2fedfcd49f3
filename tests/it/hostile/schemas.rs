//! Schemas that are bombs, and descriptors that lie about themselves: told in a moment, without asking anybody else.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::plugin::{Described, Returned, plugin};
use crate::support::env::TestEnv;
use crate::support::guests::still_works;
use crate::support::process::{Output, Run};

/// What nobody waits for. Compiling the component is most of it, and the machine may have other things to do.
const MOMENT: Duration = Duration::from_secs(10);

/// A plugin whose only tool is described by this schema, as the file `bomb.wasm`.
fn described(env: &TestEnv, input: &str, output: Option<&str>) {
    let tool = Described {
        name: "run",
        input_schema: input,
        output_schema: output,
    };
    let result = Returned::Complete(Some(br#"{"n": 1}"#), b"done");
    env.write("bomb.wasm", &plugin(&[tool], "", "", &result));
}

/// A folder with a plugin whose manifest gives its tool this schema. Where it names the world as well, nobody asks the
/// component what it has.
fn listed(env: &TestEnv, schema: &str, world: &str) {
    let text = toml::Value::String(schema.to_owned());
    let manifest = format!(
        "schema = 1\nname = \"bomb\"\nversion = \"1.0.0\"\ndescription = \"Bursts\"\nlicense = \"Apache-2.0\"\n\
         {world}[[tools]]\nname = \"run\"\ndescription = \"Runs\"\ninput_schema = {text}\n"
    );
    described(env, r#"{"type": "object"}"#, None);
    std::fs::create_dir_all(env.path("bomb")).expect("created");
    std::fs::rename(env.path("bomb.wasm"), env.path("bomb/bomb.wasm")).expect("moved");
    env.write("bomb/plugin.toml", manifest.as_bytes());
}

fn nested(depth: usize, open: &str, close: &str, inner: &str) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

/// Schemas that are refused, by what they are.
fn bombs(elsewhere: &str) -> Vec<(&'static str, String)> {
    let object = |value: Value| value.to_string();
    let doubling: serde_json::Map<String, Value> = (0..60)
        .map(|at| {
            let next = format!("#/$defs/d{}", at + 1);
            let both = json!({"allOf": [{"$ref": next}, {"$ref": next}]});
            (format!("d{at}"), both)
        })
        .chain([("d60".to_owned(), json!(true))])
        .collect();
    let patterns: Vec<Value> = (0..300)
        .map(|number| json!({"pattern": format!("a{number}")}))
        .collect();
    let wide: serde_json::Map<String, Value> = (0..60_000)
        .map(|number| (format!("p{number}"), json!({})))
        .collect();
    vec![
        ("itself", object(json!({"$ref": "#"}))),
        (
            "a loop of references",
            object(
                json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
            ),
        ),
        (
            "a loop through allOf",
            object(json!({"type": "object", "allOf": [{"$ref": "#"}]})),
        ),
        (
            "a loop through an anchor",
            object(json!({"$anchor": "me", "anyOf": [{"$ref": "#me"}]})),
        ),
        (
            "a loop through $dynamicRef",
            object(json!({"$dynamicAnchor": "me", "not": {"$dynamicRef": "#me"}})),
        ),
        (
            "what doubles with each step",
            object(json!({"$ref": "#/$defs/d0", "$defs": doubling})),
        ),
        (
            "a long pattern",
            object(
                json!({"type": "object", "properties": {"value": {"pattern": "(ab|c?)".repeat(145_000)}}}),
            ),
        ),
        (
            "a pattern that grows",
            object(
                json!({"type": "object", "properties": {"value": {"pattern": "((a{1,1000}){1,1000}){1,1000}"}}}),
            ),
        ),
        (
            "a pattern name that grows",
            object(json!({"type": "object", "patternProperties": {"(x{1,9999}){1,9999}": {}}})),
        ),
        (
            "many patterns",
            object(json!({"type": "object", "allOf": patterns})),
        ),
        ("depth", nested(10_000, "{\"items\":", "}", "{}")),
        (
            "depth of lists",
            format!("{{\"enum\": {}}}", nested(10_000, "[", "]", "1")),
        ),
        (
            "width",
            object(json!({"type": "object", "properties": wide})),
        ),
        (
            "elsewhere",
            object(json!({"$ref": format!("{elsewhere}/schema.json")})),
        ),
        (
            "elsewhere as its name",
            object(json!({"$schema": format!("{elsewhere}/meta"), "type": "object"})),
        ),
        (
            "elsewhere below another name",
            object(
                json!({"$id": format!("{elsewhere}/root"), "properties": {"value": {"$ref": "other"}}}),
            ),
        ),
        (
            "a file",
            object(json!({"properties": {"value": {"$ref": "file:///etc/passwd"}}})),
        ),
    ]
}

#[track_caller]
fn told_soon(what: &str, run: Run, exit: i32, code: &str) -> Output {
    let output = run.timeout(Duration::from_secs(50)).output();
    assert!(output.elapsed < MOMENT, "{what}: {output}");
    assert_eq!(output.code, Some(exit), "{what}: {output}");
    let told = format!("{}{}", output.stdout, output.stderr);
    assert!(told.contains(code), "{what}: {output}");
    // What is wrong is told in some lines, and not with the bomb.
    assert!(told.len() < 20_000, "{what}: {} bytes", told.len());
    output
}

/// A listener that nobody may come to.
fn nobody() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("set");
    let address = listener.local_addr().expect("bound");
    (listener, format!("http://{address}"))
}

#[track_caller]
fn nobody_came(listener: &TcpListener) {
    let came = listener.accept().map(|(_, from)| from);
    assert!(came.is_err(), "it was asked for from {came:?}");
}

#[test]
fn bombs_in_what_a_plugin_says_of_itself_do_not_burst() {
    let env = TestEnv::new();
    let (listener, elsewhere) = nobody();
    for (what, schema) in bombs(&elsewhere) {
        described(&env, &schema, None);
        told_soon(what, env.run(["plugin", "check", "bomb.wasm"]), 2, "schema");
        told_soon(what, env.run(["call", "bomb.wasm", "run"]), 2, "E3105");
        // What has no manifest is not installed at all.
        told_soon(
            what,
            env.run(["plugin", "install", "bomb.wasm"]),
            2,
            "E3105",
        );
        described(&env, r#"{"type": "object"}"#, Some(&schema));
        told_soon(what, env.run(["call", "bomb.wasm", "run"]), 2, "E3105");
    }
    nobody_came(&listener);
    let listed = env.run(["plugin", "list", "--json"]).ok().json();
    assert_eq!(listed["plugins"], json!([]), "{listed}");
    still_works(&env);
}

#[test]
fn bombs_in_a_manifest_do_not_burst() {
    let env = TestEnv::new();
    let (listener, elsewhere) = nobody();
    for (what, schema) in bombs(&elsewhere) {
        listed(
            &env,
            &schema,
            "[component]\nworld = \"toolhatch:plugin/plugin@0.1.0\"\n",
        );
        told_soon(what, env.run(["plugin", "check", "bomb"]), 2, "schema");
        told_soon(what, env.run(["plugin", "install", "bomb"]), 2, "E3105");
        told_soon(what, env.run(["call", "./bomb", "run"]), 2, "E3105");
        listed(&env, &schema, "");
        told_soon(what, env.run(["call", "./bomb", "run"]), 2, "E3105");
    }
    nobody_came(&listener);
    let installed = env.run(["plugin", "list", "--json"]).ok().json();
    assert_eq!(installed["plugins"], json!([]), "{installed}");
    still_works(&env);
}

#[test]
fn patterns_and_references_that_are_allowed_take_no_time_either() {
    let env = TestEnv::new();
    let evil = json!({"type": "object", "properties": {"value": {"type": "string", "pattern": "^(a|a)*(a+)+$"}}});
    let back = json!({"type": "object", "properties": {"value": {"type": "string", "pattern": "^(a*)*\\1b$"}}});
    let tree = json!({
        "type": "object",
        "properties": {"value": {"$ref": "#/$defs/tree"}},
        "$defs": {"tree": {"anyOf": [
            {"type": "array", "items": {"$ref": "#/$defs/tree"}},
            {"type": "array", "prefixItems": [{"$ref": "#/$defs/tree"}]},
            {"type": "integer"},
        ]}},
    });
    let text = json!({"value": format!("{}!", "a".repeat(5_000))}).to_string();
    let deep = format!("{{\"value\": {}}}", nested(100, "[", "]", "\"x\""));
    for (schema, arguments) in [(&evil, &text), (&back, &text), (&tree, &deep)] {
        described(&env, &schema.to_string(), None);
        env.write("arguments.json", arguments.as_bytes());
        let words = ["call", "bomb.wasm", "run", "--args", "@arguments.json"];
        told_soon(&schema.to_string(), env.run(words), 2, "E3301");
    }
    still_works(&env);
}

/// A plugin of the plugin world with this manifest in it.
fn packed(env: &TestEnv, tools: &[Described<'_>], manifest: &str) -> Run {
    let result = Returned::Complete(Some(br#"{"n": 1}"#), b"done");
    env.write("guest.wasm", &plugin(tools, "", "", &result));
    env.write("guest.toml", manifest.as_bytes());
    env.run([
        "plugin",
        "pack",
        "guest.wasm",
        "--manifest",
        "guest.toml",
        "-o",
        "liar.wasm",
    ])
}

#[test]
fn descriptors_that_lie_about_themselves_get_nothing_by_it() {
    let env = TestEnv::new();
    let head = "schema = 1\nname = \"liar\"\nversion = \"1.0.0\"\ndescription = \"Lies\"\nlicense = \"Apache-2.0\"\n";
    let open = |name| Described {
        name,
        input_schema: r#"{"type": "object"}"#,
        output_schema: None,
    };
    // It lists a tool that it does not have, and has one that it does not list.
    for (tools, listed) in [
        (
            &[open("run")][..],
            "[[tools]]\nname = \"other\"\ndescription = \"Is not there\"\n",
        ),
        (
            &[open("run"), open("extra")][..],
            "[[tools]]\nname = \"run\"\ndescription = \"Runs\"\n",
        ),
    ] {
        let output = packed(&env, tools, &format!("{head}{listed}")).output();
        if output.code == Some(0) {
            let checked = env.run(["plugin", "check", "liar.wasm"]).output();
            let told = &checked.stdout;
            assert!(
                told.contains("other") || told.contains("extra"),
                "{checked}"
            );
            let installed = env.run(["plugin", "install", "liar.wasm"]).output();
            if installed.code == Some(0) {
                env.run(["call", "liar.extra"]).fails_with(4, "E3101");
                env.run(["plugin", "remove", "liar"]).ok();
            } else {
                installed.fails_with(2, "E3105");
            }
        } else {
            output.fails_with(2, "E3105");
        }
    }
    // The manifest's schema is the one that counts, however open the component's own is, and so is its name.
    let strict = format!(
        "{}[[tools]]\nname = \"run\"\ndescription = \"Runs\"\n\
         input_schema = {{ type = \"object\", required = [\"n\"], additionalProperties = false, \
         properties = {{ n = {{ type = \"integer\" }} }} }}\n\
         output_schema = {{ type = \"object\", required = [\"m\"], properties = {{ m = {{ type = \"integer\" }} }} }}\n",
        head.replace("1.0.0", "2.0.0")
    );
    packed(&env, &[open("run")], &strict).ok();
    let checked = env.run(["plugin", "check", "liar.wasm"]).ok();
    assert!(checked.stdout.contains("another input schema"), "{checked}");
    env.run(["plugin", "install", "liar.wasm"]).ok();
    env.run(["call", "liar.run", "--args", "{}"])
        .fails_with(2, "E3301");
    env.run(["call", "liar.run", "--args", r#"{"n": "1"}"#])
        .fails_with(2, "E3301");
    // It promised a result that it does not give.
    env.run(["call", "liar.run", "--args", r#"{"n": 1}"#])
        .fails_with(1, "E3303");
    // A file of another name is still the plugin that its manifest says it is, and no other plugin's place is taken.
    std::fs::copy(env.path("liar.wasm"), env.path("files.wasm")).expect("copied");
    let report = env
        .run(["plugin", "install", "files.wasm", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&report["name"], &report["new"]),
        (&json!("liar"), &json!(false)),
        "{report}"
    );
    // Bytes that are another version than they say cannot be put in its place.
    let again = strict.replace("Runs", "Runs away");
    packed(&env, &[open("run")], &again).ok();
    env.run(["plugin", "install", "liar.wasm"])
        .fails_with(2, "E3108");
    assert!(Path::new(&env.path("liar.wasm")).exists());
}
