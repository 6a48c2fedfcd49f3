//! From what the daemon says to errors that say what to do.

use bollard::errors::Error as ApiError;

use crate::error::{Code, Error};
use crate::exec::CommandEnd;

/// The daemon cannot be reached, or went away before anything ran.
pub(super) fn unavailable(message: impl Into<String>) -> Error {
    CommandEnd::DaemonLost
        .error(Code::E3405, message)
        .hint(
            "Start Docker (on Debian: `apt-get install docker.io`, then `systemctl start docker`), or say where it is with \
             `DOCKER_HOST` or `docker.host`. Nothing runs on this machine itself instead.",
        )
        .hint("`toolhatch doctor` shows what is missing.")
}

/// True where the daemon answered, with this status.
pub(super) fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// An error of a request to the daemon. One that it did not answer means that it is not there any more.
pub(super) fn of(doing: &str, error: ApiError) -> Error {
    match error {
        ApiError::DockerResponseServerError {
            status_code,
            message,
        } => refused(doing, status_code, &message),
        ApiError::DockerStreamError { error } => refused(doing, 500, &error),
        ApiError::RequestTimeoutError => {
            unavailable(format!("{doing}: the daemon did not answer in time"))
        }
        error => unavailable(format!("{doing}: the daemon cannot be reached")).caused_by(error),
    }
}

/// What the daemon said, in one line: its words come from elsewhere.
fn said(message: &str) -> String {
    let line: Vec<&str> = message.split_whitespace().collect();
    let mut line = line.join(" ");
    if line.len() > 500 {
        let end = line.floor_char_boundary(500);
        line.truncate(end);
        line.push('…');
    }
    line
}

fn refused(doing: &str, status: u16, message: &str) -> Error {
    let message = said(message);
    let lower = message.to_lowercase();
    let text = format!("{doing}: {message}");
    if lower.contains("no space left on device") {
        return CommandEnd::InvalidConfig
            .error(Code::E3407, text)
            .hint("The daemon's disk is full: `docker system df` shows with what.");
    }
    if lower.contains("unknown or invalid runtime") || lower.contains("unknown runtime") {
        return CommandEnd::InvalidConfig
            .error(Code::E3405, text)
            .hint("`docker.runtime` names a runtime that this daemon does not have; `docker info` lists those it has.");
    }
    if lower.contains("seccomp profile") {
        return CommandEnd::InvalidConfig
            .error(Code::E3405, text)
            .hint("`docker.seccomp` has to be a profile in JSON.");
    }
    match status {
        400 | 409 => CommandEnd::InvalidConfig.error(Code::E3405, text),
        401 | 403 => CommandEnd::PolicyDenied
            .error(Code::E3507, text)
            .hint("The daemon refuses this user; ask whoever runs it."),
        _ => CommandEnd::InvalidConfig.error(Code::E3405, text),
    }
}
