//! Containers: the daemon, what is known to be wrong with it, and whether a container is what was asked for.

use std::sync::Arc;

use super::check::Check;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::text::one_line;
use crate::config::DaemonChoice;
use crate::error::{Code, Error, Result};
use crate::exec::docker::Facts;
use crate::invoke::CommandPlace;

const GET: &str = "Install Docker (on Debian: apt-get install docker.io) or Podman, and start it.";

/// The daemon, and a container of it.
pub(super) fn checks(app: &Arc<App>) -> Vec<Check> {
    let found: Result<_> = block_on(async {
        let commands = app.commands()?;
        let daemon = match commands.daemon().await {
            Ok(daemon) => daemon,
            Err(error) => return Ok(Err(error)),
        };
        let proof = app.prove_sandbox().await;
        commands.settle().await;
        Ok(Ok((daemon, proof)))
    });
    match found {
        Ok(Ok((daemon, proof))) => {
            let place = format!("{} ({})", daemon.address.host, daemon.address.origin);
            vec![version(&place, &daemon.facts), sandbox(app, proof)]
        }
        Ok(Err(error)) | Err(error) => vec![absent(app, &error)],
    }
}

/// Components run without a daemon. Who says where one is wants it, though.
fn absent(app: &App, error: &Error) -> Check {
    let why = one_line(error);
    let detail = match app.command_place() {
        CommandPlace::Container => format!("commands cannot be run, components can: {why}"),
        CommandPlace::Direct | CommandPlace::Ssh(_) => {
            return Check::ok(
                "docker",
                format!("commands do not run in containers: {why}"),
            );
        }
    };
    if app.config.docker.daemon == DaemonChoice::Found && error.code() == Code::E3405 {
        return Check::ok("docker", detail);
    }
    Check::warning("docker", detail, GET)
}

fn version(place: &str, facts: &Facts) -> Check {
    if !facts.missing.is_empty() {
        return Check::problem(
            "docker",
            format!(
                "{place} has no {}: every command is refused",
                facts.missing.join(", no ")
            ),
            "Give the daemon the control groups it misses; on Debian the kernel's `cgroup_enable=memory swapaccount=1` does.",
        );
    }
    let (major, minor) = facts.api;
    let about = format!(
        "{} at {place}, API {major}.{minor}, {} on cgroup v{}, {}",
        facts.version,
        facts.storage,
        facts.cgroups,
        facts.security.join(" and ")
    );
    let flaws = facts.known_flaws();
    if flaws.is_empty() {
        return Check::ok("docker", about);
    }
    Check::warning(
        "docker",
        format!("{about}; {}", flaws.join("; ")),
        "Update Docker and runc.",
    )
}

/// What was found inside of a container, before any command ran in it.
fn sandbox(app: &App, proof: Result<String>) -> Check {
    match proof {
        Ok(posture) => Check::ok("sandbox", format!("looked at from inside: {posture}")),
        Err(error) if error.code() == Code::E3101 => Check::ok(
            "sandbox",
            format!(
                "not tried: the image {} is not here, and nothing is pulled for this",
                app.config.docker.image.familiar()
            ),
        ),
        Err(error) => Check::problem(
            "sandbox",
            one_line(&error),
            "Nothing runs in containers until this is mended.",
        ),
    }
}
