//! Plugins from file to call: packed, checked, installed, found, removed; all through the binary.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::probe;
use crate::support::process::Output;
use crate::support::source::root;

/// A plugin that is shipped.
fn shipped(name: &str) -> PathBuf {
    root()
        .join("plugins/dist")
        .join(name)
        .with_extension("wasm")
}

fn words<'a>(start: &[&'a str], file: &'a Path) -> Vec<&'a str> {
    let mut words = start.to_vec();
    words.push(file.to_str().expect("UTF-8"));
    words
}

fn install(env: &TestEnv, file: &Path) -> Output {
    env.run(words(&["plugin", "install", "--json"], file)).ok()
}

/// A manifest that gives the probe a name, one tool and one permission.
fn manifest(name: &str, version: &str) -> String {
    format!(
        r#"
schema = 1
name = "{name}"
version = "{version}"
description = "Tries things"
license = "Apache-2.0"

[[tools]]
name = "read-file"
description = "Reads a file of the workspace"

[permissions]
file_read = [{{ path = "${{workspace}}", mount = "/workspace" }}]
"#
    )
}

/// The probe under another name, packed.
fn packed(env: &TestEnv, name: &str, version: &str) -> PathBuf {
    let manifest = env.write("manifest.toml", manifest(name, version).as_bytes());
    let out = env.path(format!("{name}-{version}.wasm"));
    env.run([
        "plugin",
        "pack",
        probe::file().to_str().expect("UTF-8"),
        "--manifest",
        manifest.to_str().expect("UTF-8"),
        "-o",
        out.to_str().expect("UTF-8"),
    ])
    .ok();
    out
}

#[test]
fn a_plugin_is_installed_called_by_name_and_removed() {
    let env = TestEnv::new();
    env.write("notes.txt", b"a line\n");
    let report = install(&env, &shipped("files")).json();
    assert_eq!(report["name"], "files", "{report}");
    assert_eq!(report["new"], true, "{report}");
    let again = install(&env, &shipped("files")).json();
    assert_eq!(again["new"], false, "{again}");

    let tools = env.run(["tools", "list", "--json"]).ok().json();
    let ids: Vec<_> = tools["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["id"].as_str().expect("an id"))
        .collect();
    assert!(ids.contains(&"files.read"), "{tools}");
    let shown = env.run(["tools", "show", "files.read"]).ok();
    assert!(shown.stdout.contains("Reads a file"), "{shown}");
    let found = env
        .run(["tools", "search", "read a file", "--json"])
        .ok()
        .json();
    assert_eq!(found["hits"][0]["id"], "files.read", "{found}");

    let read = ["call", "files.read", "--arg", "path=/workspace/notes.txt"];
    env.run(read).fails_with(3, "E3213");
    let output = env
        .run(read.iter().chain(&["--allow", "file_read=.:/workspace"]))
        .ok();
    assert!(output.stdout.contains("a line"), "{output}");

    let listed = env.run(["plugin", "list", "--json"]).ok().json();
    assert_eq!(listed["plugins"][0]["name"], "files", "{listed}");
    env.run(["plugin", "remove", "files"]).ok();
    let listed = env.run(["plugin", "list", "--json"]).ok().json();
    assert_eq!(listed["plugins"], json!([]), "{listed}");
    // What it was stays known, so that nothing else can take its place.
    env.run(read).fails_with(4, "E3107");
    let all = env.run(["plugin", "list", "--all", "--json"]).ok().json();
    assert_eq!(all["plugins"][0]["stage"], "removed", "{all}");
    env.run(["plugin", "remove", "files"])
        .fails_with(4, "E3101");
    install(&env, &shipped("files"));
    env.run(read).fails_with(3, "E3213");
}

#[test]
fn a_version_is_its_bytes() {
    let env = TestEnv::new();
    install(&env, &packed(&env, "trier", "1.0.0"));
    install(&env, &packed(&env, "trier", "1.1.0"));
    let listed = env.run(["plugin", "list", "--json"]).ok().json();
    let versions: Vec<_> = listed["plugins"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|plugin| plugin["version"].as_str().expect("a version"))
        .collect();
    assert_eq!(versions.len(), 2, "{listed}");

    // The same version with other bytes is another plugin under its name.
    let other = env.write(
        "manifest.toml",
        manifest("trier", "1.0.0")
            .replace("Tries things", "Tries other things")
            .as_bytes(),
    );
    let out = env.path("other.wasm");
    env.run([
        "plugin",
        "pack",
        probe::file().to_str().expect("UTF-8"),
        "--manifest",
        other.to_str().expect("UTF-8"),
        "-o",
        out.to_str().expect("UTF-8"),
    ])
    .ok();
    env.run(words(&["plugin", "install"], &out))
        .fails_with(2, "E3108");

    let digest = |range: &str| {
        let tool = format!("trier@{range}");
        let arguments = ["call", &tool, "read-file", "--arg", "path=x", "--json"];
        env.run(arguments).output().json()["digest"].clone()
    };
    assert_ne!(digest("=1.0.0"), digest("=1.1.0"));
    assert_eq!(digest("^1"), digest("=1.1.0"), "the highest that fits");
    env.run(["plugin", "remove", "trier@1.1.0"]).ok();
    assert_eq!(digest("^1"), digest("=1.0.0"));
}

#[test]
fn only_what_the_manifest_lists_and_asks_for_is_there() {
    let env = TestEnv::new();
    env.write("notes.txt", b"text");
    install(&env, &packed(&env, "trier", "1.0.0"));
    let read = |path: &str| {
        let path = format!("path={path}");
        env.run([
            "call",
            "trier.read-file",
            "--arg",
            &path,
            "--allow-requested",
            "--json",
        ])
    };
    let output = read("/workspace/notes.txt").ok();
    assert_eq!(output.json()["structured"]["result"], "text", "{output}");
    // A component may export more than the manifest offers.
    env.run(["call", "trier.echo-u8", "--arg", "value=1"])
        .fails_with(4, "E3101");
    // Not asked for, so that allowing it gives nothing.
    let output = env
        .run([
            "call",
            "trier.read-file",
            "--arg",
            "path=/etc/hostname",
            "--allow",
            "file_read=/etc/hostname",
            "--json",
        ])
        .fails_with(1, "E3401");
    assert!(
        output.json()["warnings"]
            .to_string()
            .contains("does not ask for"),
        "{output}"
    );
}

#[test]
fn a_folder_with_a_manifest_and_a_component_is_a_plugin() {
    let env = TestEnv::new();
    env.write("trier/plugin.toml", manifest("trier", "0.1.0").as_bytes());
    std::fs::copy(probe::file(), env.path("trier/trier.wasm")).expect("copied");
    let report = install(&env, Path::new("trier")).json();
    assert_eq!(report["version"], "0.1.0", "{report}");
    let inspected = env
        .run(["plugin", "inspect", "trier", "--json"])
        .ok()
        .json();
    assert_eq!(inspected["name"], "trier", "{inspected}");
}

#[test]
fn what_lies_in_a_search_path_is_called_by_the_name_it_is_listed_under() {
    let env = TestEnv::new();
    let file = packed(&env, "trier", "1.0.0");
    let folder = env.path("shelf");
    std::fs::create_dir(&folder).expect("created");
    std::fs::rename(file, folder.join("some-other-name.wasm")).expect("moved");
    env.write("shelf/broken.wasm", b"not a component");
    env.write(
        env.user_config(),
        format!("[plugins]\nsearch_paths = [{folder:?}]\n").as_bytes(),
    );
    env.write("notes.txt", b"text");
    let listed = env.run(["tools", "list", "--json"]).ok();
    let ids = listed.json()["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["id"].clone())
        .collect::<Vec<_>>();
    assert!(ids.contains(&json!("trier.read-file")), "{listed}");
    assert!(
        listed.stderr.contains("broken") || listed.stdout.contains("broken"),
        "what is left out is told: {listed}"
    );
    let output = env
        .run([
            "call",
            "trier.read-file",
            "--arg",
            "path=/workspace/notes.txt",
            "--allow-requested",
        ])
        .ok();
    assert!(output.stdout.contains("text"), "{output}");
}

#[test]
fn packing_refuses_what_would_not_load() {
    let env = TestEnv::new();
    for (manifest, told) in [
        ("schema = 1\nname = \"a\"\nversion = \"1\"\n", "version"),
        ("schema = 9\nname = \"a\"\nversion = \"1.0.0\"\n", "schema"),
        (
            "schema = 1\nname = \"a\"\nversionn = \"1.0.0\"\n",
            "version",
        ),
        (
            "schema = 1\nname = \"a\"\nversion = \"1.0.0\"\n[[tools]]\nname = \"nothing-like-it\"\n",
            "nothing-like-it",
        ),
    ] {
        let file = env.write("manifest.toml", manifest.as_bytes());
        let output = env
            .run([
                "plugin",
                "pack",
                probe::file().to_str().expect("UTF-8"),
                "--manifest",
                file.to_str().expect("UTF-8"),
                "-o",
                "out.wasm",
            ])
            .fails_with(2, "E3105");
        assert!(output.stderr.contains(told), "{manifest}: {output}");
        assert!(!env.path("out.wasm").exists(), "{manifest}");
    }
    // A file that is no component is not overwritten by accident.
    env.write("notes.txt", b"mine");
    let file = env.write("manifest.toml", manifest("trier", "1.0.0").as_bytes());
    env.run([
        "plugin",
        "pack",
        probe::file().to_str().expect("UTF-8"),
        "--manifest",
        file.to_str().expect("UTF-8"),
        "-o",
        "notes.txt",
    ])
    .fails_with(2, "E3004");
    assert_eq!(
        std::fs::read(env.path("notes.txt")).expect("there"),
        b"mine"
    );
}

#[test]
fn the_older_manifest_loads_and_converts() {
    let env = TestEnv::new();
    env.write(
        "trier/plugin.yaml",
        b"name: trier\nversion: 1.0.0\ndescription: Tries things\nauthor: Somebody\n\
          tools:\n  - name: read-file\n    description: Reads a file\n\
          permissions:\n  - file_read\n  - network_http\n\
          config:\n  timeout: 30s\n  env_vars:\n    PLUGIN_DEBUG: \"false\"\n",
    );
    std::fs::copy(probe::file(), env.path("trier/trier.wasm")).expect("copied");
    let report = install(&env, Path::new("trier")).json();
    assert_eq!(report["requests"][0]["broad"], true, "{report}");
    let converted = env.run(["plugin", "convert", "trier/plugin.yaml"]).ok();
    assert!(converted.stdout.contains("schema = 1"), "{converted}");
    env.write("plugin.toml", converted.stdout.as_bytes());
    std::fs::copy(probe::file(), env.path("plugin.wasm")).expect("copied");
    env.run(["plugin", "check", "."]).ok();
}

#[test]
fn checking_names_what_is_wrong_with_a_manifest() {
    let env = TestEnv::new();
    env.write(
        "plugin.toml",
        b"schema = 1\nname = \"trier\"\nversion = \"1.0.0\"\n[permissions]\nfile_reed = []\n",
    );
    std::fs::copy(probe::file(), env.path("plugin.wasm")).expect("copied");
    let output = env.run(["plugin", "check", ".", "--json"]).output();
    assert_eq!(output.code, Some(2), "{output}");
    let told = output.json().to_string();
    for word in ["file_reed", "did you mean `file_read`"] {
        assert!(told.contains(word), "{word}: {output}");
    }
}

#[test]
fn inspecting_sets_requests_against_imports() {
    let env = TestEnv::new();
    let text = manifest("trier", "1.0.0").replace(
        "[permissions]",
        "[permissions]\nsubprocess = [\"image:alpine;command:true\"]",
    );
    env.write("manifest.toml", text.as_bytes());
    env.run([
        "plugin",
        "pack",
        probe::file().to_str().expect("UTF-8"),
        "--manifest",
        "manifest.toml",
        "-o",
        "trier.wasm",
    ])
    .ok();
    let output = env.run(["plugin", "inspect", "trier.wasm", "--json"]).ok();
    let report: Value = output.json();
    assert_eq!(
        report["tools"].as_array().map(Vec::len),
        Some(1),
        "{output}"
    );
    assert!(
        report["digest"]
            .as_str()
            .is_some_and(|digest| digest.starts_with("sha256:")),
        "{output}"
    );
    let told = report.to_string();
    assert!(
        told.contains("subprocess"),
        "asked for and unusable: {output}"
    );
    assert!(
        told.contains("network_http"),
        "importable and not asked for: {output}"
    );
}
