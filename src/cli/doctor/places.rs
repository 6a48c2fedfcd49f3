//! Where commands run: what was chosen, and the places outside of a container.

use std::sync::Arc;

use super::check::Check;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::text::one_line;
use crate::config::Strategy;
use crate::exec::ssh::SshExecutor;

const CHANGE: &str = "Change `execution.strategy`, or what it needs.";

/// What was chosen, and each place outside of a container that is configured.
pub(super) fn checks(app: &Arc<App>) -> Vec<Check> {
    let mut checks = vec![chosen(app)];
    if app.config.execution.allow_direct {
        checks.push(Check::problem(
            "direct",
            "commands may run as processes of this machine, outside of a container",
            "Set `execution.allow_direct = false` in the system's configuration.",
        ));
    }
    checks.extend(ssh(app));
    checks
}

/// Which executor was chosen for commands, and whether it can be used.
fn chosen(app: &App) -> Check {
    let word = app.config.execution.strategy.word();
    match app.command_obstacle() {
        Some(why) => Check::problem(
            "execution",
            format!("commands are to run by `{word}`, and every one is refused: {why}"),
            CHANGE,
        ),
        None => Check::ok("execution", format!("commands run by `{word}`")),
    }
}

/// The other machine: whether its key is pinned, and whether it can be reached. Nothing is left there.
fn ssh(app: &App) -> Option<Check> {
    let host = app.config.execution.ssh.host.as_ref()?;
    let Some(executor) = app.ssh() else {
        return Some(Check::warning(
            "ssh",
            format!("the key of {host} is not pinned: nothing is run there"),
            format!(
                "Compare `ssh-keyscan {host}` with what whoever runs it says, and set `execution.ssh.host_key`."
            ),
        ));
    };
    let looked = block_on(SshExecutor::look(&executor));
    Some(match looked {
        Ok(found) => Check::ok("ssh", found),
        Err(error) => {
            let fix = error
                .hints()
                .first()
                .map_or(CHANGE, |hint| *hint)
                .to_owned();
            let detail = one_line(&error);
            match app.config.execution.strategy {
                Strategy::Ssh => Check::problem("ssh", detail, fix),
                // Nothing goes there.
                Strategy::Auto | Strategy::Docker | Strategy::Direct => {
                    Check::warning("ssh", detail, fix)
                }
            }
        }
    })
}
