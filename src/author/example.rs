//! Example calls of a plugin, `tests/*.toml`: what is called, with what, and what is to come of it.

mod compare;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use compare::{Ending, Verdict};

use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest::document::{Document, MAX_BYTES};
use crate::manifest::json_schema;
use crate::manifest::problem::Problems;

/// The folder of a project that its example calls are in.
pub const FOLDER: &str = "tests";
/// The folder in it that snapshots are kept in, one folder a file.
const SNAPSHOTS: &str = "snapshots";

/// Example calls of a plugin (`tests/NAME.toml`): run by `toolhatch plugin test`, in the sandbox, one after the other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Toolhatch example calls")]
struct Wire {
    /// The calls, in the order in which they are made.
    #[schemars(length(min = 1))]
    call: Vec<Call>,
}

/// One call.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// What it shows, in a few words; unique in the file.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The tool. May be left out where there is only one.
    #[serde(default)]
    pub tool: Option<String>,
    /// The arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// What it is to be allowed, each as after `--allow`; paths are relative to the folder of the project. More than to read
    /// the project takes the agreement of whoever runs it.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The session it belongs to: calls of one session share a session instance.
    #[serde(default)]
    pub session: Option<String>,
    /// Clocks and random numbers are frozen.
    #[serde(default)]
    pub deterministic: bool,
    /// How long it may take, such as `5s`.
    #[serde(default)]
    pub timeout: Option<String>,
    /// What is to come of it. Without this, it has to succeed.
    #[serde(default)]
    pub expect: Expect,
}

/// What is to come of a call.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The structured result is this.
    #[serde(default)]
    pub result: Option<Value>,
    /// The structured result has at least this in it: of objects these keys, of arrays these elements at the beginning.
    #[serde(default)]
    pub contains: Option<Value>,
    /// The text of the result contains this.
    #[serde(default)]
    pub text: Option<String>,
    /// It fails with this code, such as `E3301`.
    #[serde(default)]
    #[schemars(regex(pattern = "^E3[0-9]{3}$"))]
    pub error: Option<String>,
    /// The message of that error contains this.
    #[serde(default)]
    pub message: Option<String>,
    /// The result, or the error, is what it was when it was written to `tests/snapshots`.
    #[serde(default)]
    pub snapshot: bool,
}

/// One file of example calls.
#[derive(Debug, Clone)]
pub struct Examples {
    /// Its name without the ending.
    pub name: String,
    /// Where it is.
    pub file: PathBuf,
    /// The calls, in order; no two of one name.
    pub calls: Vec<Call>,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(json_schema::schema_of::<Wire>);

/// The JSON Schema (2020-12) of a file of example calls.
#[must_use]
pub fn examples_schema() -> Value {
    SCHEMA.clone()
}

/// Reads the example calls of a project, the files in the order of their names; none where it has no such folder.
///
/// # Errors
/// E3105 with everything that is wrong with a file; those of reading it.
pub fn of_project(folder: &Path) -> Result<Vec<Examples>> {
    let folder = folder.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fsx::io_error("looking into", &folder, error)),
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files.into_iter().map(read).collect()
}

fn read(file: PathBuf) -> Result<Examples> {
    let text = fsx::read_text(&file, MAX_BYTES as u64)?;
    let wire = parse(&text).map_err(|problems| {
        problems
            .into_error(Code::E3105, &file.display().to_string())
            .hint("`toolhatch schema examples` prints what such a file can hold.")
    })?;
    Ok(Examples {
        name: file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        file,
        calls: wire.call,
    })
}

fn parse(text: &str) -> Result<Wire, Problems> {
    let document = Document::from_toml(text)?;
    let wire: Wire = document.conform(&SCHEMA)?;
    let mut problems = Problems::new();
    for (index, call) in wire.call.iter().enumerate() {
        let mut problem = |key: &str, message: &str| {
            let key = format!("call[{index}].{key}");
            problems.add(document.place(&key), key, message.to_owned());
        };
        if wire
            .call
            .iter()
            .take(index)
            .any(|other| other.name == call.name)
        {
            problem("name", "another call of this file has this name");
        }
        let expect = &call.expect;
        if expect.error.is_some()
            && (expect.result.is_some() || expect.contains.is_some() || expect.text.is_some())
        {
            problem("expect.error", "a call that fails has no result");
        }
        if expect.message.is_some() && expect.error.is_none() {
            problem(
                "expect.message",
                "this is the message of an error: name its code as `error`",
            );
        }
        if let Some(code) = &expect.error
            && code.parse::<Code>().is_err()
        {
            problem(
                "expect.error",
                "there is no such code; `toolhatch explain` lists them",
            );
        }
    }
    if problems.is_empty() {
        Ok(wire)
    } else {
        Err(problems)
    }
}

impl Examples {
    /// Where the snapshot of a call is kept.
    #[must_use]
    pub fn snapshot(&self, call: &Call) -> PathBuf {
        let plain: String = call
            .name
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        let folder = self.file.parent().unwrap_or(Path::new(""));
        folder
            .join(SNAPSHOTS)
            .join(&self.name)
            .join(format!("{plain}.json"))
    }
}

impl Call {
    /// Reads a snapshot; nothing where there is none yet.
    ///
    /// # Errors
    /// E3105 where it is not JSON; those of reading.
    pub fn read_snapshot(path: &Path) -> Result<Option<Value>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = fsx::read_text(path, MAX_BYTES as u64)?;
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Error::new(
                Code::E3105,
                format!("reading the snapshot {}", path.display()),
            )
            .caused_by(error)
            .hint("Write it anew with `toolhatch plugin test --update`.")
        })
    }
}

#[cfg(test)]
mod tests;
