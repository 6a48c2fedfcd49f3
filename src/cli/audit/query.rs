//! `toolhatch audit query`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::app::{App, RecordFilter};
use crate::audit::{EventType, Record};
use crate::cli::history::history;
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::table::{Fit, table};
use crate::cli::text::{field, moment};
use crate::error::{Code, Error, Result};
use crate::manifest::HumanDuration;

/// List records, the newest last.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Only of this call.
    #[arg(long, value_name = "CALL-ID")]
    call: Option<String>,
    /// Only of this tool: its id, or the beginning of it before a `*`.
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// Only of this plugin.
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only of this type, such as execution_end or permission_denied.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only ends of calls with this outcome: ok, error or abandoned.
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Only those with this error code.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only what policy decided so: allow, approval or deny.
    #[arg(long, value_name = "DECISION")]
    decision: Option<String>,
    /// Only in this session.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only since then: a duration such as 2h, or a time such as 2026-11-21T10:00:00Z.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only until then.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// At most this many, the newest.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &App, printer: &Printer) -> Result<CommandOutput> {
        if let Some(kind) = &self.kind
            && EventType::from_name(kind).is_none()
        {
            let names: Vec<&str> = EventType::ALL.iter().map(|kind| kind.name()).collect();
            return Err(Error::new(
                Code::E3004,
                format!("there are no records of the type {kind:?}"),
            )
            .hint(format!("There are: {}.", names.join(", "))));
        }
        let filter = RecordFilter {
            call: self.call,
            tool: self.tool,
            plugin: self.plugin,
            kind: self.kind,
            outcome: self.outcome,
            code: self.code,
            decision: self.decision,
            session: self.session,
            since: self.since.as_deref().map(instant).transpose()?,
            until: self.until.as_deref().map(instant).transpose()?,
            limit: self.limit,
        };
        let found = history(app, printer, async |history| history.query(&filter).await)?;
        let text = if found.is_empty() {
            "No record fits.".to_owned()
        } else {
            let rows = found.iter().map(|record| {
                vec![
                    short_time(&record.time),
                    record.kind.clone(),
                    record
                        .subject
                        .clone()
                        .or_else(|| record.plugin.clone())
                        .unwrap_or_default(),
                    record.call.clone().unwrap_or_default(),
                    gist(record),
                ]
            });
            table(&["TIME", "TYPE", "TOOL", "CALL", "WHAT"], 4, Fit::Cut, rows)
        };
        let records: Value = found.iter().map(to_json).collect();
        Ok(CommandOutput::new(text, json!({"records": records})))
    }
}

/// A moment in the form of the log, from a duration before now or a time.
pub(in crate::cli) fn instant(text: &str) -> Result<String> {
    if let Ok(HumanDuration(before)) = text.parse::<HumanDuration>() {
        let then = SystemTime::now().checked_sub(before).unwrap_or(UNIX_EPOCH);
        let since: Duration = then.duration_since(UNIX_EPOCH).unwrap_or_default();
        let ms = i64::try_from(since.as_millis()).unwrap_or_default();
        let seconds = ms.div_euclid(1000).rem_euclid(60);
        return Ok(format!(
            "{}:{seconds:02}.{:03}000Z",
            moment(ms).replace(' ', "T"),
            ms.rem_euclid(1000)
        ));
    }
    let looks_right = text.len() >= 10
        && text.bytes().take(4).all(|byte| byte.is_ascii_digit())
        && text.as_bytes().get(4) == Some(&b'-');
    if looks_right {
        return Ok(text.to_owned());
    }
    Err(Error::new(
        Code::E3004,
        format!("{text:?} is neither a duration nor a time"),
    )
    .hint("Write 30m, 2h, or a time such as 2026-11-21T10:00:00Z."))
}

fn short_time(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}

/// A record in one line.
pub(super) fn line(record: &Record) -> String {
    let about = record.subject.as_deref().or(record.plugin.as_deref());
    format!(
        "{} {} {} {}",
        short_time(&record.time),
        record.kind,
        about.unwrap_or("-"),
        gist(record)
    )
}

/// What a record says, in few words.
fn gist(record: &Record) -> String {
    let data = record.data_value();
    let text = |key: &str| field(&data, key).as_str().unwrap_or_default().to_owned();
    let number = |key: &str| field(&data, key).to_string();
    match EventType::from_name(&record.kind) {
        Some(EventType::ExecutionEnd) => match field(&data, "code").as_str() {
            Some(code) => format!(
                "{} {code} after {} ms",
                text("outcome"),
                number("duration_ms")
            ),
            None => format!("{} after {} ms", text("outcome"), number("duration_ms")),
        },
        Some(EventType::ErrorOccurred) => format!("{} {}", text("code"), text("message")),
        Some(EventType::PermissionDenied | EventType::PolicyError) => text("message"),
        Some(EventType::PermissionDecided) => {
            let scopes: Vec<&str> = field(&data, "effective")
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let policy = field(field(&data, "policy"), "outcome")
                .as_str()
                .unwrap_or("no policy");
            format!(
                "{policy}; may {}",
                if scopes.is_empty() {
                    "nothing".to_owned()
                } else {
                    scopes.join(", ")
                }
            )
        }
        Some(EventType::FileTouched) => format!("{} {}", text("access"), text("path")),
        Some(EventType::NetworkTouched) => {
            let url = text("url");
            if url.is_empty() {
                format!("{} {}{}", text("type"), text("address"), text("name"))
            } else {
                format!("{} {url}", text("method"))
            }
        }
        Some(EventType::StateTouched) => format!("{} {}", text("access"), text("key")),
        Some(EventType::ToolInvoked) => format!("{} in the call {}", text("tool"), text("call")),
        Some(EventType::OutputCaptured) => format!("{} bytes", number("bytes")),
        Some(EventType::ApprovalDecided | EventType::ApprovalRequested) => {
            format!("{} {} {}", text("approval"), text("decision"), text("by"))
        }
        Some(EventType::GrantGiven | EventType::GrantRevoked) => {
            format!("{} {}", text("grant"), text("how"))
        }
        Some(EventType::PluginInstalled | EventType::PluginStaged | EventType::PluginRemoved) => {
            text("version")
        }
        _ => String::new(),
    }
}

/// A record for programs.
pub(super) fn to_json(record: &Record) -> Value {
    json!({
        "id": record.id,
        "type": record.kind,
        "time": record.time,
        "seq": record.seq,
        "call": record.call,
        "tool": record.subject,
        "plugin": record.plugin,
        "digest": record.digest,
        "principal": record.principal,
        "agent": record.agent,
        "session": record.session,
        "masked": record.masked,
        "data": record.data_value(),
    })
}
