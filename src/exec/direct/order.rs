//! What the supervisor and the process that becomes the command are told: JSON over a socket, never in arguments, where
//! everybody on this machine could read it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::paths::{self, PathRule};
use crate::error::{Code, Result};
use crate::exec::places::Places;
use crate::exec::{CommandEnd, SandboxSpec};
use crate::ids::CallId;

/// The longest order, without standard input.
const MOST: u32 = 64 << 20;
/// Where programs are.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
/// Temporary folders are made below it. Every user can have one there, whoever a command runs as.
pub(super) const TEMPORARY: &str = "/tmp";
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
    /// It may use the network of this machine.
    pub(super) network: bool,
    /// User and group to become, where this process is root.
    pub(super) user: Option<(u32, u32)>,
    /// What it may use.
    pub(super) limits: Limits,
    /// After how many milliseconds its process group gets SIGTERM.
    pub(super) deadline_ms: u64,
    /// How many milliseconds after that everything gets SIGKILL.
    pub(super) grace_ms: u64,
    /// How many bytes of standard input follow.
    pub(super) stdin: u64,
    /// What the caller should know; not for the processes.
    #[serde(skip)]
    pub(super) warnings: Vec<String>,
}

/// What a command may use; each process of it, but for the number of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limits {
    /// Bytes of address space.
    pub(super) memory: u64,
    /// Processes and threads.
    pub(super) processes: u64,
    /// Open files.
    pub(super) files: u64,
    /// Bytes of a file.
    pub(super) file_size: Option<u64>,
    /// Seconds of processor time.
    pub(super) cpu_seconds: u64,
}

impl Order {
    /// # Errors
    /// E3004 where it cannot start where it should; E3405 where it would have to run as root.
    pub(super) fn new(spec: &SandboxSpec, places: &Places, timeout: Duration) -> Result<Self> {
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
            network: !spec.network.is_isolated(),
            user: user(places),
            limits: Limits::of(spec, timeout),
            deadline_ms: milliseconds(timeout),
            grace_ms: milliseconds(spec.grace),
            stdin: spec.stdin.len() as u64,
            warnings,
        })
    }

    /// Sends it, and standard input behind it.
    pub(super) fn write(&self, stdin: &[u8], to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.frame()?)?;
        to.write_all(stdin)
    }

    /// Its length in four bytes, and the JSON.
    pub(super) fn frame(&self) -> io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let length = u32::try_from(json.len())
            .ok()
            .filter(|length| *length <= MOST);
        let length = length.ok_or_else(|| io::Error::other("the command is too long"))?;
        Ok([length.to_be_bytes().as_slice(), &json].concat())
    }

    /// Reads one, and standard input behind it, and nothing more.
    pub(super) fn read(from: &mut impl Read) -> io::Result<(Self, Vec<u8>)> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > MOST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut json = Vec::new();
        from.take(length.into()).read_to_end(&mut json)?;
        let order: Self = serde_json::from_slice(&json)?;
        let mut stdin = Vec::new();
        from.take(order.stdin).read_to_end(&mut stdin)?;
        if stdin.len() as u64 != order.stdin {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((order, stdin))
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
            memory: resources.memory,
            processes: resources.pids,
            files: resources.nofile,
            file_size: resources.disk.limit(),
            cpu_seconds: seconds.saturating_mul(processors.max(1)),
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
