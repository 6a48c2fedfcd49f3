//! Where a project is made and what it is built with: folders that are taken, names that are, and toolchains that are
//! missing, too old or broken. None of it takes a toolchain.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::namespace;
use crate::support::process::Run;
use crate::support::toolchains::edit;

/// A program that is a script of the shell.
fn fake(env: &TestEnv, name: &str, script: &str) -> PathBuf {
    let path = env.write(
        Path::new("bin").join(name),
        format!("#!/bin/sh\n{script}\n").as_bytes(),
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
    path
}

/// A build of the project, where only the fake programs are found; they find the system's.
fn build(env: &TestEnv, project: &str) -> Run {
    let bin = env.path("bin");
    std::fs::create_dir_all(&bin).expect("created");
    env.run(["plugin", "build", project])
        .env("PATH", bin.to_str().expect("UTF-8"))
}

fn new(env: &TestEnv, language: &str, name: &str) -> Run {
    env.run(["plugin", "new", language, name])
}

#[test]
fn a_project_is_made_where_nothing_is() {
    let env = TestEnv::new();
    env.write("full/notes.txt", b"mine");
    env.write("file", b"mine");
    for (folder, said) in [
        ("full", "it is not empty"),
        ("file", "it is a file"),
        (".", "it is not empty"),
    ] {
        for language in ["rust", "js", "python", "c"] {
            let words = ["plugin", "new", language, folder, "--name", "mine"];
            let failed = env.run(words).fails_with(2, "E3004");
            assert!(failed.stderr.contains(said), "{failed}");
        }
    }
    assert_eq!(std::fs::read(env.path("file")).expect("read"), b"mine");
    assert_eq!(
        std::fs::read_dir(env.path("full")).expect("read").count(),
        1
    );
    std::fs::create_dir(env.path("leer")).expect("made");
    let made = env
        .run(["plugin", "new", "js", "leer", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&made["name"], &made["language"]),
        (&"leer".into(), &"js".into())
    );
    new(&env, "js", "leer").fails_with(2, "E3004");
    new(&env, "c", "a/b/c-tool").ok();
    assert!(env.path("a/b/c-tool/src/plugin.c").is_file());
    // It is shown how to get there.
    let shown = env
        .run([
            "plugin",
            "new",
            "c",
            "Meine Wörter/zwei drei",
            "--name",
            "two",
        ])
        .ok();
    assert!(
        shown.stdout.contains("cd 'Meine Wörter/zwei drei'"),
        "{shown}"
    );
}

#[test]
fn names_that_get_in_the_way_are_refused() {
    let env = TestEnv::new();
    for (language, name, said) in [
        ("rust", "fn", "a Rust crate cannot be called that"),
        ("rust", "serde", "a Rust crate cannot be called that"),
        ("c", "sandbox", "Toolhatch's own tools have it"),
        (
            "js",
            "Nicht Kebab",
            "\"Nicht Kebab\" is not a valid plugin name",
        ),
        ("python", "größe", "is not a valid plugin name"),
        ("python", "..", "ends in no name"),
        ("python", &"x".repeat(65), "at most 64"),
    ] {
        let failed = new(&env, language, name).fails_with(2, "E3004");
        assert!(failed.stderr.contains(said), "{failed}");
        assert!(failed.stderr.contains("--name"), "{failed}");
    }
    let entries = std::fs::read_dir(env.path("")).expect("read").count();
    assert_eq!(entries, 1, "only .git");
    let unknown = new(&env, "cobol", "x").output();
    assert_eq!(unknown.code, Some(2), "{unknown}");
    assert!(unknown.stderr.contains("rust, js, python, c"), "{unknown}");
    let slip = new(&env, "pyhton", "x").output();
    assert_eq!(slip.code, Some(2), "{slip}");
    assert!(slip.stderr.contains("did you mean python?"), "{slip}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told() {
    if !namespace::works() {
        return;
    }
    let env = TestEnv::new();
    let folder = env.path("fixed");
    std::fs::create_dir(&folder).expect("made");
    let run = new(&env, "python", "fixed/word-count");
    let failed = namespace::read_only(&folder, run).fails_with(2, "E3004");
    assert!(failed.stderr.contains("fixed/word-count"), "{failed}");
    assert!(!failed.stderr.contains("WARN"), "{failed}");
    assert_eq!(std::fs::read_dir(&folder).expect("read").count(), 0);
}

#[test]
fn what_is_no_project_is_not_built() {
    let env = TestEnv::new();
    env.write("empty/notes.txt", b"");
    env.write("file", b"");
    for folder in ["empty", "nowhere", "file"] {
        let failed = build(&env, folder).fails_with(4, "E3101");
        assert!(failed.stderr.contains("plugin new"), "{failed}");
    }
    let manifest = b"schema = 1\nname = \"x\"\nversion = \"1.0.0\"\n";
    env.write("bare/plugin.toml", manifest);
    let failed = build(&env, "bare").fails_with(4, "E3101");
    assert!(
        failed.stderr.contains("no project that can be built"),
        "{failed}"
    );
    new(&env, "c", "broken").ok();
    let file = env.path("broken/plugin.toml");
    for (from, to, said) in [
        (
            "version = \"0.1.0\"",
            "versoin = \"0.1.0\"",
            "plugin.toml:4:1: versoin: unknown key; did you mean `version`?",
        ),
        ("versoin = \"0.1.0\"", "version = [", "not valid TOML"),
    ] {
        edit(&file, from, to);
        let failed = build(&env, "broken").fails_with(2, "E3105");
        assert!(failed.stderr.contains(said), "{said:?}\n{failed}");
    }
    env.write(&file, b"\xff\xfe");
    build(&env, "broken").fails_with(2, "E3004");
    std::fs::remove_file(&file).expect("removed");
    build(&env, "broken").fails_with(4, "E3101");
}

#[test]
fn a_missing_toolchain_is_told_with_what_to_install() {
    let env = TestEnv::new();
    for (language, said) in [
        (
            "js",
            [
                "componentize-qjs in node_modules",
                "npm install",
                "apt-get install nodejs npm",
            ]
            .as_slice(),
        ),
        (
            "python",
            &[
                "componentize-py 0.23 or newer",
                "pip install 'componentize-py~=0.25.0'",
                "python3 -m venv",
            ],
        ),
        (
            "c",
            &[
                "clang with lld",
                "apt-get install clang-22 lld-22 wasi-libc",
                "WASI_SDK_PATH",
            ],
        ),
    ] {
        new(&env, language, language).ok();
        let failed = build(&env, language).fails_with(4, "E3112");
        for words in said {
            assert!(failed.stderr.contains(words), "{words:?}\n{failed}");
        }
        assert!(!env.path(language).join("dist").exists());
    }
    // With npm there it is one step less.
    fake(&env, "npm", "exit 1");
    let failed = build(&env, "js").fails_with(4, "E3112");
    assert!(!failed.stderr.contains("apt-get"), "{failed}");
    // One without a C library for WASI is none.
    fake(
        &env,
        "clang",
        "case \"$*\" in *--version*) exit 0;; *) exit 1;; esac",
    );
    build(&env, "c").fails_with(4, "E3112");
    build(&env, "c")
        .env("WASI_SDK_PATH", "/nonexistent")
        .fails_with(4, "E3112");
    if !Path::new("/usr/bin/rustc").exists() {
        new(&env, "rust", "rusty").ok();
        let failed = build(&env, "rusty").fails_with(4, "E3112");
        assert!(
            failed.stderr.contains("rustup target add wasm32-wasip2"),
            "{failed}"
        );
    }
}

/// A componentize-py that does this when it builds.
fn componentizes(env: &TestEnv, version: &str, script: &str) {
    let script = format!("case $1 in --version) {version};; esac\n{script}");
    fake(env, "componentize-py", &script);
}

#[test]
fn an_old_or_broken_compiler_for_python_is_told() {
    let env = TestEnv::new();
    new(&env, "python", "snake").ok();
    let current = "echo componentize-py 0.25.1; exit";
    let component = guests::component(guests::ADDER);
    let rubbish = "PATH=/usr/bin:/bin; export PATH; ";
    for (version, script, exit, code, said) in [
        (
            "echo componentize-py 0.21.0; exit",
            "",
            4,
            "E3112",
            "0.23 or newer, and here is 0.21.0",
        ),
        ("exit 1", "", 4, "E3112", "does not answer"),
        (
            "/usr/bin/head -c 100000 /dev/urandom; exit",
            "",
            4,
            "E3112",
            "does not answer",
        ),
        (
            current,
            "echo 'no module named x' >&2; exit 3",
            1,
            "E3113",
            "no module named x",
        ),
        (current, "echo said; exit 3", 1, "E3113", "said"),
        (current, "kill -9 $$", 1, "E3113", "signal: 9"),
        (
            current,
            "/usr/bin/head -c 3000000 /dev/urandom >&2; exit 1",
            1,
            "E3113",
            "exit status: 1",
        ),
        (current, "exit 0", 1, "E3113", "did not make it"),
        (
            current,
            "echo rubbish >build/component.wasm",
            2,
            "E3105",
            "not WebAssembly",
        ),
        (current, ": >build/component.wasm", 2, "E3105", "empty"),
        (
            current,
            "printf '\\0asm\\1\\0\\0\\0' >build/component.wasm",
            2,
            "E3105",
            "a core module",
        ),
        (
            current,
            &format!(
                "{rubbish}head -c 5000 ../adder.wasm >build/component.wasm; echo >>build/component.wasm"
            ),
            2,
            "E3105",
            "",
        ),
    ] {
        env.write("adder.wasm", &component);
        componentizes(&env, version, script);
        let failed = build(&env, "snake").fails_with(exit, code);
        assert!(failed.stderr.contains(said), "{said:?}\n{failed}");
        assert!(!env.path("snake/dist").exists(), "{failed}");
    }
    // A component for another world than the manifest says.
    componentizes(
        &env,
        current,
        &format!("{rubbish}cp ../adder.wasm build/component.wasm"),
    );
    let failed = build(&env, "snake").fails_with(2, "E3111");
    assert!(
        failed
            .stderr
            .contains("does not export `toolhatch:plugin/tools`"),
        "{failed}"
    );
    // What an earlier build made is not taken for what this one did not.
    componentizes(&env, current, "exit 0");
    build(&env, "snake").fails_with(1, "E3113");
    assert!(!env.path("snake/dist").exists());
    // Its own settings.
    let settings = env.path("snake/pyproject.toml");
    let text = std::fs::read_to_string(&settings).expect("read");
    env.write(
        &settings,
        format!("{text}\n[tool.toolhatch]\npython-paht = [\"x\"]\n").as_bytes(),
    );
    let failed = build(&env, "snake").fails_with(2, "E3105");
    assert!(failed.stderr.contains("python-paht"), "{failed}");
}

#[test]
fn an_old_or_broken_compiler_for_rust_is_told() {
    let env = TestEnv::new();
    new(&env, "rust", "rusty").ok();
    let manifest = env.path("rusty/Cargo.toml");
    // One with the target: its folder of libraries is there.
    fake(
        &env,
        "rustc",
        "case \"$*\" in *target-libdir*) echo /usr/lib;; *--version*) echo rustc 1.99.0;; *) exit 1;; esac",
    );
    let says = |file: &str| {
        let message = serde_json::json!({
            "reason": "compiler-artifact", "manifest_path": manifest, "filenames": [env.path(file)],
        });
        format!("echo '{message}'")
    };
    env.write("rubbish.wasm", b"rubbish");
    for (script, exit, code, said) in [
        (
            "exit 1".to_owned(),
            1,
            "E3113",
            "cargo ended with exit status: 1",
        ),
        (
            "echo 'error[E0425]: src/lib.rs:1:1' >&2; exit 101".to_owned(),
            1,
            "E3113",
            "error[E0425]: src/lib.rs:1:1",
        ),
        (
            "echo rubbish; echo '{\"reason\": 3}'".to_owned(),
            1,
            "E3113",
            "cargo made no component of it",
        ),
        (says("nothing.wasm"), 1, "E3113", "did not make it"),
        (says("rubbish.wasm"), 2, "E3105", "not WebAssembly"),
    ] {
        fake(&env, "cargo", &script);
        let failed = build(&env, "rusty").fails_with(exit, code);
        assert!(failed.stderr.contains(said), "{said:?}\n{failed}");
        assert!(!env.path("rusty/dist").exists(), "{failed}");
    }
    // One that cannot say its version.
    fake(
        &env,
        "rustc",
        "case \"$*\" in *target-libdir*) echo /usr/lib;; *) exit 1;; esac",
    );
    let failed = build(&env, "rusty").fails_with(4, "E3112");
    assert!(failed.stderr.contains("does not answer"), "{failed}");
    // Without the target it is no toolchain, whatever else is on the system.
    if !Path::new("/usr/bin/rustc").exists() {
        fake(&env, "rustc", "echo 'error: no such target' >&2; exit 1");
        let failed = build(&env, "rusty").fails_with(4, "E3112");
        assert!(
            failed.stderr.contains("rustup target add wasm32-wasip2"),
            "{failed}"
        );
    }
}

#[test]
fn packages_of_javascript_that_are_broken_are_told() {
    let env = TestEnv::new();
    new(&env, "js", "coffee").ok();
    let program = |script: &str| {
        let made = fake(&env, "made", script);
        let place = env.path("coffee/node_modules/.bin/componentize-qjs");
        std::fs::create_dir_all(place.parent().expect("a folder")).expect("created");
        std::fs::rename(made, place).expect("put there");
    };
    program("exit 0");
    let failed = build(&env, "coffee").fails_with(1, "E3113");
    assert!(failed.stderr.contains("did not make it"), "{failed}");
    program("echo 'Error: : Failed to evaluate user JavaScript module: oh no' >&2; exit 1");
    let failed = build(&env, "coffee").fails_with(1, "E3113");
    assert!(failed.stderr.contains("because: oh no"), "{failed}");
    env.write("coffee/package.json", b"{");
    build(&env, "coffee").fails_with(2, "E3105");
}
