//! From a sandbox to what the daemon is asked for: one place that decides what a container gets.
//!
//! Every field is written, also where the daemon's own default is the same today: what is written is what is compared
//! afterwards (`posture.rs`), and the daemon passes over keys that it does not know without a word.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType, MountVolumeOptions,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use super::image::Image;
use super::overlay::Laid;
use crate::exec::SandboxSpec;
use crate::exec::places::RUNNER_FOLDER;
use crate::manifest::container::Network;

/// The runner.
pub(super) const RUNNER: &str = "/.toolhatch/runner";

/// What goes into a container besides its spec.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// The image, resolved.
    pub(super) image: &'a Image,
    /// The mounts, looked at, and what lies over them.
    pub(super) laid: &'a Laid,
    /// The volume with the runner.
    pub(super) runner_volume: &'a str,
    /// What the runner is told.
    pub(super) runner_arguments: Vec<String>,
    /// Who it belongs to.
    pub(super) labels: HashMap<String, String>,
    /// The runtime, where another than the daemon's default is wanted.
    pub(super) runtime: Option<&'a str>,
    /// A seccomp profile in JSON, in place of the daemon's own.
    pub(super) seccomp: Option<&'a str>,
    /// Folders that the daemon would make writable in every container.
    pub(super) loose: &'a [&'a str],
    /// How many processes one user may have, where the daemon would ask for more than it may.
    pub(super) processes_of_user: Option<u64>,
    /// Below a read-only mount nothing can be written either.
    pub(super) recursive_read_only: bool,
}

/// What the daemon is asked for.
pub(super) fn body(spec: &SandboxSpec, parts: Parts<'_>) -> ContainerCreateBody {
    let mut entrypoint = vec![RUNNER.to_owned()];
    entrypoint.extend(parts.runner_arguments.clone());
    let image = parts.image.id.clone();
    // The daemon makes the folder of the image where it is not there, which nobody can do later.
    let workdir = parts.image.workdir.clone();
    let user = parts.laid.places.user.to_string();
    let labels = parts.labels.clone();
    let host_config = host_config(spec, parts);
    ContainerCreateBody {
        image: Some(image),
        entrypoint: Some(entrypoint),
        cmd: Some(Vec::new()),
        user: Some(user),
        working_dir: Some(workdir.unwrap_or_else(|| "/".to_owned())),
        // Variables are told to the runner: here everybody who can ask the daemon would read them.
        env: Some(Vec::new()),
        labels: Some(labels),
        hostname: Some("sandbox".to_owned()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // Without it, the runner would not hear that its host is gone; a kept one has a time for that.
        stdin_once: Some(spec.keep.is_none()),
        // On a terminal the daemon does not say which stream bytes are of, and the client would guess.
        tty: Some(false),
        network_disabled: Some(false),
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        stop_signal: Some("SIGKILL".to_owned()),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &SandboxSpec, parts: Parts<'_>) -> HostConfig {
    let resources = &spec.resources;
    let mut security = vec!["no-new-privileges".to_owned()];
    security.extend(parts.seccomp.map(|profile| format!("seccomp={profile}")));
    let mut tmpfs = HashMap::from([(
        "/tmp".to_owned(),
        format!("rw,noexec,nosuid,nodev,size={},mode=1777", resources.tmpfs),
    )]);
    // What an image declares to be a volume would be a folder without a limit on the daemon's disk.
    for volume in &parts.image.volumes {
        let options = format!("rw,noexec,nosuid,nodev,size={},mode=1777", resources.tmpfs);
        if !parts.laid.places.is_taken(volume) {
            tmpfs.insert(volume.clone(), options);
        }
    }
    for folder in parts.loose {
        let closed = || "ro,noexec,nosuid,nodev,size=4096,mode=0555".to_owned();
        tmpfs.entry((*folder).to_owned()).or_insert_with(closed);
    }
    let limit = |name: &str, value: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    };
    let mut ulimits = vec![limit("core", 0), limit("nofile", signed(resources.nofile))];
    ulimits.extend(
        parts
            .processes_of_user
            .map(|most| limit("nproc", signed(most))),
    );
    let is_writable = resources.disk.limit().is_some();
    HostConfig {
        network_mode: Some(network_mode(spec.network).to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(Vec::new()),
        privileged: Some(false),
        security_opt: Some(security),
        readonly_rootfs: Some(!is_writable),
        storage_opt: resources
            .disk
            .limit()
            .map(|bytes| HashMap::from([("size".to_owned(), bytes.to_string())])),
        tmpfs: Some(tmpfs),
        mounts: Some(mounts(&parts)),
        binds: None,
        volumes_from: None,
        // The runner is the first process and does what an init does.
        init: Some(false),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        pid_mode: Some(String::new()),
        uts_mode: Some(String::new()),
        userns_mode: Some(String::new()),
        pids_limit: Some(signed(resources.pids)),
        memory: Some(signed(resources.memory)),
        memory_swap: Some(signed(resources.memory_and_swap())),
        nano_cpus: Some(signed(resources.nano_cpus.limit().unwrap_or_default())),
        cpu_shares: Some(signed(resources.cpu_shares.limit().unwrap_or_default())),
        shm_size: Some(signed(resources.shm)),
        oom_kill_disable: Some(false),
        ulimits: Some(ulimits),
        devices: Some(Vec::new()),
        publish_all_ports: Some(false),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        // What is removed by itself cannot be asked how it ended.
        auto_remove: Some(false),
        // Output is read as it comes; what the daemon would keep is a copy on its disk.
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        // A name server is only reached by those who reach anybody.
        dns: spec.network.is_isolated().then(Vec::new),
        runtime: parts.runtime.map(ToOwned::to_owned),
        ..HostConfig::default()
    }
}

/// What the daemon is told of the network. Who may talk to a list of hosts has no network: it goes through the runner.
fn network_mode(network: Network) -> &'static str {
    if network.is_isolated() {
        return Network::None.word();
    }
    network.word()
}

fn mounts(parts: &Parts<'_>) -> Vec<Mount> {
    let bind = |host: &str, container: &str, read_only: bool| Mount {
        typ: Some(MountType::BIND),
        source: Some(host.to_owned()),
        target: Some(container.to_owned()),
        read_only: Some(read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            read_only_force_recursive: (read_only && parts.recursive_read_only).then_some(true),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    };
    let mut mounts = vec![Mount {
        typ: Some(MountType::VOLUME),
        source: Some(parts.runner_volume.to_owned()),
        target: Some(RUNNER_FOLDER.to_owned()),
        read_only: Some(true),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }];
    for place in &parts.laid.places.binds {
        if let Some(volume) = parts.laid.volume(place) {
            mounts.push(Mount {
                typ: Some(MountType::VOLUME),
                source: Some(volume.to_owned()),
                target: Some(place.container.clone()),
                read_only: Some(place.read_only),
                volume_options: Some(MountVolumeOptions {
                    no_copy: Some(true),
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            });
            continue;
        }
        mounts.push(bind(
            &place.host.to_string_lossy(),
            &place.container,
            place.read_only,
        ));
    }
    mounts.extend(parts.laid.places.hidden.iter().map(|folder| Mount {
        typ: Some(MountType::TMPFS),
        target: Some(folder.clone()),
        read_only: Some(true),
        ..Mount::default()
    }));
    mounts
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
