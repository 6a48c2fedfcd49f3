//! What the system says of processes.

use std::time::Duration;

use rustix::process::Pid;

/// How many bytes of memory this process had at most so far.
pub fn peak_memory(pid: Pid) -> u64 {
    let status = read(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib << 10).expect("a size")
}

/// How many bytes of memory this process has now.
pub fn resident(pid: Pid) -> u64 {
    let status = read(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib << 10).expect("a size")
}

/// How many there are in a second: Linux tells it so on every machine.
const TICKS: u64 = 100;

/// How long this process has computed so far.
pub fn cpu_time(pid: Pid) -> Duration {
    let stat = read(pid, "stat");
    let ticks = fields(&stat).skip(11).take(2);
    let ticks: u64 = ticks.map(|it| it.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// A process, and when it was started: nothing else is ever the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    parent: i32,
    started: String,
    is_dead: bool,
}

impl Process {
    /// True while it runs; one that only waits to be asked after has ended.
    pub fn runs(&self) -> bool {
        all()
            .iter()
            .any(|it| it.pid == self.pid && it.started == self.started && !it.is_dead)
    }
}

/// Everything that this process has started, and what that has started, as far as it runs.
pub fn descendants(pid: Pid) -> Vec<Process> {
    let mut rest = all();
    let mut found: Vec<Process> = Vec::new();
    let mut of = vec![pid.as_raw_nonzero().get()];
    while let Some(parent) = of.pop() {
        let (children, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|it| it.parent == parent);
        of.extend(children.iter().map(|child| child.pid));
        found.extend(children.into_iter().filter(|child| !child.is_dead));
        rest = others;
    }
    found
}

fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(Result::ok);
    let process = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // It may have ended since.
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields: Vec<&str> = fields(&stat).collect();
        Some(Process {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            started: (*fields.get(19)?).to_owned(),
            is_dead: matches!(fields.first(), Some(&("Z" | "X"))),
        })
    };
    entries.filter_map(process).collect()
}

fn read(pid: Pid, file: &str) -> String {
    let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
    std::fs::read_to_string(path).expect("it runs")
}

/// What stands behind the name, which may have anything in it: the state, the parent and so on.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.split_whitespace()
}
