//! What is embedded in toolhatch: the runner, a small static program of its own that it puts into containers, and the files
//! that it writes into new plugins.
//!
//! Where the runner cannot be built, an empty file is embedded instead, and a warning says what is missing: everything but
//! containers works without it.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to build the runner with, whatever toolhatch itself is built with. It needs nothing of the image it is put into;
/// at a fixed address it is smaller, and has less to do before it starts.
const RUSTFLAGS: [&str; 4] = [
    "-C",
    "target-feature=+crt-static",
    "-C",
    "relocation-model=static",
];

/// What cargo, clippy or a wrapper has set for the build of toolhatch, and is not meant for the runner.
const NOT_INHERITED: [&str; 6] = [
    "RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_INCREMENTAL",
    "CLIPPY_ARGS",
];

/// Folders whose files are embedded: each becomes a constant of this name, see `src/author/embedded.rs`.
const EMBEDDED: [(&str, &str); 8] = [
    ("WIT", "wit"),
    ("RUST_SDK", "plugins/sdk"),
    ("JAVASCRIPT_SDK", "plugins/sdk-js"),
    ("PYTHON_SDK", "plugins/sdk-python"),
    ("RUST", "plugins/templates/rust"),
    ("JAVASCRIPT", "plugins/templates/js"),
    ("PYTHON", "plugins/templates/python"),
    ("C", "plugins/templates/c"),
];

/// Files below an embedded folder that are nobody's source.
const NOT_EMBEDDED: [&str; 4] = ["target", "node_modules", "__pycache__", "frozen"];

fn main() -> io::Result<()> {
    list_embedded()?;
    for part in [
        "build.rs",
        "runner/Cargo.toml",
        "runner/Cargo.lock",
        "runner/src",
    ] {
        println!("cargo::rerun-if-changed={part}");
    }
    let folder = PathBuf::from(variable("OUT_DIR")?);
    let embedded = folder.join("toolhatch-runner");
    match build(&folder.join("runner")) {
        Ok(built) => {
            // Not in place: a copy of the whole target folder may share this file with another.
            let fresh = folder.join("toolhatch-runner.new");
            std::fs::copy(built, &fresh)?;
            std::fs::rename(fresh, embedded)
        }
        Err(why) => {
            println!(
                "cargo::warning=toolhatch cannot run containers when it is built like this: {why}"
            );
            let fresh = folder.join("toolhatch-runner.new");
            File::create(&fresh)?.flush()?;
            std::fs::rename(fresh, embedded)
        }
    }
}

/// Writes the Rust source that embeds the files: a constant for each folder, of paths within it and contents.
fn list_embedded() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut source = String::new();
    for (name, folder) in EMBEDDED {
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        let folder = root.join(folder);
        find_files(&folder, &mut files)?;
        files.sort();
        source.push_str(&format!("pub(super) const {name}: &[(&str, &str)] = &[\n"));
        for file in files {
            let within = file.strip_prefix(&folder).map_err(io::Error::other)?;
            source.push_str(&format!(
                "    ({:?}, include_str!({:?})),\n",
                within.display().to_string(),
                file.display().to_string()
            ));
        }
        source.push_str("];\n");
    }
    let path = PathBuf::from(variable("OUT_DIR")?).join("embedded.rs");
    File::create(path)?.write_all(source.as_bytes())
}

/// The files of a folder and of those in it; links are not followed, for what they lead to is embedded itself.
fn find_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name();
        if kind.is_dir() && !NOT_EMBEDDED.iter().any(|other| name == *other) {
            find_files(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Builds the runner in this folder and returns where it is, or what to do so that it can be built.
fn build(folder: &Path) -> Result<PathBuf, String> {
    let told = |error: io::Error| error.to_string();
    if variable("CARGO_CFG_TARGET_OS").map_err(told)? != "linux" {
        return Err(
            "the runner for containers is built on Linux; build toolhatch there to use them".into(),
        );
    }
    let target = variable("TARGET").map_err(told)?;
    let mut cargo = Command::new(variable("CARGO").map_err(told)?);
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--manifest-path",
            "runner/Cargo.toml",
        ])
        .args(["--bin", "toolhatch-runner", "--target", &target])
        .arg("--target-dir")
        .arg(folder)
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\u{1f}"));
    for name in NOT_INHERITED {
        cargo.env_remove(name);
    }
    let output = cargo.output().map_err(told)?;
    if output.status.success() {
        return Ok(folder.join(target).join("release/toolhatch-runner"));
    }
    // A warning is one line. Of what the linker says, what it did not find is enough.
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().map(str::trim);
    let said = lines
        .clone()
        .filter(|line| line.starts_with("error"))
        .collect::<Vec<_>>();
    let missing = lines
        .clone()
        .find(|line| line.contains("cannot find -l") || line.contains("unable to find library"));
    Err(match missing {
        Some(line) => format!(
            "there is no static C library to link the runner with ({}); install it (Debian: libc6-dev, Fedora: \
             glibc-static) and touch build.rs",
            line.rsplit("error: ").next().unwrap_or(line)
        ),
        None => format!(
            "`cargo build --release --manifest-path runner/Cargo.toml` fails: {}",
            said.join("; ")
        ),
    })
}

/// A variable that cargo sets for build scripts.
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
