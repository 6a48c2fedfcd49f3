//! What belongs to one place: libraries, the terminal, the environment, the paths of guests.

use super::{lines_with, report};
use crate::support::source::rust_files;

/// Libraries that belong to one place, so that the rest of the house does not depend on them.
const HOMES: &[(&str, &[&str])] = &[
    ("wasmtime", &["src/host"]),
    ("bollard", &["src/exec/docker"]),
    ("docker_credential", &["src/exec/docker"]),
    ("rmcp", &["src/mcp"]),
    ("jsonwebtoken", &["src/mcp/server/http/oauth"]),
    ("sqlx", &["src/store"]),
    ("cedar_policy", &["src/policy"]),
    ("reqwest", &["src/web"]),
    ("landlock", &["src/app/confine", "src/exec/direct"]),
    ("seccompiler", &["src/exec/direct"]),
    ("clap", &["src/cli"]),
    ("indicatif", &["src/cli"]),
    ("comfy_table", &["src/cli"]),
    ("anstream", &["src/cli"]),
];

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
        "Put it behind a function or trait of the module that owns the library (HOMES in tests/it/tidy/rooms.rs).",
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
fn only_the_pipeline_makes_jobs() {
    let mut problems = Vec::new();
    for file in rust_files(&["src"]) {
        // Where the type is defined, and where it is made.
        if file.is_in(&["src/exec.rs", "src/invoke"]) {
            continue;
        }
        for line in lines_with(file.tokens(), &["Job", "{"]) {
            problems.push(format!("{}:{line}", file.path));
        }
    }
    report(
        &problems,
        "Call `Pipeline::invoke`: a job that did not go through its stages was not checked and is not recorded.",
    );
}

#[test]
fn no_guest_path_goes_around_the_walk() {
    // These are wasmtime-wasi's own ways to give a guest a folder or to open a path; ours are in src/host/imports/filesystem.
    let ways_around = [
        "preopened_dir",
        "inherit_stdio",
        "inherit_env",
        "inherit_network",
        "inherit_args",
    ];
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
