//! Example calls of a plugin, `tests/*.toml`: what is called, with what, and what is to come of it.

mod compare;
mod snapshot;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use compare::{Ending, Verdict};
pub use snapshot::Snapshot;

use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest::HumanDuration;
use crate::manifest::document::{Document, MAX_BYTES};
use crate::manifest::json_schema;
use crate::manifest::problem::Problems;
use crate::permission::Allow;

/// The folder of a project that its example calls are in.
pub const FOLDER: &str = "tests";

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
    /// The session it belongs to: calls of one session share a session instance. No call outside of the run is in it.
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
    /// The folder of the project, without links.
    project: PathBuf,
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
/// E3105 with everything that is wrong with a file, E3206 where a link leads out of the project; those of reading it.
pub fn of_project(folder: &Path) -> Result<Vec<Examples>> {
    let project = canonical(folder)?;
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
    files.into_iter().map(|file| read(&project, file)).collect()
}

/// Where the path leads, which has to be a place in the project: its files are those of strangers, and so are its links.
fn within(project: &Path, path: &Path) -> Result<PathBuf> {
    let canonical = canonical(path)?;
    if canonical.starts_with(project) {
        return Ok(canonical);
    }
    Err(Error::new(
        Code::E3206,
        format!(
            "looking at {}: a link leads out of the project, to {}",
            path.display(),
            canonical.display()
        ),
    )
    .hint("Example calls and their snapshots lie in the project. Put a copy there in the place of the link."))
}

fn canonical(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .map_err(|error| fsx::io_error("looking at", path, error))
}

fn read(project: &Path, file: PathBuf) -> Result<Examples> {
    let text = fsx::read_text(&within(project, &file)?, MAX_BYTES as u64)?;
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
        project: project.to_owned(),
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
        } else if call.expect.snapshot
            && let Some(other) = wire.call.iter().take(index).find(|other| {
                other.expect.snapshot && snapshot::is_one_file(&other.name, &call.name)
            })
        {
            let message = format!(
                "its snapshot would be in the file of that of {:?}; name one of them otherwise",
                other.name
            );
            problem("name", &message);
        }
        if let Some(Err(error)) = call.timeout.as_ref().map(|it| it.parse::<HumanDuration>()) {
            problem("timeout", &error.to_string());
        }
        for (at, text) in call.allow.iter().enumerate() {
            if let Err(error) = Allow::parse(text) {
                problem(&format!("allow[{at}]"), &error.to_string());
            }
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
    /// The snapshot of a call, which may not have been written yet.
    #[must_use]
    pub fn snapshot(&self, call: &Call) -> Snapshot {
        Snapshot::new(&self.project, &self.name, &call.name)
    }
}

#[cfg(test)]
mod tests;
