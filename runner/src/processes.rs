//! What runs in this PID namespace, as `/proc` shows it.

use std::collections::HashMap;

/// The ids of all processes of the namespace; `None` where `/proc` is missing or that of another namespace.
pub fn ids() -> Option<Vec<u32>> {
    let own = std::fs::read_link("/proc/self").ok()?;
    if own.to_str()?.parse() != Ok(std::process::id()) {
        return None;
    }
    let entries = std::fs::read_dir("/proc").ok()?;
    let id = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    Some(entries.filter_map(Result::ok).filter_map(id).collect())
}

/// Every process that descends from this one.
pub fn descendants(of: i32) -> Vec<i32> {
    let parents: HashMap<i32, i32> = ids()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|process| {
            let process = i32::try_from(process).ok()?;
            Some((process, parent(process)?))
        })
        .collect();
    let descends = |process: &i32| {
        let mut at = *process;
        // No line of parents is longer than there are processes; the table may be of two moments.
        for _ in 0..parents.len() {
            match parents.get(&at) {
                Some(parent) if *parent == of => return true,
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    };
    parents.keys().copied().filter(descends).collect()
}

fn parent(process: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{process}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name before it can have anything in it.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn children_descend_from_this_process_and_it_does_not_from_itself() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let found = super::descendants(own);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&i32::try_from(child.id()).unwrap()));
        assert!(!found.contains(&own) && !found.contains(&1));
    }

    #[test]
    fn this_process_is_among_them() {
        let ids = super::ids().unwrap();
        assert!(ids.contains(&std::process::id()));
    }
}
