//! What Podman says of a container, in Docker's words: it speaks the same API, and calls the same things otherwise.
//!
//! Only what means the same is put into other words. Where it tells less than was asked for, the look from inside
//! (`probe.rs`) decides: it sees the capabilities, the mounts and the network that there are.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, HostConfigCgroupnsModeEnum, Mount, MountPoint,
    MountType, ResourcesUlimits,
};

/// What it puts behind the options of every tmpfs: it is seen by nobody else, and has the files of the image.
const OF_EVERY_TMPFS: [&str; 2] = ["rprivate", "tmpcopyup"];
/// The limit that it gives every container besides those it is asked for.
const OF_EVERY_CONTAINER: &str = "nproc";

/// The same container in the words of Docker.
pub(super) fn in_dockers_words(
    wanted: &ContainerCreateBody,
    mut found: ContainerInspectResponse,
) -> ContainerInspectResponse {
    let mounts = found.mounts.clone().unwrap_or_default();
    let Some(host) = &mut found.host_config else {
        return found;
    };
    // Instead of all, those that a container has by default are dropped: from none of them nothing is left.
    if host.cap_drop.as_ref().is_some_and(|list| !list.is_empty()) {
        host.cap_drop = Some(vec!["ALL".to_owned()]);
    }
    for mode in [&mut host.pid_mode, &mut host.uts_mode] {
        if mode.as_deref() == Some("private") {
            *mode = None;
        }
    }
    // One of its own, which others could be let into.
    if host.ipc_mode.as_deref() == Some("shareable") {
        host.ipc_mode = Some("private".to_owned());
    }
    // Not told; what it hides are names (`Facts::known_flaws`).
    if matches!(
        host.cgroupns_mode,
        None | Some(HostConfigCgroupnsModeEnum::EMPTY)
    ) {
        host.cgroupns_mode = Some(HostConfigCgroupnsModeEnum::PRIVATE);
    }
    host.tmpfs = host.tmpfs.take().map(tmpfs);
    let asks_for = wanted.host_config.as_ref();
    let asks_for = asks_for.and_then(|host| host.ulimits.as_deref());
    let is_added = |limit: &ResourcesUlimits| {
        let is_it = |other: &ResourcesUlimits| other.name == limit.name;
        limit.name.as_deref() == Some(OF_EVERY_CONTAINER)
            && !asks_for.unwrap_or_default().iter().any(is_it)
    };
    host.ulimits = host.ulimits.take().map(|found| {
        let mut limits: Vec<_> = found.into_iter().map(ulimit).collect();
        limits.retain(|limit| !is_added(limit));
        limits
    });
    host.binds = None;
    host.mounts = Some(mounts.into_iter().filter_map(mount).collect());
    if let Some(config) = &mut found.config {
        // It does not tell; what is asked for twice is not compared.
        config.stdin_once = wanted.stdin_once;
    }
    found
}

fn tmpfs(found: HashMap<String, String>) -> HashMap<String, String> {
    let plain = |options: &str| -> String {
        let own = options
            .split(',')
            .filter(|option| !OF_EVERY_TMPFS.contains(option));
        own.collect::<Vec<_>>().join(",")
    };
    found
        .into_iter()
        .map(|(path, options)| (path, plain(&options)))
        .collect()
}

fn ulimit(found: ResourcesUlimits) -> ResourcesUlimits {
    let name = found.name.unwrap_or_default();
    let name = name.strip_prefix("RLIMIT_").unwrap_or(&name).to_lowercase();
    ResourcesUlimits {
        name: Some(name),
        soft: Some(found.soft.unwrap_or(0)),
        hard: Some(found.hard.unwrap_or(0)),
    }
}

fn mount(found: MountPoint) -> Option<Mount> {
    let (typ, source) = match found.typ?.as_str() {
        "bind" => (MountType::BIND, found.source),
        "volume" => (MountType::VOLUME, found.name),
        _ => return None,
    };
    Some(Mount {
        typ: Some(typ),
        source,
        target: found.destination,
        read_only: Some(found.rw != Some(true)),
        ..Mount::default()
    })
}
