//! `list`: what is in an archive.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Reply, Result, ToolError, tool};
use tree::Glob;

use crate::entry::{Entry, Kind, Next};
use crate::name;
use crate::open::{Archive, Format};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"path": "/workspace/release.zip"}),
    example = serde_json::json!({"path": "/workspace/logs.tar.gz", "glob": "**/*.log"})
)]
pub struct Arguments {
    /// The archive, under the name it was granted: usually below /workspace. Its format is told by what is in it.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/release.zip")]
    path: String,
    /// Only entries whose path matches this glob, such as `*.txt` or `docs/**`.
    #[schemars(length(min = 1, max = 1024), example = &"docs/**")]
    glob: Option<String>,
    /// How many entries to return at most.
    #[serde(default = "default_entries")]
    #[schemars(range(min = 1, max = 10_000))]
    max_entries: usize,
    /// How many matching entries to leave out first: to go on where an answer ended.
    #[serde(default)]
    #[schemars(range(max = 200_000))]
    skip: usize,
}

fn default_entries() -> usize {
    500
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Listed {
    format: Format,
    entries: Vec<Line>,
    /// How many entries match, whether they are in this answer or not.
    count: usize,
    /// How many bytes the matching files say that they have.
    size: u64,
    /// True where there are more than this answer has.
    truncated: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Line {
    /// The path within the archive. Bytes that are no UTF-8 are written as `%E9`.
    name: String,
    kind: Kind,
    /// Of a file, how many bytes it says that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// How many bytes it takes in the archive, where it is packed on its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    packed: Option<u64>,
    /// When it was changed; in a zip mostly without a time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// Why `extract` would leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Lists what is in an archive (zip, tar, tar.gz, tar.zst), with what is wrong with each entry. Nothing is unpacked to disk.
///
/// # Errors
/// Those of [`Archive::open`] and [`Archive::visit`]; `invalid-arguments` for a broken glob.
#[tool]
pub fn list(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Listed>> {
    let globs = globs(arguments.glob.as_slice())?;
    let archive = Archive::open(&arguments.path)?;
    let mut listed = Listed {
        format: archive.format,
        entries: Vec::new(),
        count: 0,
        size: 0,
        truncated: false,
    };
    let mut names = Names::default();
    archive.visit(&mut |entry, _| {
        let problem = names.problem(entry);
        if !globs.is_empty() && !is_matched(&globs, &entry.name) {
            return Ok(Next::Continue);
        }
        listed.count += 1;
        if entry.kind == Kind::File {
            listed.size = listed.size.saturating_add(entry.size.unwrap_or_default());
        }
        if listed.count > arguments.skip {
            if listed.entries.len() < arguments.max_entries {
                listed.entries.push(Line::of(entry, problem));
            } else {
                listed.truncated = true;
            }
        }
        Ok(Next::Continue)
    })?;
    let text = listed.text(arguments.skip);
    Ok(Reply::new(listed).text(text))
}

/// Compiles globs.
///
/// # Errors
/// `invalid-arguments` with the one that is broken.
pub fn globs(texts: &[String]) -> Result<Vec<Glob>> {
    let globs = texts.iter().map(|text| {
        Glob::parse(text)
            .map_err(|error| ToolError::invalid_arguments(format!("`{text}` is no glob: {error}")))
    });
    globs.collect()
}

/// Says whether the path of an entry matches one of the globs.
pub fn is_matched(globs: &[Glob], name: &str) -> bool {
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    let path = parts.join("/");
    globs.iter().any(|glob| glob.matches(&path))
}

/// The names that were met so far.
#[derive(Debug, Default)]
pub struct Names {
    /// By their small letters.
    known: HashMap<String, String>,
    folders: HashSet<String>,
}

impl Names {
    /// Why an entry is not extracted, by what it is and by those before it.
    pub fn problem(&mut self, entry: &Entry) -> Option<String> {
        let parts = match name::parts(&entry.name) {
            Ok(parts) => parts,
            Err(why) => return Some(why.to_owned()),
        };
        let kind = match entry.kind {
            Kind::Link => Some("it is a link"),
            Kind::HardLink => Some("it is a hard link"),
            Kind::Special => Some("it is no file"),
            Kind::File if parts.is_empty() => Some("it has no name"),
            Kind::File | Kind::Folder => None,
        };
        if let Some(why) = kind {
            return Some(why.to_owned());
        }
        let path = parts.join("/");
        let folded = path.to_lowercase();
        if entry.kind == Kind::Folder {
            self.folders.insert(folded);
            return entry.problem.clone();
        }
        let collision = match self.known.get(&folded) {
            Some(known) if *known == path => {
                Some("the archive has this name more than once".to_owned())
            }
            Some(known) => Some(format!("its name differs from `{known}` in capitals only")),
            None if self.folders.contains(&folded) => {
                Some("it has the name of a folder".to_owned())
            }
            None => None,
        };
        self.known.entry(folded).or_insert(path);
        entry.problem.clone().or(collision)
    }
}

impl Line {
    fn of(entry: &Entry, problem: Option<String>) -> Self {
        Self {
            name: entry.name.clone(),
            kind: entry.kind,
            size: entry.size.filter(|_| entry.kind == Kind::File),
            packed: entry.packed.filter(|_| entry.kind == Kind::File),
            modified: entry.modified.clone(),
            target: entry.target.clone(),
            problem,
        }
    }
}

impl Listed {
    fn text(&self, skipped: usize) -> String {
        let mut text = String::new();
        for line in &self.entries {
            let size = line
                .size
                .map_or_else(|| "-".to_owned(), |size| size.to_string());
            let modified = line.modified.as_deref().unwrap_or("-");
            let _ = write!(
                text,
                "{size:>10}  {modified:<20}  {}",
                line.name.escape_debug()
            );
            if let Some(target) = &line.target {
                let _ = write!(text, " -> {}", target.escape_debug());
            }
            if let Some(problem) = &line.problem {
                let _ = write!(text, "  [{problem}]");
            }
            text.push('\n');
        }
        let _ = write!(text, "{} entries, {} bytes", self.count, self.size);
        if self.truncated {
            let _ = write!(
                text,
                " [there is more: go on with `skip` {}]",
                skipped + self.entries.len()
            );
        }
        text
    }
}

#[cfg(test)]
mod tests;
