//! `toolhatch calls`: the calls there were, and what they cost.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::audit::query::instant;
use super::history::history;
use super::output::{CommandOutput, Printer};
use super::table::{Fit, table};
use super::text::size;
use crate::app::{App, CallFilter, ToolCost};
use crate::error::Result;
use crate::store::{CallRow, CallUsage};

/// Show the calls there were, from the audit log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch calls list
  toolhatch calls list --tool files.read --limit 5 --json
  toolhatch calls list --since 24h --summary
  toolhatch calls show 01K9XJ5C8TA0F9W2V7SZ7T3QKM")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List calls, the newest first.
    List(List),
    /// Tell the whole story of one call, as `audit why` does.
    Show {
        /// The id of the call.
        #[arg(value_name = "CALL-ID")]
        call: String,
    },
}

/// List calls, the newest first.
#[derive(Debug, clap::Args)]
struct List {
    /// Only of this tool.
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// Only of this plugin.
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only in this session.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only those that began since then: a duration such as 2h, or a time such as 2026-11-21T10:00:00Z.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only those that failed.
    #[arg(long)]
    failed: bool,
    /// Add up what they cost, by tool, instead of listing them; all of them without `--limit`.
    #[arg(long)]
    summary: bool,
    /// At most this many, the newest; 50 where it is left out.
    #[arg(long)]
    limit: Option<usize>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        match self.command {
            Command::List(list) => list.run(app, printer),
            Command::Show { call } => super::audit::why(app, printer, &call),
        }
    }
}

impl List {
    fn run(self, app: &App, printer: &Printer) -> Result<CommandOutput> {
        /// How many are listed where nobody says how many.
        const LIMIT: usize = 50;

        let filter = CallFilter {
            tool: self.tool,
            plugin: self.plugin,
            session: self.session,
            since: self.since.as_deref().map(instant).transpose()?,
            failed: self.failed,
            limit: self.limit.or((!self.summary).then_some(LIMIT)),
        };
        if self.summary {
            let costs = history(app, printer, async |history| history.costs(&filter).await)?;
            return Ok(summary(&costs));
        }
        let calls = history(app, printer, async |history| history.calls(&filter).await)?;
        Ok(list(&calls))
    }
}

const NONE: &str = "There are no such calls.";

fn list(calls: &[CallRow]) -> CommandOutput {
    let text = if calls.is_empty() {
        NONE.to_owned()
    } else {
        let rows = calls.iter().map(|call| {
            let end = call.end.as_ref();
            vec![
                call.call.clone(),
                call.began.get(..19).unwrap_or_default().replace('T', " "),
                call.tool.clone(),
                end.and_then(|end| end.code.clone().or_else(|| end.outcome.clone()))
                    .unwrap_or_else(|| "no end".to_owned()),
                end.and_then(|end| end.duration_us)
                    .map_or_else(String::new, took),
                end.map_or(0, |end| end.denials).to_string(),
            ]
        });
        table(
            &["CALL", "BEGAN", "TOOL", "OUTCOME", "TOOK", "DENIALS"],
            6,
            Fit::Cut,
            rows,
        )
    };
    let list: Value = calls.iter().map(to_json).collect();
    CommandOutput::new(text, json!({"calls": list}))
}

/// A call for programs.
fn to_json(call: &CallRow) -> Value {
    let end = call.end.as_ref();
    json!({
        "call": call.call,
        "tool": call.tool,
        "plugin": call.plugin,
        "session": call.session,
        "began": call.began,
        "ended": end.map(|end| &end.ended),
        "principal": call.principal,
        "outcome": end.and_then(|end| end.outcome.as_ref()),
        "code": end.and_then(|end| end.code.as_ref()),
        "duration_ms": end.and_then(|end| end.duration_us).map(milliseconds),
        "usage": end.map_or(Value::Null, |end| usage(&end.usage)),
        "denials": end.map_or(0, |end| end.denials),
    })
}

/// What a call used, in the form of results; null where nothing is known of it.
fn usage(used: &CallUsage) -> Value {
    let mut object = Map::new();
    for (key, value) in [
        (
            "duration_ms",
            used.duration_us.map(|us| milliseconds(us).into()),
        ),
        ("cpu_ms", used.cpu_us.map(|us| milliseconds(us).into())),
        ("peak_memory_bytes", used.peak_memory.map(Value::from)),
        ("fuel", used.fuel.map(Value::from)),
        ("host_calls", used.host_calls.map(Value::from)),
        ("bytes_in", used.bytes_in.map(Value::from)),
        ("bytes_out", used.bytes_out.map(Value::from)),
    ] {
        object.extend(value.map(|value| (key.to_owned(), value)));
    }
    if object.is_empty() {
        Value::Null
    } else {
        Value::Object(object)
    }
}

fn summary(costs: &[ToolCost]) -> CommandOutput {
    let text = if costs.is_empty() {
        NONE.to_owned()
    } else {
        let rows = costs.iter().map(|cost| {
            vec![
                cost.tool.clone(),
                cost.calls.to_string(),
                cost.failures.to_string(),
                took(cost.total_us),
                took(cost.p50_us),
                took(cost.p95_us),
                took(cost.max_us),
                took(cost.cpu_us),
                size(cost.peak_memory),
                size(cost.bytes_in),
                size(cost.bytes_out),
            ]
        });
        table(
            &[
                "TOOL", "CALLS", "FAILED", "TOOK", "P50", "P95", "MAX", "CPU", "MEMORY", "IN",
                "OUT",
            ],
            11,
            Fit::Cut,
            rows,
        )
    };
    let tools: Value = costs
        .iter()
        .map(|cost| {
            json!({
                "tool": cost.tool,
                "calls": cost.calls,
                "failures": cost.failures,
                "denials": cost.denials,
                "duration_ms": {
                    "total": milliseconds(cost.total_us),
                    "p50": milliseconds(cost.p50_us),
                    "p95": milliseconds(cost.p95_us),
                    "max": milliseconds(cost.max_us),
                },
                "cpu_ms": milliseconds(cost.cpu_us),
                "fuel": cost.fuel,
                "peak_memory_bytes": cost.peak_memory,
                "bytes_in": cost.bytes_in,
                "bytes_out": cost.bytes_out,
            })
        })
        .collect();
    CommandOutput::new(text, json!({"tools": tools}))
}

/// Microseconds as milliseconds with three digits.
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1000.0
}

fn took(us: u64) -> String {
    format!("{:.1} ms", milliseconds(us))
}
