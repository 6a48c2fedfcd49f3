//! One writer at a time. WASI has no locks for files, so calls of this plugin keep each other out with a file of their own.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use toolhatch_plugin::{Context as _, Result, ToolError};

/// No call takes so long: whoever left it there is gone.
const ABANDONED: Duration = Duration::from_secs(10 * 60);

/// Holds others off until it is dropped.
#[derive(Debug)]
pub struct Writing {
    path: PathBuf,
}

impl Writing {
    /// Takes the turn at a database.
    ///
    /// # Errors
    /// `retryable` where another call writes to it; `not-permitted` where nothing may be written beside it.
    pub fn begin(database: &str) -> Result<Self> {
        let path = PathBuf::from(format!("{database}-writing"));
        let doing = || format!("cannot write beside `{database}`, where SQLite keeps a journal");
        for _ in 0..2 {
            match File::create_new(&path) {
                Ok(_) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let age = fs::metadata(&path)
                        .and_then(|metadata| metadata.modified())
                        .ok();
                    let age = age
                        .and_then(|modified| modified.elapsed().ok())
                        .unwrap_or_default();
                    if age < ABANDONED {
                        return Err(ToolError::retryable(
                            format!(
                                "another call is writing to `{database}`; if it was killed, delete `{}`",
                                path.display()
                            ),
                            Duration::from_secs(1),
                        ));
                    }
                    fs::remove_file(&path).with_context(doing)?;
                }
                Err(error) => return Err(error).with_context(doing),
            }
        }
        Err(ToolError::retryable(
            format!("another call is writing to `{database}`"),
            Duration::from_secs(1),
        ))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // One that stays is found to be abandoned.
        let _ = fs::remove_file(&self.path);
    }
}
