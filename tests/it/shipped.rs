//! The plugins that are shipped, as people use them: the calls in their READMEs, and what attacks them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::http::{Response, Server};
use crate::support::source::root;

/// A command of a README, with what it prints.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    command: String,
    output: String,
}

/// The commands in the console blocks of a README. A command goes on while its line ends in a backslash, or a quotation is open.
fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let blocks = readme.split("```console\n").skip(1);
    for line in blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines()) {
        if let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example {
                command: command.to_owned(),
                output: String::new(),
            });
            continue;
        }
        let example = examples.last_mut().expect("a block begins with a command");
        let is_open =
            example.command.ends_with('\\') || example.command.matches('\'').count() % 2 == 1;
        if is_open && example.output.is_empty() {
            example.command.push('\n');
            example.command.push_str(line);
        } else {
            example.output.push_str(line);
            example.output.push('\n');
        }
    }
    examples
}

/// A folder of `plugins`.
fn folder(plugin: &str) -> PathBuf {
    root().join("plugins").join(plugin)
}

fn text(path: &Path) -> String {
    toolhatch::fsx::read_text(path, 1 << 20).expect("it is there")
}

/// Puts a file of the plugin's tests into the workspace.
fn copy(env: &TestEnv, plugin: &str, name: &str) {
    let bytes = std::fs::read(folder(plugin).join("tests").join(name)).expect("it is there");
    env.write(name, &bytes);
}

/// Puts a built plugin where READMEs have it.
fn ship(env: &TestEnv, plugin: &str) {
    let name = format!("{plugin}.wasm");
    let bytes = std::fs::read(folder("dist").join(&name)).expect("it is built");
    env.write(format!("plugins/dist/{name}"), &bytes);
}

/// Those that are built from Rust and C, and lie in the checkout.
const BUILT: [&str; 5] = ["archive", "checksum", "fetch", "sql", "text"];

#[test]
fn example_calls_come_out_as_they_were_to() {
    let env = TestEnv::new();
    for plugin in BUILT {
        let project = folder(plugin).display().to_string();
        let file = folder("dist").join(format!("{plugin}.wasm"));
        let file = file.display().to_string();
        let words = ["plugin", "test", &project, "--plugin", &file, "--json"];
        // Of these two, some ask for what they are to be denied all the same.
        let asks = ["fetch", "sql"].contains(&plugin);
        if asks {
            env.run(words).fails_with(3, "E3206");
        }
        let more = asks.then_some("--allow-requested");
        let output = env.run(words.into_iter().chain(more)).ok();
        assert_eq!(output.json()["failed"], 0, "{output}");
    }
}

/// Runs the commands of a README in a shell, after these replacements in it, and compares what they print.
fn run_readme(env: &TestEnv, plugin: &str, replacements: &[(&str, &str)]) {
    let mut readme = text(&folder(plugin).join("README.md"));
    for (from, to) in replacements {
        readme = readme.replace(from, to);
    }
    let examples = examples(&readme);
    assert!(!examples.is_empty(), "{plugin}");
    let binary = Path::new(env!("CARGO_BIN_EXE_toolhatch"));
    let path = format!(
        "{}:/usr/bin:/bin",
        binary.parent().expect("a folder").display()
    );
    for example in examples {
        let output = env
            .program("/bin/sh", ["-c", &example.command])
            .env("PATH", &path)
            .timeout(Duration::from_secs(120))
            .ok();
        // The last line of a text may have no end.
        assert_eq!(
            output.stdout.trim_end(),
            example.output.trim_end(),
            "{output}"
        );
    }
}

fn call(env: &TestEnv, plugin: &str, tool: &str, arguments: &Value, allow: &[&str]) -> Value {
    let file = format!("plugins/dist/{plugin}.wasm");
    let arguments = arguments.to_string();
    let mut words = vec!["call", &file, tool, "--json", "--args", &arguments];
    for allowed in allow {
        words.extend(["--allow", allowed]);
    }
    env.run(words).ok().json()["structured"].clone()
}

#[test]
fn a_readme_is_taken_apart_as_it_is_read() {
    let readme =
        "# x\n\n```console\n$ a 'b\n  c' \\\n    d\nout\n  more\n$ e\n```\n\n```toml\n$ no\n```\n";
    let expected = [("a 'b\n  c' \\\n    d", "out\n  more\n"), ("e", "")];
    let examples = examples(readme);
    let found: Vec<_> = examples
        .iter()
        .map(|example| (&*example.command, &*example.output))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_calls_of_text_are_as_its_readme_says() {
    let env = TestEnv::new();
    ship(&env, "text");
    run_readme(&env, "text", &[]);
}

#[test]
fn the_calls_of_archive_are_as_its_readme_says() {
    let env = TestEnv::new();
    ship(&env, "archive");
    copy(&env, "archive", "notes.zip");
    copy(&env, "archive", "attack.tar");
    run_readme(&env, "archive", &[]);
    assert!(!env.path("outside.txt").exists() && !env.path("out/way").exists());
}

#[test]
fn the_calls_of_sql_are_as_its_readme_says() {
    let env = TestEnv::new();
    ship(&env, "sql");
    copy(&env, "sql", "orders.csv");
    copy(&env, "sql", "notes.db");
    run_readme(&env, "sql", &[]);
    let left: Vec<_> = std::fs::read_dir(env.path("data"))
        .expect("made")
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

const PAGE: &str = "<html><head><title>Example Domain</title></head><body><div><h1>Example Domain</h1><p>This domain is for \
    use in documentation examples without needing permission. Avoid use in operations.</p><p>\
    <a href=\"https://iana.org/domains/example\">Learn more</a></p></div></body></html>";

/// `fetch` with a manifest that asks for loopback too: the shipped one does not.
fn pack_fetch(env: &TestEnv) {
    let manifest = text(&folder("fetch").join("plugin.toml"));
    let local = manifest.replace("\"*:*\"", "\"127.0.0.1:*\"");
    assert_ne!(manifest, local);
    env.write("local.toml", local.as_bytes());
    let shipped = folder("dist").join("fetch.wasm");
    let shipped = shipped.to_str().expect("UTF-8");
    env.write("plugins/dist/.keep", b"");
    env.run([
        "plugin",
        "pack",
        shipped,
        "--manifest",
        "local.toml",
        "-o",
        "plugins/dist/fetch.wasm",
    ])
    .ok();
}

#[test]
fn the_calls_of_fetch_are_as_its_readme_says() {
    let env = TestEnv::new();
    let server = Server::start(|_| Response::new(200, PAGE).header("content-type", "text/html"));
    pack_fetch(&env);
    let address = server.address().to_string();
    let replacements = [
        ("https://example.com/", &*server.url("/")),
        (
            "url=https://example.com",
            &format!("url={}", server.url("/")),
        ),
        (
            "network_http=example.com",
            &format!("network_http={address}"),
        ),
    ];
    run_readme(&env, "fetch", &replacements);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.header("accept-encoding") == Some("gzip, deflate"))
    );
}

#[test]
fn fetch_follows_no_redirect_to_what_was_not_granted() {
    let env = TestEnv::new();
    let other = Server::start(|_| Response::new(200, "secret"));
    let target = other.url("/");
    let server = Server::start(move |_| Response::new(302, "").header("location", &target));
    pack_fetch(&env);
    let url = format!("url={}", server.url("/"));
    let allow = format!("network_http={}", server.address());
    let output = env
        .run([
            "call",
            "plugins/dist/fetch.wasm",
            "--arg",
            &url,
            "--allow",
            &allow,
        ])
        .fails_with(3, "E3211");
    assert!(
        output.stderr.contains(&other.address().to_string()),
        "{output}"
    );
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn the_shipped_fetch_reaches_no_private_address_even_where_it_is_granted() {
    let env = TestEnv::new();
    let server = Server::start(|_| Response::new(200, "secret"));
    ship(&env, "fetch");
    let url = format!("url={}", server.url("/"));
    for allow in [
        format!("network_http={}", server.address()),
        "network_http=*:*".to_owned(),
    ] {
        env.run([
            "call",
            "plugins/dist/fetch.wasm",
            "--arg",
            &url,
            "--allow",
            &allow,
        ])
        .fails_with(3, "E3211");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_learned_host_is_all_that_the_manifest_of_fetch_lacks() {
    let env = TestEnv::new();
    let server = Server::start(|_| Response::new(200, PAGE).header("content-type", "text/html"));
    let manifest = text(&folder("fetch").join("plugin.toml"));
    let asking = manifest
        .lines()
        .position(|line| line == "[permissions.optional]")
        .expect("it asks");
    let mut lines: Vec<&str> = manifest.lines().collect();
    lines.splice(asking..asking + 2, ["[permissions]"]);
    env.write("project/plugin.toml", lines.join("\n").as_bytes());
    let shipped = folder("dist").join("fetch.wasm");
    let pack = || {
        let shipped = shipped.to_str().expect("UTF-8");
        let words = [
            "plugin",
            "pack",
            shipped,
            "--manifest",
            "project/plugin.toml",
            "-o",
            "project/fetch.wasm",
        ];
        env.run(words).ok();
    };
    pack();
    let output = env.run(["plugin", "check", "project"]).ok();
    assert!(output.stdout.contains("unasked-permission"), "{output}");
    let url = format!("url={}", server.url("/"));
    let output = env
        .run(["call", "project", "--arg", &url, "--learn", "--write"])
        .output();
    let learned = text(&env.path("project/plugin.toml"));
    let line = format!(
        "network_http = [{{ host = \"127.0.0.1\", scheme = \"http\", port = {}, methods = [\"GET\"] }}]",
        server.address().port()
    );
    assert!(learned.contains(&line), "{learned}\n{output}");
    pack();
    let output = env.run(["plugin", "check", "project"]).ok();
    assert!(output.stdout.contains("0 errors, 0 warnings"), "{output}");
    env.run(["call", "project", "--arg", &url, "--allow-requested"])
        .ok();
}

#[test]
fn an_archive_that_attacks_changes_nothing_but_its_folder() {
    let env = TestEnv::new();
    ship(&env, "archive");
    std::fs::create_dir(env.path("out")).expect("made");
    for name in ["attack.tar", "bomb.zip"] {
        copy(&env, "archive", name);
        let result = call(
            &env,
            "archive",
            "extract",
            &json!({"path": name, "destination": "out", "overwrite": true}),
            &["file_read=.", "file_write=out"],
        );
        assert_eq!(
            (&result["names"], &result["complete"]),
            (&json!(["fine.txt"]), &json!(false)),
            "{result}"
        );
    }
    let names: Vec<_> = std::fs::read_dir(env.path("out"))
        .expect("made")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(names, ["fine.txt"]);
    assert!(!env.path("outside.txt").exists());
}

#[test]
fn sql_attaches_and_copies_no_other_database() {
    let env = TestEnv::new();
    ship(&env, "sql");
    copy(&env, "sql", "notes.db");
    for sql in [
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'other.db'",
        "PRAGMA journal_mode = WAL",
    ] {
        let sql = format!("sql={sql}");
        let call = [
            "call",
            "plugins/dist/sql.wasm",
            "query",
            "--arg",
            "database=notes.db",
            "--arg",
            &sql,
        ];
        env.run(
            call.iter()
                .copied()
                .chain(["--allow", "file_read=.", "--allow", "file_write=."]),
        )
        .fails_with(1, "E3401");
    }
    assert!(!env.path("other.db").exists());
}
