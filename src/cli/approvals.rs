//! `toolhatch approvals`: calls that wait for a person, and the person's answers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::authority::{Authority, Proof};
use super::block_on_here;
use super::output::CommandOutput;
use super::table::{Fit, table};
use super::text::{field, moment};
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::store::{ApprovalRow, now_ms};

/// Answer calls that need a person's approval.
///
/// An answer holds for one call of that tool, with those arguments and what it may do then, and only until it expires.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch approvals list
  toolhatch approvals allow 01K9XJ5C8TA0F9W2V7SZ7T3QKM
  toolhatch approvals deny 01K9XJ5C8TA0F9W2V7SZ7T3QKM")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List what waits.
    List {
        /// What was answered or has expired, too.
        #[arg(long)]
        all: bool,
    },
    /// Allow it: the same call, made again, then runs.
    Allow {
        /// The id of the question.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        proof: Proof,
    },
    /// Say no.
    Deny {
        /// The id of the question.
        #[arg(value_name = "ID")]
        id: String,
    },
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        block_on_here(async {
            match self.command {
                Command::List { all } => list(app, all).await,
                Command::Allow { id, proof } => allow(app, &id, &proof).await,
                Command::Deny { id } => {
                    let by = format!("uid {}", rustix::process::geteuid().as_raw());
                    answer(app, &id, false, &by).await
                }
            }
        })
    }
}

async fn list(app: &App, all: bool) -> Result<CommandOutput> {
    let rows = app.registry().await?.store().approvals(!all).await?;
    let text = if rows.is_empty() {
        "Nothing waits for an answer.".to_owned()
    } else {
        let lines = rows.iter().map(|row| {
            vec![
                row.id.clone(),
                row.tool.clone(),
                state(row),
                moment(row.expires_at),
                why(row).join("; "),
            ]
        });
        table(
            &["ID", "TOOL", "STATE", "UNTIL", "BECAUSE"],
            4,
            Fit::Wrap,
            lines,
        )
    };
    let list: Value = rows.iter().map(to_json).collect();
    Ok(CommandOutput::new(text, json!({"approvals": list})))
}

fn state(row: &ApprovalRow) -> String {
    match (&row.decision, row.used_at) {
        (Some(decision), Some(_)) if row.once => format!("{decision}, used"),
        (Some(decision), _) => decision.clone(),
        (None, _) if row.expires_at <= now_ms() => "expired".to_owned(),
        (None, _) => "waits".to_owned(),
    }
}

fn subject(row: &ApprovalRow) -> Value {
    serde_json::from_str(&row.subject).unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn why(row: &ApprovalRow) -> Vec<String> {
    texts(field(&subject(row), "why"))
}

fn to_json(row: &ApprovalRow) -> Value {
    json!({
        "id": row.id,
        "tool": row.tool,
        "state": state(row),
        "subject": subject(row),
        "requester": row.requester,
        "once": row.once,
        "asked_at": row.asked_at,
        "expires_at": row.expires_at,
        "decision": row.decision,
        "decided_at": row.decided_at,
        "decided_by": row.decided_by,
        "used_at": row.used_at,
        "used_by": row.used_by,
    })
}

async fn allow(app: &App, id: &str, proof: &Proof) -> Result<CommandOutput> {
    let row = found(app, id).await?;
    let mut authority = proof.authority(app)?;
    if let Authority::Person(terminal) = &mut authority {
        let subject = subject(&row);
        terminal.say(&format!(
            "{} is to be called by {}:",
            row.tool, row.requester
        ))?;
        terminal.say(&format!(
            "  artifact {}",
            field(&subject, "digest").as_str().unwrap_or_default()
        ))?;
        terminal.say(&format!(
            "  with {}",
            field(&subject, "arguments").as_str().unwrap_or_default()
        ))?;
        for may in texts(field(&subject, "may")) {
            terminal.say(&format!("  it may {may}"))?;
        }
        for why in why(&row) {
            terminal.say(&format!("  because {why}"))?;
        }
        if !terminal.confirm("Allow this call?")? {
            return Err(Error::new(Code::E3214, format!("{id} was not confirmed"))
                .hint(format!("`toolhatch approvals deny {id}` says no for good.")));
        }
    }
    let (by, _) = authority.record();
    if by == format!("approver {}", row.requester) {
        return Err(Error::new(
            Code::E3206,
            "whoever asks for a call cannot approve it",
        ));
    }
    answer(app, id, true, &by).await
}

async fn found(app: &App, id: &str) -> Result<ApprovalRow> {
    let row = app.registry().await?.store().approval(id).await?;
    row.ok_or_else(|| {
        Error::new(Code::E3101, format!("no call waits for an answer as {id}"))
            .hint("`toolhatch approvals list` shows what waits.")
    })
}

async fn answer(app: &App, id: &str, yes: bool, by: &str) -> Result<CommandOutput> {
    let row = found(app, id).await?;
    let Some(decided) = app.decide_approval(id, yes, by).await? else {
        return Err(Error::new(
            Code::E3215,
            format!("{id} cannot be answered any more: it is {}", state(&row)),
        ));
    };
    let text = if yes {
        format!(
            "Allowed. The same call of {}, made again before {}, runs.",
            decided.tool,
            moment(decided.expires_at)
        )
    } else {
        format!("Denied. The call of {} is refused.", decided.tool)
    };
    Ok(CommandOutput::new(
        text,
        json!({"approval": to_json(&decided)}),
    ))
}
