//! The author kit: from an empty folder to a plugin that others install, in each language, and what goes wrong on the way.

mod checks;
mod developing;
mod examples;
mod first_steps;
mod foreign;
mod learning;
mod libraries;
mod mistakes;
mod policies;
mod toolchains;

use std::path::PathBuf;

use crate::support::env::TestEnv;
use crate::support::probe;

/// The folder of a project that needs no compiler: the probe, with this for the rest of its manifest.
fn probe_project(env: &TestEnv, name: &str, more: &str) -> PathBuf {
    let manifest = format!(
        "schema = 1\nname = \"{name}\"\nversion = \"1.0.0\"\ndescription = \"Tries things\"\nlicense = \
         \"Apache-2.0\"\n{more}"
    );
    let manifest = env.write(PathBuf::from(name).join("plugin.toml"), manifest.as_bytes());
    let folder = manifest.parent().expect("the project").to_owned();
    std::fs::copy(probe::file(), folder.join("probe.wasm")).expect("copied");
    folder
}
