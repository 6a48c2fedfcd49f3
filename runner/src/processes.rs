//! What runs in this PID namespace, as `/proc` shows it.

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

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_is_among_them() {
        let ids = super::ids().unwrap();
        assert!(ids.contains(&std::process::id()));
    }
}
