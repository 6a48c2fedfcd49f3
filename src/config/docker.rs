//! The containers that commands run in, all decided.
//!
//! What is asked for one container (its image, what it mounts, what it may use) is not here: this is what it gets where
//! nobody asks, and what nobody gets.

mod glob;
mod host;
mod image;
mod narrowed;
mod protected;
mod pull;
mod resources;

use std::path::PathBuf;
use std::time::Duration;

pub use glob::{Glob, InvalidGlob};
pub use host::{DaemonChoice, DockerHost, InvalidDockerHost};
pub use image::{ImagePattern, ImageReference, InvalidPattern};
pub use narrowed::Narrowed;
pub use protected::ProtectedPaths;
pub use pull::{ImagePullPolicy, InvalidPullPolicy};
pub use resources::{Amount, ContainerRequest, ContainerResources};

pub(super) use host::{is_absolute, is_login};

use super::audit::{path, text};
use crate::manifest::container::Network;
use crate::manifest::image::ImageRef;
use crate::manifest::{HumanDuration, Limits};

/// The containers that commands run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerConfig {
    /// Which daemon is used (`docker.host`, `docker.context`).
    pub daemon: DaemonChoice,
    /// How we and a `tcp://` daemon know each other (`docker.tls_ca`, `docker.tls_cert`, `docker.tls_key`).
    pub tls: TlsFiles,
    /// The image of commands that name none (`docker.image`).
    pub image: ImageReference,
    /// When images are pulled (`docker.image_pull_policy`).
    pub image_pull_policy: ImagePullPolicy,
    /// How long a pull may take (`docker.pull_timeout`).
    pub pull_timeout: Duration,
    /// Which images may be run (`docker.allowed_images`), by name, digest or id.
    pub allowed_images: Narrowed<ImagePattern>,
    /// Only images named by digest may be run (`docker.require_digest`).
    pub require_digest: bool,
    /// What a container gets where neither its tool nor its caller says (`docker.resources`).
    pub resources: ContainerResources,
    /// The most a container gets (`docker.ceiling`).
    pub ceiling: ContainerResources,
    /// How long a command may take where neither its tool nor its caller says (`docker.timeout`).
    pub timeout: Duration,
    /// How long a command that has to end may take before it is killed; may be zero (`docker.grace`).
    pub grace: Duration,
    /// The network of commands that name none (`docker.network_mode`); one that [`Self::allows_network`].
    pub network_mode: Network,
    /// The open network may be asked for (`docker.allow_bridge`).
    pub allow_bridge: bool,
    /// The network of the machine may be asked for (`docker.allow_host_network`).
    pub allow_host_network: bool,
    /// What commands that mount nothing themselves have mounted (`docker.volumes`).
    pub volumes: Vec<VolumeMount>,
    /// Folders below which everything that is mounted lies (`docker.volume_roots`).
    pub volume_roots: Narrowed<PathBuf>,
    /// How often what is safe to repeat is tried (`docker.retry`).
    pub retry: RetryConfig,
    /// The runtime of containers; absent for the daemon's default (`docker.runtime`).
    pub runtime: Option<String>,
    /// The file of a seccomp profile; absent for the daemon's own (`docker.seccomp`).
    pub seccomp: Option<PathBuf>,
    /// A command may run as root of its container (`docker.allow_root`).
    pub allow_root: bool,
    /// Paths of a workspace that a command's changes never reach (`docker.protected_paths`).
    pub protected_paths: ProtectedPaths,
    /// Containers that wait for the next command (`docker.pool`).
    pub pool: PoolConfig,
    /// How many containers run at once (`docker.concurrency`).
    pub concurrency: u32,
}

/// How we and a daemon know each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates that the daemon is known by; absent for the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate. It is there exactly where the key is.
    pub cert: Option<PathBuf>,
    /// The private key of that certificate.
    pub key: Option<PathBuf>,
}

/// A folder or file of this machine that appears in a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeMount {
    /// Where it is: absolute, not resolved yet.
    pub host_path: PathBuf,
    /// Where it appears: absolute, without `.` and `..`, and not the root.
    pub container_path: String,
    /// It can only be read there.
    pub read_only: bool,
}

/// How often what is safe to repeat is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryConfig {
    /// How often at most, from 1 (`docker.retry.attempts`).
    pub attempts: u32,
    /// How long before the second attempt (`docker.retry.base_delay`).
    pub base_delay: Duration,
}

/// Containers that wait for the next command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// How many at most; none where this is 0 (`docker.pool.size`).
    pub size: u32,
    /// How long one waits before it is removed (`docker.pool.idle`).
    pub idle: Duration,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self {
            daemon: DaemonChoice::Found,
            tls: TlsFiles::default(),
            image: ImageReference::Named(ImageRef::official("debian", "stable-slim")),
            image_pull_policy: ImagePullPolicy::IfNotPresent,
            pull_timeout: Duration::from_secs(600),
            allowed_images: Narrowed::everything(),
            require_digest: false,
            resources: ContainerResources::default(),
            ceiling: ContainerResources::most(),
            timeout: Duration::from_secs(300),
            grace: Duration::from_secs(2),
            network_mode: Network::None,
            allow_bridge: true,
            allow_host_network: false,
            volumes: Vec::new(),
            volume_roots: Narrowed::everything(),
            retry: RetryConfig {
                attempts: 3,
                base_delay: Duration::from_millis(200),
            },
            runtime: None,
            seccomp: None,
            allow_root: false,
            protected_paths: ProtectedPaths::default(),
            pool: PoolConfig {
                size: 2,
                idle: Duration::from_secs(300),
            },
            concurrency: 8,
        }
    }
}

impl DockerConfig {
    /// True where a container may be given this network.
    #[must_use]
    pub const fn allows_network(&self, mode: Network) -> bool {
        match mode {
            Network::None | Network::AllowList => true,
            Network::Bridge => self.allow_bridge,
            Network::Host => self.allow_host_network,
        }
    }

    /// Brings what is given within what may be had, once every layer has spoken. The answer is what a person should be
    /// told about that.
    pub(super) fn settle(&mut self, calls: &Limits) -> Vec<String> {
        let mut told = Vec::new();
        self.resources = self.resources.within(&self.ceiling);
        self.timeout = self.timeout.min(calls.timeout);
        if !self.allows_network(self.network_mode) {
            let word = self.network_mode.word();
            told.push(format!(
                "`docker.network_mode` is `{word}`, which may not be had here: commands that name no network get none"
            ));
            self.network_mode = Network::None;
        }
        told
    }

    /// Keys and values, in the order of the schema.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let duration = |duration: Duration| HumanDuration(duration).to_string();
        let (host, context) = match &self.daemon {
            DaemonChoice::Found => (String::new(), String::new()),
            DaemonChoice::Host(host) => (host.to_string(), String::new()),
            DaemonChoice::Context(context) => (String::new(), context.clone()),
        };
        let table = |name: &'static str, resources: &ContainerResources| {
            resources
                .values()
                .map(|(key, value)| (format!("docker.{name}.{key}"), value))
        };
        let mut entries = named([
            ("host", host),
            ("context", context),
            ("tls_ca", path(self.tls.ca.as_ref())),
            ("tls_cert", path(self.tls.cert.as_ref())),
            ("tls_key", path(self.tls.key.as_ref())),
            ("image", self.image.to_string()),
            (
                "image_pull_policy",
                self.image_pull_policy.word().to_owned(),
            ),
            ("pull_timeout", duration(self.pull_timeout)),
            (
                "allowed_images",
                self.allowed_images.text(ToString::to_string),
            ),
            ("require_digest", self.require_digest.to_string()),
        ]);
        entries.extend(table("resources", &self.resources));
        let ceiling = table("ceiling", &self.ceiling).into_iter();
        entries.extend(ceiling.filter(|(key, _)| key != "docker.ceiling.memory_swap"));
        entries.extend(named([
            ("timeout", duration(self.timeout)),
            ("grace", duration(self.grace)),
            ("network_mode", self.network_mode.word().to_owned()),
            ("allow_bridge", self.allow_bridge.to_string()),
            ("allow_host_network", self.allow_host_network.to_string()),
            ("volumes", listed(self.volumes.iter().map(mount))),
            (
                "volume_roots",
                self.volume_roots.text(|root| path(Some(root))),
            ),
            ("retry.attempts", self.retry.attempts.to_string()),
            ("retry.base_delay", duration(self.retry.base_delay)),
            ("runtime", text(self.runtime.as_ref())),
            ("seccomp", path(self.seccomp.as_ref())),
            ("allow_root", self.allow_root.to_string()),
            (
                "protected_paths",
                listed(self.protected_paths.iter().map(ToString::to_string)),
            ),
            ("pool.size", self.pool.size.to_string()),
            ("pool.idle", duration(self.pool.idle)),
            ("concurrency", self.concurrency.to_string()),
        ]));
        entries
    }
}

fn named<const N: usize>(values: [(&'static str, String); N]) -> Vec<(String, String)> {
    values
        .into_iter()
        .map(|(key, value)| (format!("docker.{key}"), value))
        .collect()
}

fn listed(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// A mount as `docker run --volume` writes it.
fn mount(volume: &VolumeMount) -> String {
    let mode = if volume.read_only { "ro" } else { "rw" };
    format!(
        "{}:{}:{mode}",
        volume.host_path.display(),
        volume.container_path
    )
}
