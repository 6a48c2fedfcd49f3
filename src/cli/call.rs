//! `toolhatch call`: one call of a tool, or with `--jsonl` many in one process.

pub(super) mod arguments;
mod jsonl;
mod learn;
mod live;
pub(super) mod render;

pub(super) use arguments::read_whole;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::live::Live;
use super::output::Printer;
use super::prompt::{Terminal, TerminalPerson};
use super::{block_on, block_on_here};
use crate::app::{App, choose_tool, confine, read_grants};
use crate::error::{Code, Error, Result};
use crate::exec::{Approver, EventLimits, EventSink, LogLevel, Respondent};
use crate::exit_code::Exit;
use crate::ids::{CallId, Digest};
use crate::invoke::{Caller, Report, Request, ToolRef};
use crate::manifest::{ByteSize, HumanDuration, LimitRequest, Manifest};
use crate::permission::{Capability, GrantedMount, Grants, Request as Asked};
use crate::registry::importable;
use crate::schema::read_component;

/// Call a tool.
///
/// The tool runs in a sandbox that can do nothing but what you allow with --allow. Its result goes to standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch call plugins/dist/analyze-code.wasm --arg path=src --allow file_read=src
  toolhatch call plugins/dist/files.wasm read --arg path=/workspace/README.md --allow file_read=.:/workspace
  toolhatch call my-plugin.my-tool --args @arguments.json --timeout 5s --json
  toolhatch call some.wasm add --arg a=1 --arg b:=2 --dry-run
  toolhatch call my-project fetch --arg url=https://example.com --learn
  echo '{\"tool\": \"some.wasm\", \"name\": \"add\", \"args\": {\"a\": 1, \"b\": 2}}' | toolhatch call --jsonl")]
pub struct Args {
    /// The tool: a file, an installed plugin, `plugin.tool` or `plugin@RANGE`.
    #[arg(required_unless_present = "jsonl", value_name = "TOOL|FILE")]
    target: Option<String>,
    /// Which tool of the file or plugin; may be left out where there is only one.
    #[arg(value_name = "TOOL")]
    tool: Option<String>,
    /// The arguments as a JSON object, or @FILE, or - for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    args: Option<String>,
    /// One argument: `name=value` is read by the type the tool's schema gives it, `name:=JSON` is taken as JSON.
    #[arg(long = "arg", value_name = "NAME=VALUE|NAME:=JSON")]
    arg: Vec<String>,
    /// Read one call a line from standard input, as JSON: {"tool", "name", "args", "allow", "timeout", "session", "key", "id"}.
    #[arg(long, conflicts_with_all = ["target", "args", "arg", "dry_run"])]
    jsonl: bool,
    /// With --jsonl: print answers as they come instead of in order.
    #[arg(long, requires = "jsonl")]
    unordered: bool,
    /// With --jsonl: how many calls run at once.
    #[arg(long, requires = "jsonl", value_name = "N")]
    jobs: Option<usize>,
    #[command(flatten)]
    common: Common,
    /// Say what the call would be allowed to do, and do not run it.
    #[arg(long)]
    dry_run: bool,
    /// Find out what the tool of a file or project needs: allow it nothing but what --allow says, whatever its manifest asks
    /// for, and propose the change of its manifest. On a terminal, what was denied can be allowed for another attempt.
    #[arg(long, conflicts_with_all = ["dry_run", "jsonl", "allow_requested"])]
    learn: bool,
    /// With --learn: write the change into the manifest.
    #[arg(long, requires = "learn")]
    write: bool,
}

/// What one call and all calls of a stream have in common.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Common {
    /// Allow something: file_read=HOST[:GUEST], file_write=HOST[:GUEST], network_http=[SCHEME://]HOST[:PORT][/GLOB],
    /// network_tcp=HOST:PORT, env=NAME[=VALUE], ... May be given several times.
    #[arg(long, value_name = "NAME=SCOPE")]
    pub(super) allow: Vec<String>,
    /// Allow everything that the tool's manifest asks for.
    #[arg(long)]
    pub(super) allow_requested: bool,
    /// Stop the call after this time, such as 500ms, 30s or 2m.
    #[arg(long, value_name = "DURATION")]
    timeout: Option<HumanDuration>,
    /// How much memory the tool may use, such as 64MiB.
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Freeze clocks and random numbers and count fuel, so that the same arguments give the same result.
    #[arg(long)]
    pub(super) deterministic: bool,
    /// Show what the tool prints, and its messages from this level on, as they come: trace, debug, info, warn or error.
    #[arg(long, value_name = "LEVEL", value_parser = parse_level)]
    pub(super) tool_log: Option<LogLevel>,
    /// The session the call belongs to: what its tools returned counts in later calls of it.
    #[arg(long, value_name = "ID", env = "TOOLHATCH_SESSION")]
    session: Option<String>,
    /// The agent that makes the call, for policies and the audit log.
    #[arg(long, value_name = "NAME", env = "TOOLHATCH_AGENT")]
    agent: Option<String>,
    /// Ask nobody: what needs a person's answer is refused.
    #[arg(long)]
    headless: bool,
    /// Do not confine this process itself with Landlock. Use it where the kernel's rules are in the way.
    #[arg(long)]
    no_landlock: bool,
}

fn parse_level(text: &str) -> std::result::Result<LogLevel, String> {
    let levels = [
        LogLevel::Trace,
        LogLevel::Debug,
        LogLevel::Info,
        LogLevel::Warn,
        LogLevel::Error,
    ];
    levels
        .into_iter()
        .find(|level| level.word() == text)
        .ok_or_else(|| "use trace, debug, info, warn or error".to_owned())
}

impl Common {
    pub(super) fn limits(&self) -> LimitRequest {
        LimitRequest {
            timeout: self.timeout.map(|timeout| timeout.0),
            memory: self.memory.map(|memory| memory.0),
            ..LimitRequest::default()
        }
    }

    /// The agent that makes the call, where one is named.
    pub(super) fn agent(&self) -> Option<String> {
        self.agent.clone()
    }

    /// Who makes the call. A person at the terminal can be asked about it, unless programs read what is printed.
    pub(super) fn caller(&self, printer: &Printer) -> Caller {
        let person = (!printer.is_json() && !self.headless)
            .then(TerminalPerson::open)
            .flatten();
        Caller {
            agent: self.agent.clone(),
            session: self.session.clone(),
            respondent: person.clone().map(|person| person as Arc<dyn Respondent>),
            approver: person.map(|person| person as Arc<dyn Approver>),
            ..Caller::of_process()
        }
    }

    fn event_limits(&self, app: &App) -> EventLimits {
        EventLimits {
            stdio: usize::try_from(app.config.limits.stdio).unwrap_or(usize::MAX),
            log_level: self.tool_log.unwrap_or(LogLevel::Info),
            ..EventLimits::default()
        }
    }

    /// A call of a tool, as these options have it. Where it can be interrupted, that is by its token.
    pub(super) fn request(
        &self,
        app: &App,
        tool: &ToolRef,
        arguments: Arc<Value>,
        caller: Arc<Caller>,
        grants: Grants,
    ) -> Request {
        Request {
            call: CallId::generate(),
            tool: tool.clone(),
            arguments,
            resumed: None,
            caller,
            grants: Arc::new(grants),
            limits: self.limits(),
            // One call of one process: there is nothing it could be a repetition of.
            idempotency: None,
            deterministic: self.deterministic,
            cancel: CancellationToken::new(),
            events: Arc::new(EventSink::new(self.event_limits(app))),
        }
    }

    /// Refuses what the operator's configuration does not let people allow.
    pub(super) fn check_allowed(&self, app: &App) -> Result<()> {
        if app.config.allow_flag || (self.allow.is_empty() && !self.allow_requested) {
            return Ok(());
        }
        Err(no_allow_flag(app))
    }
}

/// The operator does not let people allow anything on the command line.
pub(super) fn no_allow_flag(app: &App) -> Error {
    Error::new(
        Code::E3206,
        format!(
            "`--allow` is switched off by {}",
            app.config.origin("permissions.allow_flag")
        ),
    )
    .hint("Ask whoever runs this machine to grant what the tool needs.")
}

/// A plugin is not what its project's manifest says by now.
pub(super) fn outdated(file: &Path, manifest: &Path) -> String {
    format!(
        "{} was built with another manifest than {}, which counts after the next `toolhatch plugin build`",
        file.display(),
        manifest.display()
    )
}

/// Waits for Ctrl-C, or for a polite request to end.
pub(super) async fn listen_for_interrupt() {
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(terminate) => terminate.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => {
            if interrupted.is_err() {
                std::future::pending::<()>().await;
            }
        }
        _ = terminated => {}
    }
}

impl Args {
    /// True where standard output carries answers, one a line.
    pub(super) fn is_lines(&self) -> bool {
        self.jsonl
    }

    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<Exit> {
        self.common.check_allowed(app)?;
        if self.jsonl {
            return jsonl::run(app, printer, &self.common, self.jobs, self.unordered);
        }
        // clap lets a requirement go where it conflicts with what is there.
        if self.unordered || self.jobs.is_some() {
            return Err(Error::new(
                Code::E3004,
                "`--unordered` and `--jobs` go with `--jsonl`",
            ));
        }
        let target = self.target.as_deref().unwrap_or_default();
        let tool = app.tool_ref(target, self.tool.as_deref())?;
        if self.learn {
            return learn::run(&self, app, printer, &tool);
        }
        let mut grants = read_grants(
            &self.common.allow,
            self.common.allow_requested,
            &app.paths.current,
        )?;
        let whole = self.args.as_deref().map(read_whole).transpose()?;
        // Everything that is known before a thread starts: what the process itself may still do from here on.
        let known = self.look_up(app, printer, &tool, &grants)?;
        if grants.is_empty()
            && known.kept.is_none()
            && !self.dry_run
            && !self.common.headless
            && !printer.is_json()
        {
            ask(app, &known.name, &known.requests, &mut grants)?;
        }
        // The terminal has to be open before this process may open nothing but what was granted.
        let caller = Arc::new(self.common.caller(printer));
        // A command runs in a container; no code of a stranger runs in this process.
        if !self.common.no_landlock && !self.dry_run && !known.is_command {
            if let Some(digest) = known.installed {
                app.pin_kept(digest, known.kept.clone());
            }
            let kept = known.kept;
            let all = kept.map_or_else(|| grants.clone(), |kept| grants.and(&kept));
            confine::one_shot(app, &all, &known.requests)?;
        }
        let common = self.common.clone();
        app.expect_one_call();
        block_on(async {
            app.warm_up();
            let source = app.source(&tool).await?;
            let chosen = choose_tool(&source, self.tool.as_deref().or(tool.tool()))?;
            app.warm_up_for(&source, &chosen, common.deterministic);
            let arguments = arguments::combine(whole, &self.arg, &chosen.input_schema)?;
            let arguments = Arc::new(arguments);
            let request = common.request(app, &tool, arguments, Arc::clone(&caller), grants);
            if self.dry_run {
                let authorised = app.pipeline()?.plan(request).await?;
                printer.output(&render::plan(&authorised));
                return Ok(Exit::Ok);
            }
            one(app, printer, request, &common).await
        })
    }
}

/// What is known of a tool before this process confines itself.
struct Known {
    name: String,
    requests: Vec<Asked>,
    kept: Option<Arc<Grants>>,
    /// The artifact, where it is installed.
    installed: Option<Digest>,
    /// It is a command, and all tools of its source are.
    is_command: bool,
}

impl Args {
    fn look_up(
        &self,
        app: &App,
        printer: &Printer,
        tool: &ToolRef,
        grants: &Grants,
    ) -> Result<Known> {
        block_on_here(async {
            if tool.is_built_in() || app.is_of_server(tool) {
                let source = app.source(tool).await?;
                return Ok(Known {
                    name: source.name.clone(),
                    // Whoever calls it says what it may do: there is no list to ask about.
                    requests: Vec::new(),
                    kept: None,
                    installed: None,
                    is_command: true,
                });
            }
            let found = app.package(tool).await?;
            let kept = match &found.installed {
                Some(plugin) => app.kept_for(&plugin.name, &plugin.digest).await?,
                None => None,
            };
            // What is a mistake in that manifest is found when it is built.
            if let ToolRef::File { path, .. } = tool
                && path.is_dir()
                && let Ok(Some(manifest)) = found.package.outdated_by()
            {
                printer.warning(&outdated(&found.package.file, &manifest));
            }
            // The threads of the database would not be confined with this process.
            app.release().await;
            let manifest = found.package.manifest.as_ref();
            let requests = match manifest {
                Some(manifest) => manifest.requests(&app.paths.variables())?,
                // A component without a manifest asks for all that its imports can be used for.
                None if grants.all_requested => {
                    let bytes = &found.package.artifact.bytes;
                    let imports = read_component(bytes, None)?.imports;
                    importable(&imports).into_iter().map(Asked::broad).collect()
                }
                None => Vec::new(),
            };
            Ok(Known {
                name: found.package.name(),
                requests,
                kept,
                installed: found.installed.map(|plugin| plugin.digest),
                is_command: manifest.is_some_and(Manifest::is_contained),
            })
        })
    }
}

async fn one(app: &Arc<App>, printer: &Printer, request: Request, common: &Common) -> Result<Exit> {
    let report = invoke(app, printer, request, common).await?;
    settle(app).await;
    render::report(printer, &report);
    Ok(report.error().map_or(Exit::Ok, Error::exit))
}

/// Runs a call to its end, shows how far it has come, and cancels it where somebody interrupts.
pub(super) async fn invoke(
    app: &Arc<App>,
    printer: &Printer,
    mut request: Request,
    common: &Common,
) -> Result<Report> {
    let cancel = request.cancel.clone();
    let pipeline = app.pipeline()?;
    let mut live = Live::new(common.tool_log.is_some() && !printer.is_json());
    request.events = Arc::new(EventSink::with_listener(
        common.event_limits(app),
        live.listener(),
    ));
    let call = pipeline.invoke(request);
    tokio::pin!(call);
    let mut interrupt = std::pin::pin!(listen_for_interrupt());
    let mut report = loop {
        tokio::select! {
            biased;
            report = &mut call => break report,
            () = &mut interrupt, if !cancel.is_cancelled() => cancel.cancel(),
            () = live.show_next(printer) => {}
        }
    };
    live.show_rest(printer);
    if let Err(error) = app.recorded().await {
        // The call ran, and nobody can show how it ended: its result is not told.
        report.result = Err(error.while_doing("recording how the call ended"));
    }
    Ok(report)
}

/// Ends what calls have left open.
pub(super) async fn settle(app: &App) {
    app.settle_servers().await;
    app.settle_containers().await;
}

/// Asks the person at the terminal about each thing the tool asks for, where nothing was said about it. Without a terminal
/// the answer is no.
fn ask(app: &App, name: &str, requests: &[Asked], grants: &mut Grants) -> Result<()> {
    let needs_something = requests.iter().any(|request| !request.optional);
    if !needs_something || !app.config.allow_flag {
        return Ok(());
    }
    let Some(mut terminal) = Terminal::open() else {
        return Ok(());
    };
    terminal.say(&format!("{name} asks for this, for this call:"))?;
    for request in requests {
        if let Some(warning) = request.warning() {
            terminal.say(&format!("  careful: {warning}"))?;
        }
        if !terminal.confirm(&format!("  May it {}?", request.in_plain_words()))? {
            continue;
        }
        for capability in &request.capabilities {
            if let Capability::FileRead(scope) | Capability::FileWrite(scope) = capability
                && let Some(root) = scope.root()
            {
                grants.mounts.push(GrantedMount {
                    host: root.to_owned(),
                    guest: request.mount.clone(),
                    typed: root.to_string_lossy().into_owned(),
                });
            }
            grants.scope.insert(capability.clone());
        }
    }
    Ok(())
}
