//! The probe as a plugin: packed with a manifest, installed, and granted by a person at a terminal.

use std::path::PathBuf;

use serde_json::Value;

use super::env::TestEnv;
use super::probe;
use super::process::Output;

/// The probe packed as the plugin of this name and version; `more` is the rest of the manifest, and may begin with keys of
/// the top.
#[track_caller]
pub fn pack(env: &TestEnv, name: &str, version: &str, more: &str) -> PathBuf {
    let manifest = format!(
        "schema = 1\nname = \"{name}\"\nversion = \"{version}\"\ndescription = \"Tries things\"\nlicense = \
         \"Apache-2.0\"\n{more}\n"
    );
    let manifest = env.write(format!("{name}-{version}.toml"), manifest.as_bytes());
    let out = env.path(format!("{name}-{version}.wasm"));
    let file = probe::file();
    let text = |path: &PathBuf| path.to_str().expect("UTF-8").to_owned();
    let words = ["plugin", "pack"].map(str::to_owned).into_iter();
    let more = [
        text(&file),
        "--manifest".to_owned(),
        text(&manifest),
        "-o".to_owned(),
        text(&out),
    ];
    env.run(words.chain(more)).ok();
    out
}

/// The same, installed; what `plugin install` said.
#[track_caller]
pub fn install(env: &TestEnv, name: &str, version: &str, more: &str) -> Value {
    try_install(env, name, version, more).ok().json()
}

/// The same, where it may be refused.
#[track_caller]
pub fn try_install(env: &TestEnv, name: &str, version: &str, more: &str) -> Output {
    let file = pack(env, name, version, more);
    env.run(["plugin", "install", file.to_str().expect("UTF-8"), "--json"])
        .output()
}

/// Has a person grant an installed plugin these scopes for good.
#[track_caller]
pub fn grant(env: &TestEnv, name: &str, scopes: &[&str]) {
    let mut words = vec!["grant", name];
    for scope in scopes {
        words.extend(["--allow", scope]);
    }
    let mut terminal = env.run(words).on_terminal();
    terminal.expect("Keep this?");
    terminal.answer("y");
    terminal.finish().ok();
}
