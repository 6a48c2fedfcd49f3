//! What a process may use, as the kernel counts it.

use std::io;

use rustix::process::{Resource, Rlimit, getuid, setrlimit};

use super::order::Limits;
use super::processes;

/// Sets all but that of memory, for this process and all that it starts. None can be raised again.
pub(super) fn set(limits: &Limits) -> io::Result<()> {
    // The kernel counts all that the user has running, not what this command has.
    let processes = processes::of_user(getuid().as_raw()) + limits.processes;
    let mut wanted = vec![
        (Resource::Core, 0),
        (Resource::Nproc, processes),
        (Resource::Nofile, limits.files),
    ];
    wanted.extend(limits.cpu_seconds.map(|seconds| (Resource::Cpu, seconds)));
    wanted.extend(limits.file_size.map(|size| (Resource::Fsize, size)));
    wanted
        .into_iter()
        .try_for_each(|(resource, most)| set_one(resource, most))
}

/// Sets the limit of memory: last of all, because this process may have more mapped than the command may.
pub(super) fn set_memory(limits: &Limits) -> io::Result<()> {
    let wanted = [
        (Resource::As, limits.address_space),
        (Resource::Data, limits.data),
    ];
    let wanted = wanted
        .into_iter()
        .filter_map(|(resource, most)| Some((resource, most?)));
    wanted
        .into_iter()
        .try_for_each(|(resource, most)| set_one(resource, most))
}

fn set_one(resource: Resource, most: u64) -> io::Result<()> {
    // Somebody may have set less already.
    let before = rustix::process::getrlimit(resource).maximum;
    let most = before.map_or(most, |before| before.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(resource, limit)?)
}
