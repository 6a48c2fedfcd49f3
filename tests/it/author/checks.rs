//! `toolhatch plugin check` and `plugin bench`: what is found, and what is measured.

use std::fmt::Write as _;

use serde_json::Value;

use super::probe_project;
use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::source::root;

/// The rules of the findings of a severity.
fn rules<'a>(report: &'a Value, severity: &str) -> Vec<&'a str> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let of = findings.filter(|finding| finding["severity"] == severity);
    of.map(|finding| finding["rule"].as_str().expect("a rule"))
        .collect()
}

#[test]
fn every_finding_has_a_rule_a_reason_and_a_fix() {
    let env = TestEnv::new();
    let tool = "[[tools]]\nname = \"web-get\"\n";
    probe_project(&env, "prober", tool);
    let shown = env.run(["plugin", "check", "prober"]).ok();
    for words in [
        "warning[parameter-description]: the tool \"web-get\" does not say what \"url\" is for\n  why: ",
        "warning[tool-description]: the tool \"web-get\" has no description",
        "warning[unasked-permission]: the component imports what network_http takes",
        "\n  fix: Ask for it in `[permissions]`",
        "(shown with --notes)",
    ] {
        assert!(shown.stdout.contains(words), "{words:?}\n{shown}");
    }
    assert!(!shown.stdout.contains("note["), "{shown}");
    let notes = env.run(["plugin", "check", "prober", "--notes"]).ok();
    assert!(notes.stdout.contains("note[example]"), "{notes}");

    let strict = env
        .run(["plugin", "check", "prober", "--strict", "--json"])
        .output();
    assert_eq!(strict.code, Some(2), "{strict}");
    let report = strict.json();
    assert_eq!(report["ok"], false, "{strict}");
    let known = env
        .run(["plugin", "check", "--rules", "--json"])
        .ok()
        .json();
    let known: Vec<&Value> = known
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| &rule["rule"])
        .collect();
    for finding in report["findings"].as_array().expect("findings") {
        assert!(known.contains(&&finding["rule"]), "{finding}");
        for key in ["message", "reason", "fix"] {
            assert!(
                finding[key].as_str().is_some_and(|text| !text.is_empty()),
                "{finding}"
            );
        }
    }
    // What a manifest says of a tool counts.
    let described = format!(
        "{tool}description = \"Gets a URL\"\n[permissions]\nnetwork_http = [\"example.com\"]\n"
    );
    probe_project(&env, "prober", &described);
    let report = env.run(["plugin", "check", "prober", "--json"]).ok().json();
    let found = rules(&report, "warning");
    assert!(!found.contains(&"tool-description"), "{report}");
    let about_http = report["findings"].to_string().contains("network_http");
    assert!(!about_http, "{report}");
}

#[test]
fn permissions_that_are_of_no_use_or_too_broad_are_told() {
    let env = TestEnv::new();
    env.write("adder/adder.wasm", &guests::component(guests::ADDER));
    env.write(
        "adder/plugin.toml",
        b"schema = 1\nname = \"adder\"\nversion = \"1.0.0\"\n[permissions]\nfile_read = [\"/\"]\nnetwork_http = [\"*\"]\n",
    );
    let report = env.run(["plugin", "check", "adder", "--json"]).ok().json();
    let found = rules(&report, "warning");
    for rule in [
        "unusable-permission",
        "broad-permission",
        "license",
        "description",
        "tool-description",
    ] {
        assert!(found.contains(&rule), "{rule}: {report}");
    }
}

#[test]
fn many_functions_without_a_word_about_them_are_all_looked_at() {
    let env = TestEnv::new();
    let mut text = String::from(
        "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))\n",
    );
    for number in 0..500 {
        writeln!(
            text,
            "(func (export \"do-{number}\") (canon lift (core func $i \"f\")))"
        )
        .expect("written");
    }
    text.push(')');
    env.write("many.wasm", &guests::component(&text));
    let report = env
        .run(["plugin", "check", "many.wasm", "--json"])
        .ok()
        .json();
    let silent = rules(&report, "warning")
        .iter()
        .filter(|rule| **rule == "tool-description")
        .count();
    assert_eq!(silent, 500);
    assert!(
        rules(&report, "warning").contains(&"no-manifest"),
        "{report}"
    );
    let shown = env.run(["plugin", "check", "many.wasm"]).ok();
    assert_eq!(
        shown.stdout.matches("  fix: Say what it does").count(),
        1,
        "said once"
    );
    env.run(["call", "many.wasm", "do-499"]).ok();
}

#[test]
fn names_that_clients_take_for_the_same_are_told() {
    let env = TestEnv::new();
    let tool = |name: &str| {
        format!(
            "[[tools]]\nname = \"{name}\"\ndescription = \"Runs it\"\ninput_schema = {{ type = \"object\" }}\n\
             container = {{ image = \"demo/busybox:1\", command = [\"ls\"] }}\n"
        )
    };
    let manifest = format!(
        "schema = 1\nname = \"commands\"\nversion = \"1.0.0\"\ndescription = \"x\"\nlicense = \"MIT\"\n{}{}",
        tool("run-it"),
        tool("run_it")
    );
    env.write("commands/plugin.toml", manifest.as_bytes());
    let checked = env.run(["plugin", "check", "commands"]).ok();
    let told = "warning[name-collision]: the tools \"run-it\" and \"run_it\"";
    assert!(checked.stdout.contains(told), "{checked}");

    // With their interfaces in front they differ, and no model takes such names.
    let file = guests::wat("collide");
    let checked = env
        .run(["plugin", "check", file.to_str().expect("UTF-8")])
        .ok();
    assert!(checked.stdout.contains("warning[tool-name]"), "{checked}");
    assert!(!checked.stdout.contains("name-collision"), "{checked}");
}

#[test]
fn what_cannot_be_read_is_a_finding() {
    let env = TestEnv::new();
    env.write("rubbish.wasm", b"not WebAssembly");
    env.write("core.wasm", b"\0asm\x01\0\0\0");
    env.write("empty/notes.txt", b"");
    let broken = probe_project(&env, "broken", "versoin = \"1\"\n");
    assert!(broken.is_dir());
    for (path, said) in [
        ("rubbish.wasm", "error[package]: "),
        ("core.wasm", "a core module, not a component"),
        ("empty", "there is no .wasm file in empty"),
        ("broken", "versoin"),
    ] {
        let checked = env.run(["plugin", "check", path]).output();
        assert_eq!(checked.code, Some(2), "{checked}");
        assert!(checked.stdout.contains(said), "{said:?}\n{checked}");
    }
    env.run(["plugin", "check", "nowhere"])
        .fails_with(4, "E3101");
}

/// Set to anything, it rewrites the page instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

#[test]
fn the_reference_of_checks_is_up_to_date() {
    let env = TestEnv::new();
    let rules = env
        .run(["plugin", "check", "--rules", "--json"])
        .ok()
        .json();
    let mut page = String::from(
        "<!-- Generated from src/cli/plugin/rule.rs by tests/it/author/checks.rs. Do not edit: UPDATE_DOCS=1 cargo test --test it \
         reference_of_checks -->\n\
         # What `plugin check` looks for\n\n\
         `toolhatch plugin check` examines a plugin as whoever installs it and the agents that call it will meet it, without\n\
         granting it anything. Each finding has one of these rules, with `--json` in the field `rule`, a message and a fix. An\n\
         *error* keeps the plugin from being used, and the command ends with 2; a *warning* does so with `--strict`; *notes* are\n\
         shown with `--notes`. `toolhatch plugin check --rules` prints this table.\n\n\
         | rule | why it is looked for |\n|---|---|\n",
    );
    for rule in rules.as_array().expect("a list") {
        let cell = |key: &str| rule[key].as_str().expect("text").replace('|', "\\|");
        writeln!(page, "| `{}` | {} |", cell("rule"), cell("reason")).expect("written");
    }
    let path = root().join("docs/reference/checks.md");
    if std::env::var_os(UPDATE).is_some() {
        toolhatch::fsx::write_atomic(&path, page.as_bytes(), 0o644).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/reference/checks.md is not what src/cli/plugin/rule.rs gives; rewrite it with `{UPDATE}=1 cargo test --test it \
         reference_of_checks`"
    );
}

#[test]
fn a_benchmark_tells_all_its_figures() {
    let env = TestEnv::new();
    probe_project(&env, "prober", "");
    let words = [
        "plugin", "bench", "prober", "--tool", "echo-u8", "--arg", "value=7", "--calls", "3",
    ];
    let shown = env.run(words).ok();
    for figure in [
        "compile",
        "load",
        "first call",
        "p50",
        "p99",
        "of 3",
        "memory",
        "process",
    ] {
        assert!(shown.stdout.contains(figure), "{figure}\n{shown}");
    }
    let figures = env.run(words.iter().chain(&["--json"])).ok().json();
    assert_eq!(
        (&figures["tool"], &figures["calls"]),
        (&"prober.echo-u8".into(), &3.into())
    );
    for figure in [
        "bytes",
        "compile_us",
        "load_us",
        "first_call_us",
        "call_p50_us",
        "call_p99_us",
        "peak_memory_bytes",
        "resident_bytes",
    ] {
        assert!(
            figures[figure].as_f64().is_some_and(|number| number > 0.0),
            "{figure}: {figures}"
        );
    }
    let bench = |words: &[&str]| env.run(["plugin", "bench", "prober"].iter().chain(words));
    bench(&[]).fails_with(4, "E3101");
    bench(&["--tool", "echo-u8", "--arg", "value=300"]).fails_with(2, "E3301");
    let trapped = bench(&["--tool", "panic", "--arg", "message=x"]).fails_with(1, "E3404");
    assert!(
        trapped.stderr.contains("call 1 of the benchmark"),
        "{trapped}"
    );
    let left = std::fs::read_dir(env.toolhatch_home().join("tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "its cache is gone");
}
