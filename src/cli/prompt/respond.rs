//! A person at the terminal answers what a tool asks.

use std::sync::{Arc, PoisonError};

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::field::Field;
use super::{Terminal, TerminalPerson};
use crate::error::Result;
use crate::exec::{Ask, Askable, BoxFuture, InputAnswer, InputRequest, Inquiry, Respondent};

/// How often one field is asked for where what was typed does not fit.
const TRIES: u32 = 5;

impl Respondent for TerminalPerson {
    fn askable(&self) -> Askable {
        Askable {
            form: true,
            url: true,
            sampling: false,
            roots: false,
        }
    }

    fn answer<'a>(&'a self, inquiry: &'a Inquiry) -> BoxFuture<'a, Option<Vec<InputAnswer>>> {
        let terminal = Arc::clone(&self.terminal);
        let inquiry = inquiry.clone();
        Box::pin(async move {
            let over = CancellationToken::new();
            let _over_when_dropped = over.clone().drop_guard();
            let asked = tokio::task::spawn_blocking(move || {
                let mut terminal = terminal.lock().unwrap_or_else(PoisonError::into_inner);
                // The question may have been taken back while another one was on the terminal.
                if over.is_cancelled() {
                    return Ok(Vec::new());
                }
                ask(&mut terminal, &inquiry)
            });
            asked.await.ok()?.ok()
        })
    }

    fn name(&self) -> String {
        super::who()
    }
}

fn ask(terminal: &mut Terminal, inquiry: &Inquiry) -> Result<Vec<InputAnswer>> {
    if let Some(wrong) = &inquiry.wrong {
        terminal.say(&format!("That answer does not fit: {wrong}"))?;
    }
    let requests = inquiry.requests.iter();
    requests
        .map(|request| one(terminal, inquiry, request))
        .collect()
}

fn one(terminal: &mut Terminal, inquiry: &Inquiry, request: &InputRequest) -> Result<InputAnswer> {
    match &request.ask {
        Ask::Form { message, schema } => {
            quote(terminal, inquiry, message)?;
            form(terminal, &Field::all(schema))
        }
        Ask::Url { message, url } => {
            quote(terminal, inquiry, message)?;
            terminal.say(&format!("  at {url}"))?;
            let question = "Open it yourself, if you trust it. Is it done?";
            Ok(decide(terminal, question)?
                .unwrap_or_else(|| InputAnswer::Accepted(Map::new().into())))
        }
        Ask::Client { method, .. } => {
            terminal.say(&format!(
                "{} asks a client for {method}: there is none here, so the answer is no",
                inquiry.tool
            ))?;
            Ok(InputAnswer::Declined)
        }
    }
}

/// The words of the tool, so that nobody takes them for ours.
fn quote(terminal: &mut Terminal, inquiry: &Inquiry, message: &str) -> Result<()> {
    terminal.say(&format!("{} asks:", inquiry.tool))?;
    for line in message.lines() {
        terminal.say(&format!("  | {line}"))?;
    }
    Ok(())
}

/// Nothing where the person wants to go on.
fn decide(terminal: &mut Terminal, question: &str) -> Result<Option<InputAnswer>> {
    let typed = terminal.ask(&format!("{question} [y/N, c to cancel]"))?;
    Ok(match typed.trim().to_lowercase().as_str() {
        "y" | "yes" => None,
        "c" | "cancel" => Some(InputAnswer::Cancelled),
        _ => Some(InputAnswer::Declined),
    })
}

fn form(terminal: &mut Terminal, fields: &[Field]) -> Result<InputAnswer> {
    let question = if fields.is_empty() {
        "Do you agree?"
    } else {
        "Do you want to answer?"
    };
    if let Some(answer) = decide(terminal, question)? {
        return Ok(answer);
    }
    let mut answer = Map::new();
    for field in fields {
        match filled(terminal, field)? {
            Some(Some(value)) => drop(answer.insert(field.name.clone(), value)),
            Some(None) => {}
            None => return Ok(InputAnswer::Cancelled),
        }
    }
    Ok(InputAnswer::Accepted(answer.into()))
}

/// The value of one field, if it gets one; nothing where the person cannot give any.
fn filled(terminal: &mut Terminal, field: &Field) -> Result<Option<Option<Value>>> {
    for _ in 0..TRIES {
        for line in field.lines() {
            terminal.say(&format!("  | {}", line.replace('\n', " ")))?;
        }
        let typed = terminal.ask(&format!("  {}", field.question().replace('\n', " ")))?;
        match field.read(&typed) {
            Ok(value) => return Ok(Some(value)),
            Err(why) => terminal.say(&format!("  That does not fit: {why}"))?,
        }
    }
    Ok(None)
}
