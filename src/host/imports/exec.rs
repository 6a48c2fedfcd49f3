//! `toolhatch:plugin/exec`: commands in containers on behalf of a guest. What runs them is not known here.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::HasData;

use crate::exec::{CommandFailure, Commands, GuestCommand};
use crate::host::bindings::toolhatch::plugin::exec::{Command, Failure, Finished, Host, Network};
use crate::host::guard::Guard;
use crate::manifest::container;
use crate::manifest::image::full_name;

/// What the import borrows from the store.
pub(in crate::host) struct ExecView<'a> {
    pub(in crate::host) commands: Option<&'a Arc<dyn Commands>>,
    pub(in crate::host) guard: &'a Arc<Guard>,
}

/// Names [`ExecView`] to wasmtime.
pub(in crate::host) struct HasExec;

impl HasData for HasExec {
    type Data<'a> = ExecView<'a>;
}

impl Host for ExecView<'_> {
    async fn run(&mut self, command: Command) -> Result<Finished, Failure> {
        let program = command.argv.first().cloned().unwrap_or_default();
        // Decided here too, so that a denial is one of this call whatever runs the command.
        let image = full_name(&command.image);
        let place = match self.commands {
            Some(commands) => commands.reference(&image),
            None => image.clone(),
        };
        if self.guard.command(&place, &program).is_err() {
            return Err(Failure::NotPermitted(format!(
                "running {program} in the image {place} is not granted"
            )));
        }
        let Some(commands) = self.commands else {
            return Err(Failure::Unavailable(
                "there is nothing here that runs commands".to_owned(),
            ));
        };
        let wanted = GuestCommand {
            image,
            argv: command.argv,
            env: command.env,
            stdin: command.stdin.into(),
            workdir: command.workdir,
            network: match command.network {
                Network::None => container::Network::None,
                Network::Bridge => container::Network::Bridge,
                Network::AllowList => container::Network::AllowList,
            },
            timeout: command
                .timeout_ms
                .map(|milliseconds| Duration::from_millis(milliseconds.into())),
        };
        let commands = Arc::clone(commands);
        // On a stack of its own: that of a guest is small. It ends with the call that waits for it.
        let running = tokio::spawn(async move { commands.run(wanted).await });
        let running = tokio_util::task::AbortOnDropHandle::new(running);
        match running.await {
            Ok(Ok(finished)) => Ok(Finished {
                exit_code: finished.exit_code,
                stdout: finished.stdout,
                stderr: finished.stderr,
                stdout_dropped: finished.stdout_dropped,
                stderr_dropped: finished.stderr_dropped,
            }),
            Ok(Err(failure)) => Err(failure.into()),
            Err(_) => Err(Failure::Unavailable("the command was abandoned".to_owned())),
        }
    }
}

impl From<CommandFailure> for Failure {
    fn from(failure: CommandFailure) -> Self {
        match failure {
            CommandFailure::NotPermitted(why) => Self::NotPermitted(why),
            CommandFailure::NotFound(why) => Self::NotFound(why),
            CommandFailure::Invalid(why) => Self::Invalid(why),
            CommandFailure::Unavailable(why) => Self::Unavailable(why),
            CommandFailure::TimedOut => Self::TimedOut,
            CommandFailure::OutOfMemory => Self::OutOfMemory,
            CommandFailure::Signalled(signal) => Self::Signalled(signal),
        }
    }
}
