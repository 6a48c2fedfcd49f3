//! `toolhatch doctor`: which protections are live on this machine.

mod check;
mod containers;
mod engine;
mod machine;
mod places;
mod self_test;
mod state;

use std::sync::Arc;

use serde_json::{Value, json};

use self::check::{Check, Status};
use super::output::CommandOutput;
use super::table::{Fit, table};
use super::text::{count, section};
use crate::app::App;
use crate::config::Flag;
use crate::error::Result;
use crate::exit_code::Exit;

/// Check which protections are live on this machine, and what to do where one is not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch doctor
  toolhatch doctor --json

It ends with 4 where a protection that should be live is not. Warnings do not count.")]
pub struct Args {}

impl Args {
    /// Runs the command. It works also where the configuration is broken: that is one of the things it tells.
    pub fn run(&self, flags: &[Flag]) -> Result<CommandOutput> {
        let app = App::open(flags).map(Arc::new);
        let mut checks = vec![
            Check::ok("toolhatch", env!("CARGO_PKG_VERSION")),
            engine::version(),
            state::configuration(&app),
        ];
        match &app {
            Ok(app) => {
                checks.push(state::folder(&app.paths.home));
                checks.push(state::cache(app));
                // A cache that is refused is told above; it does not keep the engine from running.
                let host = match app.cache() {
                    Ok(_) => app.host(),
                    Err(_) => engine::without_cache(),
                };
                checks.extend(engine::runs(host));
                checks.push(machine::confinement());
                checks.push(state::plugins(app));
                checks.push(state::grants(app));
                checks.extend(containers::checks(app));
                checks.extend(places::checks(app));
            }
            // Folders and grants are what the configuration says; the rest can be looked at without it.
            Err(_) => {
                checks.extend(engine::runs(engine::without_cache()));
                checks.push(machine::confinement());
            }
        }
        checks.push(machine::terminal());
        checks.push(machine::user());
        let has_problem = checks.iter().any(|check| check.status == Status::Problem);
        let list: Value = checks.iter().map(Check::to_json).collect();
        Ok(CommandOutput {
            exit: if has_problem {
                Exit::Unavailable
            } else {
                Exit::Ok
            },
            ..CommandOutput::new(text(&checks), json!({"checks": list, "ok": !has_problem}))
        })
    }
}

fn text(checks: &[Check]) -> String {
    let rows = checks.iter().map(|check| {
        vec![
            check.name.to_owned(),
            check.status.word().to_owned(),
            check.detail.clone(),
        ]
    });
    let mut text = table(&["CHECK", "STATUS", "DETAIL"], 2, Fit::Wrap, rows);
    text.push('\n');
    let fixes: Vec<String> = checks
        .iter()
        .filter_map(|check| Some(format!("{}: {}", check.name, check.fix.as_ref()?)))
        .collect();
    text.push_str(&section("What to do", &fixes));
    let number = |status| checks.iter().filter(|check| check.status == status).count();
    text.push_str(&match (number(Status::Problem), number(Status::Warning)) {
        (0, 0) => "\nEverything that protects you here is live.".to_owned(),
        (0, warnings) => format!(
            "\nEverything that has to be live is; {}.",
            count(warnings, "warning")
        ),
        (problems, warnings) => {
            format!(
                "\n{}, {}.",
                count(problems, "problem"),
                count(warnings, "warning")
            )
        }
    });
    text
}
