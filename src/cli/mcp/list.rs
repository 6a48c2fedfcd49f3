//! `toolhatch mcp list`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::describe;
use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::cli::table::{Fit, table};
use crate::config::McpServerConfig;
use crate::error::Result;
use crate::ids::PluginName;

/// List the servers, without connecting to any.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp list
  toolhatch mcp list --json")]
pub struct Args {}

/// What becomes of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its tools are known.
    Ready,
    /// Something of it differs from what a person agreed to.
    Changed,
    /// It was never connected to.
    Unseen,
    /// It is switched off.
    Off,
    /// The project declares it, and nobody added it.
    Proposed,
    /// What was written down of it cannot be read.
    Damaged,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Changed => "changed",
            Self::Unseen => "unseen",
            Self::Off => "off",
            Self::Proposed => "proposed",
            Self::Damaged => "damaged",
        }
    }
}

struct Line<'a> {
    name: &'a PluginName,
    server: &'a McpServerConfig,
    state: State,
    tools: Option<usize>,
    protocol: Option<String>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let mcp = &app.config.mcp;
        let mut lines: Vec<Line<'_>> = mcp
            .servers
            .iter()
            .map(|(name, server)| line(app, name, server))
            .collect();
        lines.extend(mcp.proposed.iter().map(|(name, server)| Line {
            name,
            server,
            state: State::Proposed,
            tools: None,
            protocol: None,
        }));
        let text = if lines.is_empty() {
            "There is no server. Add one with `toolhatch mcp add NAME -- COMMAND` or `toolhatch mcp add NAME URL`.\n"
                .to_owned()
        } else {
            let header = ["NAME", "STATE", "TOOLS", "PROTOCOL", "WHERE"];
            let mut text = table(&header, 4, Fit::Cut, lines.iter().map(row));
            if !mcp.proposed.is_empty() {
                text.push_str(
                    "\nWhat is proposed stands in the project's configuration, and is never started. Add it yourself with \
                     `toolhatch mcp add` if you trust it.\n",
                );
            }
            text
        };
        let servers: Value = lines.iter().map(to_json).collect();
        Ok(CommandOutput::new(text, json!({"servers": servers})))
    }
}

fn line<'a>(app: &App, name: &'a PluginName, server: &'a McpServerConfig) -> Line<'a> {
    let (state, known) = match (app.server(name).is_some(), app.known_server(name)) {
        (false, _) => (State::Off, None),
        (true, Ok(Some(known))) if !known.pending().is_empty() => (State::Changed, Some(known)),
        (true, Ok(Some(known))) => (State::Ready, Some(known)),
        (true, Ok(None)) => (State::Unseen, None),
        (true, Err(_)) => (State::Damaged, None),
    };
    let offered = |known: &crate::app::KnownServer| {
        let tools = known.tools();
        tools
            .iter()
            .filter(|tool| server.offers(&tool.name))
            .count()
    };
    Line {
        name,
        server,
        state,
        tools: known.as_ref().map(offered),
        protocol: known
            .and_then(|known| Some(format!("{} ({})", known.protocol?, known.era?.word()))),
    }
}

fn row(line: &Line<'_>) -> Vec<String> {
    vec![
        line.name.to_string(),
        line.state.word().to_owned(),
        line.tools
            .map_or_else(String::new, |tools| tools.to_string()),
        line.protocol.clone().unwrap_or_default(),
        line.server.place.shown(),
    ]
}

fn to_json(line: &Line<'_>) -> Value {
    let mut json = describe::declared_json(line.name, line.server);
    if let Value::Object(object) = &mut json {
        object.insert("state".into(), line.state.word().into());
        object.insert("tools".into(), json!(line.tools));
        object.insert("revision".into(), json!(line.protocol));
    }
    json
}
