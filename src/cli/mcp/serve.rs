//! `toolhatch mcp serve`.

use std::path::PathBuf;
use std::sync::Arc;

use super::streams;
use crate::app::{App, read_grants};
use crate::cli::block_on;
use crate::cli::call::{listen_for_interrupt, no_allow_flag};
use crate::cli::output::{CommandOutput, Printer};
use crate::error::{Code, Error, Result};
use crate::exec::{EventLimits, LogLevel};
use crate::invoke::Caller;
use crate::manifest::{ByteSize, HumanDuration, LimitRequest};
use crate::mcp::server::{Offer, Selection, Server, serve_stdio};
use crate::permission::ToolInvokeScope;

/// Serve tools to an agent, over standard input and output.
///
/// The agent starts this command itself: it goes into the agent's configuration. Calls can do what was granted for good (see
/// `toolhatch grant`) and what is allowed here; a model cannot change either.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp serve
  toolhatch mcp serve --tools 'files.*' --tools sandbox.run
  toolhatch mcp serve plugins/dist/analyze-code.wasm --allow file_read=src
  claude mcp add toolhatch -- toolhatch mcp serve")]
pub struct Args {
    /// Serve the tools of these files instead of those of installed plugins and search paths.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Serve only these tools: an id such as `files.read`, or `files.*`. May be given several times.
    #[arg(long, value_name = "ID")]
    tools: Vec<ToolInvokeScope>,
    /// Allow all calls something, besides what is granted for good: file_read=HOST[:GUEST], network_http=HOST, ... May be
    /// given several times.
    #[arg(long, value_name = "NAME=SCOPE")]
    allow: Vec<String>,
    /// Stop each call after this time, such as 500ms, 30s or 2m.
    #[arg(long, value_name = "DURATION")]
    timeout: Option<HumanDuration>,
    /// How much memory each call may use, such as 64MiB.
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// The session the calls belong to: what their tools returned counts in later calls of it.
    #[arg(long, value_name = "ID", env = "TOOLHATCH_SESSION")]
    session: Option<String>,
    /// The agent that makes the calls, for policies and the audit log; without it, what the client calls itself.
    #[arg(long, value_name = "NAME", env = "TOOLHATCH_AGENT")]
    agent: Option<String>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        if printer.is_json() {
            return Err(Error::new(
                Code::E3004,
                "`--json` has nothing to say: standard output carries the protocol",
            ));
        }
        if !self.allow.is_empty() && !app.config.allow_flag {
            return Err(no_allow_flag(app));
        }
        let offer = Offer {
            selection: Selection {
                files: self.files,
                ids: self.tools,
            },
            grants: Arc::new(read_grants(&self.allow, false, &app.paths.current)?),
            limits: LimitRequest {
                timeout: self.timeout.map(|timeout| timeout.0),
                memory: self.memory.map(|memory| memory.0),
                ..LimitRequest::default()
            },
            events: EventLimits {
                stdio: usize::try_from(app.config.limits.stdio).unwrap_or(usize::MAX),
                log_level: LogLevel::Info,
                ..EventLimits::default()
            },
            caller: Caller {
                agent: self.agent,
                session: self.session,
                ..Caller::of_process()
            },
        };
        let streams = streams::take()?;
        block_on(async {
            let (input, output) = streams::open(streams);
            let served = serve_stdio(
                Server::new(app, offer)?,
                input,
                output,
                listen_for_interrupt(),
            )
            .await;
            app.settle_servers().await;
            app.settle_containers().await;
            served
        })?;
        Ok(CommandOutput::nothing())
    }
}
