//! How files are written.

use super::{lines_with, report};
use crate::support::source::{Source, all_files, root, rust_files};

/// Where Rust is written.
const RUST: &[&str] = &[
    "src", "tests", "plugins", "runner", "benches", "examples", "fuzz", "build.rs",
];

/// The longest file there may be.
const LONGEST: usize = 700;

#[test]
fn files_stay_short() {
    let long = rust_files(RUST)
        .map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect::<Vec<_>>();
    report(
        &long,
        "Split it by its nouns into `name/*.rs`; past 400 lines it is worth looking for the seam, 700 is the limit.",
    );
}

#[test]
fn files_say_what_they_are_for() {
    let silent = rust_files(RUST)
        .filter(|file| !is_plain_tests(file) && !file.text.starts_with("//! "))
        .map(|file| file.path.clone())
        .collect::<Vec<_>>();
    report(
        &silent,
        "Begin the file with `//!` and one sentence: its purpose, and what it does not do where that surprises.",
    );
}

/// The unit tests of a module, whose purpose is its name.
fn is_plain_tests(file: &Source) -> bool {
    file.path.ends_with("/tests.rs") || file.path.contains("/tests/")
}

#[test]
fn modules_are_named_by_their_file() {
    let found = rust_files(RUST)
        .filter(|file| file.path.ends_with("/mod.rs"))
        .map(|file| file.path.clone())
        .collect::<Vec<_>>();
    report(&found, "Move `foo/mod.rs` to `foo.rs`.");
}

#[test]
fn lints_are_expected_and_never_allowed() {
    let mut problems = Vec::new();
    for file in rust_files(RUST) {
        let tokens = file.tokens();
        for line in lines_with(tokens, &["[", "allow", "("]) {
            problems.push(format!("{}:{line}", file.path));
        }
    }
    report(
        &problems,
        "Write `#[expect(lint, reason = \"…\")]`: it says why, and warns when it is not needed any more.",
    );
}

#[test]
fn nothing_is_left_unfinished() {
    let macros = ["todo", "unimplemented", "dbg"];
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let mut problems = Vec::new();
    for file in rust_files(RUST) {
        let tokens = file.tokens();
        for name in macros {
            for line in lines_with(tokens, &[name, "!"]) {
                problems.push(format!("{}:{line}: {name}!", file.path));
            }
        }
        for line in lines_with(tokens, &["[", "ignore"]) {
            problems.push(format!("{}:{line}: #[ignore]", file.path));
        }
        // One of the plugins looks for such marks, so in plugins the words have to be spoken of.
        if file.path.starts_with("plugins/") {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            for mark in marks {
                if line
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .any(|word| word == mark)
                {
                    problems.push(format!("{}:{}: {mark}", file.path, index + 1));
                }
            }
        }
    }
    report(
        &problems,
        "Finish it, or leave it out and write an issue: what is in the tree works.",
    );
}

#[test]
fn no_file_names_somebodys_machine() {
    let here = root().to_str().expect("a UTF-8 path");
    let mut problems = Vec::new();
    for file in all_files() {
        for (index, line) in file.text.lines().enumerate() {
            let found = if here.len() > 4 && line.contains(here) {
                Some(here.to_owned())
            } else {
                home_folder(line)
            };
            if let Some(found) = found {
                problems.push(format!("{}:{}: {found}", file.path, index + 1));
            }
        }
    }
    report(
        &problems,
        "Write paths relative to the project, or with a variable; in examples the user is `me`: /home/me.",
    );
}

/// A home folder of a real user in this line.
fn home_folder(line: &str) -> Option<String> {
    let examples = ["me", "you", "user", "none", "someone", "other"];
    for home in ["/home/", "/Users/", "/root/"] {
        for (at, _) in line.match_indices(home) {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || "_.-}".contains(c)) {
                continue;
            }
            let rest = &line[at + home.len()..];
            let user: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if !user.is_empty() && (home == "/root/" || !examples.contains(&user.as_str())) {
                return Some(format!("{home}{user}"));
            }
        }
    }
    None
}

#[test]
fn home_folders_are_recognised() {
    for (line, is_one) in [
        (concat!("see /ho", "me/ada/project"), true),
        (concat!("\"/ro", "ot/.cargo\""), false),
        (concat!("\"/ro", "ot/x\""), true),
        ("/home/me/project", false),
        ("dir.join(\"root/a\")", false),
        ("/srv/home/ada", false),
        ("/home/", false),
    ] {
        assert_eq!(home_folder(line).is_some(), is_one, "{line}");
    }
}
