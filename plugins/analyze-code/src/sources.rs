//! Which files are analysed, and their texts.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use toolhatch_plugin::{Context as _, Result, ToolError, is_denial};
use tree::{Entry, Kind, Walk};

use crate::arguments::{MAX_FILE_BYTES, Selection};
use crate::language::Language;

/// How many files one call looks at.
const MAX_FILES: usize = 5_000;

/// How many bytes one call reads.
const MAX_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// Lines longer than this on average are written by a program, for programs.
const MINIFIED_LINE: usize = 400;

/// A file to analyse.
#[derive(Debug)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What it is written in.
    pub language: Language,
}

/// The files to analyse.
#[derive(Debug, Default)]
pub struct Sources {
    /// In the order of the walk.
    pub files: Vec<Source>,
    /// What could not be looked into.
    pub skipped: Vec<Skipped>,
    /// True where there are more files than one call looks at.
    pub truncated: bool,
}

/// A file or folder that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Skipped {
    /// Which one.
    pub file: String,
    /// Why.
    pub reason: Reason,
}

/// Why a file or folder was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is not text.
    NotUtf8,
    /// It is larger than what is analysed.
    TooLarge,
    /// Its lines are so long that a program must have written it.
    Minified,
    /// The host denied it.
    NotPermitted,
    /// It could not be read.
    Unreadable,
    /// Enough was read in this call.
    OverBudget,
}

impl Reason {
    /// The reason, for readers.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not UTF-8 text",
            Self::TooLarge => "larger than 2 MiB",
            Self::Minified => "looks minified",
            Self::NotPermitted => "not permitted",
            Self::Unreadable => "cannot be read",
            Self::OverBudget => "more than 16 MiB in one call",
        }
    }

    fn of(error: &std::io::Error) -> Self {
        if is_denial(error) {
            Self::NotPermitted
        } else {
            Self::Unreadable
        }
    }
}

/// Finds the files that a call asks for.
///
/// # Errors
/// `not-found` and `not-permitted` for the path itself; `invalid-arguments` for a file whose name tells no language.
pub fn find(selection: &Selection) -> Result<Sources> {
    let path = Path::new(&selection.path);
    let metadata =
        fs::metadata(path).with_context(|| format!("cannot look at `{}`", selection.path))?;
    if metadata.is_dir() {
        return find_in_folder(path, selection);
    }
    if !metadata.is_file() {
        return Err(ToolError::InvalidArguments(format!(
            "`{}` is neither a file nor a folder",
            selection.path
        )));
    }
    let language = selection
        .language
        .or_else(|| Language::of_path(&selection.path));
    let language = language.ok_or_else(|| {
        ToolError::InvalidArguments(format!(
            "the name of `{}` does not tell its language; give `language`: one of {}",
            selection.path,
            Language::NAMES.join(", ")
        ))
    })?;
    let files = vec![Source {
        path: path.to_owned(),
        language,
    }];
    Ok(Sources {
        files,
        ..Sources::default()
    })
}

fn find_in_folder(folder: &Path, selection: &Selection) -> Result<Sources> {
    let language_of = |entry: &Entry| {
        let language = Language::of_path(&entry.relative)?;
        let wanted = selection
            .language
            .is_none_or(|wanted| wanted.name() == language.name());
        wanted.then_some(language)
    };
    let walk = Walk {
        depth: usize::MAX,
        everything: selection.all,
        max_entries: MAX_FILES,
    };
    let walked = walk.run(folder, |entry| {
        entry.kind == Kind::File
            && language_of(entry).is_some()
            && selection
                .glob
                .as_ref()
                .is_none_or(|glob| glob.matches(&entry.relative))
    });
    let walked = walked.with_context(|| format!("cannot list `{}`", folder.display()))?;
    let files = walked.entries.into_iter().filter_map(|entry| {
        let language = language_of(&entry)?;
        Some(Source {
            path: entry.path,
            language,
        })
    });
    let skipped = walked.troubles.iter().map(|trouble| Skipped {
        file: trouble.path.display().to_string(),
        reason: Reason::of(&trouble.error),
    });
    Ok(Sources {
        files: files.collect(),
        skipped: skipped.collect(),
        truncated: walked.truncated,
    })
}

/// Reads files as long as the budget of one call lasts.
#[derive(Debug, Default)]
pub struct Reader {
    read: usize,
}

impl Reader {
    /// The text of a file.
    ///
    /// # Errors
    /// The reason to leave it out.
    pub fn read(&mut self, path: &Path) -> Result<String, Reason> {
        let failed = |error| Reason::of(&error);
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MAX_FILE_BYTES {
            return Err(Reason::TooLarge);
        }
        if self.read.saturating_add(size) > MAX_TOTAL_BYTES {
            return Err(Reason::OverBudget);
        }
        let mut bytes = Vec::with_capacity(size);
        // It may have grown since.
        let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        self.read += bytes.len();
        let text = String::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
        if text.len() > MINIFIED_LINE * (text.lines().count() + 2) {
            return Err(Reason::Minified);
        }
        Ok(text)
    }
}
