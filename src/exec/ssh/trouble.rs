//! What goes wrong between here and another machine, and what is told of it.

use crate::error::{Code, Error};
use crate::exec::CommandEnd;

/// The longest line of the client, or of the other machine, that is repeated.
const LONGEST: usize = 300;

/// Why a command cannot be begun there, or not be followed to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It does not answer.
    Silent,
    /// The client ended before a runner was there; with what it said.
    Refused(String),
    /// It is another kind of system.
    System(String),
    /// The runner cannot be had there, for this reason.
    Runner(String),
    /// The connection ended while a runner was there.
    Lost(String),
}

impl Trouble {
    /// The error that a call ends with.
    pub(super) fn into_error(self, host: &str, architecture: &str) -> Error {
        match self {
            Self::Silent => CommandEnd::DaemonLost
                .error(
                    Code::E3503,
                    format!("running the command on {host}: it does not answer"),
                )
                .hint("See whether it can be reached from here: `toolhatch doctor` tries."),
            Self::Refused(said) => refused(host, &said),
            Self::System(system) => CommandEnd::InvalidConfig
                .error(
                    Code::E3405,
                    format!(
                        "running the command on {host}: it is {}, and the runner of this build is for Linux {architecture}",
                        one_line(&system)
                    ),
                )
                .hint("Use a build of Toolhatch for that system, or another machine (`execution.ssh.host`)."),
            Self::Runner(why) => CommandEnd::InvalidConfig
                .error(
                    Code::E3405,
                    format!("running the command on {host}: its runner cannot be put there: {}", one_line(&why)),
                )
                .hint(format!(
                    "It is kept in `~/.cache/toolhatch` of the user on {host}: that has to be writable, and programs have to be allowed to run in it."
                )),
            Self::Lost(why) => CommandEnd::DaemonLost
                .error(
                    Code::E3502,
                    format!(
                        "running the command on {host}: the connection is lost, and nobody knows how far the command came: {}",
                        one_line(&why)
                    ),
                )
                .hint("Look at what it may have changed before you run it again."),
        }
    }
}

/// What the client said when it gave up, in plain words. Nothing has run.
fn refused(host: &str, said: &str) -> Error {
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let doing = format!("running the command on {host}");
    if any(&[
        "Host key verification failed",
        "no matching host key type",
        "IDENTIFICATION HAS CHANGED",
    ]) {
        return CommandEnd::InvalidConfig
            .error(
                Code::E3405,
                format!("{doing}: its host key is not the one that is pinned; nothing was run"),
            )
            .hint(format!(
                "Compare `ssh-keyscan {host}` with what whoever runs it says. If its key was changed, pin the new one \
                 (`execution.ssh.host_key`); if not, somebody else answers in its place."
            ));
    }
    let said = one_line(said);
    if any(&["Permission denied", "Too many authentication failures"]) {
        return CommandEnd::InvalidConfig
            .error(Code::E3507, format!("{doing}: it does not let us in: {said}"))
            .hint(
                "Nobody is asked for a password. Have the key of `execution.ssh.identity_file` be one that \
                 `execution.ssh.user` may log in with.",
            );
    }
    if any(&["timed out", "Timeout, server", "not responding"]) {
        return CommandEnd::DaemonLost.error(
            Code::E3503,
            format!("{doing}: it does not answer in time: {said}"),
        );
    }
    if any(&[
        "Could not resolve",
        "Connection refused",
        "No route to host",
        "unreachable",
    ]) {
        return CommandEnd::DaemonLost
            .error(
                Code::E3506,
                format!("{doing}: it cannot be reached: {said}"),
            )
            .hint("Check `execution.ssh.host` and `execution.ssh.port`.");
    }
    CommandEnd::DaemonLost.error(
        Code::E3502,
        format!("{doing}: the connection ended before it began: {said}"),
    )
}

/// The last line that says something, without what a terminal would obey.
fn one_line(said: &str) -> String {
    let line = said.lines().rev().find(|line| !line.trim().is_empty());
    let plain = line.unwrap_or("nothing was said").trim();
    plain
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_says_has_a_code() {
        for (said, code) in [
            (
                "@@@@@\nWARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.\r\n",
                Code::E3405,
            ),
            (
                "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa\n",
                Code::E3405,
            ),
            ("me@h: Permission denied (publickey).\n", Code::E3507),
            (
                "ssh: connect to host h port 22: Connection refused\n",
                Code::E3506,
            ),
            (
                "ssh: Could not resolve hostname h: Name or service not known\n",
                Code::E3506,
            ),
            ("Connection timed out during banner exchange\n", Code::E3503),
            (
                "kex_exchange_identification: read: Connection reset by peer\n",
                Code::E3502,
            ),
            ("", Code::E3502),
        ] {
            assert_eq!(
                Trouble::Refused(said.to_owned())
                    .into_error("h", "any")
                    .code(),
                code,
                "{said}"
            );
        }
        let hostile = Trouble::Runner("\u{1b}[2Jgone\u{7}".to_owned()).into_error("h", "any");
        assert!(!hostile.to_string().contains('\u{1b}'));
    }
}
