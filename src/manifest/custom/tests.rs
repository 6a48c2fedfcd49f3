//! Files of custom tools, right and wrong.

use super::*;
use crate::manifest::container::Network;
use crate::manifest::{Variables, parse_toml, to_toml};

const TOOLS: &str = r#"schema = 1
description = "Looks for things"

[[tools]]
name = "grep"
description = "Searches files"
input_schema = { type = "object", properties = { pattern = { type = "string" }, files = { type = "array" } } }
pure = false
risk = "low"

[tools.container]
image = "busybox:1.36"
command = ["grep", "-rn", "--", "{pattern}", "{files}"]
workdir = "/workspace"
output.format = "lines"
output.exit_codes = { 1 = { is = "ok", message = "no match" } }

[[tools]]
name = "date"
description = "Tells the time"
input_schema = { type = "object" }
container = { image = "busybox:1.36", command = ["date"], network = "allow-list" }

[permissions]
file_read = [{ path = "${workspace}", mount = "/workspace" }]

[limits]
timeout = "10s"
"#;

fn refused(text: &str) -> String {
    let error = parse("my-tools", text).expect_err(text);
    assert_eq!(error.code(), Code::E3105);
    error.to_string()
}

#[test]
fn a_file_becomes_a_manifest_named_after_it() {
    let manifest = parse("my-tools", TOOLS).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(manifest.name.as_str(), "my-tools");
    assert_eq!(manifest.version.to_string(), "0.0.0");
    assert_eq!(manifest.description, "Looks for things");
    let names: Vec<&str> = manifest.tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(names, ["grep", "date"]);
    let date = manifest.tools[1].container.as_ref().expect("there");
    assert_eq!(date.network, Network::AllowList);
    assert_eq!(manifest.limits.timeout.expect("there").as_secs(), 10);
    let variables = Variables {
        workspace: "/w".into(),
        home: None,
    };
    let requests = manifest.requests(&variables).expect("valid");
    let asked: Vec<String> = requests
        .iter()
        .map(|request| request.capabilities[0].to_string())
        .collect();
    assert_eq!(
        asked,
        [
            "/w",
            "image:docker.io/library/busybox:1.36;command:grep",
            "image:docker.io/library/busybox:1.36;command:date",
        ]
    );
    let as_manifest = parse_toml(&to_toml(&manifest), "written").expect("valid");
    assert_eq!(as_manifest, manifest);
}

#[test]
fn the_name_of_the_file_has_to_be_a_name() {
    for stem in [
        "",
        "My-Tools",
        "a.b",
        "a b",
        "../x",
        "-x",
        "1x",
        "a--b",
        "x\n\u{1b}[2J",
        &"x".repeat(65),
    ] {
        let error = parse(stem, TOOLS).expect_err(stem);
        assert_eq!(error.code(), Code::E3105);
        let text = error.to_string();
        assert!(text.contains("cannot be a source of tools"), "{text}");
        assert!(!text.contains(char::is_control), "{text}");
        assert!(!error.hints().is_empty());
    }
}

#[test]
fn what_belongs_to_plugins_is_refused_with_its_place() {
    for (text, expected) in [
        (
            "",
            "my-tools.toml has 2 problems\n  1:1: schema: missing: the file needs the key `schema`\n  1:1: tools: missing: the file needs the key `tools`",
        ),
        (
            "schema = 1\ntools = []",
            "my-tools.toml:2:9: tools: expected an array of at least 1, found 0",
        ),
        (
            "schema = 2",
            "1:10: schema: expected the number 1, found the number 2",
        ),
        (
            &TOOLS.replace(
                "schema = 1",
                "schema = 1\nname = \"x\"\nversion = \"1.0.0\"",
            ),
            "2:1: name: unknown key; the keys known here are schema, description, tools, permissions, limits",
        ),
        (
            &format!("{TOOLS}\n[component]\nworld = \"a:b/c\""),
            "component: unknown key",
        ),
        (
            &TOOLS.replace("[limits]", "[limit]"),
            "limit: unknown key; did you mean `limits`?",
        ),
        (
            &TOOLS.replace("container = {", "contaner = {"),
            "tools[1].contaner: unknown key; did you mean `container`?",
        ),
        (
            &TOOLS.replace("{pattern}", "{patern}"),
            "13:33: tools[0].container.command[3]: `input_schema` has no property \"patern\"; did you mean \"pattern\"?",
        ),
        (
            &TOOLS.replace("timeout = \"10s\"", "fuel = 1"),
            "limits.fuel: fuel is counted in deterministic calls only",
        ),
    ] {
        let found = refused(text);
        assert!(found.contains(expected), "{found}");
    }
    let without = "schema = 1\n[[tools]]\nname = 'x'\n[[tools]]\nname = 'X Y'";
    let found = refused(without);
    assert!(
        found.contains("2:1: tools[0].container: missing: nothing else can run a tool"),
        "{found}"
    );
    assert!(
        found.contains("tools[1].name: expected 1 to 128"),
        "{found}"
    );
}

#[test]
fn the_schema_of_the_file_is_closed_and_takes_what_is_read() {
    let schema = custom_schema();
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let json = Document::from_toml(TOOLS).expect("TOML").to_json();
    assert!(validator.is_valid(&json));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["title"], "Toolhatch custom tools");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(at in 0_usize..1000, with in "[ -~\n]{0,4}") {
        let mut text = TOOLS.to_owned();
        let at = at.min(text.len() - 1);
        text.replace_range(at..=at, &with);
        match parse("x", &text) {
            Ok(manifest) => proptest::prop_assert!(manifest.tools.iter().all(|tool| tool.container.is_some())),
            Err(error) => proptest::prop_assert!(error.to_string().starts_with("x.toml"), "{}", error),
        }
    }
}
