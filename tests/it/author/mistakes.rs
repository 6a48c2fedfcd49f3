//! What authors get wrong in their sources, and what they are told: which file and line, or what is missing.

use std::path::Path;

use crate::support::toolchains::{Author, Language, edit};

/// A mistake: in which file, what is replaced by what, and what is said of it.
type Mistake<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

/// Makes one mistake after the other; none leaves a plugin behind, and in the end it builds.
#[track_caller]
fn make_mistakes(author: &Author, project: &Path, mistakes: &[Mistake<'_>]) {
    let dist = project.join("dist");
    for (file, from, to, said) in mistakes {
        let file = project.join(file);
        let right = std::fs::read(&file).expect("read");
        edit(&file, from, to);
        let failed = author
            .run(project, ["plugin", "build"])
            .fails_with(1, "E3113");
        for words in *said {
            assert!(
                failed.stderr.contains(words),
                "it should say {words:?}\n{failed}"
            );
        }
        assert!(
            !failed.stderr.contains("panicked at src") && !failed.stderr.contains("child_process"),
            "{failed}"
        );
        assert!(!dist.exists(), "{failed}");
        toolhatch::fsx::write_atomic(&file, &right, 0o644).expect("written");
    }
    author.run(project, ["plugin", "build"]).ok();
    assert!(dist.exists());
}

#[test]
fn in_rust() {
    let Some(author) = Author::of(Language::Rust) else {
        return;
    };
    let project = author.project("mistaken");
    let end = "// Every tool of the plugin";
    make_mistakes(
        &author,
        &project,
        &[
            (
                "src/lib.rs",
                end,
                "fn broken( {\n// Every tool",
                &["this file contains an unclosed delimiter", "src/lib.rs:"],
            ),
            (
                "src/lib.rs",
                "fn five() -> usize {\n    5",
                "fn five() -> usize {\n    \"5\"",
                &["E0308", "src/lib.rs:59:5", "expected `usize`, found `&str`"],
            ),
            (
                "Cargo.toml",
                "crate-type = [\"cdylib\"]",
                "crate-type = [\"rlib\"]",
                &["cargo made no component of it", "crate-type = [\"cdylib\"]"],
            ),
        ],
    );
    // Without its tools it is a component, for another world.
    edit(
        &project.join("src/lib.rs"),
        "toolhatch_plugin::plugin!(count_words);",
        "",
    );
    let failed = author
        .run(&project, ["plugin", "build"])
        .fails_with(2, "E3111");
    assert!(
        failed
            .stderr
            .contains("does not export `toolhatch:plugin/tools`"),
        "{failed}"
    );
}

#[test]
fn in_javascript() {
    let Some(author) = Author::of(Language::JavaScript) else {
        return;
    };
    let project = author.project("mistaken");
    let export = "export { tools } from './plugin.js';";
    let mistakes: &[Mistake<'_>] = &[
        (
            "src/plugin.js",
            "const count = (",
            "const = (",
            &["src/plugin.js:16:"],
        ),
        (
            "src/plugin.js",
            "const count = (",
            "undefinedFunction();\nconst count = (",
            &["undefinedFunction is not defined", "/src/plugin.js:16:"],
        ),
        (
            "src/component.js",
            export,
            "export { toolz as tools } from './plugin.js';",
            &["toolz"],
        ),
        (
            "src/component.js",
            export,
            "",
            &[
                "does not say which tools it has",
                "'toolhatch:plugin/tools@0.1.0' not found",
                "Export `tools`",
            ],
        ),
        ("src/plugin.js", "run: wordCount,", "", &["run"]),
    ];
    make_mistakes(&author, &project, mistakes);
    // With esbuild beside it, which reads the sources first.
    author.install(&project, &["esbuild"]);
    std::fs::remove_dir_all(project.join("dist")).expect("removed");
    make_mistakes(
        &author,
        &project,
        &[
            (
                "src/plugin.js",
                "const count = (",
                "const = (",
                &["Expected identifier but found \"=\"", "src/plugin.js:16:6"],
            ),
            (
                "src/component.js",
                "'./plugin.js'",
                "'./plugins.js'",
                &["Could not resolve \"./plugins.js\"", "src/component.js:10:"],
            ),
        ],
    );
}

#[test]
fn in_python() {
    let Some(author) = Author::of(Language::Python) else {
        return;
    };
    let project = author.project("mistaken");
    make_mistakes(
        &author,
        &project,
        &[
            (
                "plugin.py",
                "@tool\ndef",
                "@tool\ndef (",
                &["plugin.py\", line 19", "SyntaxError"],
            ),
            (
                "plugin.py",
                "@tool\n",
                "undefined_name\n@tool\n",
                &[
                    "plugin.py\", line 18",
                    "NameError: name 'undefined_name' is not defined",
                ],
            ),
            (
                "plugin.py",
                "    \"\"\"Counts the lines",
                "    # \"\"\"Counts the lines",
                &["docstring"],
            ),
            (
                "component.py",
                "Tools = ",
                "tools = ",
                &["module 'component' has no attribute 'Tools'"],
            ),
        ],
    );
}

#[test]
fn in_c() {
    let Some(author) = Author::of(Language::C) else {
        return;
    };
    let project = author.project("mistaken");
    make_mistakes(
        &author,
        &project,
        &[
            (
                "src/plugin.c",
                "enum { SLOWEST = 50,",
                "enum { SLOWEST = ,",
                &["src/plugin.c:5:18: error: expected expression"],
            ),
            (
                "src/plugin.c",
                "exports_component_word_count",
                "exports_component_words_count",
                &["undefined symbol: exports_component_word_count"],
            ),
        ],
    );
    edit(&project.join("wit/world.wit"), "record count {", "record {");
    let failed = author
        .run(&project, ["plugin", "build"])
        .fails_with(2, "E3105");
    assert!(failed.stderr.contains("wit/world.wit:8:12"), "{failed}");
}
