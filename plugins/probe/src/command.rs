//! Commands in containers, through `toolhatch:plugin/exec`.

pub(crate) use crate::wasi::toolhatch::plugin::exec::Network;
use crate::wasi::toolhatch::plugin::exec::{self, Command, Failure};

/// Runs a command; an error begins with the kind of failure.
pub(crate) fn run(image: String, argv: Vec<String>, network: Network) -> Result<String, String> {
    let command = Command {
        image,
        argv,
        env: Vec::new(),
        stdin: Vec::new(),
        workdir: None,
        network,
        timeout_ms: None,
    };
    match exec::run(&command) {
        Ok(finished) if finished.exit_code == 0 => {
            Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
        }
        Ok(finished) => Err(format!(
            "exit {}: {}",
            finished.exit_code,
            String::from_utf8_lossy(&finished.stderr)
        )),
        Err(failure) => Err(match failure {
            Failure::NotPermitted(why) => format!("not-permitted: {why}"),
            Failure::NotFound(why) => format!("not-found: {why}"),
            Failure::Invalid(why) => format!("invalid: {why}"),
            Failure::Unavailable(why) => format!("unavailable: {why}"),
            Failure::TimedOut => "timed-out".to_owned(),
            Failure::OutOfMemory => "out-of-memory".to_owned(),
            Failure::Signalled(signal) => format!("signalled: {signal}"),
        }),
    }
}
