//! The body of an answer, unpacked, up to a cap.

use std::io::{self, Read};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use toolhatch_plugin::http::Response;
use toolhatch_plugin::{Context as _, Result, ToolError};

/// What servers are told that is understood here.
pub const ENCODINGS: &str = "gzip, deflate";

/// The bytes of a body.
#[derive(Debug)]
pub struct Body {
    /// Unpacked, and not more than the cap.
    pub bytes: Vec<u8>,
    /// True where there is more than the cap.
    pub is_cut: bool,
}

/// Reads a body of which at most `cap` bytes are kept, packed or unpacked.
///
/// # Errors
/// `failed` for an encoding that nobody asked for and for one that is broken; those of the connection.
pub fn read(response: Response, cap: usize) -> Result<Body> {
    let url = response.url().to_owned();
    let encoding = response
        .header("content-encoding")
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let limit = cap as u64 + 1;
    // One byte more tells that there is more.
    let response = response.limit(limit);
    let mut bytes = Vec::new();
    let reading = || format!("cannot read {url}");
    let read = match encoding.as_str() {
        "" | "identity" => response.take(limit).read_to_end(&mut bytes),
        "gzip" | "x-gzip" => MultiGzDecoder::new(response)
            .take(limit)
            .read_to_end(&mut bytes),
        "deflate" => ZlibDecoder::new(response)
            .take(limit)
            .read_to_end(&mut bytes),
        other => {
            return Err(ToolError::failed(format!(
                "{url} is encoded as `{}`, and only {ENCODINGS} were asked for",
                other.chars().take(40).collect::<String>()
            )));
        }
    };
    match read {
        Ok(_) => {}
        Err(error) if is_broken(&error) => {
            return Err(ToolError::failed(format!(
                "{url} is broken: what it sent is not whole {encoding}"
            )));
        }
        Err(error) => return Err(error).with_context(reading),
    }
    let is_cut = bytes.len() > cap;
    bytes.truncate(cap);
    Ok(Body { bytes, is_cut })
}

/// True for an error of unpacking; one of the connection carries its own cause.
fn is_broken(error: &io::Error) -> bool {
    let is_of_connection = error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<toolhatch_plugin::http::Error>);
    !is_of_connection
        && matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
        )
}
