//! The containers that commands run in, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::manifest::container::Network;

/// The containers that commands run in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Docker {
    /// The daemon: `unix:///PATH`, `tcp://HOST:PORT` or `ssh://USER@HOST`. Empty for the one that is found: `DOCKER_HOST`,
    /// the context in use, Docker's own socket, Podman's. Takes the place of `context`. Projects cannot change it.
    #[schemars(example = &"unix:///var/run/docker.sock")]
    #[serde(default)]
    pub host: Option<String>,
    /// The daemon, by the name of a context of the `docker` command. Takes the place of `host`. Projects cannot change it.
    #[serde(default)]
    pub context: Option<String>,
    /// The file of certificates in PEM form that a `tcp://` daemon is known by. Projects cannot change it.
    #[schemars(example = &"~/.docker/ca.pem")]
    #[serde(default)]
    pub tls_ca: Option<String>,
    /// The file of our certificate for a `tcp://` daemon; written together with `tls_key`. Projects cannot change it.
    #[schemars(example = &"~/.docker/cert.pem")]
    #[serde(default)]
    pub tls_cert: Option<String>,
    /// The file of the private key of that certificate. Projects cannot change it.
    #[schemars(example = &"~/.docker/key.pem")]
    #[serde(default)]
    pub tls_key: Option<String>,
    /// The image of commands that name none. Projects cannot change it.
    #[schemars(example = &"docker.io/library/debian:stable-slim")]
    #[serde(default)]
    pub image: Option<String>,
    /// When images are pulled: `always`, `if-not-present` or `never`. Projects cannot change it.
    #[schemars(example = &"if-not-present")]
    #[serde(default)]
    pub image_pull_policy: Option<String>,
    /// How long a pull may take. Projects can only lower it.
    #[schemars(example = &"10m")]
    #[serde(default)]
    pub pull_timeout: Option<String>,
    /// The images that may be run: repositories such as `docker.io/library/*` or `ghcr.io/team/**`, digests of manifests
    /// and ids of images. An image has to be on the list of each file that has one.
    #[schemars(example = &["docker.io/library/*"])]
    #[serde(default)]
    pub allowed_images: Option<Vec<String>>,
    /// Whether only images named by digest may be run. Projects can only turn it on.
    #[serde(default)]
    pub require_digest: Option<bool>,
    /// What a container gets where neither its tool nor its caller says. Projects can only lower it.
    #[serde(default)]
    pub resources: Resources,
    /// The most a container gets, whoever asks. Projects can only lower it.
    #[serde(default)]
    pub ceiling: Ceiling,
    /// How long a command may take where neither its tool nor its caller says. Projects can only lower it.
    #[schemars(example = &"5m")]
    #[serde(default)]
    pub timeout: Option<String>,
    /// How long a command that has to end may take to do so before it is killed; `0s` kills it at once. Projects can only
    /// lower it.
    #[schemars(example = &"2s")]
    #[serde(default)]
    pub grace: Option<String>,
    /// The network of commands that name none. Projects can only narrow it.
    #[serde(default)]
    pub network_mode: Option<NetworkMode>,
    /// Whether `bridge`, the open network, may be asked for. Projects can only turn it off.
    #[serde(default)]
    pub allow_bridge: Option<bool>,
    /// Whether `host`, the network of the machine itself, may be asked for. Only in `/etc/toolhatch/config.toml`.
    #[serde(default)]
    pub allow_host_network: Option<bool>,
    /// What commands that mount nothing themselves have mounted. Projects cannot change it.
    #[serde(default)]
    pub volumes: Option<Vec<Volume>>,
    /// Folders below which everything that is mounted must lie. It has to lie below one of the list of each file that has
    /// one.
    #[schemars(example = &["~/src"])]
    #[serde(default)]
    pub volume_roots: Option<Vec<String>>,
    /// How often what is safe to repeat is tried: connecting, pulling, creating.
    #[serde(default)]
    pub retry: Retry,
    /// The runtime of containers, such as `runsc` or `kata`. Empty for the daemon's default. Projects cannot change it.
    #[schemars(example = &"runsc")]
    #[serde(default)]
    pub runtime: Option<String>,
    /// The file of a seccomp profile: absolute, or beginning with `~/`. Empty for the daemon's own. Projects cannot change
    /// it.
    #[schemars(example = &"/etc/toolhatch/seccomp.json")]
    #[serde(default)]
    pub seccomp: Option<String>,
    /// Whether a command may run as root of its container. Projects cannot change it.
    #[serde(default)]
    pub allow_root: Option<bool>,
    /// Paths of a workspace that a command's changes never reach, as globs relative to it. Adds to what other files have.
    #[schemars(example = &[".circleci/**"])]
    #[serde(default)]
    pub protected_paths: Vec<String>,
    /// Containers that wait for the next command.
    #[serde(default)]
    pub pool: Pool,
    /// How many containers run at once; others wait. Projects can only lower it.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(default)]
    pub concurrency: Option<u32>,
}

/// What a container may use.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Its weight where containers want more processor than there is, from 2 to 262144; 0 for no weight of its own.
    #[schemars(range(min = 0, max = 262_144))]
    #[serde(default)]
    pub cpu_shares: Option<u64>,
    /// How many processors it may keep busy, from 0.01; 0 for all.
    #[schemars(range(min = 0, max = 1024))]
    #[serde(default)]
    pub cpus: Option<f64>,
    /// Memory, at least 6MiB. Without `memory_swap` beside it there is no swap.
    #[schemars(example = &"512MiB")]
    #[serde(default)]
    pub memory: Option<String>,
    /// Memory and swap together, at least as much as `memory`; `0B` for no swap.
    #[schemars(example = &"1GiB")]
    #[serde(default)]
    pub memory_swap: Option<String>,
    /// Processes and threads.
    #[schemars(range(min = 1, max = 4_194_304))]
    #[serde(default)]
    pub pids: Option<u64>,
    /// What it may write into its own file system, where the storage of the daemon can limit that; `none` for no limit.
    #[schemars(example = &"1GiB")]
    #[serde(default)]
    pub disk: Option<String>,
    /// The size of `/tmp`, which is memory.
    #[schemars(example = &"64MiB")]
    #[serde(default)]
    pub tmpfs: Option<String>,
    /// The size of `/dev/shm`, which is memory.
    #[schemars(example = &"64MiB")]
    #[serde(default)]
    pub shm: Option<String>,
    /// Open files of a process.
    #[schemars(range(min = 16, max = 1_048_576))]
    #[serde(default)]
    pub nofile: Option<u64>,
}

/// The most a container may use.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// The highest weight; 0 for any.
    #[schemars(range(min = 0, max = 262_144))]
    #[serde(default)]
    pub cpu_shares: Option<u64>,
    /// Processors, from 0.01; 0 for all.
    #[schemars(range(min = 0, max = 1024))]
    #[serde(default)]
    pub cpus: Option<f64>,
    /// Memory and swap together, at least 6MiB.
    #[schemars(example = &"4GiB")]
    #[serde(default)]
    pub memory: Option<String>,
    /// Processes and threads.
    #[schemars(range(min = 1, max = 4_194_304))]
    #[serde(default)]
    pub pids: Option<u64>,
    /// What it may write into its own file system; `none` for no limit.
    #[schemars(example = &"10GiB")]
    #[serde(default)]
    pub disk: Option<String>,
    /// The size of `/tmp`.
    #[schemars(example = &"1GiB")]
    #[serde(default)]
    pub tmpfs: Option<String>,
    /// The size of `/dev/shm`.
    #[schemars(example = &"1GiB")]
    #[serde(default)]
    pub shm: Option<String>,
    /// Open files of a process.
    #[schemars(range(min = 16, max = 1_048_576))]
    #[serde(default)]
    pub nofile: Option<u64>,
}

impl From<Ceiling> for Resources {
    fn from(ceiling: Ceiling) -> Self {
        Self {
            cpu_shares: ceiling.cpu_shares,
            cpus: ceiling.cpus,
            memory: ceiling.memory,
            memory_swap: None,
            pids: ceiling.pids,
            disk: ceiling.disk,
            tmpfs: ceiling.tmpfs,
            shm: ceiling.shm,
            nofile: ceiling.nofile,
        }
    }
}

/// The network of a container, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum NetworkMode {
    /// None but its own loopback.
    None,
    /// What the call was granted, through a proxy that checks it.
    AllowList,
    /// Docker's own network: everything that this machine reaches.
    Bridge,
    /// The network of this machine itself.
    Host,
}

impl From<NetworkMode> for Network {
    fn from(mode: NetworkMode) -> Self {
        match mode {
            NetworkMode::None => Self::None,
            NetworkMode::AllowList => Self::AllowList,
            NetworkMode::Bridge => Self::Bridge,
            NetworkMode::Host => Self::Host,
        }
    }
}

/// A folder or file of this machine that appears in a container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Where it is: absolute, beginning with `~/`, or with `.` for the current folder.
    #[schemars(example = &".")]
    pub host_path: String,
    /// Where it appears: absolute.
    #[schemars(example = &"/workspace")]
    pub container_path: String,
    /// Whether it can only be read there, as it is where nothing is said.
    #[serde(default)]
    pub read_only: Option<bool>,
}

/// How often what is safe to repeat is tried.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often at most. Projects can only lower it.
    #[schemars(range(min = 1, max = 10))]
    #[serde(default)]
    pub attempts: Option<u32>,
    /// How long before the second attempt; each further one waits about twice as long. Projects cannot change it.
    #[schemars(example = &"200ms")]
    #[serde(default)]
    pub base_delay: Option<String>,
}

/// Containers that wait for the next command.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How many at most; 0 for none. Projects can only lower it.
    #[schemars(range(min = 0, max = 64))]
    #[serde(default)]
    pub size: Option<u32>,
    /// How long one waits before it is removed. Projects can only lower it.
    #[schemars(example = &"5m")]
    #[serde(default)]
    pub idle: Option<String>,
}
