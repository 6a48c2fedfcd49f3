//! `toolhatch plugin test`.

pub(super) mod consent;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::consent::Consent;
use super::build::{DIST, Project};
use crate::app::{App, Scratch, choose_tool};
use crate::author::example::{Call, Ending, Examples, Verdict, of_project};
use crate::cli::block_on;
use crate::cli::call::{no_allow_flag, outdated};
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::text::count;
use crate::config::workspace_root;
use crate::dist::Package;
use crate::error::{Code, Error, Result};
use crate::exec::{EventLimits, EventSink, Events};
use crate::exit_code::Exit;
use crate::fsx;
use crate::ids::CallId;
use crate::invoke::{Caller, Pipeline, Request, ToolRef};
use crate::manifest::{HumanDuration, LimitRequest};
use crate::schema::write_package_docs;
use crate::store::StateOwner;

/// Run the example calls of a project (`tests/*.toml`) in the sandbox, and compare what comes of them.
///
/// Each call gets what it says under `allow`, and nothing else: to read the project without further ado, what goes beyond
/// that only where you agree, at the terminal or with --allow. Tests in the plugin's own language are run by the tools of that
/// language.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin test
  toolhatch plugin test my-plugin --filter greets
  toolhatch plugin test --build --update
  toolhatch plugin test --allow network_http=example.org

A file of example calls:
  [[call]]
  name = \"greets by name\"
  tool = \"greet\"
  arguments = { name = \"Ada\" }
  allow = [\"file_read=fixtures:/workspace\"]
  [call.expect]
  result = { greeting = \"Hello, Ada!\" }

`toolhatch schema examples` prints what else it can hold. It ends with 1 where a call is not as it was to be.")]
pub struct Args {
    /// The folder of the project.
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// The plugin to test, in place of the one in the project's folder or its dist.
    #[arg(long, value_name = "FILE", conflicts_with = "build")]
    plugin: Option<PathBuf>,
    /// Build it first.
    #[arg(long)]
    build: bool,
    /// Only the calls whose name, or that of their file, has this in it.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the snapshots anew.
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    consent: consent::Agreed,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        let project = app.paths.current.join(&self.project);
        if !project.is_dir() {
            return Err(Error::new(
                Code::E3101,
                format!(
                    "testing {}: there is no such folder",
                    self.project.display()
                ),
            )
            .hint(
                "Name the folder of a project; its plugin may be another file, with `--plugin`.",
            ));
        }
        let examples = of_project(&project)?;
        if examples.iter().all(|file| file.calls.is_empty()) {
            return Err(Error::new(
                Code::E3101,
                format!(
                    "testing {}: there are no example calls",
                    self.project.display()
                ),
            )
            .hint("Write some into tests/NAME.toml; `toolhatch plugin test --help` shows one."));
        }
        let file = if self.build {
            Project::open(app, &self.project)?
                .build(app, printer, None)?
                .file
        } else {
            self.plugin
                .as_ref()
                .map_or_else(|| built(&project), |file| app.paths.current.join(file))
        };
        let consent = Consent::new(&project, &self.consent, &app.paths.current)?;
        let tester = Tester::new(app, printer, file, consent, self.update)?;
        let wanted = |file: &Examples, call: &Call| {
            let has = |text: &String| {
                file.name.contains(text.as_str()) || call.name.contains(text.as_str())
            };
            self.filter.as_ref().is_none_or(has)
        };
        let all = || {
            examples
                .iter()
                .flat_map(|file| file.calls.iter().map(move |call| (file, call)))
        };
        if let Some(filter) = &self.filter
            && !all().any(|(file, call)| wanted(file, call))
        {
            return Err(Error::new(
                Code::E3101,
                format!(
                    "testing {}: no call has {filter:?} in its name",
                    self.project.display()
                ),
            )
            .hint("Leave `--filter` out: then all are made, and their names are shown."));
        }
        tester.run_all(&examples, printer, wanted, !printer.is_json())
    }
}

/// The plugin of a project: a file of its `dist`, or else whatever the folder is taken for.
fn built(project: &Path) -> PathBuf {
    let dist = project.join(DIST);
    if dist.is_dir() {
        dist
    } else {
        project.to_owned()
    }
}

/// Runs the example calls of one plugin.
pub(super) struct Tester {
    app: Arc<App>,
    pipeline: Pipeline,
    /// A copy of it: what it keeps belongs to its path, so that every run begins with nothing.
    copy: Copy,
    consent: Consent,
    update: bool,
    /// What the sessions of its calls begin with: a file of a project names none that the person has.
    run: CallId,
}

/// What came of one example call.
struct Told {
    file: String,
    call: String,
    verdict: Verdict,
    milliseconds: f64,
    wrote_snapshot: bool,
    /// What the tool said, and what it was denied; shown where it is not as it was to be.
    besides: Vec<String>,
}

/// A plugin in a folder of its own, which goes with it.
struct Copy {
    _scratch: Scratch,
    file: PathBuf,
    owner: StateOwner,
}

impl Copy {
    fn of(app: &App, printer: &Printer, plugin: &Path) -> Result<Self> {
        let package = Package::read(plugin)?;
        if let Some(manifest) = package.outdated_by()? {
            printer.warning(&outdated(&package.file, &manifest));
        }
        let scratch = block_on(app.scratch())?;
        let file = scratch.folder().join(format!("{}.wasm", package.name()));
        let bytes = &package.artifact.bytes;
        match &package.docs {
            Some(docs) => fsx::write_atomic(&file, &write_package_docs(bytes, docs)?, 0o600)?,
            None => fsx::write_atomic(&file, bytes, 0o600)?,
        }
        Ok(Self {
            owner: StateOwner::File(file.clone()),
            _scratch: scratch,
            file,
        })
    }
}

impl Tester {
    /// For the plugin in `file`, in the workspace of its project, wherever it is run from; with `update`, snapshots are written anew.
    pub(super) fn new(
        app: &Arc<App>,
        printer: &Printer,
        file: PathBuf,
        consent: Consent,
        update: bool,
    ) -> Result<Self> {
        let workspace = workspace_root(consent.project());
        let app = if workspace == app.paths.workspace {
            Arc::clone(app)
        } else {
            Arc::new(app.elsewhere(workspace))
        };
        Ok(Self {
            copy: Copy::of(&app, printer, &file)?,
            pipeline: app.pipeline()?,
            app,
            consent,
            update,
            run: CallId::generate(),
        })
    }

    /// Runs those that are wanted, one after the other, and says what came of them. What they ask for beyond what is their
    /// own has to be agreed to, before the first is run.
    pub(super) fn run_all(
        mut self,
        examples: &[Examples],
        printer: &Printer,
        wanted: impl Fn(&Examples, &Call) -> bool,
        may_ask: bool,
    ) -> Result<CommandOutput> {
        let all = examples
            .iter()
            .flat_map(|file| file.calls.iter().map(move |call| (file, call)));
        let chosen: Vec<_> = all.filter(|(file, call)| wanted(file, call)).collect();
        if !self.app.config.allow_flag && chosen.iter().any(|(_, call)| !call.allow.is_empty()) {
            return Err(no_allow_flag(&self.app));
        }
        let asked = chosen
            .iter()
            .map(|(_, call)| (call.name.as_str(), call.allow.as_slice()));
        self.consent.settle(asked, may_ask)?;
        let mut told = Vec::new();
        block_on(async {
            let mut ran = Ok(());
            for (file, call) in &chosen {
                printer.progress(
                    told.len() as f64,
                    Some(chosen.len() as f64),
                    Some(&call.name),
                );
                match self.run(file, call).await {
                    Ok(one) => told.push(one),
                    Err(error) => {
                        ran = Err(error);
                        break;
                    }
                }
            }
            let has_sessions = chosen.iter().any(|(_, call)| call.session.is_some());
            let forgotten = self.forget(has_sessions).await;
            // Whatever went wrong: what was recorded is written and signed.
            self.app.close_audit().await?;
            self.app.release().await;
            ran.and(forgotten)
        })?;
        Ok(summary(&told))
    }

    /// Removes what the calls left: what the plugin kept, and their sessions.
    async fn forget(&self, has_sessions: bool) -> Result<()> {
        self.app.clear_state(&self.copy.owner, true).await?;
        if has_sessions {
            self.app.forget_sessions(&self.session("")).await?;
        }
        Ok(())
    }

    async fn run(&self, examples: &Examples, call: &Call) -> Result<Told> {
        let request = self.request(call).await.map_err(|error| {
            error.while_doing(format!("{}: {:?}", examples.file.display(), call.name))
        })?;
        let started = Instant::now();
        let report = self.pipeline.invoke(request).await;
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        self.app.recorded().await.map_err(|error| {
            error.while_doing(format!("recording the example call {:?}", call.name))
        })?;
        let ending = match &report.result {
            Ok(output) => Ending::Done(output),
            Err(error) => Ending::Failed(error),
        };
        let mut wrote_snapshot = false;
        let mut kept = None;
        if call.expect.snapshot {
            let snapshot = examples.snapshot(call);
            kept = match snapshot.read() {
                // It is replaced, whatever it is.
                Err(error) if self.update && error.code() != Code::E3206 => {
                    tracing::debug!(%error, "the snapshot could not be read");
                    None
                }
                read => read?,
            };
            if self.update {
                let found = ending.to_snapshot();
                wrote_snapshot = kept.as_ref() != Some(&found);
                snapshot.write(&found)?;
                kept = Some(found);
            }
        }
        Ok(Told {
            file: examples.name.clone(),
            call: call.name.clone(),
            verdict: ending.judge(&call.expect, kept.as_ref()),
            milliseconds,
            wrote_snapshot,
            besides: besides(&report.events),
        })
    }

    /// The session of this run that calls name so.
    fn session(&self, name: &str) -> String {
        format!("{}/{name}", self.run)
    }

    async fn request(&self, call: &Call) -> Result<Request> {
        let tool = ToolRef::File {
            path: self.copy.file.clone(),
            tool: call.tool.clone(),
        };
        // A tool that is not there is a mistake in the file, and no end of a call.
        let source = self.app.source(&tool).await?;
        choose_tool(&source, call.tool.as_deref())?;
        let timeout = call
            .timeout
            .as_ref()
            .map(|text| text.parse::<HumanDuration>())
            .transpose()
            .map_err(|error| Error::new(Code::E3105, format!("reading `timeout`: {error}")))?;
        Ok(Request {
            call: CallId::generate(),
            tool,
            arguments: Arc::new(Value::Object(call.arguments.clone())),
            resumed: None,
            caller: Arc::new(Caller {
                session: call.session.as_ref().map(|name| self.session(name)),
                ..Caller::of_process()
            }),
            grants: Arc::new(self.consent.grants(&call.allow)?),
            limits: LimitRequest {
                timeout: timeout.map(|timeout| timeout.0),
                ..LimitRequest::default()
            },
            idempotency: None,
            deterministic: call.deterministic,
            cancel: CancellationToken::new(),
            events: Arc::new(EventSink::new(EventLimits::default())),
        })
    }
}

fn besides(events: &Events) -> Vec<String> {
    let logs = events
        .logs
        .iter()
        .map(|(level, message)| format!("{}: {message}", level.word()));
    let denials = events.denials.iter().map(|denial| {
        let line = denial
            .manifest_line()
            .map_or_else(String::new, |line| format!(" (in the manifest: {line})"));
        format!("denied: {denial}{line}")
    });
    let printed = [&events.stdout, &events.stderr]
        .into_iter()
        .filter(|bytes| !bytes.is_empty())
        .map(|bytes| format!("printed: {}", String::from_utf8_lossy(bytes).trim_end()));
    logs.chain(denials).chain(printed).collect()
}

fn summary(told: &[Told]) -> CommandOutput {
    let mut lines = Vec::new();
    let mut failed = 0;
    for one in told {
        let name = format!("{}: {}", one.file, one.call);
        match &one.verdict {
            Verdict::Passed => {
                let snapshot = if one.wrote_snapshot {
                    ", snapshot written"
                } else {
                    ""
                };
                lines.push(format!(
                    "ok    {name} ({:.1} ms{snapshot})",
                    one.milliseconds
                ));
            }
            Verdict::Failed(reasons) => {
                failed += 1;
                lines.push(format!("FAIL  {name}"));
                lines.extend(reasons.iter().chain(&one.besides).flat_map(|reason| {
                    reason
                        .lines()
                        .map(|line| format!("      {line}"))
                        .collect::<Vec<_>>()
                }));
            }
        }
    }
    lines.push(format!(
        "{} as expected, {failed} not",
        count(told.len() - failed, "call")
    ));
    let json = told
        .iter()
        .map(|one| {
            let reasons = match &one.verdict {
                Verdict::Passed => Vec::new(),
                Verdict::Failed(reasons) => reasons.clone(),
            };
            json!({
                "file": one.file,
                "call": one.call,
                "ok": one.verdict == Verdict::Passed,
                "reasons": reasons,
                "besides": one.besides,
                "milliseconds": one.milliseconds,
                "wrote_snapshot": one.wrote_snapshot,
            })
        })
        .collect::<Vec<_>>();
    CommandOutput {
        exit: if failed == 0 { Exit::Ok } else { Exit::Tool },
        ..CommandOutput::new(
            lines.join("\n"),
            json!({"ok": failed == 0, "failed": failed, "calls": json}),
        )
    }
}
