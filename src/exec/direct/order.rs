//! What the supervisor and the process that becomes the command are told: JSON over a socket, never in arguments, where
//! everybody on this machine could read it.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::descriptor;
use super::paths::{self, PathRule};
use crate::error::{Code, Result};
use crate::exec::egress;
use crate::exec::places::Places;
use crate::exec::{CommandEnd, SandboxSpec};
use crate::ids::CallId;
use crate::manifest::container::Network;

/// The longest order.
const MOST: u32 = 64 << 20;
/// Where programs are.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
/// Temporary folders are made below it. Every user can have one there, whoever a command runs as.
pub(super) const TEMPORARY: &str = "/tmp";
/// So many processes of the same user may begin elsewhere before a program that goes on running cannot start one any more:
/// the kernel counts them all.
const OTHERS: u64 = 1024;
/// What node 24 reserves for code before anything runs. The kernel counts it as memory that can be written to, touched or not.
const RESERVED: u64 = 512 << 20;
/// Billionths of a processor.
const NANOS: u64 = 1_000_000_000;

/// A command, and all that it may do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// The program and its arguments.
    pub(super) argv: Vec<String>,
    /// All of its environment.
    pub(super) env: Vec<(String, String)>,
    /// Where it starts.
    pub(super) cwd: PathBuf,
    /// Its own temporary folder, which is made before it starts and removed after it has ended.
    pub(super) temporary: PathBuf,
    /// What it may reach of the file system besides the system's programs and its temporary folder.
    pub(super) rules: Vec<PathRule>,
    /// Whom it can talk to.
    pub(super) network: Reachable,
    /// User and group to become, where this process is root.
    pub(super) user: Option<(u32, u32)>,
    /// What it may use.
    pub(super) limits: Limits,
    /// After how many milliseconds its process group gets SIGTERM; a program that goes on running has no such time.
    pub(super) deadline_ms: Option<u64>,
    /// How many milliseconds after that everything gets SIGKILL.
    pub(super) grace_ms: u64,
    /// What the caller should know; not for the processes.
    #[serde(skip)]
    pub(super) warnings: Vec<String>,
}

/// Whom a command can talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reachable {
    /// Nobody: it can make no socket.
    Nobody,
    /// Only the proxy: it has a network of its own, with nothing in it but a loopback interface.
    Proxy,
    /// Whoever this machine reaches.
    Everybody,
}

impl Reachable {
    /// The word in a posture.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Nobody => "none",
            Self::Proxy => "proxy",
            Self::Everybody => "host",
        }
    }
}

/// What a command may use; each process of it, but for the number of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limits {
    /// Bytes of address space.
    pub(super) address_space: Option<u64>,
    /// Bytes of memory of its own that it can write to.
    pub(super) data: Option<u64>,
    /// Processes and threads.
    pub(super) processes: u64,
    /// Open files.
    pub(super) files: u64,
    /// Bytes of a file.
    pub(super) file_size: Option<u64>,
    /// Seconds of processor time.
    pub(super) cpu_seconds: Option<u64>,
}

impl Order {
    /// A command, which ends within its time.
    ///
    /// # Errors
    /// E3004 where it cannot start where it should; E3210 where too much in what was granted stays closed.
    pub(super) fn of_command(
        spec: &SandboxSpec,
        places: &Places,
        timeout: Duration,
    ) -> Result<Self> {
        let network = match spec.network {
            // There is no proxy for it.
            Network::None | Network::AllowList => Reachable::Nobody,
            Network::Bridge | Network::Host => Reachable::Everybody,
        };
        let deadline = Some(milliseconds(timeout));
        Self::new(spec, places, network, Limits::of(spec, timeout), deadline)
    }

    /// A program that goes on running.
    ///
    /// # Errors
    /// As [`Order::of_command`].
    pub(super) fn of_program(spec: &SandboxSpec, places: &Places) -> Result<Self> {
        let network = match spec.network {
            Network::None => Reachable::Nobody,
            Network::AllowList => Reachable::Proxy,
            Network::Bridge | Network::Host => Reachable::Everybody,
        };
        let mut order = Self::new(spec, places, network, Limits::of_program(spec), None)?;
        if network == Reachable::Proxy {
            order.env.extend(egress::variables(&spec.env));
        }
        Ok(order)
    }

    fn new(
        spec: &SandboxSpec,
        places: &Places,
        network: Reachable,
        limits: Limits,
        deadline_ms: Option<u64>,
    ) -> Result<Self> {
        // One call can have several commands run.
        let temporary = PathBuf::from(format!("{TEMPORARY}/toolhatch-{}", CallId::generate()));
        let (rules, warnings) = paths::rules(places, spec.mounts.len())?;
        let home = temporary.to_string_lossy().into_owned();
        let mut env: Vec<(String, String)> = [
            ("PATH", PATH),
            ("HOME", &home),
            ("TMPDIR", &home),
            ("LANG", "C.UTF-8"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in &spec.env {
            env.retain(|(other, _)| other != name);
            env.push((name.clone(), value.clone()));
        }
        Ok(Self {
            argv: spec.argv.clone(),
            env,
            cwd: start(spec, &temporary)?,
            temporary,
            rules,
            network,
            user: user(places),
            limits,
            deadline_ms,
            grace_ms: milliseconds(spec.grace),
            warnings,
        })
    }

    /// Sends it, with what the command reads as its standard input.
    pub(super) fn write(&self, input: BorrowedFd<'_>, to: &mut UnixStream) -> io::Result<()> {
        let (length, json) = self.frame()?;
        descriptor::send(to.as_fd(), &length, input)?;
        to.write_all(&json)
    }

    /// Its length in four bytes, with which standard input is sent, and the JSON that follows.
    pub(super) fn frame(&self) -> io::Result<([u8; 4], Vec<u8>)> {
        let json = serde_json::to_vec(self)?;
        let length = u32::try_from(json.len())
            .ok()
            .filter(|length| *length <= MOST);
        let length = length.ok_or_else(|| io::Error::other("the command is too long"))?;
        Ok((length.to_be_bytes(), json))
    }

    /// Reads one with its standard input, and nothing more.
    pub(super) fn read(from: &mut UnixStream) -> io::Result<(Self, OwnedFd)> {
        let mut length = [0; 4];
        let (count, input) = descriptor::receive(from.as_fd(), &mut length)?;
        from.read_exact(length.get_mut(count..).unwrap_or_default())?;
        let length = u32::from_be_bytes(length);
        if length > MOST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut json = Vec::new();
        from.take(length.into()).read_to_end(&mut json)?;
        let input = input.ok_or(io::ErrorKind::InvalidData)?;
        Ok((serde_json::from_slice(&json)?, input))
    }
}

impl Limits {
    fn of(spec: &SandboxSpec, timeout: Duration) -> Self {
        let resources = &spec.resources;
        // Time is measured on the clock; this is for what spins on after everything else has failed.
        let processors = resources
            .nano_cpus
            .limit()
            .map_or(64, |nanos| nanos.div_ceil(NANOS));
        let seconds = (timeout + spec.grace).as_secs() + 1;
        Self {
            address_space: Some(resources.memory),
            data: None,
            processes: resources.pids,
            files: resources.nofile,
            file_size: resources.disk.limit(),
            cpu_seconds: Some(seconds.saturating_mul(processors.max(1))),
        }
    }

    /// Of a program that goes on running. Time is no measure for it; and what it has of address space is none either: node and
    /// others reserve tens of gigabytes that they never touch. What they can write to counts.
    fn of_program(spec: &SandboxSpec) -> Self {
        let resources = &spec.resources;
        Self {
            address_space: None,
            data: Some(resources.memory.saturating_add(RESERVED)),
            processes: resources.pids.saturating_add(OTHERS),
            files: resources.nofile,
            file_size: resources.disk.limit(),
            cpu_seconds: None,
        }
    }
}

/// Where it starts: what was said, the first folder that was granted, or its temporary folder. Folders of a container are
/// translated to where they are on this machine.
fn start(spec: &SandboxSpec, temporary: &Path) -> Result<PathBuf> {
    let Some(workdir) = spec.workdir.as_deref().map(Path::new) else {
        let first = spec.mounts.iter().find(|mount| mount.host.is_dir());
        return Ok(first.map_or_else(|| temporary.to_owned(), |mount| mount.host.clone()));
    };
    let is_plain = workdir.is_absolute()
        && !workdir
            .components()
            .any(|part| part == std::path::Component::ParentDir);
    let there = spec.mounts.iter().find_map(|mount| {
        let below = workdir.strip_prefix(&mount.container);
        Some(
            mount
                .host
                .join(below.or_else(|_| workdir.strip_prefix(&mount.host)).ok()?),
        )
    });
    match there {
        Some(there) if is_plain => Ok(there),
        _ if workdir == Path::new(TEMPORARY) => Ok(temporary.to_owned()),
        _ => Err(CommandEnd::InvalidConfig
            .error(
                Code::E3004,
                format!("starting in {}: it is in no folder that was granted", workdir.display()),
            )
            .hint("Commands run as processes of this machine here: name a folder that is granted, or `/tmp`.")),
    }
}

/// Nobody runs as root but where the operator says so; whoever is not root stays who they are.
fn user(places: &Places) -> Option<(u32, u32)> {
    let is_root = rustix::process::geteuid().is_root();
    let wanted = (places.user.uid, places.user.gid);
    (is_root && wanted.0 != 0).then_some(wanted)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}
