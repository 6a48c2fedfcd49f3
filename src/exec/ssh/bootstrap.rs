//! From a login to a runner: a script that says what it finds, takes the runner where it is not there yet, and becomes it.
//!
//! The script has nothing of a call in it but how long the runner may be there. It is one line without single quotes,
//! backslashes and exclamation marks, so that whatever shell the user has there passes it on as it is. Before the script is
//! begun, that shell may print things of its own: only lines that begin with a word of ours count.

use std::time::Duration;

use super::client::{Client, Heard};
use super::trouble::Trouble;
use crate::config::ARCHITECTURE;
use crate::exec::program::{BYTES, DIGEST};

/// What every line of the script begins with.
const MARK: &str = "toolhatch-bootstrap";
/// Asks what system it is, and nothing else.
pub(super) const QUESTION: &str =
    "exec sh -c 'echo \"toolhatch-bootstrap system $(uname -s) $(uname -m)\"'";

/// The script. What does not arrive whole never gets the name of a runner, and is removed again.
const SCRIPT: &str = concat!(
    "say() { echo \"toolhatch-bootstrap $*\"; }; no() { say no \"$*\"; exit 0; }; ",
    "s=\"$(uname -s) $(uname -m)\"; [ \"$s\" = \"{system}\" ] || { say system \"$s\"; exit 0; }; ",
    "umask 077; d=\"${XDG_CACHE_HOME:-$HOME/.cache}/toolhatch\"; f=\"$d/runner-{digest}\"; ",
    "command -v sha256sum >/dev/null || no \"there is no sha256sum\"; ",
    "mkdir -p \"$d\" && [ -O \"$d\" ] && chmod 700 \"$d\" || no \"$d cannot be made a folder of ours\"; ",
    "good() { [ -f \"$1\" ] && [ \"$(sha256sum <\"$1\")\" = \"{digest}  -\" ]; }; ",
    "if good \"$f\" && [ -x \"$f\" ]; then :; else say send; t=\"$f.$$\"; head -c {size} >\"$t\"; ",
    "good \"$t\" && chmod 500 \"$t\" && mv -f \"$t\" \"$f\" || { rm -f \"$t\"; no \"it did not arrive whole in $d\"; }; fi; ",
    "say ready \"$(id -un) $HOME\"; ",
    "exec \"$f\" serve --descendants --idle-seconds {idle} --deadline-seconds {deadline}",
);

/// What is there when a runner is.
pub(super) struct Welcome {
    /// The user that it runs as.
    pub(super) user: String,
    /// The home folder of that user.
    pub(super) home: String,
}

/// What the script says first.
pub(super) enum First {
    /// The runner has to be sent.
    Send,
    /// It is there.
    Ready(Welcome),
}

/// The command line that becomes a runner there.
pub(super) fn script(idle: Duration, deadline: Duration) -> String {
    let script = SCRIPT
        .replace("{system}", &system())
        .replace("{digest}", &DIGEST.hex())
        .replace("{size}", &BYTES.len().to_string())
        .replace("{idle}", &idle.as_secs().to_string())
        .replace("{deadline}", &seconds(deadline).to_string());
    format!("exec sh -c '{script}'")
}

/// The system that the runner is for, as `uname` says it.
pub(super) fn system() -> String {
    format!("Linux {ARCHITECTURE}")
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// The answer to [`QUESTION`].
pub(super) async fn answer(client: &mut Client) -> Result<String, Trouble> {
    match next(client).await? {
        Said::System(system) => Ok(system),
        _ => Err(out_of_turn()),
    }
}

/// What the script says first.
pub(super) async fn first(client: &mut Client) -> Result<First, Trouble> {
    match next(client).await? {
        Said::Send => Ok(First::Send),
        Said::Ready(welcome) => Ok(First::Ready(welcome)),
        Said::System(system) => Err(Trouble::System(system)),
        Said::No(why) => Err(Trouble::Runner(why)),
    }
}

/// Sends the runner where it is wanted.
pub(super) async fn provide(client: &mut Client, first: First) -> Result<Welcome, Trouble> {
    if let First::Ready(welcome) = first {
        return Ok(welcome);
    }
    client.send(BYTES).await?;
    match next(client).await? {
        Said::Ready(welcome) => Ok(welcome),
        Said::No(why) => Err(Trouble::Runner(why)),
        Said::Send | Said::System(_) => Err(out_of_turn()),
    }
}

fn out_of_turn() -> Trouble {
    Trouble::Lost("it says what it was not asked".to_owned())
}

enum Said {
    Send,
    Ready(Welcome),
    System(String),
    No(String),
}

/// The next line of ours.
async fn next(client: &mut Client) -> Result<Said, Trouble> {
    let mut last = String::new();
    loop {
        match client.line().await? {
            Heard::Line(line) => match parse(&line) {
                Some(said) => return Ok(said),
                None => last = line,
            },
            Heard::End => {
                return Err(match client.refused().await {
                    // An account that may not log in says so where it would have answered.
                    Trouble::Refused(said) if said.trim().is_empty() => Trouble::Refused(last),
                    other => other,
                });
            }
        }
    }
}

fn parse(line: &str) -> Option<Said> {
    let rest = line.trim_end().strip_prefix(MARK)?.strip_prefix(' ')?;
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    match word {
        "send" => Some(Said::Send),
        "ready" => {
            let (user, home) = rest.split_once(' ')?;
            Some(Said::Ready(Welcome {
                user: user.to_owned(),
                home: home.to_owned(),
            }))
        }
        "system" => Some(Said::System(rest.to_owned())),
        "no" => Some(Said::No(rest.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_passes_the_script_on_as_it_is() {
        let script = script(Duration::from_secs(30), Duration::from_secs(7));
        let inner = script
            .strip_prefix("exec sh -c '")
            .and_then(|rest| rest.strip_suffix('\''))
            .expect("quoted");
        assert!(!inner.contains(['\'', '\\', '!', '\n']), "{inner}");
        assert!(
            !["{system}", "{digest}", "{size}", "{idle}", "{deadline}"]
                .iter()
                .any(|it| inner.contains(it))
        );
        assert!(inner.ends_with("--idle-seconds 30 --deadline-seconds 7"));
        assert!(SCRIPT.contains(MARK) && QUESTION.contains(MARK));
    }

    #[test]
    fn only_lines_of_ours_count() {
        for line in [
            "",
            "Welcome!",
            "toolhatch-bootstrapped send",
            "toolhatch-bootstrap dance",
            "echo toolhatch-bootstrap send",
        ] {
            assert!(parse(line).is_none(), "{line}");
        }
        let Some(Said::Ready(welcome)) = parse("toolhatch-bootstrap ready me /home/me too") else {
            panic!("not understood");
        };
        assert_eq!(
            (welcome.user.as_str(), welcome.home.as_str()),
            ("me", "/home/me too")
        );
    }
}
