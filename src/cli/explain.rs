//! `toolhatch explain`: what an error code means and what to do about it.

use serde_json::{Value, json};

use super::output::CommandOutput;
use crate::error::{Code, Error, Result};

/// Explain an error code, or list them all.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch explain E3210
  toolhatch explain tool-timeout
  toolhatch explain")]
pub struct Args {
    /// The code: `E3210`, `3210` or `file-denied`. All of them where it is left out.
    code: Option<String>,
}

impl Args {
    /// Runs the command.
    pub fn run(&self) -> Result<CommandOutput> {
        let Some(wanted) = &self.code else {
            let lines: Vec<String> = Code::ALL
                .iter()
                .map(|code| format!("{code}  {:<24} {}", code.symbol(), code.meaning()))
                .collect();
            let json: Value = Code::ALL.iter().map(|code| to_json(*code)).collect();
            return Ok(CommandOutput::new(lines.join("\n"), json));
        };
        let code: Code = wanted.parse().map_err(|error| {
            let unknown = Error::new(Code::E3004, format!("there is no error code {wanted:?}"))
                .caused_by(error);
            let near = Code::ALL
                .iter()
                .map(|code| {
                    (
                        strsim::jaro_winkler(code.symbol(), &wanted.to_lowercase()),
                        code,
                    )
                })
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|(a, _), (b, _)| a.total_cmp(b));
            match near {
                Some((_, near)) => {
                    unknown.hint(format!("Did you mean `{}` ({near})?", near.symbol()))
                }
                None => unknown.hint("`toolhatch explain` lists all codes."),
            }
        })?;
        let text = format!(
            "{code} {}\n\n{}.\n\nWhat to do:    {}\nTry again:     {}\nSeverity:      {}{}\nHTTP status:   {}\nExit code:     {} ({})",
            code.symbol(),
            capitalised(code.meaning()),
            code.hint(),
            code.retry().word(),
            code.severity().word(),
            if code.is_security_event() {
                ", a security event"
            } else {
                ""
            },
            code.http_status(),
            code.exit().number(),
            code.exit().meaning(),
        );
        Ok(CommandOutput::new(text, to_json(code)))
    }
}

fn to_json(code: Code) -> Value {
    json!({
        "code": code.name(),
        "symbol": code.symbol(),
        "meaning": code.meaning(),
        "hint": code.hint(),
        "retry": code.retry().word(),
        "severity": code.severity().word(),
        "security_event": code.is_security_event(),
        "http_status": code.http_status(),
        "exit": code.exit().number(),
    })
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
