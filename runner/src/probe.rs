//! What the sandbox is like, seen from within: what the kernel says about this process, and what it refuses to it.
//!
//! It never fails for want of something: what cannot be found out is `null`.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::json::Json;
use crate::mounts::{self, Mount};
use crate::sys::{self, Attempt, Limits, Mounted};

/// The version of what is told.
const VERSION: u32 = 1;

/// Devices that every container has.
const USUAL_DEVICES: [&str; 8] = [
    "null", "zero", "full", "random", "urandom", "tty", "console", "ptmx",
];

/// What a container runtime hides: the host's memory, keys, timers and hardware.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What belongs to the host's kernel and must not be written to.
const WRITABLE: [&CStr; 9] = [
    c"/proc/bus",
    c"/proc/fs",
    c"/proc/irq",
    c"/proc/sys",
    c"/proc/sys/kernel/core_pattern",
    c"/proc/sysrq-trigger",
    c"/sys",
    c"/sys/fs/cgroup",
    c"/sys/kernel",
];

/// Limits of the container's control group: their name, and where the second and the first version have them.
const LIMITS: [(&str, [&str; 2]); 4] = [
    ("memory", ["memory.max", "memory/memory.limit_in_bytes"]),
    (
        "memory_and_swap",
        ["", "memory/memory.memsw.limit_in_bytes"],
    ),
    ("swap", ["memory.swap.max", ""]),
    ("pids", ["pids.max", "pids/pids.max"]),
];

/// The most entries of a list, where a hostile image decides how long it is.
const MOST: usize = 64;

/// One line about the sandbox, and about how each of these paths is mounted.
pub fn probe(paths: &[CString]) -> Json {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.trim().to_owned())
    };
    let number = |name| Json::from(field(name).and_then(|value| value.parse::<u64>().ok()));
    let groups = field("Groups").map(|groups| {
        let ids = groups
            .split_whitespace()
            .filter_map(|id| id.parse::<u32>().ok());
        ids.collect::<Vec<_>>()
    });
    let (uid, gid) = sys::ids();
    let mounts = mounts::mounts();
    Json::object([
        ("version", VERSION.into()),
        ("pid", std::process::id().into()),
        ("uid", uid.into()),
        ("gid", gid.into()),
        ("groups", groups.into()),
        ("cap_inh", field("CapInh").into()),
        ("cap_prm", field("CapPrm").into()),
        ("cap_eff", field("CapEff").into()),
        ("cap_bnd", field("CapBnd").into()),
        ("cap_amb", field("CapAmb").into()),
        ("no_new_privs", number("NoNewPrivs")),
        ("seccomp", number("Seccomp")),
        ("interfaces", interfaces().into()),
        ("root_read_only", is_root_read_only().into()),
        ("tmp", tmp()),
        ("devices", devices(Path::new("/dev")).into()),
        ("masked", Json::Object(MASKED.map(masked).into())),
        ("writable", Json::Object(WRITABLE.map(writable).into())),
        ("refused", refused()),
        ("limits", limits()),
        ("mounts", mount_points(paths, mounts.as_deref())),
    ])
}

/// The network interfaces, in order of their names.
fn interfaces() -> Option<Vec<String>> {
    let text = std::fs::read_to_string("/proc/self/net/dev").ok()?;
    // Two lines of headings, then a name before a colon each.
    let lines = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    let mut names = lines
        .map(|(name, _)| name.trim().to_owned())
        .collect::<Vec<_>>();
    names.sort_unstable();
    Some(names)
}

/// Tries to make a file in the root; where that is refused for another reason, the mount says.
fn is_root_read_only() -> Option<bool> {
    let path = format!("/.toolhatch-probe-{}", std::process::id());
    let error = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(_) => {
            // It was made a moment ago; that it cannot be removed changes nothing about the answer.
            let _ = std::fs::remove_file(&path);
            return Some(false);
        }
        Err(error) => error,
    };
    if error.kind() == std::io::ErrorKind::ReadOnlyFilesystem {
        return Some(true);
    }
    sys::mounted(c"/").ok().map(|mounted| mounted.is_read_only)
}

fn tmp() -> Json {
    let exists = Path::new("/tmp").is_dir();
    let mounted = sys::mounted(c"/tmp").ok().filter(|_| exists);
    let flag = |flag: fn(&Mounted) -> bool| Json::from(mounted.as_ref().map(flag));
    Json::object([
        ("exists", exists.into()),
        ("read_only", flag(|tmp| tmp.is_read_only)),
        ("noexec", flag(|tmp| tmp.noexec)),
        ("nosuid", flag(|tmp| tmp.nosuid)),
        ("nodev", flag(|tmp| tmp.nodev)),
        ("writable", sys::can_write(c"/tmp").into()),
        ("size", mounted.map(|tmp| tmp.size).into()),
    ])
}

/// The block and character devices that not every container has, as paths below this folder, sorted.
fn devices(folder: &Path) -> Option<Vec<String>> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    let mut looked_at = 0;
    while let Some(current) = folders.pop() {
        // The folder itself has to be there; what is in it may come and go.
        let entries = match std::fs::read_dir(&current) {
            Err(_) if current == folder => return None,
            entries => entries.into_iter().flatten().filter_map(Result::ok),
        };
        for entry in entries {
            looked_at += 1;
            let (Ok(kind), path) = (entry.file_type(), entry.path()) else {
                continue;
            };
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            let is_device = kind.is_block_device() || kind.is_char_device();
            if kind.is_dir() && name != "pts" && folders.len() < MOST {
                folders.push(path);
            } else if is_device && !USUAL_DEVICES.contains(&name.as_str()) && found.len() < MOST {
                found.push(name);
            }
            if looked_at > MOST * MOST {
                folders.clear();
                break;
            }
        }
    }
    found.sort_unstable();
    Some(found)
}

/// Whether nothing can be read there; `null` where there is nothing of that name.
fn masked(path: &str) -> (String, Json) {
    let masked = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(_) => Some(true),
        Ok(metadata) if metadata.is_dir() => {
            let first = std::fs::read_dir(path)
                .ok()
                .and_then(|mut entries| entries.next());
            Some(first.is_none())
        }
        Ok(_) => {
            let read = File::open(path).and_then(|mut file| file.read(&mut [0]));
            Some(read.unwrap_or(0) == 0)
        }
    };
    (path.to_owned(), masked.into())
}

fn writable(path: &CStr) -> (String, Json) {
    (text(path), sys::can_write(path).into())
}

/// What the kernel refuses: true is safe, `null` could not be tried.
fn refused() -> Json {
    let told = |(name, attempt): (&str, Attempt)| {
        let refused = match attempt {
            Attempt::Refused => Json::Bool(true),
            Attempt::Done => Json::Bool(false),
            Attempt::Unknown => Json::Null,
        };
        (name.to_owned(), refused)
    };
    Json::Object(sys::attempts().into_iter().map(told).collect())
}

/// Of the container's control group and of this process. `"max"` is no limit.
fn limits() -> Json {
    let group = |(name, places): (&str, [&str; 2])| {
        let read = |place: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{place}")).ok();
        let found = places
            .into_iter()
            .filter(|place| !place.is_empty())
            .find_map(read);
        (
            name.to_owned(),
            found.map(|value| limit(value.trim())).into(),
        )
    };
    let own = Limits::now();
    let hard = |limit: Option<(u64, u64)>| limit.map(|(_, hard)| number_or_max(hard));
    let mut members = LIMITS.map(group).to_vec();
    members.push(("nofile".to_owned(), hard(own.files()).into()));
    members.push(("core".to_owned(), hard(own.core()).into()));
    Json::Object(members)
}

fn limit(value: &str) -> Json {
    value
        .parse()
        .map_or_else(|_| Json::Text(value.to_owned()), number_or_max)
}

/// No limit is the largest number of pages, or of anything, in some places.
fn number_or_max(number: u64) -> Json {
    if number >= 1 << 62 {
        return Json::Text("max".to_owned());
    }
    number.into()
}

fn mount_points(paths: &[CString], mounts: Option<&[Mount]>) -> Json {
    let point = |path: &CString| {
        let name = Path::new(OsStr::from_bytes(path.to_bytes()));
        let metadata = std::fs::metadata(name).ok();
        let mounted = sys::mounted(path).ok();
        let below = mounts.map(|mounts| {
            let told = |mount: &Mount| {
                Json::object([
                    ("path", mount.path.to_string_lossy().into_owned().into()),
                    ("read_only", mount.is_read_only.into()),
                ])
            };
            mounts::below(mounts, name)
                .take(MOST)
                .map(told)
                .collect::<Vec<_>>()
        });
        Json::object([
            ("path", text(path).into()),
            ("dev", metadata.as_ref().map(MetadataExt::dev).into()),
            ("ino", metadata.as_ref().map(MetadataExt::ino).into()),
            (
                "dir",
                metadata.as_ref().map(std::fs::Metadata::is_dir).into(),
            ),
            (
                "read_only",
                mounted.map(|mounted| mounted.is_read_only).into(),
            ),
            (
                "overlay",
                mounts
                    .and_then(|mounts| mounts::at(mounts, name))
                    .map(|mount| mount.is_overlay)
                    .into(),
            ),
            ("writable", sys::can_write(path).into()),
            ("below", below.into()),
        ])
    };
    Json::List(paths.iter().map(point).collect())
}

fn text(path: &CStr) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_null() {
        assert_eq!(masked("/proc/no-such-file").1, Json::Null);
        assert_eq!(devices(Path::new("/no/such/folder")), None);
        let point = mount_points(&[c"/no/such/folder".to_owned()], None).to_string();
        let expected = r#"[{"path":"/no/such/folder","dev":null,"ino":null,"dir":null,"read_only":null,"overlay":null,"writable":null,"below":null}]"#;
        assert_eq!(point, expected);
    }

    #[test]
    fn no_limit_is_max() {
        assert_eq!(limit("max"), Json::Text("max".to_owned()));
        assert_eq!(limit("9223372036854771712"), Json::Text("max".to_owned()));
        assert_eq!(limit("64"), Json::Number(64));
    }

    #[test]
    fn only_the_null_device_and_empty_folders_are_masked() {
        assert_eq!(masked("/dev/null").1, Json::Bool(true));
        assert_eq!(masked("/proc/version").1, Json::Bool(false));
        assert_eq!(masked("/proc").1, Json::Bool(false));
    }
}
