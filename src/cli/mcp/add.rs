//! `toolhatch mcp add`: a person takes in a server that somebody else wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::describe;
use super::login::{self, Way};
use crate::app::App;
use crate::cli::authority::{Authority, Proof};
use crate::cli::block_on;
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::text::count;
use crate::config::{
    McpOauth, McpProtocol, McpRun, McpServer, McpServerConfig, McpSource, McpValue,
};
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::invoke::Caller;
use crate::manifest::HumanDuration;
use crate::permission::{Allow, AllowValue, Grants};

/// Add a server: a command that is talked to over its standard streams, or a URL.
///
/// The server is started, confined to what `--allow` names, and its tools are shown before anything is kept. What it says
/// of them is pinned: a tool that says something else later is not called.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp add time -- uvx mcp-server-time
  toolhatch mcp add files --allow file_read=. --allow file_write=. -- node server-filesystem/index.js .
  toolhatch mcp add tracker --header 'Authorization=Bearer …' https://mcp.example/mcp
  toolhatch mcp add tracker --client-id my-id --issuer https://login.example https://mcp.example/mcp
  toolhatch mcp add git --env GIT_TOKEN --run container --image docker.io/library/python:3.13 -- uvx mcp-server-git")]
pub struct Args {
    /// What it is called here: its tools are NAME.TOOL.
    name: String,
    /// Its URL, or behind `--` its command.
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, value_name = "URL|-- COMMAND")]
    target: Vec<String>,
    /// A variable of its command: NAME=VALUE, or NAME alone to hand on what it is when the server starts.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// A variable whose value is read from a file when the server starts.
    #[arg(long, value_name = "NAME=FILE")]
    env_file: Vec<String>,
    /// A header of every request to its URL: NAME=VALUE.
    #[arg(long, value_name = "NAME=VALUE")]
    header: Vec<String>,
    /// A header whose value is read from a file.
    #[arg(long, value_name = "NAME=FILE")]
    header_file: Vec<String>,
    /// Log in as this client, which you registered with its authorization server.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The secret of that client is read from this file.
    #[arg(long, value_name = "FILE", requires_all = ["client_id", "issuer"])]
    client_secret_file: Option<String>,
    /// The authorization server that this client is registered with.
    #[arg(long, value_name = "URL", requires = "client_id")]
    issuer: Option<String>,
    /// Log in as the client that this document on the web is about.
    #[arg(long, value_name = "URL")]
    client_metadata_url: Option<String>,
    /// Log in for this, instead of what the server says that it needs.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// What its command may do, as in `toolhatch call --allow`.
    #[arg(long, value_name = "NAME=SCOPE")]
    allow: Vec<String>,
    /// What its command is confined by.
    #[arg(long, value_parser = parse_run, value_name = "process|container")]
    run: Option<McpRun>,
    /// The image of its container.
    #[arg(long)]
    image: Option<String>,
    /// The folder its command starts in.
    #[arg(long, value_name = "FOLDER")]
    workdir: Option<std::path::PathBuf>,
    /// Which revisions of the protocol are tried.
    #[arg(long, value_parser = parse_protocol, value_name = "auto|legacy|modern|sse")]
    protocol: Option<McpProtocol>,
    /// How long a call may take without a sign of life.
    #[arg(long, value_name = "DURATION")]
    timeout: Option<HumanDuration>,
    /// How long it may take to start.
    #[arg(long, value_name = "DURATION")]
    start_timeout: Option<HumanDuration>,
    /// Offer only these of its tools: names, with `*` for any characters.
    #[arg(long = "tool", value_name = "PATTERN")]
    tools: Vec<String>,
    /// Take its results for as good as our own, and what it says of its tools for true.
    #[arg(long)]
    trusted: bool,
    /// Let plain `http://` go to another machine.
    #[arg(long)]
    plain_http: bool,
    /// Put it in the place of a server of the same name.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    proof: Proof,
}

fn parse_run(text: &str) -> std::result::Result<McpRun, String> {
    [McpRun::Process, McpRun::Container]
        .into_iter()
        .find(|run| run.word() == text)
        .ok_or_else(|| "use process or container".to_owned())
}

fn parse_protocol(text: &str) -> std::result::Result<McpProtocol, String> {
    [
        McpProtocol::Auto,
        McpProtocol::Legacy,
        McpProtocol::Modern,
        McpProtocol::Sse,
    ]
    .into_iter()
    .find(|protocol| protocol.word() == text)
    .ok_or_else(|| "use auto, legacy, modern or sse".to_owned())
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        let name: PluginName = self.name.parse().map_err(|error| {
            Error::new(Code::E3004, format!("naming the server {:?}", self.name)).caused_by(error)
        })?;
        if app.config.mcp.servers.contains_key(&name) && !self.replace {
            return Err(
                Error::new(Code::E3108, format!("there is a server {name} already"))
                    .hint("Put this one in its place with `--replace`, or choose another name."),
            );
        }
        let written = self.written(app)?;
        let (server, granted) = app.declared_server(&name, &written)?;
        let mut authority = self.proof.authority(app)?;
        if let Authority::Person(terminal) = &mut authority {
            terminal.say(&before(&name, &server, &granted))?;
            if !terminal.confirm("Connect to it and look at its tools?")? {
                return Err(not_confirmed(&name));
            }
        }
        block_on(async {
            app.may_register(&Caller::of_process(), &name).await?;
            let plugins = app.registry().await?.plugins().await?;
            if plugins.iter().any(|plugin| plugin.name == name) {
                return Err(Error::new(
                    Code::E3108,
                    format!("a plugin called {name} is installed: its tools have the same names"),
                )
                .hint("Choose another name for the server."));
            }
            let mut has_logged_in = false;
            let examined = match app.examine_server(&name, &server, false).await {
                // Only a person can log in, and only they know whether they want to.
                Err(error) if error.details().contains_key("login") => {
                    let Authority::Person(terminal) = &mut authority else {
                        return Err(error);
                    };
                    terminal.say(&format!("{name} wants you to log in."))?;
                    if !terminal.confirm("Open a browser for that?")? {
                        return Err(error);
                    }
                    login::log_in(app, printer, &name, &server, &[], &Way::default()).await?;
                    has_logged_in = true;
                    app.examine_server(&name, &server, false).await
                }
                examined => examined,
            };
            // Who does not take the server in has no use for its tokens.
            let refused = |error: Error| {
                if has_logged_in && let Err(error) = app.log_out(&name) {
                    printer.warning(&format!("the login to {name} is still there: {error}"));
                }
                error
            };
            let examined = examined.map_err(refused)?;
            if let Authority::Person(terminal) = &mut authority {
                terminal.say(&describe::examination(&name, &server, &examined))?;
                let tools = count(examined.seen.listing.tools.len(), "tool");
                if !terminal.confirm(&format!("Add {name} with {tools}?"))? {
                    return Err(refused(not_confirmed(&name)));
                }
            }
            let (by, how) = authority.record();
            let seen = &examined.seen;
            let path = app.add_server(&name, &written, &server, seen, (&by, how))?;
            let mut json = describe::examination_json(&name, &server, &examined);
            if let Value::Object(object) = &mut json {
                object.insert("file".into(), json!(path.to_string_lossy()));
            }
            let mut text = String::new();
            if !matches!(authority, Authority::Person(_)) {
                text = describe::examination(&name, &server, &examined);
            }
            text.push_str(&format!(
                "{name} was added with {}. Call them as `toolhatch call {name}.TOOL`.\n",
                count(seen.listing.tools.len(), "tool")
            ));
            Ok(CommandOutput::new(text, json))
        })
    }

    /// The declaration, as it stands in its file.
    fn written(&self, app: &App) -> Result<McpServer> {
        let url = match self.target.as_slice() {
            [only] if only.starts_with("http://") || only.starts_with("https://") => {
                Some(only.clone())
            }
            _ => None,
        };
        let mut env = pairs(&self.env, "--env", |value| match value {
            Some(value) => Ok(McpValue::Text(value)),
            None => Err(()),
        })?;
        env.extend(pairs(&self.env_file, "--env-file", |file| {
            from_file(app, file)
        })?);
        let mut headers = pairs(&self.header, "--header", |value| match value {
            Some(value) => Ok(McpValue::Text(value)),
            None => Err(()),
        })?;
        headers.extend(pairs(&self.header_file, "--header-file", |file| {
            from_file(app, file)
        })?);
        Ok(McpServer {
            command: url.is_none().then(|| self.target.clone()),
            url,
            workdir: self.workdir.as_ref().map(|folder| {
                let folder = app.paths.current.join(folder);
                folder.to_string_lossy().into_owned()
            }),
            env,
            headers,
            allow: self
                .allow
                .iter()
                .map(|text| absolute(app, text))
                .collect::<Result<_>>()?,
            run: self.run,
            image: self.image.clone(),
            protocol: self.protocol,
            timeout: self.timeout.map(|it| it.to_string()),
            start_timeout: self.start_timeout.map(|it| it.to_string()),
            tools: (!self.tools.is_empty()).then(|| self.tools.clone()),
            untrusted: self.trusted.then_some(false),
            plain_http: self.plain_http.then_some(true),
            oauth: self.oauth(app),
            ..McpServer::default()
        })
    }
}

impl Args {
    /// What was said of logging in, if anything was.
    fn oauth(&self, app: &App) -> Option<McpOauth> {
        let secret = self.client_secret_file.clone();
        let oauth = McpOauth {
            client_id: self.client_id.clone(),
            client_secret: secret.and_then(|file| from_file(app, Some(file)).ok()),
            issuer: self.issuer.clone(),
            grant: None,
            client_metadata_url: self.client_metadata_url.clone(),
            scopes: self.scopes.clone(),
            redirect_port: None,
        };
        let is_said = oauth.client_id.is_some()
            || oauth.client_metadata_url.is_some()
            || !oauth.scopes.is_empty();
        is_said.then_some(oauth)
    }
}

fn from_file(app: &App, file: Option<String>) -> std::result::Result<McpValue, ()> {
    let file = app.paths.current.join(file.ok_or(())?);
    Ok(McpValue::Source(McpSource {
        env: None,
        file: Some(file.to_string_lossy().into_owned()),
    }))
}

/// `NAME=VALUE`; a variable alone stands for itself.
fn pairs(
    texts: &[String],
    flag: &str,
    value: impl Fn(Option<String>) -> std::result::Result<McpValue, ()>,
) -> Result<BTreeMap<String, McpValue>> {
    let mut pairs = BTreeMap::new();
    for text in texts {
        let (name, given) = match text.split_once('=') {
            Some((name, given)) => (name, Some(given.to_owned())),
            None => (text.as_str(), None),
        };
        let value = match value(given) {
            Ok(value) => value,
            Err(()) if flag == "--env" => McpValue::Source(McpSource {
                env: Some(name.to_owned()),
                file: None,
            }),
            // What was typed can be a secret: it is not shown.
            Err(()) => {
                return Err(Error::new(
                    Code::E3004,
                    format!("reading `{flag}`: expected NAME=VALUE"),
                ));
            }
        };
        pairs.insert(name.to_owned(), value);
    }
    Ok(pairs)
}

/// A grant whose path means the same wherever Toolhatch is started later.
fn absolute(app: &App, text: &str) -> Result<String> {
    let allow = Allow::parse(text).map_err(|error| {
        error
            .into_error(Code::E3004)
            .while_doing(format!("reading `--allow {text}`"))
    })?;
    let AllowValue::File { host, guest } = allow.value else {
        return Ok(text.to_owned());
    };
    let host = app
        .paths
        .current
        .join(&host)
        .canonicalize()
        .map_err(|error| {
            Error::new(
                Code::E3101,
                format!("reading `--allow {text}`: {host} cannot be granted"),
            )
            .caused_by(error)
        })?;
    let guest = guest.map_or_else(String::new, |guest| format!(":{guest}"));
    Ok(format!("{}={}{guest}", allow.kind, host.display()))
}

/// What a person is told before anything is started.
fn before(name: &PluginName, server: &McpServerConfig, granted: &Grants) -> String {
    let mut text = format!("{name} is {}\n", describe::place(server));
    let whole = granted.whole();
    let allowed = whole.capabilities();
    if !crate::app::is_program(server) {
        return text;
    }
    if allowed.is_empty() {
        text.push_str("It may do nothing on this machine but compute.");
        return text;
    }
    text.push_str("On this machine it may:");
    for capability in allowed {
        text.push_str(&format!("\n  - {}", capability.in_plain_words()));
    }
    text
}

fn not_confirmed(name: &PluginName) -> Error {
    Error::new(
        Code::E3214,
        format!("adding the server {name} was not confirmed"),
    )
}
