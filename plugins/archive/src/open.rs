//! Archives, told apart by their first bytes and not by their names.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use schemars::JsonSchema;
use serde::Serialize;
use toolhatch_plugin::{Context as _, Result, ToolError};

use crate::caps::{Counted, Exceeded, Proportioned};
use crate::entry::Visit;
use crate::{tape, zip};

/// How much memory unpacking zstd may take for what it looks back at.
const MAX_WINDOW: u64 = 32 << 20;
/// More entries than this are no archive that anybody made for people.
pub const MAX_ENTRIES: usize = 200_000;

/// What an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Zip,
    Tar,
    TarGzip,
    TarZstd,
    /// One file, packed.
    Gzip,
    /// One file, packed.
    Zstd,
}

/// An archive.
pub struct Archive {
    pub path: String,
    pub format: Format,
    file: File,
}

impl Archive {
    /// Opens an archive.
    ///
    /// # Errors
    /// `not-found`, `not-permitted`; `invalid-arguments` for a folder or a device; `failed` for what is no archive.
    pub fn open(path: &str) -> Result<Self> {
        let doing = || format!("cannot open `{path}`");
        // A device or pipe may block when it is opened, so it is looked at first.
        let metadata = fs::metadata(path).with_context(doing)?;
        if !metadata.is_file() {
            let what = if metadata.is_dir() {
                "a folder"
            } else {
                "no regular file"
            };
            return Err(ToolError::invalid_arguments(format!(
                "cannot open `{path}`: it is {what}"
            )));
        }
        let mut file = File::open(path).with_context(doing)?;
        let format = Self::tell(&mut file)
            .map_err(|error| broken(path, error))?
            .ok_or_else(|| {
                ToolError::failed(format!(
                    "`{path}` is no archive that is known here: zip, tar, tar.gz, tar.zst, gz, zst"
                ))
            })?;
        Ok(Self {
            path: path.to_owned(),
            format,
            file,
        })
    }

    fn tell(file: &mut File) -> io::Result<Option<Format>> {
        let start = start(&mut *file)?;
        file.seek(SeekFrom::Start(0))?;
        let format = if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            Some(Format::Zip)
        } else if start.starts_with(b"\x1f\x8b") {
            let inner = unpacked_start(MultiGzDecoder::new(BufReader::new(&mut *file)));
            Some(if tape::is_tar(&inner) {
                Format::TarGzip
            } else {
                Format::Gzip
            })
        } else if start.starts_with(b"\x28\xb5\x2f\xfd") {
            let inner = match StreamingDecoder::new_with_max_window_size(
                BufReader::new(&mut *file),
                MAX_WINDOW,
            ) {
                Ok(decoder) => unpacked_start(decoder),
                Err(_) => Vec::new(),
            };
            Some(if tape::is_tar(&inner) {
                Format::TarZstd
            } else {
                Format::Zstd
            })
        } else if tape::is_tar(&start) {
            Some(Format::Tar)
        } else {
            None
        };
        file.seek(SeekFrom::Start(0))?;
        Ok(format)
    }

    /// Shows all entries, in their order.
    ///
    /// # Errors
    /// `failed` where the archive is broken, after what could be read of it; those of the visit.
    pub fn visit(self, visit: &mut Visit<'_>) -> Result<()> {
        let path = self.path;
        if self.format == Format::Zip {
            return zip::visit(&path, self.file, visit);
        }
        let (file, packed) = Counted::new(BufReader::with_capacity(1 << 16, self.file));
        let single = || single_name(&path);
        match self.format {
            // A zip is none of these.
            Format::Zip | Format::Tar => tape::visit(&path, file, visit),
            Format::TarGzip => tape::visit(
                &path,
                Proportioned::new(MultiGzDecoder::new(file), packed),
                visit,
            ),
            Format::Gzip => tape::visit_single(
                &path,
                single(),
                Proportioned::new(MultiGzDecoder::new(file), packed),
                visit,
            ),
            Format::TarZstd | Format::Zstd => {
                let decoder = Frames::new(file).map_err(|error| broken(&path, error))?;
                let reader = Proportioned::new(decoder, packed);
                if self.format == Format::Zstd {
                    tape::visit_single(&path, single(), reader, visit)
                } else {
                    tape::visit(&path, reader, visit)
                }
            }
        }
    }
}

/// Zstd, frame after frame, as several programs write it, each with its checksum.
struct Frames<R: BufRead> {
    /// Nothing after the last frame.
    decoder: Option<StreamingDecoder<R, FrameDecoder>>,
}

impl<R: BufRead> Frames<R> {
    fn new(reader: R) -> io::Result<Self> {
        let decoder = StreamingDecoder::new_with_max_window_size(reader, MAX_WINDOW);
        Ok(Self {
            decoder: Some(decoder.map_err(invalid)?),
        })
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.decoder else {
                return Ok(0);
            };
            let read = decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(decoder) = self.decoder.take() else {
                return Ok(0);
            };
            let (mut rest, decoder) = decoder.into_parts();
            let expected = decoder.get_checksum_from_data();
            if expected.is_some() && expected != decoder.get_calculated_checksum() {
                return Err(invalid("its checksum is another one"));
            }
            if rest.fill_buf()?.is_empty() {
                return Ok(0);
            }
            *self = Self::new(rest)?;
        }
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The first bytes, as many as a header of tar has.
fn start(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(512).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same of what is packed; what cannot be unpacked is found out later, with a better message.
fn unpacked_start(reader: impl Read) -> Vec<u8> {
    start(reader).unwrap_or_default()
}

/// The name of a file that was packed alone: that of the archive without its ending.
fn single_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".gz", ".zst"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .filter(|name| !name.is_empty())
        .unwrap_or("content")
        .to_owned()
}

/// An archive that cannot be read on.
pub fn broken(path: &str, error: impl Into<io::Error>) -> ToolError {
    let error = error.into();
    if let Some(exceeded) = Exceeded::of(&error) {
        return ToolError::failed(format!("`{path}`: {exceeded}"));
    }
    if error.get_ref().is_none() && error.kind() != io::ErrorKind::UnexpectedEof {
        return ToolError::from(error).context(format!("cannot read `{path}`"));
    }
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ => error.to_string(),
    };
    ToolError::failed(format!("`{path}` is broken: {why}"))
}
