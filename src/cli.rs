//! The command line: one verb a file, each with its arguments and a `run` that returns what to say. Only
//! [`output::Printer`] says it.

mod approvals;
mod audit;
mod authority;
mod browser;
mod cache;
mod call;
mod calls;
mod completions;
mod config;
mod confine;
mod doctor;
mod exec;
mod explain;
mod grant;
mod grants;
mod history;
mod mcp;
pub mod output;
mod plugin;
mod policy;
mod prompt;
mod revoke;
mod sandbox;
mod schema;
mod table;
mod text;
mod tools;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::output::Printer;
use crate::app::App;
use crate::config::env_vars::has_argument;
use crate::config::{Color, Flag};
use crate::error::{Code, Error, Result};

/// Run the tools of AI agents behind one gate.
///
/// A tool is a WebAssembly component. It runs in a sandbox that can do nothing but what you allow.
#[derive(Debug, Parser)]
#[command(
    name = "toolhatch",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:
  toolhatch call plugins/dist/analyze-code.wasm --arg path=src --allow file_read=src
  toolhatch exec --mount . -- ls -l
  toolhatch tools list
  toolhatch plugin inspect some.wasm
  toolhatch explain E3210"
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// When to colour the output: auto, always or never.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    color: Option<String>,
    /// Which messages to show on standard error: off, error, warn, info, debug or trace.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        help_heading = "Global options"
    )]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Call(call::Args),
    Exec(exec::Args),
    Tools(tools::Args),
    Plugin(plugin::Args),
    Grant(grant::Args),
    Revoke(revoke::Args),
    Grants(grants::Args),
    Approvals(approvals::Args),
    Policy(policy::Args),
    Calls(calls::Args),
    Audit(audit::Args),
    Sandbox(sandbox::Args),
    Mcp(mcp::Args),
    Cache(cache::Args),
    Config(config::Args),
    Doctor(doctor::Args),
    Explain(explain::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    #[command(name = crate::exec::direct::SUBCOMMAND, hide = true)]
    Confine(confine::Args),
}

impl Global {
    fn flags(&self) -> Vec<Flag> {
        let color = self.color.clone().map(|value| Flag {
            flag: "--color",
            key: "output.color",
            value,
        });
        let log = self.log.clone().map(|value| Flag {
            flag: "--log",
            key: "log.level",
            value,
        });
        color.into_iter().chain(log).collect()
    }
}

/// Parses the command line, runs the command, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let printer = Printer::early();
    let parsed = Cli::command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            return printer
                .with_json(has_argument("--json"))
                .usage(error)
                .into();
        }
    };
    let printer = printer.with_json(cli.global.json);
    let exit = match run(cli, &printer) {
        Ok(exit) => exit,
        Err(error) => {
            printer.error(&error);
            error.exit().into()
        }
    };
    printer.finish();
    exit
}

fn run(cli: Cli, printer: &Printer) -> Result<ExitCode> {
    // What needs no configuration works also where that is broken.
    let output = match cli.command {
        Command::Explain(args) => args.run()?,
        Command::Schema(args) => args.run()?,
        Command::Doctor(args) => args.run(&cli.global.flags())?,
        Command::Completions(args) => return Ok(args.run(printer).into()),
        Command::Confine(args) => return Ok(args.run()),
        command => {
            let app = Arc::new(App::open(&cli.global.flags())?);
            printer.set_color(app.config.color);
            let is_protocol = printer.is_json()
                || matches!(&command, Command::Call(args) if args.is_lines())
                || matches!(&command, Command::Mcp(args) if args.is_protocol());
            if !is_protocol {
                app.lend_stdout(output::records);
            }
            start_log(app.config.log_level.word());
            for warning in &app.config.warnings {
                printer.warning(warning);
            }
            let command = match command {
                Command::Sandbox(args) => args.into_command(),
                command => command,
            };
            let output = match command {
                Command::Call(args) => {
                    let exit = args.run(&app, printer);
                    close(&app, printer);
                    // The end of the process frees it at once, where dropping it takes a millisecond.
                    std::mem::forget(app);
                    return exit.map(ExitCode::from);
                }
                Command::Exec(args) => {
                    let exit = args.run(&app, printer);
                    close(&app, printer);
                    return exit;
                }
                Command::Tools(args) => args.run(&app, printer),
                Command::Plugin(args) => args.run(&app, printer),
                Command::Grant(args) => args.run(&app),
                Command::Revoke(args) => args.run(&app),
                Command::Grants(args) => args.run(&app),
                Command::Approvals(args) => args.run(&app),
                Command::Policy(args) => args.run(&app),
                Command::Calls(args) => args.run(&app, printer),
                Command::Audit(args) => args.run(&app, printer),
                Command::Sandbox(args) => args.run(&app),
                Command::Mcp(args) => args.run(&app, printer),
                Command::Cache(args) => args.run(&app),
                Command::Config(args) => args.run(&app),
                Command::Doctor(args) => args.run(&cli.global.flags()),
                Command::Explain(args) => args.run(),
                Command::Schema(args) => args.run(),
                Command::Completions(args) => return Ok(args.run(printer).into()),
                Command::Confine(args) => return Ok(args.run()),
            };
            close(&app, printer);
            output?
        }
    };
    printer.output(&output);
    Ok(output.exit.into())
}

/// Ends what the process kept open; what cannot be ended well is told, and changes nothing about what was done.
fn close(app: &Arc<App>, printer: &Printer) {
    let closed = block_on_here(async {
        app.close_audit().await?;
        app.release().await;
        Ok(())
    });
    if let Err(error) = closed {
        printer.warning(&text::one_line(&error));
    }
}

/// Messages of the program itself go to standard error; standard output is for results alone.
fn start_log(level: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::new(format!("off,toolhatch={level}"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::stderr_is_terminal())
        .with_target(false)
        .without_time();
    // It can only fail where a log was started before, which then goes on.
    drop(log.try_init());
}

/// Runs a future to its end on a runtime of its own, and does not wait for what it leaves behind: a file system that hangs
/// must not hang the exit.
///
/// # Errors
/// E3405 where the threads cannot be started; else what the future gives.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("toolhatch")
        .build()
        .map_err(|error| {
            Error::new(Code::E3405, "starting the threads that run calls").caused_by(error)
        })?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

/// The same on this thread alone, for what comes before a process confines itself.
///
/// # Errors
/// As [`block_on`].
pub(crate) fn block_on_here<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::E3405, "starting a runtime").caused_by(error))?;
    runtime.block_on(future)
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
