//! `toolhatch audit`: what calls did, and whether the record of it is whole.

pub(in crate::cli) mod deliver;
pub(super) mod query;
mod story;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::block_on_here;
use super::output::{CommandOutput, Printer};
use super::text::section;
use crate::app::App;
use crate::audit::{
    self, EventType, Fault, Head, Position, Proof, PublicKey, Record, Report, check_proof,
};
use crate::error::{Code, Error, Result};
use crate::fsx;

/// The largest proof that is read.
const MAX_PROOF: u64 = 64 << 20;

/// Show what calls did, and check that the record of it is whole.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch audit verify
  toolhatch audit query --tool files.read --outcome error --since 2h
  toolhatch audit why 01K9XJ5C8TA0F9W2V7SZ7T3QKM
  toolhatch audit tail -f
  toolhatch audit deliver
  toolhatch audit prove 01K9XJ5C8TA0F9W2V7SZ7T3QKM > proof.json")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check that no record was edited, deleted, put in, moved or cut off.
    Verify(Verify),
    /// List records.
    Query(query::Args),
    /// Print the newest records, and with -f those that come.
    Tail {
        /// Go on and print records as they are written.
        #[arg(short, long)]
        follow: bool,
        /// How many records to begin with.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
    },
    /// Print every record as it stands in the log, one a line.
    Export,
    /// Print a proof that a call or a record is in the log, which anybody can check who has the public key.
    Prove {
        /// The id of a call or of a record.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Check a proof.
    CheckProof {
        /// The proof.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The public key, in hex; this machine's where it is left out.
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
    },
    /// Deliver what waits for the webhook, now.
    Deliver,
    /// Tell the whole story of one call.
    Why {
        /// The id of the call.
        #[arg(value_name = "CALL-ID")]
        call: String,
    },
}

/// Check that no record was edited, deleted, put in, moved or cut off.
#[derive(Debug, clap::Args)]
struct Verify {
    /// The folder of the log; this machine's where it is left out.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// How far the log must have come at least, as `SEQ:HASH`; what this machine remembers where it is left out.
    #[arg(long, value_name = "SEQ:HASH")]
    head: Option<String>,
    /// The public key that must have signed it, in hex; this machine's where it is left out.
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        let folder = app.audit_folder();
        match self.command {
            Command::Verify(verify) => block_on_here(verify.run(app)),
            Command::Deliver => block_on_here(deliver::run(app)),
            Command::Query(args) => args.run(app, printer),
            Command::Tail { follow, lines } => tail(&folder, printer, lines, follow),
            Command::Export => export(&folder, printer),
            Command::Prove { id } => {
                let proof = audit::prove(&folder, &id)?;
                let json = serde_json::to_value(&proof).unwrap_or_default();
                Ok(CommandOutput::new(json.to_string(), json))
            }
            Command::CheckProof { file, key } => check(app, &file, key.as_deref()),
            Command::Why { call } => story::tell(app, printer, &call),
        }
    }
}

fn key(app: &App, text: Option<&str>) -> Result<PublicKey> {
    match text {
        Some(text) => text
            .parse()
            .map_err(|error| Error::new(Code::E3004, "reading `--key`").caused_by(error)),
        None => PublicKey::read(&app.keys_folder()),
    }
}

impl Verify {
    async fn run(self, app: &App) -> Result<CommandOutput> {
        let own = self.folder.is_none();
        let folder = self.folder.unwrap_or_else(|| app.audit_folder());
        let key = match (&self.key, own) {
            (None, false) => None,
            (text, _) => Some(key(app, text.as_deref())?),
        };
        let given: Option<Head> = self
            .head
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error| Error::new(Code::E3004, "reading `--head`").caused_by(error))?;
        let remembered = if own && given.is_none() {
            app.registry().await?.store().heads().await?
        } else {
            Vec::new()
        };
        let newest = remembered.first().cloned();
        let head = match (&given, &newest) {
            (Some(head), _) => Some(*head),
            (None, Some(row)) => Some(format!("{}:{}", row.seq, row.hash).parse().map_err(
                |error| Error::new(Code::E3109, "reading the head that was kept").caused_by(error),
            )?),
            (None, None) => None,
        };
        let report = match audit::verify(&folder, key.as_ref(), head) {
            Ok(report) => report,
            Err(fault) => return Ok(broken(&folder, fault)),
        };
        // A log that was taken away whole is followed by another one.
        if let Some(row) = remembered.iter().find(|row| row.log != report.log) {
            return Err(Error::new(
                Code::E3109,
                format!(
                    "verifying the audit log: the log {} with {} records is gone, and the log {} stands in its place",
                    row.log, row.seq, report.log
                ),
            )
            .hint("Look for a copy of the folder. If it was moved away on purpose, verify it where it is with `--folder`."));
        }
        Ok(whole(&folder, &report))
    }
}

fn whole(folder: &Path, report: &Report) -> CommandOutput {
    let protected = if report.is_head_confirmed {
        "the head that was kept confirms it"
    } else {
        "no head was kept that confirms its end"
    };
    let lines = [
        format!("records      {}", report.records),
        format!("files        {}", report.files),
        format!("from, to     {}  {}", report.first_time, report.last_time),
        format!("checkpoints  {}", report.checkpoints),
        format!(
            "after the last checkpoint  {}: {protected}",
            report.unsigned
        ),
        format!("recoveries   {}", report.recoveries),
        format!("head         {}", report.head),
        format!("key          {}", report.key.id()),
    ];
    let text = format!(
        "The audit log in {} is whole.\n{}",
        folder.display(),
        section("It has", &lines)
    );
    let json = json!({
        "whole": true,
        "log": report.log,
        "records": report.records,
        "files": report.files,
        "first_file": report.first_file,
        "first_time": report.first_time,
        "last_time": report.last_time,
        "checkpoints": report.checkpoints,
        "unsigned": report.unsigned,
        "recoveries": report.recoveries,
        "head": report.head.to_string(),
        "key": report.key.id(),
        "key_trusted": report.is_key_trusted,
        "head_confirmed": report.is_head_confirmed,
    });
    CommandOutput::new(text, json)
}

/// A log that is not whole is what was looked for, so it is an answer, with an exit code that says so.
fn broken(folder: &Path, fault: Fault) -> CommandOutput {
    let text = format!(
        "The audit log in {} is NOT whole.\n\n{fault}",
        folder.display()
    );
    let json = json!({
        "whole": false,
        "fault": fault.kind.name(),
        "file": fault.file,
        "line": fault.line,
        "seq": fault.seq,
        "id": fault.id,
        "message": fault.to_string(),
    });
    let error = Error::from(fault);
    CommandOutput {
        exit: error.exit(),
        ..CommandOutput::new(text, json)
    }
}

fn check(app: &App, file: &Path, text: Option<&str>) -> Result<CommandOutput> {
    let proof: Proof =
        serde_json::from_str(&fsx::read_text(file, MAX_PROOF)?).map_err(|error| {
            Error::new(Code::E3004, format!("{} is no proof", file.display())).caused_by(error)
        })?;
    let proven = check_proof(&proof, &key(app, text)?)?;
    let lines: Vec<String> = proven.records.iter().map(query::line).collect();
    let text = format!(
        "Proved: these records were in the log {} when it was signed at {}.\n{}",
        proven.log,
        proven.signed_at,
        section("Records", &lines)
    );
    let records: Value = proven.records.iter().map(query::to_json).collect();
    let json = json!({
        "proved": true,
        "log": proven.log,
        "signed_at": proven.signed_at,
        "gapless": proven.is_gapless,
        "records": records,
    });
    Ok(CommandOutput::new(text, json))
}

/// Every line, as it is: whoever takes it elsewhere can verify it there.
fn export(folder: &Path, printer: &Printer) -> Result<CommandOutput> {
    for record in audit::scan(folder, Position::START) {
        let (position, _) = record?;
        printer.text(&String::from_utf8_lossy(&audit::read_at(folder, position)?));
        if printer.is_broken() {
            break;
        }
    }
    Ok(CommandOutput::nothing())
}

fn tail(folder: &Path, printer: &Printer, lines: usize, follow: bool) -> Result<CommandOutput> {
    /// How often a log that is followed is looked at.
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

    let mut newest: std::collections::VecDeque<Record> = std::collections::VecDeque::new();
    let mut records = audit::scan(folder, Position::START);
    for record in records.by_ref() {
        let (_, record) = record?;
        if is_of_the_log(&record) {
            continue;
        }
        newest.push_back(record);
        if newest.len() > lines {
            newest.pop_front();
        }
    }
    let show = |record: &Record| {
        if printer.is_json() {
            printer.json_line(&query::to_json(record));
        } else {
            printer.text(&query::line(record));
        }
    };
    newest.iter().for_each(show);
    while follow && !printer.is_broken() {
        std::thread::sleep(PAUSE);
        for record in records.by_ref() {
            let (_, record) = record?;
            if !is_of_the_log(&record) {
                show(&record);
            }
        }
    }
    Ok(CommandOutput::nothing())
}

/// Records that only hold the log together are of no interest to people.
fn is_of_the_log(record: &Record) -> bool {
    EventType::from_name(&record.kind).is_some_and(EventType::is_of_the_log)
}

/// The whole story of one call.
///
/// # Errors
/// E3101 where the log has no such call.
pub(super) fn why(app: &App, printer: &Printer, call: &str) -> Result<CommandOutput> {
    story::tell(app, printer, call)
}
