//! Who runs tools that are commands, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

/// Who runs tools that are commands.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// Which executor runs them. A project can only set `auto` or `docker`.
    #[serde(default)]
    pub strategy: Option<Strategy>,
    /// Whether `direct` may be chosen: processes of this machine, with no container around them. Only in
    /// `/etc/toolhatch/config.toml`.
    #[serde(default)]
    pub allow_direct: Option<bool>,
    /// The machine that `ssh` runs commands on. Projects cannot change it.
    #[serde(default)]
    pub ssh: Ssh,
}

/// Which executor runs tools that are commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Strategy {
    /// A container: what `docker` does.
    Auto,
    /// A container of the daemon of `[docker]`.
    Docker,
    /// A process of this machine, where the operator allows it.
    Direct,
    /// A process of the machine of `[execution.ssh]`.
    Ssh,
}

impl Strategy {
    /// The word in files and variables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Direct => "direct",
            Self::Ssh => "ssh",
        }
    }
}

/// A machine that commands are run on over SSH.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    /// Its name or address. Empty for none.
    #[schemars(example = &"build.example")]
    #[serde(default)]
    pub host: Option<String>,
    /// The port it listens on.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default)]
    pub port: Option<u16>,
    /// Who to log in as there. Empty for whoever the SSH client would be.
    #[serde(default)]
    pub user: Option<String>,
    /// Its public key, as in `known_hosts` without the name in front: it is the only one that is accepted.
    #[schemars(example = &"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA…")]
    #[serde(default)]
    pub host_key: Option<String>,
    /// The file with the private key to log in with: absolute, or beginning with `~/`. Empty for what the SSH client would
    /// use.
    #[schemars(example = &"~/.ssh/id_ed25519")]
    #[serde(default)]
    pub identity_file: Option<String>,
    /// The folder of that machine that commands run in: absolute. Empty for the home folder of the user.
    #[schemars(example = &"/srv/work")]
    #[serde(default)]
    pub workdir: Option<String>,
}
