//! Which executor runs a job: what the tool is decides, and nothing falls back to something weaker.

use std::sync::Arc;

use super::{Arguments, BoxFuture, Executor, Job, Outcome};

/// The executors of a process.
pub struct Mux {
    /// Components.
    pub wasm: Arc<dyn Executor>,
    /// Commands.
    pub commands: Arc<dyn Executor>,
}

impl Executor for Mux {
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome> {
        match &job.arguments {
            Arguments::Json(_) | Arguments::Values(_) => self.wasm.run(job),
            Arguments::Command(_) => self.commands.run(job),
        }
    }
}
