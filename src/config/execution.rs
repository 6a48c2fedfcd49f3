//! Who runs tools that are commands, all decided.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::audit::{path, text};
use super::schema::Strategy;
use crate::ids::Digest;

/// Who runs tools that are commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionConfig {
    /// Which executor was chosen (`execution.strategy`). It is followed where there is no [`Self::obstacle`]; nothing takes
    /// its place where there is one.
    pub strategy: Strategy,
    /// Processes of this machine may be chosen (`execution.allow_direct`).
    pub allow_direct: bool,
    /// The machine that `ssh` runs commands on (`execution.ssh`).
    pub ssh: SshConfig,
}

/// A machine that commands are run on over SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshConfig {
    /// Its name or address; absent where there is none (`execution.ssh.host`).
    pub host: Option<String>,
    /// The port it listens on (`execution.ssh.port`).
    pub port: u16,
    /// Who to log in as; absent for whoever the SSH client would be (`execution.ssh.user`).
    pub user: Option<String>,
    /// The only public key that is accepted from it (`execution.ssh.host_key`).
    pub host_key: Option<SshHostKey>,
    /// The private key to log in with; absent for what the SSH client would use (`execution.ssh.identity_file`).
    pub identity_file: Option<PathBuf>,
    /// The folder there that commands run in, absolute; absent for the home folder (`execution.ssh.workdir`).
    pub workdir: Option<String>,
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        Self {
            strategy: Strategy::Auto,
            allow_direct: false,
            ssh: SshConfig {
                host: None,
                port: 22,
                user: None,
                host_key: None,
                identity_file: None,
                workdir: None,
            },
        }
    }
}

impl ExecutionConfig {
    /// Why the chosen executor cannot be used as things are configured, as a sentence for people. A container always can,
    /// as far as the configuration goes.
    #[must_use]
    pub const fn obstacle(&self) -> Option<&'static str> {
        match self.strategy {
            Strategy::Auto | Strategy::Docker => None,
            Strategy::Direct if self.allow_direct => None,
            Strategy::Direct => Some(
                "the operator does not allow processes outside of a container (`execution.allow_direct` in the system's file)",
            ),
            Strategy::Ssh if self.ssh.host.is_none() => {
                Some("no machine is configured for it (`execution.ssh.host`)")
            }
            Strategy::Ssh if self.ssh.host_key.is_none() => Some(
                "the key of its machine is not pinned: compare what `ssh-keyscan HOST` prints with what whoever runs it \
                     says, and set `execution.ssh.host_key`",
            ),
            Strategy::Ssh => None,
        }
    }

    /// Keys and values, in the order of the schema.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let ssh = &self.ssh;
        [
            ("strategy", self.strategy.word().to_owned()),
            ("allow_direct", self.allow_direct.to_string()),
            ("ssh.host", text(ssh.host.as_ref())),
            ("ssh.port", ssh.port.to_string()),
            ("ssh.user", text(ssh.user.as_ref())),
            ("ssh.host_key", text(ssh.host_key.as_ref())),
            ("ssh.identity_file", path(ssh.identity_file.as_ref())),
            ("ssh.workdir", text(ssh.workdir.as_ref())),
        ]
        .into_iter()
        .map(|(key, value)| (format!("execution.{key}"), value))
        .collect()
    }
}

/// The public key of a machine, as in `known_hosts` without the name in front: `ssh-ed25519 AAAA…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshHostKey {
    algorithm: String,
    base64: String,
}

impl SshHostKey {
    /// The word in front, such as `ssh-ed25519`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// What people compare: `SHA256:` and the digest of the key, as `ssh-keygen -l` tells it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // It was decoded when it was read.
        let key = STANDARD.decode(&self.base64).unwrap_or_default();
        format!(
            "SHA256:{}",
            STANDARD_NO_PAD.encode(Digest::of(&key).bytes())
        )
    }

    /// The key itself, in Base64.
    #[must_use]
    pub fn base64(&self) -> &str {
        &self.base64
    }
}

impl fmt::Display for SshHostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.base64)
    }
}

/// The text is not the public key of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHostKey;

impl fmt::Display for InvalidHostKey {
    // What was written is not repeated: it may be a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected the public key of a machine on one line, such as `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA…`; \
             `ssh-keyscan HOST` tells it, with the name of the machine in front",
        )
    }
}

impl std::error::Error for InvalidHostKey {}

impl FromStr for SshHostKey {
    type Err = InvalidHostKey;

    /// Reads algorithm and key; a comment behind them is dropped.
    fn from_str(text: &str) -> Result<Self, InvalidHostKey> {
        if text.trim().contains(['\n', '\r']) {
            return Err(InvalidHostKey);
        }
        let mut words = text.split_whitespace();
        let (Some(algorithm), Some(base64)) = (words.next(), words.next()) else {
            return Err(InvalidHostKey);
        };
        let key = STANDARD.decode(base64).map_err(|_| InvalidHostKey)?;
        // The key says itself what it is: four bytes of length, and the word in front of it.
        let inside = key
            .split_at_checked(4)
            .and_then(|(length, rest)| {
                let length = u32::from_be_bytes(length.try_into().ok()?);
                rest.split_at_checked(usize::try_from(length).ok()?)
            })
            .filter(|(_, rest)| !rest.is_empty())
            .map(|(word, _)| word);
        let is_word = algorithm
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-@.".contains(&byte));
        if inside != Some(algorithm.as_bytes()) || !is_word {
            return Err(InvalidHostKey);
        }
        Ok(Self {
            algorithm: algorithm.to_owned(),
            base64: base64.to_owned(),
        })
    }
}
