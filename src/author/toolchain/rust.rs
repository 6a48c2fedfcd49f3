//! Rust for `wasm32-wasip2`: that of rustup with the target, or Debian's, which builds the standard library from source.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Step, Surroundings, made, missing};
use crate::error::{Code, Error, Result};

/// What is built for.
const TARGET: &str = "wasm32-wasip2";
/// Where Debian keeps its C library for WASI.
const DEBIAN_LIBRARIES: &str = "/usr/lib/wasm32-wasi";
/// What cargo is told for the compiler, a flag after the other.
const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";

/// A toolchain that builds for the target.
struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    version: String,
    /// The standard library is built too: Debian ships its source alone.
    builds_std: bool,
}

/// Builds the project; gives the component and what it was built with.
///
/// # Errors
/// E3112 where there is no toolchain, E3113 where the build fails or makes no component.
pub fn build(around: Surroundings<'_>) -> Result<(PathBuf, String)> {
    let toolchain = find(around)?;
    let printed = around.run(&toolchain.step(around))?;
    let component = built(&printed, around.project)?;
    made(&component, &toolchain.cargo)?;
    Ok((component, toolchain.version))
}

fn find(around: Surroundings<'_>) -> Result<Toolchain> {
    let named = |variable, program| {
        let named = around.environment.get(variable).map(PathBuf::from);
        named.or_else(|| around.find(program))
    };
    if let (Some(cargo), Some(rustc)) = (named("CARGO", "cargo"), named("RUSTC", "rustc"))
        && let Some(libraries) =
            around.ask(&rustc, &["--print", "target-libdir", "--target", TARGET])
        && Path::new(&libraries).is_dir()
    {
        return Ok(Toolchain {
            version: version(around, &rustc)?,
            cargo,
            rustc,
            builds_std: false,
        });
    }
    let (cargo, rustc) = (
        PathBuf::from("/usr/bin/cargo"),
        PathBuf::from("/usr/bin/rustc"),
    );
    if cargo.is_file()
        && Path::new(DEBIAN_LIBRARIES).is_dir()
        && std_source(around, &rustc).is_some()
    {
        return Ok(Toolchain {
            version: version(around, &rustc)?,
            cargo,
            rustc,
            builds_std: true,
        });
    }
    Err(missing(
        "a Rust toolchain with the target wasm32-wasip2",
        "building a plugin in Rust",
        &[
            "With rustup (https://rustup.rs): rustup target add wasm32-wasip2",
            "On Debian: apt-get install rustc-web cargo-web rust-web-src rust-web-llvm wasi-libc llvm-22 lld-22",
        ],
    ))
}

/// Where the source of the standard library is.
fn std_source(around: Surroundings<'_>, rustc: &Path) -> Option<PathBuf> {
    let root = around.ask(rustc, &["--print", "sysroot"])?;
    let source = Path::new(&root).join("lib/rustlib/src/rust");
    source.join("library").is_dir().then_some(source)
}

fn version(around: Surroundings<'_>, rustc: &Path) -> Result<String> {
    around.ask(rustc, &["--version"]).ok_or_else(|| {
        Error::new(
            Code::E3112,
            format!(
                "asking {} for its version: it does not answer",
                rustc.display()
            ),
        )
        .hint("Install Rust again, or take it out of PATH and RUSTC.")
    })
}

impl Toolchain {
    fn step(&self, around: Surroundings<'_>) -> Step {
        let mut step = Step::new(
            &self.cargo,
            [
                "build",
                "--release",
                "--target",
                TARGET,
                "--message-format=json-render-diagnostics",
            ],
        );
        step.prints_data = true;
        step.environment.push(("RUSTC", self.rustc.clone().into()));
        // Paths end up in messages of panics. Those of this machine are nobody's business, and would change the digest.
        // Those of the project itself cargo writes relative to it.
        let mut flags: Vec<OsString> = Vec::new();
        let variable = |name| around.environment.get(name).map(PathBuf::from);
        let cargo_home = variable("CARGO_HOME").or_else(|| Some(variable("HOME")?.join(".cargo")));
        flags.extend(cargo_home.map(|folder| remap(&folder, "cargo")));
        flags.extend(std_source(around, &self.rustc).map(|folder| remap(&folder, "rust")));
        if self.builds_std {
            step.arguments.push("-Zbuild-std=std,panic_abort".into());
            // Building the standard library is not a stable feature.
            step.environment.push(("RUSTC_BOOTSTRAP", "1".into()));
            flags.push("-L".into());
            flags.push(format!("native={DEBIAN_LIBRARIES}").into());
        }
        // The author's own flags count too; where they are set in this form, the others do not.
        let own = match around.environment.get(FLAGS) {
            Some(own) => own.to_owned(),
            None => {
                let own = around.environment.get("RUSTFLAGS").unwrap_or_default();
                let words: Vec<_> = own
                    .to_string_lossy()
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect();
                words.join(SEPARATOR).into()
            }
        };
        if !own.is_empty() {
            flags.push(own);
        }
        step.environment
            .push((FLAGS, flags.join(SEPARATOR.as_ref())));
        step
    }
}

/// What stands between two flags.
const SEPARATOR: &str = "\u{1f}";

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

/// A message of cargo's, as far as it is about what was built.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    manifest_path: PathBuf,
}

/// The component among what cargo says it built: that of the package of the project's own folder.
fn built(printed: &[u8], project: &Path) -> Result<PathBuf> {
    let manifest = project.join("Cargo.toml");
    let same =
        |path: &Path| path == manifest || path.canonicalize().ok() == manifest.canonicalize().ok();
    let mut found: Vec<PathBuf> = printed
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact" && same(&message.manifest_path))
        .flat_map(|message| message.filenames)
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect();
    found.dedup();
    let failed = |why: String| {
        Error::new(
            Code::E3113,
            format!("building {}: {why}", project.display()),
        )
    };
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(failed("cargo made no component of it".to_owned())
            .hint("Give Cargo.toml a `[lib]` with `crate-type = [\"cdylib\"]`.")),
        (Some(_), false) => Err(failed("cargo made several components of it".to_owned())
            .hint("Keep one plugin in one package.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_the_one_of_this_package() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path().join("Cargo.toml");
        crate::fsx::write_atomic(&here, b"", 0o644).expect("written");
        let line = |manifest: &Path, file: &str| {
            format!(
                "{}\n",
                serde_json::json!({"reason": "compiler-artifact", "manifest_path": manifest, "filenames": [file], "fresh": true})
            )
        };
        let mut printed = line(Path::new("/else/Cargo.toml"), "/else.wasm");
        printed.push_str("not JSON\n{\"reason\": \"build-finished\"}\n");
        printed.push_str(&line(&here, "/target/libhere.rlib"));
        assert_eq!(
            built(printed.as_bytes(), folder.path())
                .expect_err("none")
                .code(),
            Code::E3113
        );
        printed.push_str(&line(&here, "/target/here.wasm"));
        assert_eq!(
            built(printed.as_bytes(), folder.path()).expect("one"),
            Path::new("/target/here.wasm")
        );
        printed.push_str(&line(&here, "/target/second.wasm"));
        assert!(built(printed.as_bytes(), folder.path()).is_err());
    }
}
