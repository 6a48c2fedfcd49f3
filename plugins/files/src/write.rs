//! `write`: a whole file at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhatch_plugin::{Context as _, Reply, Result, ToolError, is_denial, log, tool};

/// How many names are tried for a temporary file.
const ATTEMPTS: u32 = 100;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"path": "/workspace/notes.md", "content": "# Notes\n"}),
    example = serde_json::json!({"path": "/workspace/log.txt", "content": "done\n", "if_exists": "append"})
)]
pub struct Arguments {
    /// The file, under the name it was granted: usually below /workspace.
    #[schemars(length(min = 1, max = 4096), example = &"/workspace/notes.md")]
    path: String,
    /// The whole content, or what to append.
    #[schemars(length(max = 8_388_608), example = &"# Notes\n")]
    content: String,
    /// What `content` is.
    #[serde(default)]
    encoding: Encoding,
    /// What to do where the file exists.
    #[serde(default)]
    if_exists: IfExists,
    /// Create the folders above it where they do not exist.
    #[serde(default)]
    create_parents: bool,
    /// When overwriting, put a new file in the place of the old one: it is never seen half-written, but loses the mode,
    /// owner and links of the old one. Without it the file is rewritten in place.
    #[serde(default)]
    replace: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Text,
    Base64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum IfExists {
    #[default]
    Fail,
    Overwrite,
    Append,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Written {
    path: String,
    /// True where the file did not exist.
    created: bool,
    /// How many bytes were written.
    bytes: usize,
}

/// Writes a whole file. An existing file is left alone unless told to overwrite or append.
///
/// # Errors
/// `not-permitted`; `not-found` for a parent folder that does not exist; `invalid-arguments` for broken base64 or a
/// folder; `failed` for a file that exists and may not be overwritten.
#[tool]
pub fn write(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Written>> {
    let bytes = match arguments.encoding {
        Encoding::Text => arguments.content.into_bytes(),
        Encoding::Base64 => STANDARD.decode(&arguments.content).map_err(|error| {
            ToolError::InvalidArguments(format!("`content` is no base64: {error}"))
        })?,
    };
    let path = Path::new(&arguments.path);
    let doing = || format!("cannot write `{}`", arguments.path);
    let exists = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(ToolError::InvalidArguments(format!(
                "cannot write `{}`: it is a folder",
                arguments.path
            )));
        }
        Ok(metadata) if !metadata.is_file() => {
            return Err(ToolError::InvalidArguments(format!(
                "cannot write `{}`: it is no regular file",
                arguments.path
            )));
        }
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error).with_context(doing),
    };
    match (exists, arguments.if_exists) {
        (true, IfExists::Fail) => {
            return Err(ToolError::Failed(format!(
                "`{}` exists; set `if_exists` to overwrite or append",
                arguments.path
            )));
        }
        (true, IfExists::Append) => append(path, &bytes).with_context(doing)?,
        (true, IfExists::Overwrite) if arguments.replace => replace(path, &bytes)?,
        (true, IfExists::Overwrite) => rewrite(path, &bytes)?,
        (false, _) => {
            if arguments.create_parents
                && let Some(parent) = path.parent()
            {
                fs::create_dir_all(parent)
                    .with_context(|| format!("cannot create the folder `{}`", parent.display()))?;
            }
            replace(path, &bytes)?;
        }
    }
    let verb = match (exists, arguments.if_exists) {
        (false, _) => "created",
        (true, IfExists::Append) => "appended to",
        (true, _) => "overwrote",
    };
    let text = format!("{verb} {} ({} bytes)", arguments.path, bytes.len());
    let written = Written {
        path: arguments.path,
        created: !exists,
        bytes: bytes.len(),
    };
    Ok(Reply::new(written).text(text))
}

fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(bytes)
}

/// Gives an existing file a new content, in place: it stays the same file, with its mode, owner and links.
///
/// # Errors
/// `not-permitted`; `failed` where writing stops half-way, which leaves the file incomplete.
pub fn rewrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .open(path)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    // Cut to its new length only at the end: until then nothing of the old content is lost that will not be
    // overwritten.
    file.write_all(bytes)
        .and_then(|()| file.set_len(length))
        .map_err(|error| {
            ToolError::Failed(format!(
                "writing `{}` stopped half-way, the file may be incomplete: {error}",
                path.display()
            ))
        })
}

/// Puts a new file in the place of `path`: nobody ever sees it half-written, and a crash leaves the old one. Where no
/// temporary file may be created beside it (a grant for this one file), it is written directly.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let doing = || format!("cannot write `{}`", path.display());
    let (mut file, temporary) = match create_beside(path) {
        Ok(created) => created,
        Err(error) if is_denial(&error) => {
            log::debug!("no temporary file may be created, writing directly");
            return File::create(path)
                .and_then(|mut file| file.write_all(bytes))
                .with_context(doing);
        }
        Err(error) => return Err(error).with_context(doing),
    };
    let renamed = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    renamed.with_context(doing)
}

/// Creates a hidden file with a free name in the folder of `path`.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut attempt = 0;
    loop {
        let temporary = path.with_file_name(format!(".{name}.{attempt}.tmp"));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
