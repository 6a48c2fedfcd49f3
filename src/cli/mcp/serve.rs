//! `toolhatch mcp serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::offers::{Offers, Typed};
use super::streams;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::call::{listen_for_interrupt, no_allow_flag};
use crate::cli::output::{CommandOutput, Printer};
use crate::error::{Code, Error, Result};
use crate::invoke::Caller;
use crate::manifest::{ByteSize, HumanDuration, LimitRequest};
use crate::mcp::server::{Core, Door, Listening, Server, serve_http, serve_stdio};
use crate::permission::ToolInvokeScope;

/// Serve tools to agents, over standard input and output or over HTTP.
///
/// Without --http the agent starts this command itself: it goes into the agent's configuration. Calls can do what was granted for good (see
/// `toolhatch grant`) and what is allowed here; a model cannot change either.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp serve
  toolhatch mcp serve --tools 'files.*' --tools sandbox.run
  toolhatch mcp serve plugins/dist/analyze-code.wasm --allow file_read=src
  toolhatch mcp serve --http 127.0.0.1:8080
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
    /// Call tools by their own names, without that of their plugin or server in front.
    #[arg(long)]
    no_prefix: bool,
    /// Serve this profile of the configuration to clients that have none of their own.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Serve over HTTP at this address instead, such as 127.0.0.1:8080; port 0 for any that is free.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
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
                "`--json` has nothing to say: what is served speaks a protocol",
            ));
        }
        if !self.allow.is_empty() && !app.config.allow_flag {
            return Err(no_allow_flag(app));
        }
        let typed = Typed {
            files: self.files,
            tools: self.tools,
            allow: self.allow,
            limits: LimitRequest {
                timeout: self.timeout.map(|timeout| timeout.0),
                memory: self.memory.map(|memory| memory.0),
                ..LimitRequest::default()
            },
            profile: self.profile,
            no_prefix: self.no_prefix,
        };
        app.wait_for_no_server();
        app.keep_recent_calls();
        app.follow_servers();
        let offers = Offers::read(app, &typed)?;
        let caller = Caller {
            agent: self.agent,
            session: self.session,
            ..Caller::of_process()
        };
        match self.http {
            Some(address) => http(app, printer, address, offers, caller)?,
            None => stdio(app, &offers, caller)?,
        }
        Ok(CommandOutput::nothing())
    }
}

fn stdio(app: &Arc<App>, offers: &Offers, caller: Caller) -> Result<()> {
    let streams = streams::take()?;
    block_on(async {
        let (input, output) = streams::open(streams);
        let core = Core::new(app)?;
        let served = match offers.of(None) {
            Some(offer) => {
                let server = Server::new(&core, offer, caller);
                serve_stdio(server, input, output, listen_for_interrupt()).await
            }
            None => Ok(()),
        };
        app.settle_servers().await;
        app.settle_containers().await;
        served
    })
}

fn http(
    app: &Arc<App>,
    printer: &Printer,
    address: SocketAddr,
    offers: Offers,
    caller: Caller,
) -> Result<()> {
    let config = &app.config.serve;
    block_on(async {
        let core = Core::new(app)?;
        let serving_core = Arc::clone(&core);
        let serving = move |profile: Option<&str>, caller: Caller| {
            let offer = offers.of(profile)?;
            Some(Server::new(&serving_core, offer, caller))
        };
        let door = Door::new(&core, config, caller, Box::new(serving))?;
        let listening = Listening::on(address, &config.http, door.is_guarded()).await?;
        printer.note(&format!("Serving tools at {}", listening.url()));
        serve_http(listening, door, listen_for_interrupt()).await;
        app.settle_servers().await;
        app.settle_containers().await;
        Ok(())
    })
}
