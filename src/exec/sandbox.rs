//! What is run in a container and what it gets: plain data. Nothing here knows of Docker; the same spec can become a pod.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::config::ContainerResources;
use crate::ids::Digest;
use crate::manifest::container::{Network, OutputSpec, User};

/// A command in a sandbox. It starts with nothing: what is not in here, it does not get.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxSpec {
    /// The image, as it was named.
    pub image: String,
    /// The program and its arguments; at least one. No shell reads them.
    pub argv: Vec<String>,
    /// Variables besides those of the image, which they take the place of.
    pub env: Vec<(String, String)>,
    /// Where the command starts: an absolute path in the container. Without one, the first mount, or the image's.
    pub workdir: Option<String>,
    /// What it reads from standard input, before its end.
    pub stdin: Bytes,
    /// What of the host it sees.
    pub mounts: Vec<SandboxMount>,
    /// Whom it can talk to.
    pub network: Network,
    /// What was granted of the network, where it talks to a list of hosts. Each connection is decided on by the scope of the
    /// job; this is what tells one sandbox from another.
    pub reach: Vec<String>,
    /// Who it runs as.
    pub user: User,
    /// What it may use.
    pub resources: ContainerResources,
    /// From SIGTERM to SIGKILL, when its time is over.
    pub grace: Duration,
    /// The name it is kept under for the next command; removed where there is none.
    pub keep: Option<String>,
    /// How its result is read.
    pub reading: Reading,
}

/// A file or folder of the host that appears in a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SandboxMount {
    /// The canonical path on the host.
    pub host: PathBuf,
    /// The absolute path in the container.
    pub container: String,
    /// Nothing can be changed through it.
    pub read_only: bool,
    /// What becomes of what is changed through it.
    pub changes: Changes,
}

impl SandboxMount {
    /// True where the command writes into an overlay, and not into the mount.
    #[must_use]
    pub fn is_reviewed(&self) -> bool {
        !self.read_only && self.changes == Changes::Reviewed
    }
}

/// What becomes of the changes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changes {
    /// They are made in the folder of the host.
    Direct,
    /// They are kept apart, until a person applies them.
    Reviewed,
}

/// How the result of a command is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// As it is: exit code, standard output and standard error.
    Whole,
    /// As bytes, which are left in the events.
    Raw,
    /// As the tool's author says.
    Parsed(OutputSpec),
}

impl SandboxSpec {
    /// True where what the command changes is kept apart.
    #[must_use]
    pub fn is_reviewed(&self) -> bool {
        self.mounts.iter().any(SandboxMount::is_reviewed)
    }

    /// What makes one sandbox differ from another; what runs in it and what it is told does not.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let mounts: Vec<Value> = self
            .mounts
            .iter()
            .map(|mount| {
                json!([
                    mount.host.to_string_lossy(),
                    mount.container,
                    mount.read_only,
                    mount.is_reviewed()
                ])
            })
            .collect();
        let value = json!([
            self.image,
            mounts,
            self.network.word(),
            self.reach,
            self.user.word(),
            self.keep,
            format!("{:?}", self.resources),
        ]);
        Digest::of(value.to_string().as_bytes())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A command that gets nothing.
    pub(in crate::exec) fn spec() -> SandboxSpec {
        SandboxSpec {
            image: "image".to_owned(),
            argv: vec!["program".to_owned()],
            env: Vec::new(),
            workdir: None,
            stdin: Bytes::new(),
            mounts: Vec::new(),
            network: Network::None,
            reach: Vec::new(),
            user: User::Nobody,
            resources: ContainerResources::default(),
            grace: Duration::from_secs(1),
            keep: None,
            reading: Reading::Raw,
        }
    }
}
