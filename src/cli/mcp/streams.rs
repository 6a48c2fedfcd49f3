//! The standard streams of this process as a protocol wants them.

use std::fs::File;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::cli::output::protocol_streams;
use crate::error::{Code, Error, Result};

/// Takes the streams: whatever else is printed goes to standard error.
///
/// # Errors
/// E3405 where there are none.
pub(super) fn take() -> Result<(File, File)> {
    protocol_streams().map_err(|error| {
        Error::new(Code::E3405, "taking standard input and output").caused_by(error)
    })
}

/// Has the runtime read and write them. Pipes, which agents use, need no thread for it. Needs a runtime.
pub(super) fn open(
    (input, output): (File, File),
) -> (
    Box<dyn AsyncRead + Send + Unpin>,
    Box<dyn AsyncWrite + Send + Unpin>,
) {
    let input: Box<dyn AsyncRead + Send + Unpin> = match copy(&input).map(Receiver::from_file) {
        Some(Ok(pipe)) => Box::new(pipe),
        _ => Box::new(tokio::fs::File::from_std(input)),
    };
    let output: Box<dyn AsyncWrite + Send + Unpin> = match copy(&output).map(Sender::from_file) {
        Some(Ok(pipe)) => Box::new(pipe),
        _ => Box::new(tokio::fs::File::from_std(output)),
    };
    (input, output)
}

fn copy(file: &File) -> Option<File> {
    file.try_clone().ok()
}
