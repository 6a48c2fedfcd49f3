//! A connection for one call: with caps, with a deadline, and to nothing but what was named.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use toolhatch_plugin::{Call, Context as _, Result, ToolError};

use crate::gate;
use crate::load;
use crate::source::Source;
use crate::writing::Writing;

/// How much memory SQLite may take, in bytes.
const MAX_MEMORY: i64 = 160 << 20;
/// The longest text or blob, in bytes.
const MAX_VALUE: i32 = 16 << 20;
/// How long a statement may take where the call has no deadline.
const MAX_TIME: Duration = Duration::from_secs(30);
/// What is left of the time of a call for telling that it is over.
const MARGIN: Duration = Duration::from_millis(300);
/// How many steps of its machine SQLite takes between two looks at the clock.
const STEPS: i32 = 20_000;
/// How every SQLite database begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What a call works with.
pub struct Session {
    pub connection: Connection,
    /// Keeps others of these calls from writing; nothing where nothing is written.
    pub writing: Option<Writing>,
    /// What whoever reads the result should know.
    pub note: Option<String>,
}

/// Opens what was named, and loads its files.
///
/// # Errors
/// `not-found`, `not-permitted`; `invalid-arguments` where nothing was named; `failed` for what is no database, or broken.
pub fn open(source: &Source, may_write: bool, call: &Call) -> Result<Session> {
    seed();
    let deadline = deadline(call);
    let mut note = None;
    let mut writing = None;
    let connection = match &source.database {
        Some(path) => {
            let is_wal = look(path)?;
            if may_write {
                if is_wal {
                    return Err(ToolError::failed(format!(
                        "`{path}` is in WAL mode, which takes memory shared between programs: it cannot be written from here; \
                         `PRAGMA journal_mode=DELETE` in another program changes that"
                    )));
                }
                writing = Some(Writing::begin(path)?);
            } else if is_wal {
                note = beside(path)?;
            }
            open_file(path, may_write, is_wal)?
        }
        None if source.tables.is_empty() => {
            return Err(ToolError::invalid_arguments(
                "name a `database`, or files in `tables`",
            ));
        }
        None if may_write => {
            return Err(ToolError::invalid_arguments(
                "there is no `database` to write to: files in `tables` are only read",
            ));
        }
        None => Connection::open_in_memory().map_err(|error| explain(&error, "memory"))?,
    };
    let mut session = Session {
        connection,
        writing,
        note,
    };
    session
        .restrict(deadline)
        .map_err(|error| explain(&error, source.name()))?;
    load::tables(&session.connection, &source.tables)?;
    if may_write {
        session
            .connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| explain(&error, source.name()))?;
    }
    session
        .connection
        .authorizer(Some(move |context: AuthContext<'_>| {
            gate::decide(&context, may_write)
        }))
        .map_err(|error| explain(&error, source.name()))?;
    Ok(session)
}

impl Source {
    /// What it is called in messages.
    pub fn name(&self) -> &str {
        self.database.as_deref().unwrap_or("the tables")
    }
}

impl Session {
    /// Makes what was written last.
    ///
    /// # Errors
    /// `failed` where it cannot be, with nothing changed.
    pub fn commit(mut self, name: &str) -> Result<()> {
        let failed = |error: rusqlite::Error| explain(&error, name);
        if self.connection.is_autocommit() {
            return Err(ToolError::failed(
                "the transaction was rolled back by a statement, so nothing was changed",
            ));
        }
        let nobody: Option<fn(AuthContext<'_>) -> Authorization> = None;
        self.connection.authorizer(nobody).map_err(failed)?;
        self.connection.execute_batch("COMMIT").map_err(failed)?;
        self.connection
            .close()
            .map_err(|(_, error)| failed(error))?;
        drop(self.writing);
        Ok(())
    }

    fn restrict(&mut self, deadline: Instant) -> rusqlite::Result<()> {
        let connection = &mut self.connection;
        connection.progress_handler(STEPS, Some(move || Instant::now() >= deadline))?;
        // The database is somebody else's: its views and triggers are not trusted, and its structure is not changed by hand.
        for (option, value) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
            // A misspelt column in quotation marks is an error, and not a text.
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        ] {
            connection.set_db_config(option, value)?;
        }
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 256 << 10),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 5000),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 50),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
        ] {
            connection.set_limit(limit, value)?;
        }
        connection.execute_batch(&format!(
            "PRAGMA hard_heap_limit={MAX_MEMORY}; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
        ))
    }
}

/// Gives SQLite its random numbers. It would look for them in a device, which the host denies, and people would be asked for it.
fn seed() {
    let random = RandomState::new().build_hasher().finish();
    #[expect(
        unsafe_code,
        reason = "there is no other way in; it takes two numbers and no connection, and one thread calls it"
    )]
    unsafe {
        ffi::sqlite3_test_control(
            ffi::SQLITE_TESTCTRL_PRNG_SEED,
            // None would mean the device again.
            random as std::ffi::c_int | 1,
            std::ptr::null_mut::<ffi::sqlite3>(),
        );
    }
}

/// When a statement is interrupted.
fn deadline(call: &Call) -> Instant {
    let time = call
        .deadline()
        .map_or(MAX_TIME, |time| time.saturating_sub(MARGIN).max(time / 2));
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now + MAX_TIME)
}

/// Looks whether a file is a database, before SQLite does: it would take an empty one for one. Tells whether it is in WAL mode.
fn look(path: &str) -> Result<bool> {
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
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(100).read_to_end(&mut start))
        .with_context(doing)?;
    if !start.starts_with(MAGIC) {
        return Err(ToolError::failed(format!(
            "`{path}` is no SQLite database; a file of rows is loaded with `tables`"
        )));
    }
    Ok(start.get(18).is_some_and(|version| *version == 2))
}

/// What lies beside a database in WAL mode. Its latest changes are in another file, which cannot be read from here.
fn beside(path: &str) -> Result<Option<String>> {
    let log = format!("{path}-wal");
    match fs::metadata(&log) {
        Ok(metadata) if metadata.len() > 0 => Err(ToolError::failed(format!(
            "the latest changes of `{path}` are in `{log}`, which cannot be read from here; `PRAGMA wal_checkpoint(TRUNCATE)` \
             in another program brings them back"
        ))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Ok(Some(format!(
            "the database is in WAL mode, and it was not permitted to look for `{log}`: the latest changes may be missing"
        ))),
    }
}

fn open_file(path: &str, may_write: bool, is_wal: bool) -> Result<Connection> {
    let access = if may_write {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let mut uri = String::from("file:");
    for byte in Path::new(path).as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    // There are no locks in WASI.
    uri.push_str("?vfs=unix-none");
    if is_wal {
        // Without the memory that is shared with writers it can only be read as it is.
        uri.push_str("&immutable=1");
    }
    let connection =
        Connection::open_with_flags(uri, flags).map_err(|error| explain(&error, path))?;
    Ok(connection)
}

/// An error of SQLite, for whoever wrote the statement.
pub fn explain(error: &rusqlite::Error, name: &str) -> ToolError {
    let message = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError {
            msg, sql, offset, ..
        } => {
            let at = usize::try_from(*offset)
                .ok()
                .and_then(|offset| sql.get(offset..));
            match at.filter(|rest| !rest.is_empty()) {
                Some(rest) => format!("{msg}, at `{}`", rest.chars().take(40).collect::<String>()),
                None => msg.clone(),
            }
        }
        other => other.to_string(),
    };
    // SQLite has no code of its own for functions that are refused.
    let is_refused = message.starts_with("not authorized");
    let code = match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        other => other.sqlite_error_code(),
    };
    match code {
        Some(ErrorCode::OperationInterrupted) => {
            ToolError::failed("the statement took too long, and was interrupted")
        }
        Some(ErrorCode::OutOfMemory) => ToolError::failed(format!(
            "the statement needs more than {} MiB of memory",
            MAX_MEMORY >> 20
        )),
        Some(ErrorCode::NotADatabase) => {
            ToolError::failed(format!("`{name}` is no SQLite database, or encrypted"))
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            ToolError::failed(format!("`{name}` is damaged: {message}"))
        }
        Some(code) if is_refused || code == ErrorCode::AuthorizationForStatementDenied => {
            ToolError::failed(format!(
                "{message}: a statement reads, or with `write` changes, the tables of its database, and nothing else"
            ))
        }
        Some(ErrorCode::ReadOnly) => ToolError::failed(format!(
            "`{name}` cannot be written ({message}); where nobody writes to it now, another program was interrupted at it and \
             has to open it first"
        )),
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied) => {
            ToolError::not_permitted(format!(
                "SQLite cannot work with `{name}` ({message}): to write it keeps a journal beside it, so it takes the grant of the \
             folder"
            ))
        }
        Some(ErrorCode::DiskFull) => {
            ToolError::failed(format!("there is no room to write `{name}`"))
        }
        Some(ErrorCode::ConstraintViolation) => ToolError::failed(message),
        _ => ToolError::invalid_arguments(message),
    }
}
