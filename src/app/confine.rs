//! Landlock below the sandbox: a one-shot call confines its own process before any thread starts.
//!
//! Should a guest ever break out of its sandbox, the process it finds itself in can reach little more than what was
//! granted: its own state and cache, the granted paths, what resolving names and checking certificates takes, and TCP ports
//! of granted connections. Processes that serve many calls cannot do this: their rules would be a union of all grants.

use std::path::{Path, PathBuf};

use super::{App, outlets};
use crate::error::{Code, Error, Result};
use crate::permission::{Access, Capability, Grants, Kind, Request, Scope};

/// How far the confinement of a process goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    /// The kernel enforces every rule.
    Full,
    /// The kernel is older and enforces some rules.
    Partial,
    /// The kernel has no Landlock, or this is not Linux.
    None,
}

/// Read by the C library and by TLS: names, users, certificates, time zones, shared libraries.
const SYSTEM_READ: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/run/systemd/resolve",
    "/run/nscd",
    "/dev/urandom",
    "/dev/null",
    "/proc/self",
];

/// Everything one call of this process may touch.
struct Reachable {
    /// Files and folders to read.
    read: Vec<PathBuf>,
    /// Folders to list.
    list: Vec<PathBuf>,
    /// Files and folders to read and change.
    write: Vec<PathBuf>,
    /// TCP ports to connect to; nothing means all of them.
    ports: Option<Vec<u16>>,
}

/// What was granted, of which the call may at most do everything.
fn effective(grants: &Grants, requests: &[Request]) -> Scope {
    let mut scope = grants.whole();
    if grants.all_requested {
        for request in requests {
            for capability in &request.capabilities {
                scope.insert(capability.clone());
            }
        }
    }
    scope
}

fn reachable(app: &App, grants: &Grants, requests: &[Request]) -> Reachable {
    let scope = effective(grants, requests);
    let of = |access| -> Vec<PathBuf> {
        scope
            .files(access)
            .map(|granted| granted.root().unwrap_or(Path::new("/")).to_owned())
            .collect()
    };
    let mut read: Vec<PathBuf> = SYSTEM_READ.iter().map(PathBuf::from).collect();
    read.extend(of(Access::Read));
    read.extend(app.policy_folders());
    // Records are passed on by this process too.
    let passing_on = outlets::reach(&app.config.audit);
    read.extend(passing_on.files);
    let mut ports = ports(&scope)
        .zip(passing_on.ports)
        .map(|(granted, needed)| [granted, needed].concat());
    let mut write = of(Access::Write);
    // A component has commands run by somebody else.
    if scope.kinds().contains(&Kind::Subprocess) {
        let commands = app.command_reach();
        read.extend(commands.read);
        write.extend(commands.write);
        if let Some(ports) = &mut ports {
            ports.extend(commands.port);
        }
    }
    // Tools that it calls are found where every tool is, and may do no more than it may itself.
    if scope.kinds().contains(&Kind::ToolInvoke) {
        read.extend(app.config.search_paths.iter().cloned());
        read.push(app.paths.project_tools());
    }
    // The folder of a granted file is opened to reach the file; nothing else in it may be read.
    let list = of(Access::Read)
        .into_iter()
        .chain(of(Access::Write))
        .filter(|path| path.is_file())
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect();
    // The database makes files beside itself, and the log of calls is written while they run.
    write.extend([app.paths.home.clone(), app.config.cache_dir.clone()]);
    Reachable {
        read,
        list,
        write,
        ports,
    }
}

/// Confines this process for one call. Must come before any thread starts; nothing can undo it.
///
/// # Errors
/// E3405 where the state folder cannot be made. A kernel without Landlock is no error: `toolhatch doctor` tells.
pub fn one_shot(app: &App, grants: &Grants, requests: &[Request]) -> Result<Confinement> {
    if let Some(server) = app.server_it_may_call(&effective(grants, requests)) {
        // A server is a program of its own with needs of its own: no rules would be left to enforce.
        tracing::debug!(%server, "not confining this process, because the tool may call a server");
        return Ok(Confinement::None);
    }
    let reachable = reachable(app, grants, requests);
    // Rules are about folders that exist: what the call will make must be there before.
    for folder in [
        &app.paths.home,
        &app.config.cache_dir,
        &app.paths.home.join("keys"),
    ] {
        crate::fsx::create_private_dir(folder)?;
    }
    let confinement = enforce(&reachable)?;
    tracing::debug!(?confinement, "confined this process");
    Ok(confinement)
}

/// The TCP ports of granted connections: those that are named, or all of them where a grant names none.
fn ports(scope: &Scope) -> Option<Vec<u16>> {
    let mut ports = Vec::new();
    for capability in scope.capabilities() {
        match capability {
            Capability::NetworkHttp(http) => {
                for scheme in [
                    crate::permission::Scheme::Http,
                    crate::permission::Scheme::Https,
                ] {
                    match http.port(scheme) {
                        Some(crate::permission::Port::Exact(port)) => ports.push(port),
                        Some(crate::permission::Port::Any) => return None,
                        None => {}
                    }
                }
            }
            Capability::NetworkTcp(tcp) => match tcp.port() {
                crate::permission::Port::Exact(port) => ports.push(port),
                crate::permission::Port::Any => return None,
            },
            _ => {}
        }
    }
    if scope.kinds().iter().any(|kind| {
        matches!(
            kind,
            Kind::NetworkHttp | Kind::NetworkTcp | Kind::NetworkUdp
        )
    }) {
        // Long answers of name servers come over TCP.
        ports.push(53);
    }
    Some(ports)
}

#[cfg(target_os = "linux")]
fn enforce(reachable: &Reachable) -> Result<Confinement> {
    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath,
        PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope as LandlockScope,
    };
    let abi = ABI::V6;
    let confine = || -> std::result::Result<RulesetStatus, landlock::RulesetError> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::BindTcp)?
            .scope(LandlockScope::from_all(abi))?;
        if reachable.ports.is_some() {
            ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
        }
        let mut created = ruleset.create()?;
        for (paths, access) in [
            (&reachable.read, AccessFs::from_read(abi)),
            (&reachable.list, AccessFs::ReadDir.into()),
            (&reachable.write, AccessFs::from_all(abi)),
        ] {
            for path in paths {
                // What does not exist needs no rule.
                let Ok(fd) = PathFd::new(path) else { continue };
                let access = if path.is_dir() {
                    access
                } else {
                    access & AccessFs::from_file(abi)
                };
                created = created.add_rule(PathBeneath::new(fd, access))?;
            }
        }
        for port in reachable.ports.iter().flatten() {
            created = created.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
        Ok(created.restrict_self()?.ruleset)
    };
    match confine() {
        Ok(RulesetStatus::FullyEnforced) => Ok(Confinement::Full),
        Ok(RulesetStatus::PartiallyEnforced) => Ok(Confinement::Partial),
        Ok(RulesetStatus::NotEnforced) => Ok(Confinement::None),
        // A kernel that has it and does not take the rules is not one to go on with.
        Err(error) => Err(
            Error::new(Code::E3405, "confining this process with Landlock")
                .caused_by(error)
                .hint("`--no-landlock` runs the call with the WebAssembly sandbox alone."),
        ),
    }
}

#[cfg(not(target_os = "linux"))]
fn enforce(_reachable: &Reachable) -> Result<Confinement> {
    Ok(Confinement::None)
}

/// What confinement this system can give, without confining anything.
#[cfg(target_os = "linux")]
#[must_use]
pub fn available() -> Confinement {
    use landlock::{ABI, Access as _, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
    // Making a ruleset restricts nothing; it only fails where the kernel cannot enforce it.
    let supports = |abi| {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(abi))
            .and_then(Ruleset::create)
            .is_ok()
    };
    if supports(ABI::V6) {
        Confinement::Full
    } else if supports(ABI::V1) {
        Confinement::Partial
    } else {
        Confinement::None
    }
}

/// What confinement this system can give: Landlock is Linux's.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn available() -> Confinement {
    Confinement::None
}
