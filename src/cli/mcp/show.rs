//! `toolhatch mcp show`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{describe, find, login};
use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::cli::text::section;
use crate::error::Result;
use crate::manifest::{ByteSize, HumanDuration};
use crate::mcp::bridge::Era;

/// Show a server: how it is reached, what it may do, and the tools it had when it was last connected to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp show git
  toolhatch mcp show git --json")]
pub struct Args {
    /// The server.
    name: String,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let (name, server) = find(app, &self.name)?;
        let known = app.known_server(name)?;
        let tools = known
            .as_ref()
            .map(crate::app::KnownServer::tools)
            .unwrap_or_default();
        let mut text = format!("{name} is {}\n", describe::place(server));
        let mut lines = vec![
            format!("declared in {}", server.origin),
            format!(
                "a call may take {} without a sign of life, the start {}",
                HumanDuration(server.timeout),
                HumanDuration(server.start_timeout)
            ),
            format!(
                "{} calls at once, messages of {} at most",
                server.concurrency,
                ByteSize(server.max_message)
            ),
        ];
        if crate::app::is_program(server) {
            lines.push(match server.allow.as_slice() {
                [] => "allowed nothing on this machine".to_owned(),
                allow => format!("allowed {}", allow.join(", ")),
            });
        }
        let state = app.login_state(name, server)?;
        lines.extend(state.as_ref().map(login::in_words));
        lines.push(if server.untrusted {
            "its results are text from strangers".to_owned()
        } else {
            "its results count as our own".to_owned()
        });
        match &known {
            Some(known) => lines.push(format!(
                "speaks MCP {} ({})",
                known
                    .protocol
                    .as_deref()
                    .unwrap_or("of a revision that is not known"),
                known.era.map_or("not known", Era::word)
            )),
            None => lines.push(format!(
                "never connected to: `toolhatch mcp test {name}` does"
            )),
        }
        text.push_str(&section("How", &lines));
        let info = known.as_ref().map(|known| &known.pinned.record.info);
        if let Some(instructions) = info.and_then(|info| info.instructions.as_ref()) {
            let lines: Vec<String> = instructions.lines().map(str::to_owned).collect();
            text.push('\n');
            text.push_str(&section("What it says of itself", &lines));
        }
        if !tools.is_empty() {
            text.push('\n');
            text.push_str(&describe::tools_text(server, &tools));
        }
        let drift = known
            .as_ref()
            .map(crate::app::KnownServer::pending)
            .unwrap_or_default();
        if !drift.is_empty() {
            text.push_str("\n\n");
            text.push_str(&drift.diff());
        }
        text.push_str(&describe::drift(name, &drift));
        let tools: Vec<Value> = tools
            .iter()
            .map(|tool| describe::tool_json(server, tool))
            .collect();
        let json = json!({
            "server": describe::declared_json(name, server),
            "known": known.as_ref().map(|known| json!({
                "info": known.pinned.record.info,
                "since": known.pinned.since,
                "digest": known.pinned.digest().to_string(),
                "protocol": known.protocol,
                "era": known.era.map(Era::word),
            })),
            "login": state.as_ref().map(login::to_json),
            "drift": drift.to_json(),
            "tools": tools,
        });
        Ok(CommandOutput::new(text, json))
    }
}
