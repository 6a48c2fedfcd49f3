//! The rules of the house that a compiler does not know, each a test whose message says how to mend it.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::source::{Source, Token, all_files, files, root, rust_files};

/// The dependency rule: a module uses those of the layers before its own. Within a layer modules may use one another, but
/// not in a circle; those of [`APART`] do not name each other at all.
const LAYERS: &[&[&str]] = &[
    &["ids", "error", "exit_code", "fsx"],
    &[
        "config", "manifest", "permission", "policy", "schema", "resilience", "telemetry",
    ],
    &["exec"],
    &["store", "audit", "secrets", "registry"],
    &["host", "exec/docker", "exec/direct", "exec/ssh", "mcp/bridge", "dist"],
    &["invoke"],
    &["app"],
    &["mcp/server", "batch", "agent", "cli"],
];

/// The layer of mechanisms: they reach one another only through the traits of `exec`, wired by `app`.
const APART: usize = 4;

/// Libraries that belong to one place, so that the rest of the house does not depend on them.
const HOMES: &[(&str, &[&str])] = &[
    ("wasmtime", &["src/host"]),
    ("bollard", &["src/exec/docker"]),
    ("rmcp", &["src/mcp"]),
    ("sqlx", &["src/store"]),
    ("cedar_policy", &["src/policy"]),
    ("landlock", &["src/app/confine"]),
    ("clap", &["src/cli"]),
    ("indicatif", &["src/cli"]),
    ("comfy_table", &["src/cli"]),
    ("anstream", &["src/cli"]),
];

/// Where Rust is written.
const RUST: &[&str] = &["src", "tests", "plugins", "benches", "examples", "fuzz"];

/// The longest file there may be.
const LONGEST: usize = 700;

/// Fails with every place that breaks a rule.
fn report(problems: &[String], mend: &str) {
    assert!(
        problems.is_empty(),
        "\n  {}\n\n{mend}\n",
        problems.join("\n  ")
    );
}

/// The module of [`LAYERS`] that a path of names lies in, with the number of its layer.
fn layer_of(names: &[&str]) -> Option<(usize, &'static str)> {
    let long = names.get(..2).map(|names| names.join("/"));
    let find = |wanted: &str| {
        LAYERS.iter().enumerate().find_map(|(layer, modules)| {
            let module = modules.iter().find(|module| **module == wanted)?;
            Some((layer, *module))
        })
    };
    long.and_then(|long| find(&long)).or_else(|| find(names.first()?))
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

/// The lines on which these tokens stand one after the other.
fn lines_with(tokens: &[Token], wanted: &[&str]) -> Vec<usize> {
    tokens
        .windows(wanted.len())
        .filter(|window| window.iter().map(|token| token.text.as_str()).eq(wanted.iter().copied()))
        .map(|window| window[0].line)
        .collect()
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
                problems.push(format!("{}:{line}: crate::{} is not in LAYERS", file.path, names[0]));
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
            problems.push(format!("{module} reaches itself through the modules of its own layer"));
        }
    }
    report(
        &problems,
        "Depend on a trait or on plain data further left instead (docs/architecture.md, \"Dependency rule\").\n\
         A new module gets its place in LAYERS of tests/it/tidy.rs and a line in the code map.",
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
fn heavy_libraries_stay_in_their_rooms() {
    let mut problems = Vec::new();
    for file in rust_files(&["src"]) {
        for token in file.tokens() {
            for (library, homes) in HOMES {
                let is_it = token
                    .text
                    .strip_prefix(library)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
                let is_home = |home: &str| file.is_in(&[home, &format!("{home}.rs")]);
                if is_it && !homes.iter().any(|home| is_home(home)) {
                    let line = token.line;
                    problems.push(format!("{}:{line}: {}", file.path, token.text));
                }
            }
        }
    }
    problems.dedup();
    report(
        &problems,
        "Put it behind a function or trait of the module that owns the library (HOMES in tests/it/tidy.rs).",
    );
}

#[test]
fn only_the_output_module_prints() {
    let mut problems = Vec::new();
    for file in rust_files(&["src"]) {
        if file.path == "src/cli/output.rs" {
            continue;
        }
        let tokens = file.tokens();
        let mut lines = Vec::new();
        for printer in ["print", "println", "eprint", "eprintln"] {
            lines.extend(lines_with(tokens, &[printer, "!"]));
        }
        for stream in ["stdout", "stderr"] {
            lines.extend(lines_with(tokens, &["io", "::", stream]));
        }
        // The log goes where whoever set it up wants it: it is no output of a command.
        let log = ["with_writer", "(", "std", "::", "io", "::", "stderr", ")"];
        let of_log = lines_with(tokens, &log);
        lines.retain(|line| !of_log.contains(line));
        problems.extend(lines.iter().map(|line| format!("{}:{line}", file.path)));
    }
    report(
        &problems,
        "Return the value and let src/cli/output.rs print it: stdout may be a protocol, and stderr somebody's terminal.",
    );
}

#[test]
fn only_the_configuration_reads_the_environment() {
    let mut problems = Vec::new();
    for file in rust_files(&["src"]) {
        if file.is_in(&["src/config.rs", "src/config"]) {
            continue;
        }
        for line in lines_with(file.tokens(), &["std", "::", "env"]) {
            problems.push(format!("{}:{line}", file.path));
        }
    }
    report(
        &problems,
        "Read it in src/config (variables: src/config/env_vars.rs) and pass the value on.",
    );
}

#[test]
fn the_permission_module_is_pure() {
    let impure: &[&[&str]] = &[
        &["std", "::", "fs"],
        &["std", "::", "env"],
        &["std", "::", "process"],
        &["std", "::", "thread"],
        &["SystemTime"],
        &["Instant"],
        &["TcpStream"],
        &["TcpListener"],
        &["UdpSocket"],
        &["ToSocketAddrs"],
        &["canonicalize"],
        &["tokio"],
        &["rustix"],
        &["unsafe"],
    ];
    let mut problems = Vec::new();
    for file in rust_files(&["src/permission.rs", "src/permission"]) {
        if file.is_in(&["src/permission/tests.rs", "src/permission/tests"]) {
            continue;
        }
        let tokens = file.tokens();
        for path in impure {
            for line in lines_with(tokens, path) {
                problems.push(format!("{}:{line}: {}", file.path, path.concat()));
            }
        }
    }
    report(
        &problems,
        "Decisions are functions of their arguments: look things up where the decision is asked for, and pass them in.",
    );
}

#[test]
fn no_guest_path_goes_around_the_walk() {
    // These are wasmtime-wasi's own ways to give a guest a folder or to open a path; ours are in src/host/imports/filesystem.
    let ways_around = ["preopened_dir", "inherit_stdio", "inherit_env", "inherit_network", "inherit_args"];
    let opening = ["openat", "openat2", "File"];
    let mut problems = Vec::new();
    for file in rust_files(&["src/host"]) {
        let tokens = file.tokens();
        for way in ways_around {
            for line in lines_with(tokens, &[way]) {
                problems.push(format!("{}:{line}: {way}", file.path));
            }
        }
        let is_import = file.is_in(&["src/host/imports"]);
        let filesystem = "src/host/imports/filesystem";
        let is_filesystem = file.is_in(&[filesystem, &format!("{filesystem}.rs")]);
        if is_import && !is_filesystem {
            for function in opening {
                for line in lines_with(tokens, &[function]) {
                    problems.push(format!("{}:{line}: {function}", file.path));
                }
            }
        }
    }
    report(
        &problems,
        "Go through `Base` in src/host/imports/filesystem/operate.rs, which walks, asks the guard and then acts on a handle.",
    );
}

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
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
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
                if line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == mark) {
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

#[test]
fn the_code_map_names_every_module() {
    let map = std::fs::read_to_string(root().join("docs/architecture.md")).expect("the code map");
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
        "src/", "tests/", "docs/", "scripts/", "plugins/", "wit/", "benches/", "examples/", "fuzz/", ".ci/",
    ];
    let pages = [
        "docs", "README.md", "CONTRIBUTING.md", "SECURITY.md",
    ];
    let mut problems = Vec::new();
    for page in files(&pages) {
        for (index, line) in page.text.lines().enumerate() {
            // Every second part stands between backticks.
            for quoted in line.split('`').skip(1).step_by(2) {
                let Some(path) = quoted.split([' ', ':', '#']).find(|word| {
                    tops.iter().any(|top| word.starts_with(top)) && !word.contains(['*', '<', '{', '…', '$'])
                }) else {
                    continue;
                };
                // Names in capitals stand for something, and what is built is not there before it is built.
                let is_placeholder = path.chars().filter(char::is_ascii_uppercase).count() > 2;
                let exists = root().join(path).exists() || root().join(format!("{path}.rs")).exists();
                if !exists && !is_placeholder {
                    problems.push(format!("{}:{}: {path}", page.path, index + 1));
                }
            }
        }
    }
    report(&problems, "Mend the path, or the page that still tells of it.");
}

#[test]
fn the_checks_see_what_they_look_for() {
    let file = Source::new("src/x.rs", "use crate::{error::Code, exec::docker::Run, fsx};\nfn f() { crate::cli::main() }");
    let tokens = file.tokens();
    let named: Vec<(usize, String)> = named_modules(tokens)
        .into_iter()
        .map(|(line, names)| (line, names.join("/")))
        .collect();
    let expected = [(1, "error/Code"), (1, "exec/docker"), (1, "fsx"), (2, "cli/main")]
        .map(|(line, names)| (line, names.to_owned()));
    assert_eq!(named, expected);
    assert_eq!(layer_of(&["exec", "docker"]), Some((APART, "exec/docker")));
    assert_eq!(layer_of(&["exec", "Job"]), Some((2, "exec")));
    assert_eq!(layer_of(&["nothing"]), None);
    assert!(LAYERS[APART].contains(&"host"));
    assert_eq!(lines_with(tokens, &["crate", "::", "cli"]), [2]);
}
