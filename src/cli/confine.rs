//! The hidden subcommand that a command outside of a container is looked after and confined by: never typed by people.

use std::process::ExitCode;

use crate::exec::direct::{self, Role};

/// Look after a command, or become it. Not for people: it talks to the process that started it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `supervise` or `run`.
    #[arg(value_parser = role)]
    role: Role,
}

fn role(text: &str) -> Result<Role, &'static str> {
    match text {
        "supervise" => Ok(Role::Supervise),
        "run" => Ok(Role::Run),
        _ => Err("expected `supervise` or `run`"),
    }
}

impl Args {
    /// Does what the process was started for. How that went is said over its standard input.
    pub fn run(self) -> ExitCode {
        if direct::enter(self.role) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
