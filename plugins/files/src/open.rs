//! Opening regular files, with errors that say what to do instead.

use std::fs::{self, File};
use std::io::Read;

use toolhatch_plugin::{Context as _, Result, ToolError};

/// Opens a regular file for reading, and returns it with its size in bytes.
///
/// # Errors
/// `not-found`, `not-permitted`; `invalid-arguments` for a folder or a device; `failed` for anything else.
pub fn open_file(action: &str, path: &str) -> Result<(File, u64)> {
    let doing = || format!("cannot {action} `{path}`");
    // A device or pipe may block when it is opened, so it is looked at first.
    let metadata = fs::metadata(path).with_context(doing)?;
    if metadata.is_dir() {
        return Err(ToolError::InvalidArguments(format!(
            "cannot {action} `{path}`: it is a folder"
        )));
    }
    if !metadata.is_file() {
        return Err(ToolError::InvalidArguments(format!(
            "cannot {action} `{path}`: it is no regular file"
        )));
    }
    let file = File::open(path).with_context(doing)?;
    Ok((file, metadata.len()))
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// Those of [`open_file`]; `failed` for a larger file.
pub fn read_whole(action: &str, path: &str, limit: u64) -> Result<Vec<u8>> {
    let (file, size) = open_file(action, path)?;
    let too_large = |size: u64| {
        ToolError::Failed(format!(
            "cannot {action} `{path}`: it has {size} bytes, and the limit is {limit}"
        ))
    };
    if size > limit {
        return Err(too_large(size));
    }
    let mut bytes = Vec::new();
    // It may have grown since.
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot {action} `{path}`"))?;
    let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if read > limit {
        Err(too_large(read))
    } else {
        Ok(bytes)
    }
}
