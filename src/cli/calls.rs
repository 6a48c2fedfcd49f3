//! `toolhatch calls`: the calls there were.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::output::CommandOutput;
use super::table::{Fit, table};
use super::text::field;
use crate::app::App;
use crate::audit::{self, EventType, Position};
use crate::error::Result;

/// Show the calls there were, from the audit log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch calls list
  toolhatch calls list --tool files.read --limit 5 --json
  toolhatch calls show 01K9XJ5C8TA0F9W2V7SZ7T3QKM")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List calls, the newest first.
    List {
        /// Only of this tool.
        #[arg(long, value_name = "TOOL")]
        tool: Option<String>,
        /// Only those that failed.
        #[arg(long)]
        failed: bool,
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Tell the whole story of one call, as `audit why` does.
    Show {
        /// The id of the call.
        #[arg(value_name = "CALL-ID")]
        call: String,
    },
}

/// What is told of one call.
#[derive(Debug, Clone, Default)]
struct Call {
    id: String,
    tool: String,
    began: String,
    principal: String,
    outcome: Option<String>,
    code: Option<String>,
    usage: Value,
    duration: Value,
    denials: u64,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        match self.command {
            Command::List {
                tool,
                failed,
                limit,
            } => list(app, tool.as_deref(), failed, limit),
            Command::Show { call } => super::audit::why(&app.audit_folder(), &call),
        }
    }
}

fn list(app: &App, tool: Option<&str>, failed: bool, limit: usize) -> Result<CommandOutput> {
    let mut calls: Vec<Call> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for record in audit::scan(&app.audit_folder(), Position::START) {
        let (_, record) = record?;
        let Some(id) = record.call.clone() else {
            continue;
        };
        match EventType::from_name(&record.kind) {
            Some(EventType::ExecutionStart) => {
                let data = record.data_value();
                let named = field(&data, "tool").as_str().unwrap_or_default().to_owned();
                places.insert(id.clone(), calls.len());
                calls.push(Call {
                    id,
                    tool: record.subject.unwrap_or(named),
                    began: record.time,
                    principal: record.principal.unwrap_or_default(),
                    ..Call::default()
                });
            }
            Some(EventType::ExecutionEnd) => {
                let call = places.get(&id).and_then(|place| calls.get_mut(*place));
                if let Some(call) = call {
                    let data = record.data_value();
                    call.outcome = field(&data, "outcome").as_str().map(str::to_owned);
                    call.code = field(&data, "code").as_str().map(str::to_owned);
                    call.duration = field(&data, "duration_ms").clone();
                    call.usage = field(&data, "usage").clone();
                    call.denials = field(&data, "denials").as_u64().unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    let shown: Vec<Call> = calls
        .into_iter()
        .rev()
        .filter(|call| tool.is_none_or(|tool| call.tool == tool))
        .filter(|call| !failed || call.outcome.as_deref() != Some("ok"))
        .take(limit)
        .collect();
    let text = if shown.is_empty() {
        "There are no such calls.".to_owned()
    } else {
        let rows = shown.iter().map(|call| {
            vec![
                call.id.clone(),
                call.began.get(..19).unwrap_or_default().replace('T', " "),
                call.tool.clone(),
                call.code
                    .clone()
                    .or_else(|| call.outcome.clone())
                    .unwrap_or_else(|| "no end".to_owned()),
                call.duration
                    .as_f64()
                    .map_or_else(String::new, |ms| format!("{ms:.1} ms")),
                call.denials.to_string(),
            ]
        });
        table(
            &["CALL", "BEGAN", "TOOL", "OUTCOME", "TOOK", "DENIALS"],
            6,
            Fit::Cut,
            rows,
        )
    };
    let list: Value = shown
        .iter()
        .map(|call| {
            json!({
                "call": call.id,
                "tool": call.tool,
                "began": call.began,
                "principal": call.principal,
                "outcome": call.outcome,
                "code": call.code,
                "duration_ms": call.duration,
                "usage": call.usage,
                "denials": call.denials,
            })
        })
        .collect();
    Ok(CommandOutput::new(text, json!({"calls": list})))
}
