//! `extract`: chosen files of an archive, into a folder.

use std::io;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Reply, Result, ToolError, is_denial, tool};
use tree::Glob;

use crate::caps::{Caps, Exceeded};
use crate::entry::{Entry, Kind, Next};
use crate::list::{Names, globs, is_matched};
use crate::name;
use crate::open::{Archive, Format};
use crate::place::{Place, Trouble};

/// How many names are told.
const MAX_TOLD: usize = 1000;
/// After so many denials, and nothing written, it is given up.
const MAX_DENIED: usize = 10;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"path": "/workspace/release.zip", "destination": "/workspace/release"}),
    example = serde_json::json!({
        "path": "/workspace/logs.tar.gz", "destination": "/workspace", "include": ["**/*.log"], "exclude": ["old/**"]
    })
)]
pub struct Arguments {
    /// The archive, under the name it was granted: usually below /workspace.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/release.zip")]
    path: String,
    /// The folder to extract into. It is there, and may be written to.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/release")]
    destination: String,
    /// Globs: only files whose path matches one of them. Everything, where there is none.
    #[serde(default)]
    #[schemars(length(max = 100), example = &["docs/**"])]
    include: Vec<String>,
    /// Globs: no files whose path matches one of them.
    #[serde(default)]
    #[schemars(length(max = 100), example = &["*.exe"])]
    exclude: Vec<String>,
    /// How many folders to leave out at the beginning of each path.
    #[serde(default)]
    #[schemars(range(max = 16))]
    strip: usize,
    /// Replace files that are there. Else they are left alone.
    #[serde(default)]
    overwrite: bool,
    /// Say what would be extracted, and write nothing.
    #[serde(default)]
    dry_run: bool,
    /// How many files to extract at most.
    #[serde(default = "default_files")]
    #[schemars(range(min = 1, max = 100_000))]
    max_files: usize,
    /// How many bytes a file may have.
    #[serde(default = "default_file_bytes")]
    #[schemars(range(min = 1, max = 4_294_967_296_u64))]
    max_file_bytes: u64,
    /// How many bytes all files together may have.
    #[serde(default = "default_total_bytes")]
    #[schemars(range(min = 1, max = 8_589_934_592_u64))]
    max_total_bytes: u64,
}

fn default_files() -> usize {
    10_000
}

fn default_file_bytes() -> u64 {
    256 << 20
}

fn default_total_bytes() -> u64 {
    1 << 30
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Extracted {
    format: Format,
    /// How many files were written; with `dry_run`, would be.
    files: usize,
    /// How many bytes they have.
    bytes: u64,
    /// How many folders were made.
    folders: usize,
    /// The files, as paths below the destination; the first 1000.
    names: Vec<String>,
    /// What was chosen and not extracted; the first 1000.
    skipped: Vec<Skipped>,
    /// How many were chosen and not extracted.
    skipped_count: usize,
    /// Why it ended before the archive did.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    /// True where everything that was chosen was extracted.
    complete: bool,
}

/// Something that was not extracted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Skipped {
    name: String,
    why: String,
}

/// Extracts files of an archive into a folder. Links and devices, paths that lead out of the folder, names that collide,
/// encrypted and broken files, and what is made to fill disks are left out, and told; files that are there stay as they are
/// unless `overwrite` is true.
///
/// # Errors
/// Those of [`Archive::open`]; `invalid-arguments` for broken globs and a destination that is no folder; `not-permitted` where
/// nothing may be written there; `failed` for an archive that is broken from the beginning.
#[tool]
pub fn extract(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Extracted>> {
    let include = globs(&arguments.include)?;
    let exclude = globs(&arguments.exclude)?;
    let place = Place::open(&arguments.destination, arguments.overwrite)?;
    let archive = Archive::open(&arguments.path)?;
    let caps = Caps::new(arguments.max_file_bytes, arguments.max_total_bytes);
    let mut extraction = Extraction {
        arguments: &arguments,
        include,
        exclude,
        place,
        caps,
        names: Names::default(),
        denied: 0,
        report: Extracted {
            format: archive.format,
            files: 0,
            bytes: 0,
            folders: 0,
            names: Vec::new(),
            skipped: Vec::new(),
            skipped_count: 0,
            stopped: None,
            complete: true,
        },
    };
    let visited = archive.visit(&mut |entry, contents| match contents {
        Some(contents) => extraction.entry(entry, contents),
        None => extraction.entry(entry, &mut io::empty()),
    });
    let is_denied = extraction.denied > 0;
    let mut report = extraction.report;
    report.folders = extraction.place.made;
    if report.files == 0 && is_denied {
        let into = &arguments.destination;
        return Err(ToolError::not_permitted(format!(
            "cannot write into `{into}`: not permitted"
        )));
    }
    match visited {
        Ok(()) => {}
        // Whatever was written stays written, and has to be told.
        Err(error) if report.files > 0 || report.folders > 0 => {
            report.stopped = Some(error.to_string())
        }
        Err(error) => return Err(error),
    }
    report.complete = report.skipped_count == 0 && report.stopped.is_none();
    let text = report.text(&arguments);
    Ok(Reply::new(report).text(text))
}

struct Extraction<'a> {
    arguments: &'a Arguments,
    include: Vec<Glob>,
    exclude: Vec<Glob>,
    place: Place,
    caps: Caps,
    names: Names,
    /// How often something could not be written because it was not permitted.
    denied: usize,
    report: Extracted,
}

impl Extraction<'_> {
    fn entry(&mut self, entry: &Entry, contents: &mut dyn io::Read) -> Result<Next> {
        let is_chosen = (self.include.is_empty() || is_matched(&self.include, &entry.name))
            && !is_matched(&self.exclude, &entry.name);
        if !is_chosen {
            return Ok(Next::Continue);
        }
        let stripped = self.stripped(entry);
        let Some(entry) = stripped else {
            return Ok(Next::Continue);
        };
        if let Some(why) = self.names.problem(&entry) {
            self.skip(&entry, why);
            return Ok(Next::Continue);
        }
        let parts = match name::parts(&entry.name) {
            Ok(parts) => parts,
            Err(why) => {
                self.skip(&entry, why.to_owned());
                return Ok(Next::Continue);
            }
        };
        if entry.kind == Kind::Folder {
            return self.folder(&entry, &parts);
        }
        if self.report.files == self.arguments.max_files {
            self.report.stopped = Some(format!(
                "it has more than {} files to extract",
                self.arguments.max_files
            ));
            return Ok(Next::Stop);
        }
        let mut capped = self.caps.limit(contents);
        let written = if self.arguments.dry_run {
            // What it really has is only known when it was read.
            match self.place.look(&parts) {
                Ok(()) => io::copy(&mut capped, &mut io::sink()).map_err(Trouble::Reading),
                Err(trouble) => Err(trouble),
            }
        } else {
            self.place.file(&parts, &mut capped)
        };
        match written {
            Ok(bytes) => {
                self.report.files += 1;
                self.report.bytes += bytes;
                if self.report.names.len() < MAX_TOLD {
                    self.report.names.push(parts.join("/"));
                }
                Ok(Next::Continue)
            }
            Err(trouble) => self.trouble(&entry, trouble),
        }
    }

    /// The entry without the first folders of its path; nothing where that leaves nothing.
    fn stripped(&self, entry: &Entry) -> Option<Entry> {
        let mut entry = entry.clone();
        if self.arguments.strip == 0 || name::parts(&entry.name).is_err() {
            return Some(entry);
        }
        let parts = name::parts(&entry.name).unwrap_or_default();
        let rest = parts
            .get(self.arguments.strip..)
            .unwrap_or_default()
            .join("/");
        if rest.is_empty() {
            return None;
        }
        entry.name = rest;
        Some(entry)
    }

    fn folder(&mut self, entry: &Entry, parts: &[&str]) -> Result<Next> {
        if self.arguments.dry_run {
            return Ok(Next::Continue);
        }
        match self.place.folder(parts) {
            Ok(_) => Ok(Next::Continue),
            Err(trouble) => self.trouble(entry, trouble),
        }
    }

    fn trouble(&mut self, entry: &Entry, trouble: Trouble) -> Result<Next> {
        let error = match trouble {
            Trouble::Left(why) => {
                self.skip(entry, why);
                return Ok(Next::Continue);
            }
            Trouble::Writing(error) if is_denial(&error) => {
                self.denied += 1;
                self.skip(entry, "not permitted to write it".to_owned());
                // Where nothing may be written, it is enough to have heard it a few times.
                let is_hopeless = self.report.files == 0 && self.denied == MAX_DENIED;
                return Ok(if is_hopeless {
                    Next::Stop
                } else {
                    Next::Continue
                });
            }
            Trouble::Writing(error) => {
                let why = format!("it cannot be written: {error}");
                let is_over = matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                );
                self.skip(entry, why.clone());
                self.report.stopped = is_over.then_some(why);
                return Ok(if is_over { Next::Stop } else { Next::Continue });
            }
            Trouble::Reading(error) => error,
        };
        let exceeded = Exceeded::of(&error);
        let why = match exceeded {
            Some(exceeded) => exceeded.to_string(),
            None if error.kind() == io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
            None => error.to_string(),
        };
        self.skip(entry, why.clone());
        // What is packed together cannot be read on behind what is broken, and the rest of a bomb is one too.
        let is_stream = entry.packed.is_none();
        if matches!(exceeded, Some(Exceeded::Total(_)))
            || (is_stream && !matches!(exceeded, Some(Exceeded::Entry(_))))
        {
            self.report.stopped = Some(format!("at `{}`: {why}", entry.name));
            return Ok(Next::Stop);
        }
        Ok(Next::Continue)
    }

    fn skip(&mut self, entry: &Entry, why: String) {
        self.report.skipped_count += 1;
        if self.report.skipped.len() < MAX_TOLD {
            self.report.skipped.push(Skipped {
                name: entry.name.clone(),
                why,
            });
        }
    }
}

impl Extracted {
    fn text(&self, arguments: &Arguments) -> String {
        let would = if arguments.dry_run {
            "would extract"
        } else {
            "extracted"
        };
        let mut text = format!(
            "{would} {} files with {} bytes into {}",
            self.files, self.bytes, arguments.destination
        );
        for skipped in &self.skipped {
            text.push_str(&format!(
                "\nleft out {}: {}",
                skipped.name.escape_debug(),
                skipped.why
            ));
        }
        let more = self.skipped_count - self.skipped.len();
        if more > 0 {
            text.push_str(&format!("\nleft out {more} more"));
        }
        if let Some(why) = &self.stopped {
            text.push_str(&format!("\nstopped before the end: {why}"));
        }
        text
    }
}

#[cfg(test)]
mod tests;
