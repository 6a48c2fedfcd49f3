//! `toolhatch exec`: a command in a container, by the person at the command line.
//!
//! It is a call of the tool `sandbox.run`, through the same gate as every call: what is typed here is what a person allows
//! this one call, and policy can still forbid it.

mod streams;

use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Arc;

use semver::VersionReq;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use self::streams::Streams;
use super::block_on;
use super::call::{listen_for_interrupt, no_allow_flag};
use super::output::Printer;
use super::prompt::TerminalPerson;
use super::sandbox::changes::shown;
use crate::app::{App, read_grants};
use crate::changes::{ChangeSet, Rules};
use crate::error::{Code, Error, Result};
use crate::exec::{Approver, EventLimits, EventSink};
use crate::exit_code::Exit;
use crate::ids::{CallId, InvalidId};
use crate::invoke::{Caller, CommandPlace, Report, Request, ToolRef, WORKSPACE};
use crate::manifest::{ByteSize, HumanDuration, LimitRequest};
use crate::permission::{
    Capability, Denial, Grants, Kind, Reach, Scheme, SocketScope, SubprocessScope,
};
use crate::registry::SANDBOX;

/// What is read from standard input at most.
const MAX_STDIN: u64 = 64 << 20;

/// Run a command in a container.
///
/// The container starts with nothing: no network, a read-only system, no folder of this machine, no capabilities, not root.
/// It gets what you name here. The exit code is the command's own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch exec -- sh -c 'id; ls /'
  toolhatch exec --mount . -- ls -l
  toolhatch exec --mount .:/workspace:rw --image golang:1.24 -- go test ./...
  toolhatch exec --diff --mount .:/workspace:rw -- make
  toolhatch exec --allow-host api.example.com:443 --image curlimages/curl -- curl -s https://api.example.com/
  toolhatch exec --timeout 2s --memory 64MiB -- sh -c 'sleep 100'
  toolhatch exec --keep build --mount .:/workspace:rw -- make
  echo hello | toolhatch exec --stdin -- cat

It ends with 124 where the time was over, with 6 where memory was, with 3 where something is not allowed, with 4 where there
is no daemon or no image; else with the command's own exit code.")]
pub struct Args {
    /// The image; the configured one (`docker.image`) where none is named.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// The network: none, allow-list, bridge, or host where the operator allows it.
    #[arg(long, value_name = "NETWORK", value_parser = ["none", "allow-list", "bridge", "host"])]
    net: Option<String>,
    /// A host and port that the command may talk to through a proxy, which programs find in HTTP_PROXY and the like; nothing
    /// else is open. `*.example.com:443` is every name below, `HOST:*` every port; `;private` behind it opens addresses of
    /// this machine and of private networks. May be given several times; the network is then allow-list.
    #[arg(long, value_name = "HOST:PORT")]
    allow_host: Vec<String>,
    /// Mount a file or folder: HOST[:CONTAINER][:rw]. It appears in /workspace where CONTAINER is not given, and is
    /// read-only without `rw`. May be given several times.
    #[arg(long, value_name = "HOST[:CONTAINER][:rw]")]
    mount: Vec<String>,
    /// Change nothing: the command writes apart from the folders that are mounted with `rw`, and what it changed is shown.
    /// `toolhatch sandbox apply` applies it.
    #[arg(long)]
    diff: bool,
    /// An environment variable: NAME=VALUE, or NAME for its value here. May be given several times.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// The folder in the container that the command starts in.
    #[arg(long, value_name = "PATH")]
    workdir: Option<String>,
    /// Keep the container under this name: the next command with the same name and the same grants runs in it.
    #[arg(long, value_name = "NAME")]
    keep: Option<String>,
    /// Pass standard input on.
    #[arg(long, short = 'i')]
    stdin: bool,
    /// Stop the command after this time, such as 500ms, 30s or 2m.
    #[arg(long, value_name = "DURATION")]
    timeout: Option<HumanDuration>,
    /// How much memory the command may use, such as 64MiB.
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// The session the call belongs to.
    #[arg(long, value_name = "ID", env = "TOOLHATCH_SESSION")]
    session: Option<String>,
    /// The agent that makes the call, for policies and the audit log.
    #[arg(long, value_name = "NAME", env = "TOOLHATCH_AGENT")]
    agent: Option<String>,
    /// Ask nobody: what needs a person's answer is refused.
    #[arg(long)]
    headless: bool,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Args {
    /// The same in the container that is kept under this name.
    pub fn keeping(self, name: String) -> Self {
        Self {
            keep: Some(name),
            ..self
        }
    }

    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<ExitCode> {
        if !app.config.allow_flag {
            return Err(no_allow_flag(app));
        }
        self.check_diff()?;
        let grants = self.grants(app)?;
        let arguments = self.arguments()?;
        let approver = (!printer.is_json() && !self.headless)
            .then(TerminalPerson::open)
            .flatten();
        let caller = Caller {
            agent: self.agent.clone(),
            session: self.session.clone(),
            approver: approver.map(|approver| approver as Arc<dyn Approver>),
            ..Caller::of_process()
        };
        let limits = LimitRequest {
            timeout: self.timeout.map(|timeout| timeout.0),
            memory: self.memory.map(|memory| memory.0),
            ..LimitRequest::default()
        };
        app.expect_one_call();
        block_on(async {
            let pipeline = app.pipeline()?;
            let cancel = CancellationToken::new();
            let mut streams = Streams::new(printer);
            let events = EventSink::with_listener(EventLimits::default(), streams.listener())
                .with_backlog(streams.backlog());
            let id = CallId::generate();
            let call = pipeline.invoke(Request {
                call: id,
                tool: ToolRef::Installed {
                    plugin: SANDBOX.parse().map_err(|error: InvalidId| {
                        Error::new(Code::E3000, "naming the tool of the sandbox").caused_by(error)
                    })?,
                    range: VersionReq::STAR,
                    tool: None,
                },
                arguments: Arc::new(arguments),
                resumed: None,
                caller: Arc::new(caller),
                grants: Arc::new(grants),
                limits,
                idempotency: None,
                deterministic: false,
                cancel: cancel.clone(),
                events: Arc::new(events),
            });
            tokio::pin!(call);
            let mut interrupt = std::pin::pin!(listen_for_interrupt());
            let mut report = loop {
                tokio::select! {
                    biased;
                    report = &mut call => break report,
                    () = &mut interrupt, if !cancel.is_cancelled() => cancel.cancel(),
                    more = streams.show(printer) => {
                        if !more {
                            // Nobody reads any more, as where `head` has enough.
                            cancel.cancel();
                        }
                    }
                }
            };
            streams.finish(printer);
            if let Err(error) = app.recorded().await {
                report.result = Err(error.while_doing("recording how the call ended"));
            }
            app.settle_containers().await;
            let changes = self.diff.then(|| changes(app, &id)).transpose()?.flatten();
            let rules = app.change_rules();
            let exit = tell(printer, &report, changes.as_ref().map(|set| (set, &rules)));
            if self.diff && !printer.is_json() {
                let has_ended = match &report.result {
                    Ok(_) => true,
                    Err(error) => error.code() == Code::E3410,
                };
                match &changes {
                    Some(set) => printer.note(&shown(set, &rules)),
                    None if has_ended => printer.note("Nothing was changed."),
                    None => {}
                }
            }
            Ok(exit)
        })
    }

    /// Without a folder that can be written there is nothing to show.
    fn check_diff(&self) -> Result<()> {
        let mut mounts = self.mount.iter().map(|mount| split_mount(mount));
        if !self.diff || mounts.any(|mount| mount.is_ok_and(|(_, _, writable)| writable)) {
            return Ok(());
        }
        Err(Error::new(
            Code::E3004,
            "reading `--diff`: nothing is mounted that the command could change",
        )
        .hint("Mount a folder to be written to: `--mount .:/workspace:rw`."))
    }

    /// What is typed is what is allowed.
    fn grants(&self, app: &App) -> Result<Grants> {
        let mut texts = Vec::new();
        for mount in &self.mount {
            let (host, container, writable) = split_mount(mount)?;
            let place = format!("{host}:{container}");
            texts.push(format!("file_read={place}"));
            if writable {
                texts.push(format!("file_write={place}"));
            }
        }
        texts.extend(self.env.iter().map(|variable| format!("env={variable}")));
        let hosts = self.allow_host.iter();
        texts.extend(hosts.map(|host| format!("{}={host}", Kind::NetworkTcp)));
        let mut grants = read_grants(&texts, false, &app.paths.current)?;
        let program = self.command.first().map(String::as_str);
        let place = app.command_place();
        if let (Some(image), true) = (&self.image, place != CommandPlace::Container) {
            return Err(Error::new(
                Code::E3004,
                format!("running a command in the image {image}: there are no containers where commands run here"),
            )
            .hint("Leave `--image` out, or have `execution.strategy` be `docker`."));
        }
        let image = match &self.image {
            Some(image) => image.clone(),
            None => app.config.docker.image.to_string(),
        };
        let scope = SubprocessScope::new(Some(&place.reference(&image)), program)
            .map_err(|error| error.into_error(Code::E3004))?;
        grants.scope.insert(Capability::Subprocess(scope));
        if matches!(self.net.as_deref(), Some("bridge" | "host")) {
            for kind in [Kind::NetworkTcp, Kind::NetworkUdp] {
                grants.scope.extend(Capability::broadest(kind));
            }
        }
        Ok(grants)
    }

    /// The network that is asked for: where hosts are named, these.
    fn network(&self) -> Result<Option<String>> {
        const LIST: &str = "allow-list";
        match self.net.as_deref() {
            _ if self.allow_host.is_empty() => Ok(self.net.clone()),
            None | Some(LIST) => Ok(Some(LIST.to_owned())),
            Some(other) => Err(Error::new(
                Code::E3004,
                format!("reading `--net {other}`: `--allow-host` is for the network `{LIST}`"),
            )
            .hint(format!("Leave `--net` out, or write `--net {LIST}`."))),
        }
    }

    fn arguments(&self) -> Result<Value> {
        let mut arguments = Map::new();
        arguments.insert("command".into(), json!(self.command));
        for (name, value) in [
            ("image", &self.image),
            ("network", &self.network()?),
            ("workdir", &self.workdir),
            ("keep", &self.keep),
        ] {
            if let Some(value) = value {
                arguments.insert(name.into(), value.clone().into());
            }
        }
        if self.diff {
            arguments.insert("changes".into(), "review".into());
        }
        if self.stdin {
            arguments.insert("stdin".into(), read_stdin()?.into());
        }
        Ok(Value::Object(arguments))
    }
}

/// `HOST`, `HOST:CONTAINER`, either with `:ro` or `:rw` behind it.
fn split_mount(text: &str) -> Result<(&str, String, bool)> {
    let (rest, writable) = match text.rsplit_once(':') {
        Some((rest, "rw")) => (rest, true),
        Some((rest, "ro")) => (rest, false),
        _ => (text, false),
    };
    let (host, container) = match rest.rsplit_once(":/") {
        Some((host, container)) => (host, format!("/{container}")),
        None => (rest, place_of(rest)),
    };
    if host.is_empty() || (host.contains(':') && !std::path::Path::new(host).exists()) {
        return Err(Error::new(
            Code::E3004,
            format!("reading `--mount {text}`: write HOST[:CONTAINER][:rw]"),
        )
        .hint("CONTAINER is an absolute path, such as `--mount .:/workspace:rw`."));
    }
    Ok((host, container, writable))
}

/// Where something appears that is only named by where it is here.
fn place_of(host: &str) -> String {
    let below: Vec<&str> = host
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if host.starts_with('/') || below.contains(&"..") {
        return WORKSPACE.to_owned();
    }
    std::iter::once(WORKSPACE)
        .chain(below)
        .collect::<Vec<_>>()
        .join("/")
}

fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(MAX_STDIN + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::new(Code::E3301, "reading standard input").caused_by(error))?;
    if bytes.len() as u64 > MAX_STDIN {
        return Err(Error::new(
            Code::E3301,
            format!(
                "reading standard input: it is larger than {} MiB",
                MAX_STDIN >> 20
            ),
        )
        .hint("Put it into a file, and mount that."));
    }
    String::from_utf8(bytes).map_err(|error| {
        Error::new(
            Code::E3301,
            format!(
                "reading standard input: it is not UTF-8 (byte {})",
                error.utf8_error().valid_up_to()
            ),
        )
        .hint("Put it into a file, and mount that.")
    })
}

/// What the command changed; nothing where it did not run or changed nothing.
fn changes(app: &App, id: &CallId) -> Result<Option<ChangeSet>> {
    match app.kept_changes().open(id) {
        Ok(set) => Ok(Some(set)),
        Err(error) if error.code() == Code::E3101 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says how it went, where the command did not say it all itself.
fn tell(printer: &Printer, report: &Report, changes: Option<(&ChangeSet, &Rules)>) -> ExitCode {
    if printer.is_json() {
        let mut json = report.to_json();
        if let (Some((set, rules)), Some(object)) = (changes, json.as_object_mut()) {
            object.insert("changes".into(), set.to_json(rules));
        }
        printer.json_value(&json);
    }
    for warning in report
        .warnings
        .iter()
        .chain(report.events.logs.iter().map(|(_, text)| text))
    {
        printer.warning(warning);
    }
    if !printer.is_json() {
        for denial in &report.events.denials {
            tell_denial(printer, denial);
        }
    }
    let Err(error) = &report.result else {
        return Exit::Ok.into();
    };
    if error.code() == Code::E3410 {
        let code = error.details().get("exit_code").and_then(Value::as_i64);
        let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        return code.into();
    }
    if !printer.is_json() {
        printer.error(error);
    }
    error.exit().into()
}

/// A connection that was denied; the programs that make them rarely say why.
fn tell_denial(printer: &Printer, denial: &Denial) {
    if !matches!(denial.kind(), Kind::NetworkHttp | Kind::NetworkTcp) {
        return;
    }
    printer.warning(&denial.to_string());
    if let Some(host) = denial.remedy().and_then(host_of) {
        printer.note(&format!(
            "  If you trust the command with it, add `--allow-host '{host}'`."
        ));
    }
}

/// What of a grant can be said with `--allow-host`.
fn host_of(grant: &Capability) -> Option<String> {
    let text = match grant {
        Capability::NetworkTcp(scope) => scope.to_string(),
        Capability::NetworkHttp(scope) => {
            let port = scope.port(Scheme::Http)?;
            let reach = if scope.reach() >= Reach::Private {
                ";private"
            } else {
                ""
            };
            format!("{}:{port}{reach}", scope.host())
        }
        _ => return None,
    };
    let scope = SocketScope::parse(&text, Kind::NetworkTcp).ok()?;
    Some(scope.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_as_people_write_them() {
        for (text, host, container, writable) in [
            (".", ".", "/workspace", false),
            ("src", "src", "/workspace/src", false),
            ("./a/b", "./a/b", "/workspace/a/b", false),
            ("/srv/data", "/srv/data", "/workspace", false),
            ("../x", "../x", "/workspace", false),
            (".:/work", ".", "/work", false),
            (".:/work:rw", ".", "/work", true),
            (".:rw", ".", "/workspace", true),
            (".:/work:ro", ".", "/work", false),
        ] {
            let split = split_mount(text).expect(text);
            assert_eq!(split, (host, container.to_owned(), writable), "{text}");
        }
        for text in ["", ":rw", "a:b", ":/x"] {
            assert!(split_mount(text).is_err(), "{text}");
        }
    }
}
