//! Who may decide: a person at the terminal, an approver whom the operator named, or `--yes` where the operator lets it.
//!
//! Whoever asks for a call is none of these: standard input, arguments, files of a project and results of tools decide
//! nothing.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::prompt::Terminal;
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::fsx;

/// How a person proves to be one.
#[derive(Debug, Clone, clap::Args)]
pub struct Proof {
    /// Do not ask. Works only where the operator's configuration permits it.
    #[arg(long)]
    yes: bool,
    /// The file with the credential of an approver whom the operator's configuration names.
    #[arg(long, value_name = "FILE", conflicts_with = "yes")]
    credential: Option<PathBuf>,
}

/// Somebody who may decide.
pub enum Authority {
    /// A person at the terminal, who is asked.
    Person(Terminal),
    /// An approver, who has made up their mind.
    Approver(String),
    /// Nobody is asked, because the operator said so.
    Unasked,
}

impl Proof {
    /// Finds out who decides.
    ///
    /// # Errors
    /// E3206 where `--yes` or the credential is not accepted, E3213 where there is nobody.
    pub fn authority(&self, app: &App) -> Result<Authority> {
        if self.yes {
            if app.config.yes {
                return Ok(Authority::Unasked);
            }
            return Err(Error::new(Code::E3206, "`--yes` does not decide here").hint(
                "Answer at a terminal, or let the operator set `yes = true` under `[enforced.permissions]`.",
            ));
        }
        if let Some(path) = &self.credential {
            return approver(app, path).map(Authority::Approver);
        }
        Terminal::open().map(Authority::Person).ok_or_else(|| {
            Error::new(
                Code::E3213,
                "this takes a person's decision, and there is no terminal to ask at",
            )
            .hint("Run it in a terminal, or with the `--credential` of an approver.")
        })
    }
}

impl Authority {
    /// How it is written down: who, and in which way.
    pub fn record(&self) -> (String, &'static str) {
        let user = format!("uid {}", rustix::process::geteuid().as_raw());
        match self {
            Self::Person(_) => (user, "terminal"),
            Self::Approver(name) => (format!("approver {name}"), "approver"),
            Self::Unasked => (user, "yes"),
        }
    }
}

/// The approver whose credential is in the file.
fn approver(app: &App, path: &std::path::Path) -> Result<String> {
    const MOST: u64 = 4096;
    let text = fsx::read_text(path, MOST)?;
    let found = Sha256::digest(text.trim().as_bytes());
    let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
    let named = app
        .config
        .approvers
        .iter()
        .find(|(_, expected)| **expected == found);
    named.map(|(name, _)| name.clone()).ok_or_else(|| {
        Error::new(
            Code::E3206,
            format!("{} holds no approver's credential", path.display()),
        )
        .hint("The operator names approvers under `[enforced.approvers]`, each with the SHA-256 of a credential.")
    })
}
