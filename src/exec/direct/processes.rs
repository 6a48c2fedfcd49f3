//! The processes of this machine, as far as it takes to end all that a command has started.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, Signal, getpid, kill_process};

/// Kills everything that descends from this process. What a command has started stays below it, because this process adopts
/// what loses its parent.
pub(super) fn kill_descendants() {
    let parents = parents();
    let own = getpid().as_raw_nonzero().get();
    for process in parents.keys() {
        let mut at = *process;
        // No line of parents is longer than there are processes; the table may be of two moments.
        for _ in 0..parents.len() {
            match parents.get(&at) {
                Some(parent) if *parent == own => {
                    if let Some(pid) = Pid::from_raw(*process) {
                        let _gone_already = kill_process(pid, Signal::KILL);
                    }
                    break;
                }
                Some(parent) => at = *parent,
                None => break,
            }
        }
    }
}

/// How many processes and threads this user has.
pub(super) fn of_user(uid: u32) -> u64 {
    let is_own = |process: &i32| {
        fs::metadata(format!("/proc/{process}")).is_ok_and(|metadata| metadata.uid() == uid)
    };
    let threads = |process: i32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Threads:"));
        line.and_then(|count| count.trim().parse::<u64>().ok())
            .unwrap_or(1)
    };
    ids().into_iter().filter(is_own).map(threads).sum()
}

/// Every process and its parent.
fn parents() -> HashMap<i32, i32> {
    let parent = |process: i32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name before it can have anything in it.
        let (_, rest) = stat.rsplit_once(')')?;
        let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
        Some((process, parent))
    };
    ids().into_iter().filter_map(parent).collect()
}

fn ids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
