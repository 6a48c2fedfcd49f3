//! `toolhatch mcp login`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::find;
use crate::app::App;
use crate::audit::rfc3339;
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::{block_on, browser};
use crate::config::{McpPlace, McpServerConfig};
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::manifest::HumanDuration;
use crate::mcp::bridge::{CallbackPage, LoginState};

/// How long a person has for it where nobody says.
const PATIENCE: Duration = Duration::from_secs(300);

/// Log in to a server that wants it.
///
/// A browser is opened where you say what Toolhatch may do there. The tokens are kept in a file that only you can read, and
/// are renewed by themselves. Tools never see them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp login tracker
  toolhatch mcp login tracker --scope issues:write
  toolhatch mcp login tracker --no-browser")]
pub struct Args {
    /// The server.
    name: String,
    /// Ask for this as well.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Open no browser: only say which page to open. It has to be one of this machine, or a port that leads here.
    #[arg(long)]
    no_browser: bool,
    /// How long to wait for it.
    #[arg(long, value_name = "DURATION")]
    timeout: Option<HumanDuration>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        let (name, server) = find(app, &self.name)?;
        let scopes: Vec<String> = self
            .scopes
            .iter()
            .flat_map(|scopes| scopes.split_whitespace())
            .map(str::to_owned)
            .collect();
        let way = Way {
            opens: !self.no_browser,
            patience: self.timeout.map_or(PATIENCE, |timeout| timeout.0),
        };
        let state = block_on(log_in(app, printer, name, server, &scopes, &way))?;
        Ok(CommandOutput::new(
            format!("{name}: {}\n", in_words(&state)),
            json!({"server": name.as_str(), "login": to_json(&state)}),
        ))
    }
}

/// How a person is asked.
pub(super) struct Way {
    /// A browser is opened for them.
    pub(super) opens: bool,
    /// How long they have.
    pub(super) patience: Duration,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            opens: true,
            patience: PATIENCE,
        }
    }
}

/// Has a person log in to a server, for these scopes beside those it needs anyway.
pub(super) async fn log_in(
    app: &App,
    printer: &Printer,
    name: &PluginName,
    server: &McpServerConfig,
    scopes: &[String],
    way: &Way,
) -> Result<LoginState> {
    let login = app.login(name, server)?;
    let fixed = match &server.place {
        McpPlace::Service { oauth, .. } => oauth.redirect_port,
        McpPlace::Program { .. } => None,
    };
    let doing = || format!("logging in to {name}");
    let logged = async {
        // Where nobody is needed, nobody is asked.
        if let Some(state) = login.begin_as_machine().await? {
            return Ok(state);
        }
        let port = fixed.or_else(|| login.known_port());
        let page = CallbackPage::listen(port, fixed.is_some()).await?;
        let begun = login.begin(&page.address(), scopes).await?;
        let address = begun.address().clone();
        printer.note(&format!(
            "Log in at {}, as the client {}.",
            address.origin(),
            begun.client_id()
        ));
        if !(way.opens && browser::open(&app.environment, &address)) {
            printer.instruction(&format!("Open this page in a browser:\n  {address}"));
        }
        let waited = tokio::time::timeout(way.patience, page.wait(begun.state())).await;
        let callback = waited.unwrap_or_else(|_| {
            Err(Error::new(
                Code::E3503,
                format!("nobody came back within {}", HumanDuration(way.patience)),
            )
            .hint("Begin again, or give it more time with `--timeout`."))
        })?;
        begun.finish(&callback).await
    };
    let state = logged
        .await
        .map_err(|error: Error| error.while_doing(doing()))?;
    app.logged_in(name, server, &state)?;
    Ok(state)
}

/// What there is of a login, for people.
pub(super) fn in_words(state: &LoginState) -> String {
    let mut text = "logged in".to_owned();
    if !state.scopes.is_empty() {
        text.push_str(&format!(" for {}", state.scopes.join(" ")));
    }
    match (state.is_renewable, state.ends) {
        (true, _) => text.push_str(", renewed by itself"),
        (false, Some(ends)) => {
            text.push_str(&format!(", until {}", rfc3339(ends)));
        }
        (false, None) => {}
    }
    text
}

/// The same for programs.
pub(super) fn to_json(state: &LoginState) -> Value {
    let ends = state.ends.map(rfc3339);
    json!({
        "issuer": state.issuer,
        "scopes": state.scopes,
        "ends": ends,
        "renewable": state.is_renewable,
    })
}
