//! Python: componentize-py, of the project's own environment or of the system.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Step, Surroundings, forget, made, missing, program};
use crate::error::{Code, Error, Result};
use crate::fsx;

/// What comes out of a build.
const COMPONENT: &str = "build/component.wasm";
/// The environment of a project.
const ENVIRONMENT: &str = ".venv";
/// The oldest version that reads our WIT and takes a module and a world of one name.
const OLDEST: (u64, u64) = (0, 23);
/// The largest pyproject.toml that is read, in bytes.
const MAX_PROJECT: u64 = 1 << 20;

/// What of a pyproject.toml decides how it is built.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Project {
    tool: Tool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tool {
    toolhatch: Own,
}

/// `[tool.toolhatch]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Own {
    /// Folders that modules are looked for in, besides that of the project.
    python_path: Vec<String>,
}

/// Builds the project; gives the component and what it was built with.
///
/// # Errors
/// E3105 where pyproject.toml is not valid; E3112 where componentize-py is missing or too old, E3113 where the build fails.
pub fn build(around: Surroundings<'_>) -> Result<(PathBuf, String)> {
    let environment = around.project.join(ENVIRONMENT);
    let own = program(&environment.join("bin/componentize-py"));
    let is_own = own.is_some();
    let componentize = own.or_else(|| around.find("componentize-py")).ok_or_else(|| {
        missing(
            "componentize-py 0.23 or newer",
            "building a plugin in Python",
            &[
                "In the folder of the project: python3 -m venv .venv && .venv/bin/pip install 'componentize-py~=0.25.0'",
                "Without Python 3.10 or newer: apt-get install python3-venv on Debian, brew install python on macOS",
            ],
        )
    })?;
    let version = around
        .ask(&componentize, &["--version"])
        .ok_or_else(|| {
            Error::new(
                Code::E3112,
                format!("asking {} for its version: it does not answer", componentize.display()),
            )
            .hint("Make the environment anew: python3 -m venv --clear .venv && .venv/bin/pip install 'componentize-py~=0.25.0'")
        })?;
    check_version(&version)?;
    let folder = around.project.join("build");
    std::fs::create_dir_all(&folder)
        .map_err(|error| fsx::io_error("making the folder", &folder, error))?;
    let mut arguments: Vec<OsString> = [
        "-q",
        "-d",
        "wit",
        "-w",
        "component",
        "componentize",
        "component",
        "-p",
        ".",
    ]
    .map(OsString::from)
    .to_vec();
    for folder in project(around)?.tool.toolhatch.python_path {
        arguments.push("-p".into());
        arguments.push(folder.into());
    }
    arguments.push("-o".into());
    arguments.push(COMPONENT.into());
    let mut step = Step::new(&componentize, arguments);
    if is_own {
        // Without it the packages of the system would become part of the component.
        step.environment.push(("VIRTUAL_ENV", environment.into()));
    }
    step.noise = &["AssertionError: "];
    step.ends_before = Some("Stack backtrace:");
    let component = around.project.join(COMPONENT);
    forget(&component)?;
    around.run(&step)?;
    made(&component, &componentize)?;
    Ok((component, version))
}

fn check_version(version: &str) -> Result<()> {
    let number = version.rsplit(' ').next().unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u64>().ok());
    let found = parts.next().flatten().zip(parts.next().flatten());
    if found.is_none_or(|found| found >= OLDEST) {
        return Ok(());
    }
    Err(Error::new(
        Code::E3112,
        format!("building a plugin in Python takes componentize-py {}.{} or newer, and here is {number}", OLDEST.0, OLDEST.1),
    )
    .hint("In the folder of the project: .venv/bin/pip install 'componentize-py~=0.25.0'"))
}

fn project(around: Surroundings<'_>) -> Result<Project> {
    let path = around.project.join("pyproject.toml");
    if !path.is_file() {
        return Ok(Project::default());
    }
    let text = fsx::read_text(&path, MAX_PROJECT)?;
    toml::from_str(&text).map_err(|error| {
        Error::new(Code::E3105, format!("reading {}", path.display())).caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_compiler_is_told_apart() {
        for good in [
            "componentize-py 0.25.1",
            "componentize-py 0.23.0",
            "componentize-py 1.0.0",
            "something else",
        ] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        for old in ["componentize-py 0.21.3", "componentize-py 0.9.0"] {
            assert_eq!(check_version(old).expect_err(old).code(), Code::E3112);
        }
    }
}
