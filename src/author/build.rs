//! From the sources of a project to a component.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::language::Language;
use super::strip::strip;
use super::toolchain::{Surroundings, c, javascript, python, rust};
use crate::error::Result;
use crate::fsx;
use crate::schema::artifact;

/// What came out of a build.
#[derive(Debug, Clone)]
pub struct Built {
    /// The language of the project.
    pub language: Language,
    /// What it was built with, such as `rustc 1.96.0`.
    pub toolchain: String,
    /// The component as the tools of the language left it.
    pub file: PathBuf,
    /// Its bytes, without what only a debugger reads.
    pub component: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// Builds a project.
///
/// # Errors
/// E3101 where the folder is no project; E3112 where a program is missing; E3113 where the build fails; E3105 where what it
/// makes is no component.
pub fn build(around: Surroundings<'_>) -> Result<Built> {
    let started = Instant::now();
    let language = Language::of_project(around.project)?;
    let (file, toolchain) = match language {
        Language::Rust => rust::build(around)?,
        Language::C => c::build(around)?,
        Language::JavaScript => javascript::build(around)?,
        Language::Python => python::build(around)?,
    };
    let bytes = fsx::read_capped(&file, artifact::MAX_BYTES)?;
    artifact::sniff(&bytes, artifact::MAX_BYTES).map_err(|error| {
        error.while_doing(format!("reading what was built, {}", file.display()))
    })?;
    Ok(Built {
        language,
        toolchain,
        component: strip(&bytes)?,
        file,
        took: started.elapsed(),
    })
}
