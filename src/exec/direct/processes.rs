//! The processes of this machine, as far as it takes to end all that a command has started.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

/// Kills everything that descends from this process. What a command has started stays below it, because this process adopts
/// what loses its parent.
///
/// An id can be another process's by the time it is killed. So each is taken hold of first, and looked at again: what is
/// held then is what was seen to descend from here.
pub(super) fn kill_descendants() {
    let table = table();
    let own = getpid().as_raw_nonzero().get();
    for (process, seen) in &table {
        if !descends(*process, own, &table) {
            continue;
        }
        let Some(pid) = Pid::from_raw(*process) else {
            continue;
        };
        let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        if look(*process).as_ref() == Some(seen) {
            let _gone_already = pidfd_send_signal(held, Signal::KILL);
        }
    }
}

/// A process as far as it takes to tell it from others.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    parent: i32,
    /// In ticks since the boot.
    began: u64,
}

fn descends(process: i32, own: i32, table: &HashMap<i32, Seen>) -> bool {
    let mut at = process;
    // No line of parents is longer than there are processes; the table may be of two moments.
    for _ in 0..table.len() {
        match table.get(&at) {
            Some(seen) if seen.parent == own => return true,
            Some(seen) => at = seen.parent,
            None => return false,
        }
    }
    false
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

/// Every process.
fn table() -> HashMap<i32, Seen> {
    let seen = |process: i32| Some((process, look(process)?));
    ids().into_iter().filter_map(seen).collect()
}

fn look(process: i32) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before it can have anything in it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some(Seen {
        parent: fields.nth(1)?.parse().ok()?,
        began: fields.nth(17)?.parse().ok()?,
    })
}

fn ids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_another_of_its_id() {
        let own = getpid().as_raw_nonzero().get();
        let seen = look(own).expect("it is there");
        assert_eq!(look(own), Some(seen));
        let first = look(1).expect("there is always one");
        assert_eq!(first.parent, 0);
        let mut table = table();
        assert!(descends(own, 0, &table) || descends(own, 1, &table));
        assert!(!descends(1, own, &table));
        // Two moments can make a circle of parents.
        let seen = |parent| Seen { parent, began: 0 };
        table.insert(-1, seen(-2));
        table.insert(-2, seen(-1));
        assert!(!descends(-1, own, &table));
    }
}
