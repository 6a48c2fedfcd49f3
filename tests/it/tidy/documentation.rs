//! The pages tell of what is there.

use super::report;
use crate::support::source::{files, root, rust_files, text_of};

#[test]
fn the_code_map_names_every_module() {
    let map = text_of("docs/architecture.md");
    let mut problems = Vec::new();
    for file in rust_files(&["src"]) {
        let is_top = file.path.matches('/').count() == 1;
        let name = file.path.trim_end_matches(".rs");
        let is_named = map.contains(&format!("`{name}`")) || map.contains(&format!("`{name}.rs`"));
        if is_top && !is_named {
            problems.push(format!("{} is not in the code map", file.path));
        }
    }
    report(
        &problems,
        "Give it one line in the code map of docs/architecture.md.",
    );
}

#[test]
fn paths_in_the_documentation_exist() {
    let tops = [
        "src/",
        "tests/",
        "docs/",
        "scripts/",
        "plugins/",
        "runner/",
        "wit/",
        "benches/",
        "examples/",
        "fuzz/",
        ".ci/",
    ];
    let pages = ["docs", "README.md", "CONTRIBUTING.md", "SECURITY.md"];
    let mut problems = Vec::new();
    for page in files(&pages) {
        for (index, line) in page.text.lines().enumerate() {
            // Every second part stands between backticks.
            for quoted in line.split('`').skip(1).step_by(2) {
                let Some(path) = quoted.split([' ', ':', '#']).find(|word| {
                    tops.iter().any(|top| word.starts_with(top))
                        && !word.contains(['*', '<', '{', '…', '$'])
                }) else {
                    continue;
                };
                // Names in capitals stand for something, and what is built is not there before it is built.
                let is_placeholder = path.chars().filter(char::is_ascii_uppercase).count() > 2;
                let exists =
                    root().join(path).exists() || root().join(format!("{path}.rs")).exists();
                if !exists && !is_placeholder {
                    problems.push(format!("{}:{}: {path}", page.path, index + 1));
                }
            }
        }
    }
    report(
        &problems,
        "Mend the path, or the page that still tells of it.",
    );
}
