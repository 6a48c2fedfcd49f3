//! How many processes of the container the kernel has killed for want of memory.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::wards::Wards;

/// Where the count stands, in containers with the second and with the first version of control groups. A container sees
/// its own group there.
const PLACES: [&str; 2] = [
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
];

/// The count, which only grows.
pub struct OomCounter(Option<File>);

impl OomCounter {
    /// Looks for it. Of a machine that others use too, the count would be that of everybody.
    pub fn open(wards: &Wards) -> Self {
        if wards.are_descendants() {
            return Self(None);
        }
        let mut found = PLACES.iter().filter_map(|place| File::open(place).ok());
        Self(found.find(|file| read(file).is_some()))
    }

    /// How many there were since the container was started; `None` where that cannot be known.
    pub fn count(&self) -> Option<u64> {
        read(self.0.as_ref()?)
    }
}

fn read(file: &File) -> Option<u64> {
    let mut buffer = [0; 1024];
    let length = file.read_at(&mut buffer, 0).ok()?;
    parse(std::str::from_utf8(buffer.get(..length)?).ok()?)
}

fn parse(text: &str) -> Option<u64> {
    let mut words = text.lines().filter_map(|line| line.split_once(' '));
    let (_, count) = words.find(|(name, _)| *name == "oom_kill")?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_understood() {
        let second = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";
        let first = "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n";
        assert_eq!(parse(second), Some(2));
        assert_eq!(parse(first), Some(7));
        assert_eq!(parse("oom_kill_disable 0\nunder_oom 0\n"), None);
    }
}
