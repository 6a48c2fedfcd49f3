//! `list`: what is in a folder.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Context as _, Reply, Result, ToolError, is_denial, tool};
use tree::{Entry, Glob, Kind, Walk, rfc3339};

/// How many entries the text shows.
const SHOWN: usize = 1_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"path": "/workspace"}),
    example = serde_json::json!({"path": "/workspace/src", "recursive": true, "glob": "*.rs"})
)]
pub struct Arguments {
    /// The folder, under the name it was granted: usually /workspace or below.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 4096), example = &"/workspace", example = &"/workspace/src")]
    path: String,
    /// Also list what is in the folders below.
    #[serde(default)]
    recursive: bool,
    /// How many folders deep to go; 1 is the folder itself. Overrides `recursive`.
    #[schemars(range(min = 1, max = 1000))]
    depth: Option<usize>,
    /// Only what matches: `*.rs` looks at names, `src/**/*.rs` at paths below the folder.
    #[schemars(length(min = 1, max = 1024), example = &"*.rs", example = &"src/**/*.{ts,tsx}")]
    glob: Option<String>,
    /// Also go into hidden folders, and into those named target, node_modules, __pycache__ or vendor.
    #[serde(default)]
    all: bool,
    /// How many entries to return.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 10_000))]
    limit: usize,
}

fn default_path() -> String {
    "/workspace".to_owned()
}

fn default_limit() -> usize {
    500
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Listing {
    /// The folder, as it was given.
    path: String,
    /// Depth first, names in byte order.
    entries: Vec<Listed>,
    /// True where there is more than `limit`.
    truncated: bool,
    /// What could not be looked into.
    unreadable: Vec<Unreadable>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Listed {
    /// As it can be opened.
    path: String,
    /// A symbolic link is a link, whatever it points to.
    r#type: Type,
    /// In bytes, of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// The last change, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    modified: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Type {
    File,
    Folder,
    Link,
    Other,
}

// What could not be looked into.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Unreadable {
    path: String,
    reason: Reason,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Reason {
    NotPermitted,
    Unreadable,
}

impl Unreadable {
    /// Puts a failure below a folder into the result: it does not end the call.
    pub fn new(path: &Path, error: &std::io::Error) -> Self {
        let reason = if is_denial(error) {
            Reason::NotPermitted
        } else {
            Reason::Unreadable
        };
        Self {
            path: path.display().to_string(),
            reason,
        }
    }
}

/// Lists the files and folders in a granted folder, with type, size and time of the last change; recursively and filtered
/// by a glob where asked for.
///
/// # Errors
/// `not-found` and `not-permitted` for the folder itself; `invalid-arguments` for a broken glob.
#[tool]
pub fn list(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Listing>> {
    let root = Path::new(&arguments.path);
    let glob = parse_glob(arguments.glob.as_deref())?;
    let doing = || format!("cannot list `{}`", arguments.path);
    let metadata = fs::metadata(root).with_context(doing)?;
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
        .with_context(doing)?;
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
    Ok(Reply::new(listing).text(text))
}

/// Compiles the glob of a call.
///
/// # Errors
/// `invalid-arguments`, with what is wrong with it.
pub fn parse_glob(glob: Option<&str>) -> Result<Option<Glob>> {
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
                Kind::File => Type::File,
                Kind::Folder => Type::Folder,
                Kind::Link => Type::Link,
                Kind::Other => Type::Other,
            },
            size: stat
                .filter(|_| entry.kind == Kind::File)
                .map(|(size, _)| size),
            modified: stat.and_then(|(_, modified)| rfc3339(modified?)),
        }
    }

    fn line(&self) -> String {
        match (self.r#type, self.size) {
            (Type::Folder, _) => format!("{}/", self.path),
            (_, Some(size)) => format!("{}  {size}", self.path),
            (Type::File, None) => format!("{}  file", self.path),
            (Type::Link, None) => format!("{}  link", self.path),
            (Type::Other, None) => format!("{}  other", self.path),
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
            let reason = match folder.reason {
                Reason::NotPermitted => "not-permitted",
                Reason::Unreadable => "unreadable",
            };
            lines.push(format!("{}: {reason}", folder.path));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests;
