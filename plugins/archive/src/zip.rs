//! Zip archives. What counts is the central directory; where a local header says something else, the entry is not read.

use std::fs::File;
use std::io::{self, Read};

use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, RECOMMENDED_BUFFER_SIZE, ZipArchive,
    ZipArchiveEntryWayfinder,
};
use toolhatch_plugin::{Result, ToolError};

use crate::caps::{Counted, Proportioned};
use crate::entry::{Entry, Kind, Next, Visit};
use crate::name;
use crate::open::{MAX_ENTRIES, broken};

/// Where a Unix mode has the kind of a file.
const MODE_KIND: u32 = 0o170_000;

/// An entry of the central directory.
struct Record {
    entry: Entry,
    /// Its name as it was written, to compare it with the local header.
    raw_name: Vec<u8>,
    method: CompressionMethod,
    place: ZipArchiveEntryWayfinder,
    /// Where its local header begins.
    start: u64,
}

/// Shows the entries of a zip archive, in the order of its directory.
///
/// # Errors
/// See [`crate::open::Archive::visit`].
pub fn visit(path: &str, file: File, visit: &mut Visit<'_>) -> Result<()> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE.max(MAX_CENTRAL_DIRECTORY_RECORD_SIZE)];
    let archive =
        ZipArchive::from_file(file, &mut buffer).map_err(|error| broken(path, explained(error)))?;
    let mut records = records(path, &archive, &mut buffer)?;
    mark_overlaps(&archive, &mut records, &mut buffer);
    for record in &records {
        let next = match contents(&archive, record) {
            Some(mut contents) => visit(&record.entry, Some(&mut contents))?,
            None => visit(&record.entry, None)?,
        };
        if next == Next::Stop {
            break;
        }
    }
    Ok(())
}

fn records<R: rawzip::ReaderAt>(
    path: &str,
    archive: &ZipArchive<R>,
    buffer: &mut [u8],
) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let hint = archive.entries_hint();
    let mut entries = archive.entries(buffer);
    while let Some(header) = entries
        .next_entry()
        .map_err(|error| broken(path, explained(error)))?
    {
        if records.len() == MAX_ENTRIES {
            return Err(ToolError::failed(format!(
                "`{path}` has more than {MAX_ENTRIES} entries"
            )));
        }
        let raw_name = header.file_path().as_bytes().to_vec();
        let name = name::text(&raw_name);
        let mode = header.mode();
        let kind = match mode.value() & MODE_KIND {
            _ if header.is_dir() => Kind::Folder,
            0o100_000 | 0 => Kind::File,
            0o040_000 => Kind::Folder,
            0o120_000 => Kind::Link,
            _ => Kind::Special,
        };
        let method = header.compression_method();
        let is_known = [CompressionMethod::STORE, CompressionMethod::DEFLATE].contains(&method);
        let problem = if header.flags().is_encrypted() {
            Some("it is encrypted".to_owned())
        } else if !is_known {
            let name = method
                .name()
                .map_or_else(|| method.as_u16().to_string(), str::to_owned);
            Some(format!("it is packed with {name}, which is not known here"))
        } else {
            None
        };
        records.push(Record {
            entry: Entry {
                name,
                kind,
                size: Some(header.uncompressed_size_hint()),
                packed: Some(header.compressed_size_hint()),
                modified: Some(header.last_modified().to_string()),
                target: None,
                problem,
            },
            raw_name,
            method,
            place: header.wayfinder(),
            start: header.local_header_offset(),
        });
    }
    // The hint has only 16 bits in archives that are not of the 64-bit kind.
    if hint != records.len() as u64 && hint != (records.len() as u64 & 0xffff) {
        return Err(ToolError::failed(format!(
            "`{path}` is broken: it says that it has {hint} entries, and has {}",
            records.len()
        )));
    }
    Ok(records)
}

/// Entries that share bytes unpack to more than an archive of that size could have: nobody makes them by accident.
fn mark_overlaps<R: rawzip::ReaderAt>(
    archive: &ZipArchive<R>,
    records: &mut [Record],
    buffer: &mut [u8],
) {
    let mut ranges = Vec::with_capacity(records.len());
    let end = archive.directory_offset();
    for (index, record) in records.iter_mut().enumerate() {
        let problem = match archive.get_entry(record.place) {
            Err(error) => Some(format!("its header is broken: {}", explained(error))),
            Ok(entry) => {
                let (_, behind) = entry.compressed_data_range();
                ranges.push((record.start, behind, index));
                match entry.local_header(buffer) {
                    Err(error) => Some(format!("its header is broken: {}", explained(error))),
                    Ok(local) if local.file_path().as_bytes() != record.raw_name => {
                        Some("its two headers name it differently".to_owned())
                    }
                    Ok(_) if behind > end => {
                        Some("it reaches into the directory of the archive".to_owned())
                    }
                    Ok(_) => None,
                }
            }
        };
        if record.entry.problem.is_none() {
            record.entry.problem = problem;
        }
    }
    ranges.sort_unstable();
    let mut reached = (0, None);
    for (start, behind, index) in ranges {
        if start < reached.0 {
            for index in [Some(index), reached.1].into_iter().flatten() {
                if let Some(record) = records.get_mut(index) {
                    let problem = || "it shares its bytes with another entry".to_owned();
                    record.entry.problem.get_or_insert_with(problem);
                }
            }
        }
        if behind > reached.0 {
            reached = (behind, Some(index));
        }
    }
}

/// What is in a file that has no problem. It ends in an error where its size or checksum is another one than promised.
fn contents<'a, R: rawzip::ReaderAt>(
    archive: &'a ZipArchive<R>,
    record: &Record,
) -> Option<Box<dyn Read + 'a>> {
    if record.entry.kind != Kind::File || record.entry.problem.is_some() {
        return None;
    }
    let entry = archive.get_entry(record.place).ok()?;
    let (packed, count) = Counted::new(entry.reader());
    let unpacked: Box<dyn Read> = match record.method {
        CompressionMethod::STORE => Box::new(packed),
        _ => Box::new(Proportioned::new(DeflateDecoder::new(packed), count)),
    };
    Some(Box::new(Verified(entry.verifying_reader(unpacked))))
}

/// Says what is wrong in the words of here.
struct Verified<R>(R);

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            let found = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rawzip::Error>())
                .map(|error| describe(error.kind()));
            match found {
                Some(why) => io::Error::new(io::ErrorKind::InvalidData, why),
                None => error,
            }
        })
    }
}

fn explained(error: rawzip::Error) -> io::Error {
    let why = describe(error.kind());
    match error.into_kind() {
        rawzip::ErrorKind::IO(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidData, why),
    }
}

fn describe(kind: &rawzip::ErrorKind) -> String {
    match kind {
        rawzip::ErrorKind::MissingEndOfCentralDirectory => {
            "its directory is missing: it may be cut off".to_owned()
        }
        rawzip::ErrorKind::InvalidSignature { .. } => {
            "a header is not where it should be".to_owned()
        }
        rawzip::ErrorKind::InvalidChecksum { .. } => "its checksum is another one".to_owned(),
        rawzip::ErrorKind::InvalidSize { expected, .. } => {
            format!("it does not have the {expected} bytes that it says")
        }
        rawzip::ErrorKind::InvalidEndOfCentralDirectory => {
            "its directory makes no sense".to_owned()
        }
        rawzip::ErrorKind::Eof => "it ends too early".to_owned(),
        rawzip::ErrorKind::InvalidInput { msg } => msg.clone(),
        rawzip::ErrorKind::IO(error) => error.to_string(),
        _ => "it cannot be read".to_owned(),
    }
}
