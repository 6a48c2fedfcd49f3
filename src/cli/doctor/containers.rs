//! Containers: the daemon, what is known to be wrong with it, and whether a container is what was asked for.

use std::sync::Arc;

use super::check::Check;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::text::one_line;
use crate::config::DaemonChoice;
use crate::error::{Code, Error, Result};
use crate::exec::docker::Facts;

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
    let mut checks = match found {
        Ok(Ok((daemon, proof))) => {
            let place = format!("{} ({})", daemon.address.host, daemon.address.origin);
            vec![version(&place, &daemon.facts), sandbox(app, proof)]
        }
        Ok(Err(error)) | Err(error) => vec![absent(app, &error)],
    };
    checks.push(chosen(app));
    if app.config.execution.allow_direct {
        checks.push(Check::problem(
            "direct",
            "commands may run as processes of this machine, outside of a container",
            "Set `execution.allow_direct = false` in the system's configuration.",
        ));
    }
    checks
}

/// Which executor was chosen for commands, and whether it can be used.
fn chosen(app: &App) -> Check {
    let execution = &app.config.execution;
    let word = execution.strategy.word();
    match app.command_obstacle() {
        Some(why) => Check::problem(
            "execution",
            format!("commands are to run by `{word}`, and every one is refused: {why}"),
            "Change `execution.strategy`, or what it needs.",
        ),
        None => Check::ok("execution", format!("commands run by `{word}`")),
    }
}

/// Components run without a daemon. Who says where one is wants it, though.
fn absent(app: &App, error: &Error) -> Check {
    let detail = format!(
        "commands cannot be run, components can: {}",
        one_line(error)
    );
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
