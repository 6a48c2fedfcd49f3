//! From a command to a sandbox: what of the effective scope becomes mounts, network and variables of a container. Pure.

mod place;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

pub use place::CommandPlace;

use super::Authorised;
use super::authorise::Plan;
use crate::config::{Amount, ContainerRequest, ContainerResources};
use crate::error::{Code, Error, Result};
use crate::exec::{
    Changes, CommandEnd, Entry, EventSink, GuestCommand, Obstructed, Reading, SandboxMount,
    SandboxSpec,
};
use crate::manifest::LimitRequest;
use crate::manifest::container::{ContainerLimits, ContainerSpec, Network, User};
use crate::permission::{Access, Action, Capability, FileScope, Grants, Kind};

/// Where what was granted by a relative path appears.
pub const WORKSPACE: &str = "/workspace";

/// What holds for every command of this process.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandRules {
    /// Where they run.
    pub place: CommandPlace,
    /// The image where none is named.
    pub image: String,
    /// What a command may use where nothing is said.
    pub resources: ContainerResources,
    /// The most of it.
    pub most: ContainerResources,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// How long a command may take where nothing is said.
    pub timeout: Duration,
    /// The network where nothing is said.
    pub network: Network,
    /// Whether a command may be put on the bridge.
    pub allow_bridge: bool,
    /// Whether a command may be put on the host's own network.
    pub allow_host_network: bool,
    /// What commands have mounted that whoever calls them mounts nothing for.
    pub volumes: Grants,
    /// What stands in the place of an executor that was chosen and cannot be used.
    pub obstacle: Option<Obstructed>,
}

impl CommandRules {
    /// For where no command is ever run.
    #[must_use]
    pub fn none() -> Self {
        Self {
            place: CommandPlace::Container,
            image: String::new(),
            resources: ContainerResources::default(),
            most: ContainerResources::default(),
            timeout: Duration::ZERO,
            grace: Duration::ZERO,
            network: Network::None,
            allow_bridge: false,
            allow_host_network: false,
            volumes: Grants::default(),
            obstacle: None,
        }
    }
}

/// A command, before it is known what it gets.
pub(super) struct Wish {
    image: String,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Bytes,
    workdir: Option<String>,
    network: Network,
    user: User,
    limits: ContainerLimits,
    keep: Option<String>,
    reading: Reading,
    changes: Changes,
    pub(super) timeout: Option<Duration>,
}

impl Wish {
    /// What a tool wants to run with these arguments; nothing where it is no command.
    ///
    /// # Errors
    /// E3301 where the arguments cannot be handed to a program.
    pub(super) fn of(
        entry: &Entry,
        arguments: &Value,
        rules: &CommandRules,
    ) -> Result<Option<Self>> {
        match entry {
            Entry::Plugin { .. }
            | Entry::Prompt { .. }
            | Entry::Resource
            | Entry::Completion
            | Entry::Function(_)
            | Entry::Server { .. } => Ok(None),
            Entry::Container(spec) => Self::filled(spec, arguments).map(Some),
            Entry::Sandbox => Self::asked(arguments, rules).map(Some),
        }
    }

    /// A command that a guest asks for.
    ///
    /// # Errors
    /// As [`Wish::of`].
    pub(super) fn of_guest(command: &GuestCommand) -> Result<Self> {
        let wish = Self {
            image: command.image.clone(),
            argv: command.argv.clone(),
            env: command.env.clone(),
            stdin: command.stdin.clone(),
            workdir: command.workdir.clone(),
            network: command.network,
            user: User::Workspace,
            limits: ContainerLimits::default(),
            keep: None,
            reading: Reading::Raw,
            changes: Changes::Direct,
            timeout: command.timeout,
        };
        wish.checked()
    }

    fn filled(spec: &ContainerSpec, arguments: &Value) -> Result<Self> {
        let command = spec.fill(arguments)?;
        Ok(Self {
            image: spec.image.to_string(),
            argv: command.argv,
            env: command.env,
            stdin: command.stdin.unwrap_or_default().into(),
            workdir: spec.workdir.clone(),
            network: spec.network,
            user: spec.user,
            limits: spec.limits.clone(),
            keep: None,
            reading: Reading::Parsed(spec.output.clone()),
            changes: Changes::Direct,
            timeout: None,
        })
    }

    /// The arguments of `sandbox.run`, which fit its schema.
    fn asked(arguments: &Value, rules: &CommandRules) -> Result<Self> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let owned = |name: &str| text(name).map(ToOwned::to_owned);
        let env = arguments.get("env").and_then(Value::as_object);
        let command = arguments.get("command").and_then(Value::as_array);
        let wish = Self {
            image: owned("image").unwrap_or_else(|| rules.image.clone()),
            argv: command
                .into_iter()
                .flatten()
                .filter_map(|element| element.as_str().map(ToOwned::to_owned))
                .collect(),
            env: env
                .into_iter()
                .flatten()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
            stdin: owned("stdin").unwrap_or_default().into(),
            workdir: owned("workdir"),
            network: match text("network") {
                Some("none") => Network::None,
                Some("allow-list") => Network::AllowList,
                Some("bridge") => Network::Bridge,
                Some("host") => Network::Host,
                _ => rules.network,
            },
            user: User::Workspace,
            limits: ContainerLimits::default(),
            keep: owned("keep"),
            reading: Reading::Whole,
            changes: match text("changes") {
                Some("review") => Changes::Reviewed,
                _ => Changes::Direct,
            },
            timeout: arguments
                .get("timeout_seconds")
                .and_then(Value::as_f64)
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        };
        wish.checked()
    }

    /// Refuses what no program can be given.
    fn checked(self) -> Result<Self> {
        let wish = self;
        if wish.program().is_empty() {
            return Err(Error::new(
                Code::E3301,
                "reading the command: it names no program",
            ));
        }
        let texts = wish
            .argv
            .iter()
            .chain(wish.env.iter().flat_map(|(name, value)| [name, value]));
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err(Error::new(
                Code::E3301,
                "reading the command: a NUL character cannot be handed to a program",
            ));
        }
        if let Some((name, _)) = wish
            .env
            .iter()
            .find(|(name, _)| !crate::manifest::container::is_variable_name(name))
        {
            return Err(Error::new(
                Code::E3301,
                format!("reading the command: {name:?} is no name of a variable"),
            ));
        }
        Ok(wish)
    }

    /// The program.
    fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// The image as people name it.
    pub(super) fn image(&self) -> &str {
        &self.image
    }
}

impl Plan {
    /// Decides what a command gets. What it wants and is not granted is denied, and nothing runs.
    ///
    /// # Errors
    /// E3206 where it may not be run, E3211 where it may not have its network, E3004 where it cannot be told where something
    /// is mounted.
    pub(super) fn contain(
        &self,
        wish: Wish,
        principal: &str,
        events: &EventSink,
        asked: Option<&LimitRequest>,
        limits: Option<&LimitRequest>,
        rules: &CommandRules,
    ) -> Result<SandboxSpec> {
        if let Some(obstacle) = &rules.obstacle {
            return Err(obstacle.error());
        }
        let memory = [asked, limits]
            .into_iter()
            .flatten()
            .find_map(|limits| limits.memory);
        self.check_command(&wish, events, &rules.place)?;
        rules.place.check(&wish, memory)?;
        self.check_network(wish.network, rules)?;
        let has_files = [Access::Read, Access::Write]
            .into_iter()
            .any(|access| self.effective.files(access).next().is_some());
        let mounts = match rules.place.takes_files(&wish, has_files)? {
            true => self.sandbox_mounts(wish.changes, events)?,
            false => Vec::new(),
        };
        let mut env: BTreeMap<String, String> = self.environment.iter().cloned().collect();
        env.extend(wish.env);
        let workdir = wish.workdir.or_else(|| {
            let is_workspace = |mount: &&SandboxMount| mount.container == WORKSPACE;
            let workspace = mounts.iter().find(is_workspace)?;
            Some(workspace.container.clone())
        });
        Ok(SandboxSpec {
            image: wish.image,
            argv: wish.argv,
            env: env.into_iter().collect(),
            workdir,
            stdin: wish.stdin,
            mounts,
            network: wish.network,
            reach: self.reach(wish.network),
            user: wish.user,
            resources: resources(&wish.limits, memory, rules),
            grace: rules.grace,
            // A name is one's own.
            keep: wish.keep.map(|name| format!("{principal}/{name}")),
            reading: wish.reading,
        })
    }

    fn check_command(&self, wish: &Wish, events: &EventSink, place: &CommandPlace) -> Result<()> {
        let action = Action::Subprocess {
            image: place.reference(&wish.image),
            command: wish.program().to_owned(),
        };
        let Err(mut denial) = self.effective.check(&action, &self.sensitive) else {
            return Ok(());
        };
        let is_asked = self.requested.scope.check(&action, &self.sensitive).is_ok();
        if is_asked {
            denial = denial.already_asked_for();
        }
        let error = denial
            .to_error()
            .detail("outcome", CommandEnd::PolicyDenied.word());
        events.denied(denial);
        Err(error)
    }

    fn check_network(&self, wish: Network, rules: &CommandRules) -> Result<()> {
        let denied = |why: String| CommandEnd::PolicyDenied.error(Code::E3211, why);
        match wish {
            // Each connection is decided on by itself, when it is made.
            Network::None | Network::AllowList => return Ok(()),
            Network::Bridge if !rules.allow_bridge => {
                return Err(denied(
                    "giving the command a network: `docker.allow_bridge` is off".to_owned(),
                )
                .hint("Ask whoever runs this machine."));
            }
            Network::Host
                if !rules.allow_host_network && !matches!(rules.place, CommandPlace::Ssh(_)) =>
            {
                return Err(denied(
                    "giving the command the network of the host: only the operator can allow that".to_owned(),
                )
                .hint("`docker.allow_host_network` in the system's configuration allows it; `bridge` is nearly always enough."));
            }
            Network::Bridge | Network::Host => {}
        }
        let missing = [Kind::NetworkTcp, Kind::NetworkUdp]
            .into_iter()
            .flat_map(Capability::broadest)
            .find(|capability| !self.effective.covers(capability));
        match missing {
            None => Ok(()),
            Some(missing) => {
                let kind = missing.kind();
                Err(denied(format!(
                    "giving the command the network `{}`: {kind}={missing} is not granted",
                    wish.word()
                ))
                .hint(format!(
                    "A command on it can reach everybody. If you trust the command with that, allow `network_tcp={missing}` and \
                     `network_udp={missing}`; `toolhatch exec --net {}` does.",
                    wish.word()
                )))
            }
        }
    }

    /// What a command may talk to that is decided on connection by connection, as text.
    fn reach(&self, network: Network) -> Vec<String> {
        if network != Network::AllowList {
            return Vec::new();
        }
        let capabilities = self.effective.entries().into_iter();
        capabilities
            .filter(|(kind, _)| matches!(kind, Kind::NetworkHttp | Kind::NetworkTcp))
            .map(|(kind, scope)| format!("{kind}={scope}"))
            .collect()
    }

    /// What the call may read of the file system, as mounts; what it may write of that is mounted so. A place of the plan can
    /// be wider than the scope, which decides: of such a one, only what may be read below it is mounted.
    fn sandbox_mounts(&self, changes: Changes, events: &EventSink) -> Result<Vec<SandboxMount>> {
        self.check_write_only(events)?;
        let mut mounts: Vec<SandboxMount> = Vec::new();
        let mut unplaced = Vec::new();
        for mount in &self.mounts {
            let Some(container) = place(&mount.guest) else {
                unplaced.push(mount);
                continue;
            };
            for host in self.readable(&mount.host) {
                let below = host.strip_prefix(&mount.host).unwrap_or(Path::new(""));
                let mut container = container.clone();
                for part in below.iter() {
                    container.push('/');
                    container.push_str(&part.to_string_lossy());
                }
                add(
                    &mut mounts,
                    SandboxMount {
                        read_only: !self.allows(&host, Access::Write),
                        host,
                        container,
                        changes,
                    },
                )?;
            }
        }
        if let Some(mount) = unplaced
            .iter()
            .find(|mount| !mounts.iter().any(|other| other.host == mount.host))
        {
            return Err(CommandEnd::InvalidConfig
                .error(
                    Code::E3004,
                    format!(
                        "mounting {}: it is not clear where, from {:?}",
                        mount.host.display(),
                        mount.guest
                    ),
                )
                .hint("Say where it appears: `HOST:/workspace`."));
        }
        // What lies in another comes after it, or it would be covered.
        mounts.sort_by(|a, b| a.container.cmp(&b.container));
        Ok(mounts)
    }

    fn allows(&self, host: &Path, access: Access) -> bool {
        self.effective
            .files(access)
            .any(|granted| granted.allows(host))
    }

    /// The whole of a place, where all of it may be read; else the files and folders below it that may.
    fn readable(&self, host: &Path) -> Vec<PathBuf> {
        if self.allows(host, Access::Read) {
            return vec![host.to_owned()];
        }
        self.effective
            .files(Access::Read)
            .filter_map(FileScope::root)
            .filter(|root| root.starts_with(host))
            .map(Path::to_owned)
            .collect()
    }

    /// What is mounted can be read. Where only writing was granted, a command would get more than that.
    fn check_write_only(&self, events: &EventSink) -> Result<()> {
        let unreadable = self
            .effective
            .files(Access::Write)
            .map(|granted| granted.root().unwrap_or(Path::new("/")))
            .find(|root| !self.allows(root, Access::Read));
        let Some(root) = unreadable else {
            return Ok(());
        };
        match self
            .effective
            .check_file(root, Access::Read, &self.sensitive)
        {
            Ok(()) => Ok(()),
            Err(denial) => {
                let error = denial
                    .to_error()
                    .while_doing("mounting a folder that a command may only write")
                    .detail("outcome", CommandEnd::PolicyDenied.word());
                events.denied(denial);
                Err(error)
            }
        }
    }
}

/// Adds a mount; one place cannot be two things.
fn add(mounts: &mut Vec<SandboxMount>, mount: SandboxMount) -> Result<()> {
    match mounts
        .iter()
        .find(|other| other.container == mount.container)
    {
        Some(other) if other.host == mount.host => Ok(()),
        Some(other) => Err(CommandEnd::InvalidConfig.error(
            Code::E3004,
            format!(
                "mounting {} at {}: {} is mounted there",
                mount.host.display(),
                mount.container,
                other.host.display()
            ),
        )),
        None => {
            mounts.push(mount);
            Ok(())
        }
    }
}

/// Where something appears in a container that a guest sees under this path.
fn place(guest: &str) -> Option<String> {
    let guest = guest.trim_end_matches('/');
    if guest.is_empty() {
        return None;
    }
    if guest.starts_with('/') {
        return Some(guest.to_owned());
    }
    let mut place = WORKSPACE.to_owned();
    for part in guest.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => {
                place.push('/');
                place.push_str(part);
            }
        }
    }
    Some(place)
}

/// What a command may use: what its tool says, else what is configured, and never more than the most.
fn resources(
    wish: &ContainerLimits,
    memory: Option<u64>,
    rules: &CommandRules,
) -> ContainerResources {
    let request = ContainerRequest {
        cpu_shares: wish.cpu_shares.map(|shares| Amount::Of(shares.into())),
        nano_cpus: wish.cpus.map(|cpus| Amount::Of(cpus.nanos())),
        memory,
        memory_swap: None,
        pids: wish.pids.map(u64::from),
        disk: wish.disk.map(Amount::Of),
        tmpfs: wish.tmpfs,
        shm: wish.shm,
        nofile: wish.nofile.map(u64::from),
    };
    request.over(&rules.resources).within(&rules.most)
}

impl Authorised {
    /// The sandbox of a command, where it is one.
    #[must_use]
    pub fn sandbox(&self) -> Option<&SandboxSpec> {
        match &self.arguments {
            crate::exec::Arguments::Command(spec) => Some(spec),
            _ => None,
        }
    }
}
