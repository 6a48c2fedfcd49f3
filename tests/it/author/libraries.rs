//! The libraries for JavaScript and Python, and the plugins that are written with them and in C: built from their sources,
//! with their own tests, their example calls, and the calls of their READMEs.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::env::TestEnv;
use crate::support::process::Run;
use crate::support::source::root;
use crate::support::toolchains::{Author, Language};

/// What somebody who works in a checkout has there, and is no source.
const NO_SOURCES: [&str; 6] = [
    "node_modules",
    ".venv",
    "build",
    "dist",
    "target",
    "__pycache__",
];

/// Copies a folder of `plugins`; what links in it lead to is copied in their place.
fn copy(name: &str, to: &Path) {
    fn walk(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("created");
        for entry in std::fs::read_dir(from).expect("a folder") {
            let name = entry.expect("readable").file_name();
            let (from, to) = (from.join(&name), to.join(&name));
            if NO_SOURCES.iter().any(|other| name == *other) {
                continue;
            }
            if from.is_dir() {
                walk(&from, &to);
            } else {
                std::fs::copy(&from, &to).expect("copied");
            }
        }
    }
    walk(&root().join("plugins").join(name), &to.join(name));
}

/// The sources of a plugin, with those of the library beside them.
fn sources(author: &Author, name: &str, library: &str) -> PathBuf {
    let plugins = author.env.path("plugins");
    for folder in [name, library]
        .into_iter()
        .filter(|folder| !folder.is_empty())
    {
        copy(folder, &plugins);
    }
    plugins.join(name)
}

/// Builds a plugin, checks it, makes its example calls, and those of its README with it in the workspace at `place`.
#[track_caller]
fn build(author: &Author, project: &Path, place: &str) {
    author.run(project, ["plugin", "build"]).ok();
    let checked = author.run(project, ["plugin", "check", "--strict"]).ok();
    assert!(
        checked.stdout.contains(" 0 errors, 0 warnings"),
        "{checked}"
    );
    let tested = author.run(project, ["plugin", "test"]).ok();
    assert!(tested.stdout.ends_with(" as expected, 0 not\n"), "{tested}");
    let name = project.file_name().expect("a name");
    let built = project.join("dist").join(name).with_extension("wasm");
    author
        .env
        .write(place, &std::fs::read(built).expect("it was built"));
    calls_of_readme(&author.env, &project.join("README.md"));
}

/// A command of a README, and what is printed, as it stands there.
struct Shown {
    command: String,
    printed: String,
}

/// The commands in the blocks of a README that show a console.
fn shown(readme: &str) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    let blocks = readme.split("```console\n").skip(1);
    for block in blocks {
        let (block, _) = block.split_once("```").expect("the end of a block");
        for line in block.lines() {
            // A command goes on for as long as a quote is open.
            let last = commands.last_mut();
            let is_open = |shown: &&mut Shown| {
                shown.printed.is_empty() && shown.command.matches('\'').count() % 2 == 1
            };
            match (line.strip_prefix("$ "), last) {
                (None, Some(shown)) if is_open(&shown) => {
                    shown.command.push_str(&format!("\n{line}"))
                }
                (Some(command), _) => commands.push(Shown {
                    command: command.to_owned(),
                    printed: String::new(),
                }),
                (None, Some(shown)) => shown.printed.push_str(&format!("{line}\n")),
                (None, None) => {}
            }
        }
    }
    commands
}

/// Runs the calls of a README in the workspace: each prints what stands there. Files that it shows are made first, and calls
/// of which it shows no result are left alone.
#[track_caller]
fn calls_of_readme(env: &TestEnv, readme: &Path) {
    let bin = env.path("bin");
    std::fs::create_dir_all(&bin).expect("created");
    symlink(env!("CARGO_BIN_EXE_toolhatch"), bin.join("toolhatch")).expect("linked");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut calls = 0;
    for Shown { command, printed } in shown(&std::fs::read_to_string(readme).expect("a README")) {
        if let Some(file) = command.strip_prefix("cat ") {
            env.write(file, printed.as_bytes());
            continue;
        }
        let is_call = command.starts_with("toolhatch call ");
        if is_call && printed.is_empty() {
            continue;
        }
        calls += usize::from(is_call);
        let script = format!("exec 2>&1; {command}");
        let output = env
            .program("/bin/sh", ["-c", &script])
            .env("PATH", &path)
            .timeout(std::time::Duration::from_secs(300))
            .output();
        assert_eq!(
            output.stdout.trim_end(),
            printed.trim_end(),
            "of {command}\n{output}"
        );
    }
    assert!(calls > 0, "{} has no calls", readme.display());
}

fn node(author: &Author, folder: &Path, words: &[&str]) -> Run {
    author.program(folder, "node", words)
}

#[test]
fn the_library_for_javascript() {
    let Some(author) = Author::of(Language::JavaScript) else {
        return;
    };
    let tested = node(
        &author,
        root(),
        &["--test", "tests/fixtures/sdk/javascript.test.js"],
    )
    .ok();
    assert!(tested.stdout.contains("fail 0"), "{tested}");
}

#[test]
fn the_library_for_python() {
    let Some(author) = Author::of(Language::Python) else {
        return;
    };
    let python = author.installed("venv/bin/python");
    let python = python.to_str().expect("UTF-8");
    // Nothing is left beside the sources.
    let words = ["-B", "-m", "unittest", "discover", "tests/fixtures/sdk"];
    let tested = author.program(root(), python, &words).ok();
    assert!(tested.stderr.ends_with("OK\n"), "{tested}");
}

#[test]
fn the_plugin_json() {
    let Some(author) = Author::of(Language::JavaScript) else {
        return;
    };
    let project = sources(&author, "json", "sdk-js");
    author.install(
        &project,
        &[
            "ajv",
            "ajv-formats",
            "componentize-qjs",
            "esbuild",
            "jmespath",
        ],
    );
    let tested = node(&author, &project, &["--test"]).ok();
    assert!(tested.stdout.contains("fail 0"), "{tested}");
    build(&author, &project, "json.wasm");
}

#[test]
fn the_plugin_py() {
    let Some(author) = Author::of(Language::Python) else {
        return;
    };
    let project = sources(&author, "py", "sdk-python");
    author.install(&project, &[]);
    let words = ["-m", "unittest", "discover", "tests"];
    let tested = author.program(&project, ".venv/bin/python", &words).ok();
    assert!(tested.stderr.ends_with("OK\n"), "{tested}");
    build(&author, &project, "py.wasm");
}

#[test]
fn the_plugin_checksum() {
    let Some(author) = Author::of(Language::C) else {
        return;
    };
    let project = sources(&author, "checksum", "");
    author.program(&project, "make", &["test"]).ok();
    build(&author, &project, "plugins/dist/checksum.wasm");
}
