//! Which executor runs a job: what the tool is decides, and nothing falls back to something weaker.

use std::sync::Arc;

use super::{Arguments, BoxFuture, CommandEnd, Ended, Entry, Executor, Job, Outcome, Usage};
use crate::error::{Code, Error};

/// The executors of a process.
pub struct Mux {
    /// Components.
    pub wasm: Arc<dyn Executor>,
    /// Commands.
    pub commands: Arc<dyn Executor>,
    /// Tools of servers.
    pub servers: Arc<dyn Executor>,
}

/// In the place of an executor that was chosen and cannot be used: it refuses everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstructed {
    /// The word of what was chosen.
    pub chosen: &'static str,
    /// Why it cannot be used, as a sentence without its stop.
    pub why: &'static str,
}

impl Obstructed {
    /// What is said of every command.
    #[must_use]
    pub fn error(&self) -> Error {
        CommandEnd::InvalidConfig
            .error(
                Code::E3405,
                format!("running the command by `{}`: {}", self.chosen, self.why),
            )
            .hint("Change `execution.strategy`, or what it needs; nothing else is tried instead.")
    }
}

impl Executor for Obstructed {
    fn run(&self, _job: Job) -> BoxFuture<'_, Outcome> {
        Box::pin(std::future::ready(Outcome {
            ended: Ended::NotRun(self.error()),
            usage: Usage::default(),
        }))
    }
}

impl Executor for Mux {
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome> {
        if let Entry::Server { .. } = &job.entry {
            return self.servers.run(job);
        }
        match &job.arguments {
            Arguments::Json(_) | Arguments::Values(_) => self.wasm.run(job),
            Arguments::Command(_) => self.commands.run(job),
        }
    }
}
