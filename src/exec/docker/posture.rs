//! What the daemon made, compared with what it was asked for. A daemon passes over what it does not know or cannot do
//! (limits without a cgroup for them, keys of a later version), and says nothing: so it is asked again.

mod podman;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig};
use serde_json::{Map, Value};

use super::daemon::Facts;
use crate::error::{Code, Error};
use crate::exec::CommandEnd;

/// The keys of a host configuration that are compared. All that [`super::create::body`] writes, but for those with a
/// comparison of their own.
const COMPARED: &[&str] = &[
    "NetworkMode",
    "CapDrop",
    "CapAdd",
    "Privileged",
    "SecurityOpt",
    "ReadonlyRootfs",
    "StorageOpt",
    "Tmpfs",
    "Init",
    "IpcMode",
    "CgroupnsMode",
    "PidMode",
    "UTSMode",
    "UsernsMode",
    "PidsLimit",
    "Memory",
    "MemorySwap",
    "OomKillDisable",
    "NanoCpus",
    "CpuShares",
    "ShmSize",
    "Ulimits",
    "Devices",
    "PublishAllPorts",
    "AutoRemove",
    "Binds",
    "VolumesFrom",
    "DeviceRequests",
    "DeviceCgroupRules",
    "CgroupParent",
    "GroupAdd",
    "Links",
    "ExtraHosts",
    "PortBindings",
    "Sysctls",
];

/// Everything that differs, in sentences; empty where the container is what was asked for.
pub(super) fn differences(
    wanted: &ContainerCreateBody,
    found: ContainerInspectResponse,
    facts: &Facts,
) -> Vec<String> {
    if facts.is_podman() {
        return compare(wanted, &podman::in_dockers_words(wanted, found));
    }
    compare(wanted, &found)
}

fn compare(wanted: &ContainerCreateBody, found: &ContainerInspectResponse) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |name: &str, wanted: Value, found: Value| {
        let (wanted, found) = (plain(&wanted), plain(&found));
        if wanted != found {
            differences.push(format!("{name} is {found} and not {wanted}"));
        }
    };
    let of = |config: Option<&HostConfig>| -> Map<String, Value> {
        match config.map(serde_json::to_value) {
            Some(Ok(Value::Object(map))) => map,
            _ => Map::new(),
        }
    };
    let wanted_host = of(wanted.host_config.as_ref());
    let found_host = of(found.host_config.as_ref());
    let get = |map: &Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or_default();
    for key in COMPARED {
        compare(key, get(&wanted_host, key), get(&found_host, key));
    }
    for (name, pointer) in [
        ("RestartPolicy", "/RestartPolicy/Name"),
        ("LogConfig", "/LogConfig/Type"),
    ] {
        let at = |map: &Map<String, Value>| {
            let whole = Value::Object(map.clone());
            whole.pointer(pointer).cloned().unwrap_or_default()
        };
        compare(name, at(&wanted_host), at(&found_host));
    }
    if let Some(runtime) = wanted_host.get("Runtime") {
        compare("Runtime", runtime.clone(), get(&found_host, "Runtime"));
    }
    compare(
        "Mounts",
        mounts(&get(&wanted_host, "Mounts")),
        mounts(&get(&found_host, "Mounts")),
    );
    let config = found.config.clone().unwrap_or_default();
    let text = |value: &Option<String>| Value::from(value.clone());
    compare("User", text(&wanted.user), text(&config.user));
    compare("Image", text(&wanted.image), text(&found.image));
    compare("Tty", wanted.tty.into(), config.tty.into());
    compare(
        "OpenStdin",
        wanted.open_stdin.into(),
        config.open_stdin.into(),
    );
    compare(
        "StdinOnce",
        wanted.stdin_once.into(),
        config.stdin_once.into(),
    );
    let list = |value: &Option<Vec<String>>| Value::from(value.clone());
    compare(
        "Entrypoint",
        list(&wanted.entrypoint),
        list(&config.entrypoint),
    );
    compare("Cmd", list(&wanted.cmd), list(&config.cmd));
    differences.extend(unexpected_mounts(wanted, found));
    differences
}

/// A value without what means the same as nothing.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.clone(), plain(value)))
                .filter(|(_, value)| !is_nothing(value))
                .collect();
            if map.is_empty() {
                Value::Null
            } else {
                // Keys in one order, whoever wrote them.
                let mut sorted: Vec<_> = map.into_iter().collect();
                sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
                Value::Object(sorted.into_iter().collect())
            }
        }
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(plain).collect();
            list.sort_by_key(ToString::to_string);
            Value::Array(list)
        }
        value if is_nothing(value) => Value::Null,
        value => value.clone(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    }
}

/// What matters of mounts: what is where, and whether it can be written.
fn mounts(list: &Value) -> Value {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|mount| {
            let mut kept = Map::new();
            for key in ["Type", "Source", "Target", "ReadOnly"] {
                kept.insert(key.to_owned(), mount.get(key).cloned().unwrap_or_default());
            }
            Value::Object(kept)
        })
        .collect()
}

/// Mounts that nobody asked for, such as those of volumes that the image declares.
fn unexpected_mounts(
    wanted: &ContainerCreateBody,
    found: &ContainerInspectResponse,
) -> Vec<String> {
    let host = wanted.host_config.as_ref();
    let targets: Vec<&str> = host
        .and_then(|host| host.mounts.as_deref())
        .unwrap_or_default()
        .iter()
        .filter_map(|mount| mount.target.as_deref())
        .chain(
            host.and_then(|host| host.tmpfs.as_ref())
                .into_iter()
                .flat_map(|tmpfs| tmpfs.keys().map(String::as_str)),
        )
        .collect();
    let mounts = found.mounts.as_deref().unwrap_or_default();
    mounts
        .iter()
        .filter_map(|mount| mount.destination.as_deref())
        .filter(|place| !targets.contains(place))
        .map(|place| format!("{place} is mounted, and nobody asked for it"))
        .collect()
}

/// The refusal to start a container that is not what was asked for.
pub(super) fn refusal(differences: &[String]) -> Error {
    CommandEnd::InvalidConfig
        .error(
            Code::E3405,
            format!(
                "making a container: the daemon made another one than it was asked for: {}",
                differences.join("; ")
            ),
        )
        .hint("It was not started. `toolhatch doctor` shows what this daemon cannot do.")
        .detail("differences", differences.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: HostConfig) -> ContainerInspectResponse {
        ContainerInspectResponse {
            host_config: Some(host),
            ..ContainerInspectResponse::default()
        }
    }

    #[test]
    fn a_limit_that_the_daemon_dropped_is_told() {
        let wanted = ContainerCreateBody {
            host_config: Some(HostConfig {
                pids_limit: Some(128),
                cap_drop: Some(vec!["ALL".to_owned()]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let all = found(HostConfig {
            pids_limit: Some(128),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(Vec::new()),
            privileged: Some(false),
            ..HostConfig::default()
        });
        assert_eq!(compare(&wanted, &all), Vec::<String>::new());
        let less = found(HostConfig {
            cap_drop: Some(vec!["ALL".to_owned()]),
            privileged: Some(true),
            ..HostConfig::default()
        });
        assert_eq!(
            compare(&wanted, &less),
            [
                "Privileged is true and not null",
                "PidsLimit is null and not 128"
            ]
        );
    }

    #[test]
    fn a_mount_that_nobody_asked_for_is_told() {
        let found = ContainerInspectResponse {
            mounts: Some(vec![bollard::models::MountPoint {
                destination: Some("/data".to_owned()),
                ..Default::default()
            }]),
            ..ContainerInspectResponse::default()
        };
        let told = compare(&ContainerCreateBody::default(), &found);
        assert_eq!(told, ["/data is mounted, and nobody asked for it"]);
    }
}
