//! The dependency rule of the house.

use std::collections::{BTreeMap, BTreeSet};

use super::{lines_with, report};
use crate::support::source::{Source, Token, rust_files};

/// The dependency rule: a module uses those of the layers before its own. Within a layer modules may use one another, but
/// not in a circle; those of [`APART`] do not name each other at all.
const LAYERS: &[&[&str]] = &[
    &["ids", "error", "exit_code", "fsx", "web"],
    &[
        "config",
        "manifest",
        "permission",
        "policy",
        "schema",
        "resilience",
        "telemetry",
    ],
    &["exec"],
    &["store", "audit", "secrets", "registry", "pins", "changes"],
    &[
        "host",
        "exec/docker",
        "exec/direct",
        "exec/ssh",
        "mcp/bridge",
        "dist",
        "embedding",
    ],
    &["invoke"],
    &["app"],
    &["author"],
    &["mcp", "mcp/server", "batch", "agent", "cli"],
];

/// The layer of mechanisms: they reach one another only through the traits of `exec`, wired by `app`.
const APART: usize = 4;

/// The module of [`LAYERS`] that a path of names lies in, with the number of its layer.
fn layer_of(names: &[&str]) -> Option<(usize, &'static str)> {
    let long = names.get(..2).map(|names| names.join("/"));
    let find = |wanted: &str| {
        LAYERS.iter().enumerate().find_map(|(layer, modules)| {
            let module = modules.iter().find(|module| **module == wanted)?;
            Some((layer, *module))
        })
    };
    long.and_then(|long| find(&long))
        .or_else(|| find(names.first()?))
}

/// The module path of a file below `src`: `["exec", "outcome"]`.
fn module_path(file: &Source) -> Vec<&str> {
    file.path
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .collect()
}

/// Every module below `crate::` that a file names, with the line: up to two names of each path.
fn named_modules(tokens: &[Token]) -> Vec<(usize, Vec<&str>)> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut named = Vec::new();
    for at in 0..tokens.len() {
        if text(at) != "crate" || text(at + 1) != "::" {
            continue;
        }
        if text(at + 2) != "{" {
            named.push((tokens[at].line, first_names(&tokens[at + 2..])));
            continue;
        }
        // A group: the first names of each of its members.
        let mut depth = 0;
        for (offset, token) in tokens[at + 2..].iter().enumerate() {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && ["{", ","].contains(&token.text.as_str()) {
                let member = first_names(&tokens[at + 3 + offset..]);
                if member.first().is_some_and(|name| *name != "}") {
                    named.push((token.line, member));
                }
            }
        }
    }
    named
}

fn first_names(tokens: &[Token]) -> Vec<&str> {
    let mut names = vec![tokens.first().map_or("", |token| token.text.as_str())];
    if let [_, separator, second, ..] = tokens
        && separator.text == "::"
    {
        names.push(second.text.as_str());
    }
    names
}

#[test]
fn modules_use_only_what_stands_before_them() {
    let mut problems = Vec::new();
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in rust_files(&["src"]) {
        let path = module_path(file);
        if ["main", "lib"].contains(&path[0]) {
            continue;
        }
        let Some((layer, module)) = layer_of(&path) else {
            problems.push(format!("{}: its module is not in LAYERS", file.path));
            continue;
        };
        for (line, names) in named_modules(file.tokens()) {
            let Some((used_layer, used)) = layer_of(&names) else {
                problems.push(format!(
                    "{}:{line}: crate::{} is not in LAYERS",
                    file.path, names[0]
                ));
                continue;
            };
            let is_family = module.starts_with(&format!("{used}/"));
            let is_too_late = used_layer > layer || (used_layer == layer && layer == APART);
            if used != module && is_too_late && !is_family {
                problems.push(format!("{}:{line}: {module} names {used}", file.path));
            }
            if used != module && used_layer == layer {
                uses.entry(module).or_default().insert(used);
            }
        }
    }
    for (module, direct) in &uses {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = direct.iter().copied().collect();
        while let Some(used) = next.pop() {
            if reached.insert(used) {
                next.extend(uses.get(used).into_iter().flatten());
            }
        }
        if reached.contains(module) {
            problems.push(format!(
                "{module} reaches itself through the modules of its own layer"
            ));
        }
    }
    report(
        &problems,
        "Depend on a trait or on plain data further left instead (docs/architecture.md, \"Dependency rule\").\n\
         A new module gets its place in LAYERS of tests/it/tidy/dependencies.rs and a line in the code map.",
    );
}

#[test]
fn other_modules_are_named_from_the_root() {
    let mut problems = Vec::new();
    for file in rust_files(&["src"]) {
        let depth = module_path(file).len();
        let mut inline: Vec<bool> = Vec::new();
        let tokens = file.tokens();
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
        let mut at = 0;
        while at < tokens.len() {
            match text(at) {
                "{" => inline.push(at >= 2 && text(at - 2) == "mod"),
                "}" => drop(inline.pop()),
                "super" => {
                    let mut chain = 1;
                    while text(at + 1) == "::" && text(at + 2) == "super" {
                        chain += 1;
                        at += 2;
                    }
                    let inside = inline.iter().filter(|is_module| **is_module).count();
                    if chain >= depth + inside {
                        problems.push(format!("{}:{}", file.path, tokens[at].line));
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
    report(
        &problems,
        "Write `crate::module` where a path leaves its own top-level module, so that the dependency rule can be checked.",
    );
}

#[test]
fn the_checks_see_what_they_look_for() {
    let file = Source::new(
        "src/x.rs",
        "use crate::{error::Code, exec::docker::Run, fsx};\nfn f() { crate::cli::main() }",
    );
    let tokens = file.tokens();
    let named: Vec<(usize, String)> = named_modules(tokens)
        .into_iter()
        .map(|(line, names)| (line, names.join("/")))
        .collect();
    let expected = [
        (1, "error/Code"),
        (1, "exec/docker"),
        (1, "fsx"),
        (2, "cli/main"),
    ]
    .map(|(line, names)| (line, names.to_owned()));
    assert_eq!(named, expected);
    assert_eq!(layer_of(&["exec", "docker"]), Some((APART, "exec/docker")));
    assert_eq!(layer_of(&["exec", "Job"]), Some((2, "exec")));
    assert_eq!(layer_of(&["nothing"]), None);
    assert!(LAYERS[APART].contains(&"host"));
    assert_eq!(lines_with(tokens, &["crate", "::", "cli"]), [2]);
}
