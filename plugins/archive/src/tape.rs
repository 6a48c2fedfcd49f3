//! Tar, header by header, and files that are packed alone.
//!
//! Only the headers are read by the library: names and sizes that later headers override are put together here, with caps.

use std::io::{self, Read};
use std::time::{Duration, UNIX_EPOCH};

use tar::{EntryType, Header};
use toolhatch_plugin::{Result, ToolError};

use crate::entry::{Entry, Kind, Next, Visit};
use crate::name;
use crate::open::{MAX_ENTRIES, broken};

/// How long the name of an entry, or what else is said of it, may be.
const MAX_EXTENSION: u64 = 64 << 10;
/// How much stands behind the end of a tar at most.
const MAX_PADDING: u64 = 1 << 20;

/// Says whether something begins like a tar.
pub fn is_tar(start: &[u8]) -> bool {
    let Some(block) = start.first_chunk::<512>() else {
        return false;
    };
    let header = Header::from_byte_slice(block);
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(index, byte)| {
            if (148..156).contains(&index) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    // A tar without entries is nothing but zeros.
    block.iter().all(|byte| *byte == 0) || header.cksum().is_ok_and(|wanted| wanted == sum)
}

/// What headers before an entry say of it.
#[derive(Debug, Default)]
struct Said {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    /// In bytes.
    size: Option<u64>,
    is_sparse: bool,
}

/// Shows the entries of a tar, in their order.
///
/// # Errors
/// See [`crate::open::Archive::visit`].
pub fn visit(path: &str, reader: impl Read, visit: &mut Visit<'_>) -> Result<()> {
    let mut archive = tar::Archive::new(reader);
    let entries = archive
        .entries()
        .map_err(|error| broken(path, error))?
        .raw(true);
    let mut said = Said::default();
    let mut count = 0_usize;
    for item in entries {
        let mut item = item.map_err(|error| broken(path, tidied(error)))?;
        let kind = item.header().entry_type();
        if kind.is_pax_global_extensions() || is_extension(kind) {
            let size = item.size();
            if size > MAX_EXTENSION {
                return Err(ToolError::failed(format!(
                    "`{path}` is broken: what it says of an entry takes {size} bytes"
                )));
            }
            let mut body = Vec::new();
            item.read_to_end(&mut body)
                .map_err(|error| broken(path, tidied(error)))?;
            said.hear(kind, &body)
                .map_err(|error| broken(path, error))?;
            continue;
        }
        count += 1;
        if count > MAX_ENTRIES {
            return Err(ToolError::failed(format!(
                "`{path}` has more than {MAX_ENTRIES} entries"
            )));
        }
        said.check(item.header())
            .map_err(|why| ToolError::failed(format!("`{path}` is broken: {why}")))?;
        let entry = said.entry(item.header());
        said = Said::default();
        let has_contents = entry.kind == Kind::File && entry.problem.is_none();
        let next = if has_contents {
            visit(
                &entry,
                Some(&mut Whole::new(&mut item, entry.size.unwrap_or_default())),
            )?
        } else {
            visit(&entry, None)?
        };
        if next == Next::Stop {
            return Ok(());
        }
    }
    // Behind the end of the tar is what it is packed with: its checksum.
    let mut rest = archive.into_inner().take(MAX_PADDING);
    io::copy(&mut rest, &mut io::sink()).map_err(|error| broken(path, error))?;
    Ok(())
}

/// Shows the one file of something that is packed and no archive.
///
/// # Errors
/// As [`visit`].
pub fn visit_single(
    path: &str,
    name: String,
    mut reader: impl Read,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let entry = Entry {
        name,
        kind: Kind::File,
        size: None,
        packed: std::fs::metadata(path).ok().map(|metadata| metadata.len()),
        modified: None,
        target: None,
        problem: None,
    };
    visit(&entry, Some(&mut reader)).map(|_| ())
}

fn is_extension(kind: EntryType) -> bool {
    kind.is_pax_local_extensions() || kind.is_gnu_longname() || kind.is_gnu_longlink()
}

impl Said {
    /// Takes up what a header says of the entry behind it.
    fn hear(&mut self, kind: EntryType, body: &[u8]) -> io::Result<()> {
        let text = || body.strip_suffix(b"\0").unwrap_or(body).to_vec();
        if kind.is_gnu_longname() {
            self.path = Some(text());
        } else if kind.is_gnu_longlink() {
            self.target = Some(text());
        } else if kind.is_pax_local_extensions() {
            for extension in tar::PaxExtensions::new(body) {
                let extension = extension?;
                let value = extension.value_bytes();
                match extension.key_bytes() {
                    b"path" => self.path = Some(value.to_vec()),
                    b"linkpath" => self.target = Some(value.to_vec()),
                    b"size" => {
                        let size = std::str::from_utf8(value).ok();
                        // One that is no number is not the size of the header.
                        self.size =
                            Some(size.and_then(|size| size.parse().ok()).unwrap_or(u64::MAX));
                    }
                    key if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Makes sure that every reader finds the same headers. Where two sizes differ, some find others in what is contents to the rest.
    fn check(&self, header: &Header) -> Result<(), &'static str> {
        let size = header
            .entry_size()
            .map_err(|_| "the size of an entry is no number")?;
        if self.size.is_some_and(|said| said != size) {
            return Err("two headers give an entry different sizes");
        }
        if header.as_gnu().is_some_and(tar::GnuHeader::is_extended)
            && header.entry_type().is_gnu_sparse()
        {
            return Err("it has a sparse file in many pieces, which is not known here");
        }
        Ok(())
    }

    fn entry(&self, header: &Header) -> Entry {
        let raw = self
            .path
            .clone()
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let name = name::text(&raw);
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous if raw.ends_with(b"/") => Kind::Folder,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink => Kind::Link,
            EntryType::Link => Kind::HardLink,
            _ => Kind::Special,
        };
        let target = self
            .target
            .clone()
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        let size = header.entry_size().unwrap_or_default();
        let is_sparse = self.is_sparse || header.entry_type().is_gnu_sparse();
        let problem = is_sparse.then(|| "it is a sparse file, which is not known here".to_owned());
        Entry {
            name,
            kind,
            size: Some(size),
            packed: None,
            modified: header.mtime().ok().and_then(time),
            target: target
                .filter(|_| matches!(kind, Kind::Link | Kind::HardLink))
                .map(|target| name::text(&target)),
            problem,
        }
    }
}

/// The contents of an entry, which have to be there to their end.
struct Whole<R> {
    inner: R,
    left: u64,
}

impl<R> Whole<R> {
    fn new(inner: R, size: u64) -> Self {
        Self { inner, left: size }
    }
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

/// An error of the library, without its own words around the cause.
fn tidied(error: io::Error) -> io::Error {
    let Some(cause) = error.get_ref().and_then(std::error::Error::source) else {
        return error;
    };
    match cause.downcast_ref::<io::Error>() {
        Some(cause) => match crate::caps::Exceeded::of(cause) {
            Some(exceeded) => io::Error::other(exceeded),
            None => io::Error::new(cause.kind(), cause.to_string()),
        },
        None => error,
    }
}

/// Seconds since 1970, as far as they can be written down.
fn time(seconds: u64) -> Option<String> {
    const YEAR_10000: u64 = 253_402_300_800;
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    (seconds < YEAR_10000)
        .then(|| tree::rfc3339(time))
        .flatten()
}
