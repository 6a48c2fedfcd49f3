//! `list`: what is in a folder.

use std::fs;
use std::path::Path;

use guest::ToolError;
use serde::{Deserialize, Serialize};
use tree::{Entry, Glob, Kind, Walk};

use crate::time::rfc3339;

/// How many entries the text shows.
const SHOWN: usize = 1_000;

/// The arguments of `list`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[serde(default = "default_path")]
    path: String,
    #[serde(default)]
    recursive: bool,
    depth: Option<usize>,
    glob: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(default = "default_limit")]
    limit: usize,
}

fn default_path() -> String {
    "/workspace".to_owned()
}

fn default_limit() -> usize {
    500
}

/// The result of `list`.
#[derive(Debug, Serialize)]
pub struct Listing {
    path: String,
    entries: Vec<Listed>,
    truncated: bool,
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, Serialize)]
struct Listed {
    path: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
}

/// A folder that could not be looked into.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    path: String,
    reason: &'static str,
}

impl Unreadable {
    /// Puts a failure below a folder into the result: it does not end the call.
    pub fn new(path: &Path, error: &std::io::Error) -> Self {
        let denied = guest::is_denial(error);
        let reason = if denied {
            "not-permitted"
        } else {
            "unreadable"
        };
        Self {
            path: path.display().to_string(),
            reason,
        }
    }
}

/// Lists a folder.
///
/// # Errors
/// `not-found` and `not-permitted` for the folder itself; `invalid-arguments` for a broken glob.
pub fn list(arguments: Arguments) -> Result<(Listing, Vec<String>), ToolError> {
    let root = Path::new(&arguments.path);
    let glob = parse_glob(arguments.glob.as_deref())?;
    let metadata = fs::metadata(root).map_err(|error| ToolError::io("list", root, &error))?;
    if !metadata.is_dir() {
        return Err(ToolError::InvalidArguments(format!(
            "cannot list `{}`: it is no folder",
            arguments.path
        )));
    }
    let depth = arguments
        .depth
        .unwrap_or(if arguments.recursive { usize::MAX } else { 1 });
    let walk = Walk {
        depth,
        everything: arguments.all,
        max_entries: arguments.limit,
    };
    let walked = walk
        .run(root, |entry| {
            glob.as_ref()
                .is_none_or(|glob| glob.matches(&entry.relative))
        })
        .map_err(|error| ToolError::io("list", root, &error))?;
    let listing = Listing {
        entries: walked.entries.iter().map(Listed::new).collect(),
        truncated: walked.truncated,
        unreadable: walked
            .troubles
            .iter()
            .map(|trouble| Unreadable::new(&trouble.path, &trouble.error))
            .collect(),
        path: arguments.path,
    };
    let text = listing.text();
    Ok((listing, vec![text]))
}

/// Compiles the glob of a call.
///
/// # Errors
/// `invalid-arguments`, with what is wrong with it.
pub fn parse_glob(glob: Option<&str>) -> Result<Option<Glob>, ToolError> {
    glob.map(Glob::parse)
        .transpose()
        .map_err(|error| ToolError::InvalidArguments(format!("`glob` is broken: {error}")))
}

impl Listed {
    fn new(entry: &Entry) -> Self {
        // What goes away or is hidden while the folder is being listed is still an entry.
        let stat = entry.stat().ok();
        Self {
            path: entry.path.display().to_string(),
            r#type: match entry.kind {
                Kind::File => "file",
                Kind::Folder => "folder",
                Kind::Link => "link",
                Kind::Other => "other",
            },
            size: stat
                .filter(|_| entry.kind == Kind::File)
                .map(|(size, _)| size),
            modified: stat.and_then(|(_, modified)| rfc3339(modified?)),
        }
    }

    fn line(&self) -> String {
        match (self.r#type, self.size) {
            ("folder", _) => format!("{}/", self.path),
            (_, Some(size)) => format!("{}  {size}", self.path),
            (kind, None) => format!("{}  {kind}", self.path),
        }
    }
}

impl Listing {
    fn text(&self) -> String {
        let mut lines: Vec<String> = self.entries.iter().take(SHOWN).map(Listed::line).collect();
        let more = self.entries.len().saturating_sub(SHOWN);
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
        if more > 0 {
            lines.push(format!("… and {more} more in the structured result"));
        }
        if self.truncated {
            lines.push("… and more: raise `limit`, or narrow it with `path` or `glob`".to_owned());
        }
        for folder in &self.unreadable {
            lines.push(format!("{}: {}", folder.path, folder.reason));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests;
