//! Components for tests, from their text form.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::env::TestEnv;
use super::process::Run;
use super::source::root;

/// Adds two numbers.
pub const ADDER: &str = r#"
(component
  (core module $m
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add"))))
"#;

/// The words that call it, where it lies in the workspace as `adder.wasm`.
pub const ADD: [&str; 7] = [
    "call",
    "adder.wasm",
    "--json",
    "--arg",
    "a=1",
    "--arg",
    "b=2",
];

/// Never returns.
pub const SPIN: &str = r#"
(component
  (core module $m (func (export "spin") (loop $again (br $again))))
  (core instance $i (instantiate $m))
  (func (export "spin") (canon lift (core func $i "spin"))))
"#;

/// The bytes of a component given as text.
#[track_caller]
pub fn component(text: &str) -> Vec<u8> {
    match wat::parse_str(text) {
        Ok(bytes) => bytes,
        Err(error) => panic!("the component does not parse: {error}"),
    }
}

/// The file of the component `tests/fixtures/guests/NAME.wat`, compiled.
#[track_caller]
pub fn wat(name: &str) -> PathBuf {
    let source = folder().join(name).with_extension("wat");
    let text = match std::fs::read_to_string(&source) {
        Ok(text) => text,
        Err(error) => panic!("reading {}: {error}", source.display()),
    };
    let bytes = component(&text);
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    std::fs::create_dir_all(&built).expect("created");
    let path = built.join(name).with_extension("wasm");
    // Tests run side by side: each replaces the file whole, with the same bytes.
    if std::fs::read(&path).ok().as_ref() != Some(&bytes) {
        toolhatch::fsx::write_atomic(&path, &bytes, 0o644).expect("written");
    }
    path
}

/// A call of a file, with these words behind it.
pub fn call(env: &TestEnv, file: &Path, words: &[&str]) -> Run {
    let start = ["call", file.to_str().expect("UTF-8")];
    env.run(start.iter().chain(words))
        .timeout(Duration::from_secs(50))
}

/// Asserts that an ordinary call works.
#[track_caller]
pub fn still_works(env: &TestEnv) {
    let output = call(env, &wat("collide"), &["alone"]).ok();
    assert!(output.stdout.contains('1'), "{output}");
}

fn folder() -> PathBuf {
    root().join("tests/fixtures/guests")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::source::rust_files;

    #[test]
    fn every_guest_parses_and_has_a_test() {
        let entries = std::fs::read_dir(folder()).into_iter().flatten();
        let names: Vec<String> = entries
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
            .map(|path| {
                path.file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let tests: String = rust_files(&["tests/it"])
            .map(|file| file.text.as_str())
            .collect();
        for name in names {
            assert!(wat(&name).exists());
            let is_used = tests.contains(&format!("\"{name}\""));
            assert!(
                is_used,
                "no test in tests/it uses tests/fixtures/guests/{name}.wat: write one, or remove it"
            );
        }
    }
}
