//! `toolhatch mcp`: tools for agents, and tools of servers that others wrote, over the Model Context Protocol.

mod accept;
mod add;
mod describe;
mod import;
mod list;
mod login;
mod logout;
mod offers;
mod remove;
mod serve;
mod show;
mod streams;
mod test;
mod token;

use std::sync::Arc;

use super::output::{CommandOutput, Printer};
use super::text::nearest;
use crate::app::App;
use crate::config::McpServerConfig;
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;

/// Serve tools to agents over the Model Context Protocol, and use those of other servers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp serve
  toolhatch mcp serve plugins/dist/analyze-code.wasm --allow file_read=src
  toolhatch mcp add time -- uvx mcp-server-time
  toolhatch mcp test time")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Accept(accept::Args),
    Add(Box<add::Args>),
    Import(import::Args),
    List(list::Args),
    Login(login::Args),
    Logout(logout::Args),
    Show(show::Args),
    Test(test::Args),
    Remove(remove::Args),
    Serve(serve::Args),
    Token(token::Args),
}

impl Args {
    /// True where standard output carries a protocol.
    pub(super) fn is_protocol(&self) -> bool {
        match &self.command {
            Command::Serve(_) => true,
            Command::Accept(_)
            | Command::Add(_)
            | Command::Import(_)
            | Command::List(_)
            | Command::Login(_)
            | Command::Logout(_)
            | Command::Show(_)
            | Command::Test(_)
            | Command::Remove(_)
            | Command::Token(_) => false,
        }
    }

    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        match self.command {
            Command::Accept(args) => args.run(app),
            Command::Add(args) => args.run(app, printer),
            Command::Import(args) => args.run(app),
            Command::List(args) => args.run(app),
            Command::Login(args) => args.run(app, printer),
            Command::Logout(args) => args.run(app),
            Command::Show(args) => args.run(app),
            Command::Test(args) => args.run(app),
            Command::Remove(args) => args.run(app),
            Command::Serve(args) => args.run(app, printer),
            Command::Token(args) => args.run(app),
        }
    }
}

/// The server of this name.
fn find<'a>(app: &'a App, name: &str) -> Result<(&'a PluginName, &'a McpServerConfig)> {
    let mcp = &app.config.mcp;
    let found = mcp.servers.iter().find(|(other, _)| other.as_str() == name);
    found.ok_or_else(|| {
        if mcp.proposed.keys().any(|other| other.as_str() == name) {
            return Error::new(
                Code::E3101,
                format!("the server {name} is only proposed, by the project"),
            )
            .hint("Look at what it is in the project's configuration, and add it with `toolhatch mcp add` if you trust it.");
        }
        let error = Error::new(Code::E3101, format!("there is no server {name:?}"));
        let near = nearest(name, mcp.servers.keys().map(PluginName::as_str));
        match near {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => error.hint("`toolhatch mcp list` shows the servers there are."),
        }
    })
}
