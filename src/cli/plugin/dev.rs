//! `toolhatch plugin dev`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::build::{DIST, Packed, Project};
use super::test::Tester;
use super::test::consent::Consent;
use crate::app::{App, choose_tool, read_grants};
use crate::author::example::of_project;
use crate::cli::block_on;
use crate::cli::call::{self, Common, arguments, render};
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::text::size;
use crate::error::{Code, Error, Result};
use crate::exec::LogLevel;
use crate::invoke::ToolRef;

/// Folders of a project that builds write into, or that are nobody's source.
const NOT_WATCHED: [&str; 7] = [
    "target",
    DIST,
    "build",
    "node_modules",
    ".venv",
    "__pycache__",
    ".git",
];
/// An editor writes a file in several steps; what comes within this time is one change.
const SETTLES: Duration = Duration::from_millis(150);

/// Build a plugin whenever one of its sources changes, and run a call of it, or its example calls.
///
/// What the tool prints and its messages are shown as they come. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin dev
  toolhatch plugin dev --tool greet --arg name=Ada
  toolhatch plugin dev my-plugin --tool read --arg path=/w/a.txt --allow file_read=fixtures:/w")]
pub struct Args {
    /// The folder of the project.
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// The tool to call; may be left out where there is only one.
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// The arguments as a JSON object, or @FILE.
    #[arg(long, value_name = "JSON|@FILE")]
    args: Option<String>,
    /// One argument: `name=value` or `name:=JSON`, as `toolhatch call` takes it.
    #[arg(long = "arg", value_name = "NAME=VALUE|NAME:=JSON")]
    arg: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Args {
    /// Runs the command.
    pub fn run(mut self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        self.common.check_allowed(app)?;
        self.common.tool_log.get_or_insert(LogLevel::Debug);
        let folder = Project::open(app, &self.project)?.folder().to_owned();
        // Before the first build, so that no change is missed, and no wish to end.
        let mut changes = watch(&folder)?;
        let mut interrupts = block_on(async { Interrupts::listen() })?;
        loop {
            self.round(printer);
            printer.note(&format!(
                "\nWaiting for changes in {} (Ctrl-C ends)",
                folder.display()
            ));
            if !block_on(next_change(&mut changes, &mut interrupts))? {
                return Ok(CommandOutput::nothing());
            }
        }
    }

    /// Builds and runs once. What goes wrong is told, and mended by the next change.
    fn round(&self, printer: &Printer) {
        // What a process looked at stays as it was then; the next round is to see what was built since.
        let done = App::open(&[]).map(Arc::new).and_then(|app| {
            let done = self.build_and_run(&app, printer);
            block_on(async {
                app.close_audit().await?;
                app.release().await;
                Ok(())
            })?;
            done
        });
        if let Err(error) = done {
            printer.error(&error);
        }
    }

    fn build_and_run(&self, app: &Arc<App>, printer: &Printer) -> Result<()> {
        let project = Project::open(app, &self.project)?;
        let packed = project.build(app, printer, None)?;
        printer.note(&format!(
            "Built {} ({}, {:.1} s)",
            packed.file.display(),
            size(packed.package.artifact.bytes.len() as u64),
            packed.took().as_secs_f64()
        ));
        for warning in &packed.warnings {
            printer.warning(warning);
        }
        let calls = self.tool.is_some() || self.args.is_some() || !self.arg.is_empty();
        if calls {
            return self.call(app, printer, &packed);
        }
        let examples = of_project(project.folder())?;
        if examples.is_empty() {
            printer.note("There are no example calls in tests/*.toml, and no --tool to call.");
            return Ok(());
        }
        let consent = Consent::new(project.folder(), &(&self.common).into(), &app.paths.current)?;
        let tester = Tester::new(app, printer, packed.file, consent, false)?;
        let told = tester.run_all(&examples, printer, |_, _| true, false)?;
        printer.output(&told);
        Ok(())
    }

    fn call(&self, app: &Arc<App>, printer: &Printer, packed: &Packed) -> Result<()> {
        let tool = ToolRef::File {
            path: packed.file.clone(),
            tool: self.tool.clone(),
        };
        let common = &self.common;
        let grants = read_grants(&common.allow, common.allow_requested, &app.paths.current)?;
        let whole = self.args.as_deref().map(call::read_whole).transpose()?;
        block_on(async {
            let source = app.source(&tool).await?;
            let chosen = choose_tool(&source, self.tool.as_deref())?;
            let arguments = arguments::combine(whole, &self.arg, &chosen.input_schema)?;
            let caller = Arc::new(common.caller(printer));
            let request = common.request(app, &tool, Arc::new(arguments), caller, grants);
            let report = call::invoke(app, printer, request, common).await?;
            call::settle(app).await;
            render::report(printer, &report);
            Ok(())
        })
    }
}

/// Tells of changes in the sources of a project.
struct Changes {
    /// Watches for as long as it lives.
    _watcher: notify::RecommendedWatcher,
    receiver: mpsc::Receiver<()>,
}

fn watch(project: &Path) -> Result<Changes> {
    let failed = |error: notify::Error| {
        Error::new(Code::E3405, format!("watching {}", project.display()))
            .caused_by(error)
            .hint("Where the system's limit of watched folders is reached, build by hand with `toolhatch plugin build`.")
    };
    let (sender, receiver) = mpsc::channel(1);
    let root = project.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if !matches!(event.kind, EventKind::Access(_))
            && event.paths.iter().any(|path| is_source(&root, path))
        {
            // Where one is waiting already, that is enough.
            let _ = sender.try_send(());
        }
    })
    .map_err(failed)?;
    watcher
        .watch(project, RecursiveMode::NonRecursive)
        .map_err(failed)?;
    let entries = std::fs::read_dir(project).map_err(|error| failed(error.into()))?;
    for folder in entries.flatten().map(|entry| entry.path()) {
        if folder.is_dir() && is_source(project, &folder) {
            watcher
                .watch(&folder, RecursiveMode::Recursive)
                .map_err(failed)?;
        }
    }
    Ok(Changes {
        _watcher: watcher,
        receiver,
    })
}

/// Ctrl-C, and polite requests to end. One that comes while a compiler runs is heard when that is done.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Error::new(Code::E3405, "listening for signals").caused_by(error))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Waits until something changed and nothing changes any more; false where somebody wants it to end.
async fn next_change(changes: &mut Changes, interrupts: &mut Interrupts) -> Result<bool> {
    let mut has_changed = false;
    loop {
        let wait = if has_changed { SETTLES } else { Duration::MAX };
        tokio::select! {
            biased;
            () = interrupts.next() => return Ok(false),
            change = changes.receiver.recv() => match change {
                Some(()) => has_changed = true,
                None => return Err(Error::new(Code::E3405, "the sources are watched no longer")),
            },
            () = tokio::time::sleep(wait) => return Ok(true),
        }
    }
}

/// True for what a build reads, and does not write.
fn is_source(project: &Path, path: &Path) -> bool {
    let Ok(within) = path.strip_prefix(project) else {
        return true;
    };
    let first = within
        .components()
        .next()
        .map(|part| part.as_os_str().to_owned());
    let is_output = |name: &OsStr| NOT_WATCHED.iter().any(|other| name == OsStr::new(other));
    let is_temporary = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.ends_with('~')
            || name.ends_with(".swp")
            || name.starts_with(".#")
            || name == "Cargo.lock"
    };
    !first.as_deref().is_some_and(is_output) && !within.file_name().is_some_and(is_temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_builds_write_is_no_source() {
        let project = Path::new("/p");
        for source in [
            "src/lib.rs",
            "plugin.toml",
            "tests/a.toml",
            "wit/world.wit",
            "src/target/x.rs",
        ] {
            assert!(is_source(project, &project.join(source)), "{source}");
        }
        for other in [
            "target/debug/x",
            "dist/p.wasm",
            "node_modules/a/b.js",
            "src/.lib.rs.swp",
            "src/lib.rs~",
            "Cargo.lock",
            ".git/index",
        ] {
            assert!(!is_source(project, &project.join(other)), "{other}");
        }
    }
}
