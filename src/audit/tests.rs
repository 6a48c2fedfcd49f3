mod attacks;
mod following;
mod proofs;
mod trouble;
mod writing;

use std::path::{Path, PathBuf};

use super::*;

/// A `TOOLHATCH_HOME` with a log.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("audit")
    }

    fn keys(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    fn open(&self, options: Options) -> AuditLog {
        self.try_open(options).expect("the log opens")
    }

    fn try_open(&self, options: Options) -> crate::error::Result<AuditLog> {
        AuditLog::open(&self.folder(), &self.keys(), options, Outlets::default())
    }

    fn key(&self) -> PublicKey {
        PublicKey::read(&self.keys()).expect("there is a key")
    }

    fn verify(&self) -> Result<Report, Fault> {
        verify(&self.folder(), Some(&self.key()), None)
    }

    fn records(&self) -> Vec<Record> {
        scan(&self.folder(), Position::START)
            .map(|found| found.expect("a record").1)
            .collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.records()
            .into_iter()
            .map(|record| record.kind)
            .collect()
    }
}

/// Files of a few records each.
fn small_files() -> Options {
    Options {
        max_file_bytes: 4000,
        ..Options::default()
    }
}

fn event(number: usize) -> Event {
    Event::new(EventType::ExecutionStart)
        .subject("files.search")
        .with("number", number)
}

/// The lines of a file, each with its line end.
fn lines_of(folder: &Path, number: u32) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(file_name(number))).expect("a file");
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).expect("made");
    file.write_all(bytes.as_ref()).expect("written");
}
