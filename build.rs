//! Builds the runner, a small static program of its own that toolhatch puts into containers, so that it can be embedded.
//!
//! Where that cannot be done, an empty file is embedded instead, and a warning says what is missing: everything but
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

fn main() -> io::Result<()> {
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
