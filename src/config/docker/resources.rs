//! How much a container may use: what is asked for, what it gets where nobody asks, and the ceiling above both.

use crate::manifest::ByteSize;

/// An amount that need not have a limit. Having none is more than any amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    /// This much.
    Of(u64),
    /// As much as there is.
    NoLimit,
}

impl Amount {
    /// The amount, where it has a limit.
    #[must_use]
    pub const fn limit(self) -> Option<u64> {
        match self {
            Self::Of(amount) => Some(amount),
            Self::NoLimit => None,
        }
    }

    /// From a number that says with 0 that there is no limit.
    pub(in crate::config) const fn unless_zero(number: u64) -> Self {
        match number {
            0 => Self::NoLimit,
            amount => Self::Of(amount),
        }
    }
}

/// What a container may use, all decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerResources {
    /// Its weight among containers that want more processor than there is.
    pub cpu_shares: Amount,
    /// Processors, in billionths of one.
    pub nano_cpus: Amount,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory and swap together, no less than `memory`; absent where there is no swap. In a ceiling it is always
    /// absent: its memory is the most of both together.
    pub memory_swap: Option<u64>,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes written into its own file system.
    pub disk: Amount,
    /// Bytes of `/tmp`, which count as memory.
    pub tmpfs: u64,
    /// Bytes of `/dev/shm`, which count as memory.
    pub shm: u64,
    /// Open files of a process.
    pub nofile: u64,
}

/// What somebody asked for a container; what is absent is left to somebody else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerRequest {
    /// See [`ContainerResources::cpu_shares`].
    pub cpu_shares: Option<Amount>,
    /// See [`ContainerResources::nano_cpus`].
    pub nano_cpus: Option<Amount>,
    /// See [`ContainerResources::memory`]; whoever asks for memory and not for swap gets no swap.
    pub memory: Option<u64>,
    /// See [`ContainerResources::memory_swap`].
    pub memory_swap: Option<u64>,
    /// See [`ContainerResources::pids`].
    pub pids: Option<u64>,
    /// See [`ContainerResources::disk`].
    pub disk: Option<Amount>,
    /// See [`ContainerResources::tmpfs`].
    pub tmpfs: Option<u64>,
    /// See [`ContainerResources::shm`].
    pub shm: Option<u64>,
    /// See [`ContainerResources::nofile`].
    pub nofile: Option<u64>,
}

impl Default for ContainerResources {
    /// What a container gets where nobody says anything.
    fn default() -> Self {
        Self {
            cpu_shares: Amount::Of(1024),
            nano_cpus: Amount::Of(1_000_000_000),
            memory: 512 << 20,
            memory_swap: None,
            pids: 128,
            disk: Amount::NoLimit,
            tmpfs: 64 << 20,
            shm: 64 << 20,
            nofile: 1024,
        }
    }
}

impl ContainerResources {
    /// The most a container can be given where no operator sets a ceiling.
    #[must_use]
    pub fn most() -> Self {
        Self {
            cpu_shares: Amount::NoLimit,
            nano_cpus: Amount::NoLimit,
            memory: 4 << 30,
            memory_swap: None,
            pids: 4096,
            disk: Amount::NoLimit,
            tmpfs: 4 << 30,
            shm: 4 << 30,
            nofile: 65_536,
        }
    }

    /// Bytes of memory and swap together.
    #[must_use]
    pub fn memory_and_swap(&self) -> u64 {
        self.memory_swap
            .map_or(self.memory, |total| total.max(self.memory))
    }

    /// The lesser of the two, amount by amount; memory and swap together stay within the memory of the ceiling.
    #[must_use]
    pub fn within(&self, ceiling: &Self) -> Self {
        let memory = self.memory.min(ceiling.memory);
        let total = self.memory_and_swap().min(ceiling.memory_and_swap());
        Self {
            cpu_shares: self.cpu_shares.min(ceiling.cpu_shares),
            nano_cpus: self.nano_cpus.min(ceiling.nano_cpus),
            memory,
            memory_swap: Some(total).filter(|total| *total > memory),
            pids: self.pids.min(ceiling.pids),
            disk: self.disk.min(ceiling.disk),
            tmpfs: self.tmpfs.min(ceiling.tmpfs),
            shm: self.shm.min(ceiling.shm),
            nofile: self.nofile.min(ceiling.nofile),
        }
    }

    /// Names and values of the keys of a table, in the order of the schema.
    pub(super) fn values(&self) -> [(&'static str, String); 9] {
        let size = |bytes: u64| ByteSize(bytes).to_string();
        [
            (
                "cpu_shares",
                self.cpu_shares.limit().unwrap_or_default().to_string(),
            ),
            ("cpus", cpus(self.nano_cpus)),
            ("memory", size(self.memory)),
            ("memory_swap", size(self.memory_and_swap())),
            ("pids", self.pids.to_string()),
            (
                "disk",
                self.disk.limit().map_or_else(|| "none".to_owned(), size),
            ),
            ("tmpfs", size(self.tmpfs)),
            ("shm", size(self.shm)),
            ("nofile", self.nofile.to_string()),
        ]
    }
}

impl ContainerRequest {
    /// What is asked for, and `defaults` where nothing is.
    #[must_use]
    pub fn over(&self, defaults: &ContainerResources) -> ContainerResources {
        ContainerResources {
            cpu_shares: self.cpu_shares.unwrap_or(defaults.cpu_shares),
            nano_cpus: self.nano_cpus.unwrap_or(defaults.nano_cpus),
            memory: self.memory.unwrap_or(defaults.memory),
            memory_swap: match self.memory {
                Some(_) => self.memory_swap,
                None => self.memory_swap.or(defaults.memory_swap),
            },
            pids: self.pids.unwrap_or(defaults.pids),
            disk: self.disk.unwrap_or(defaults.disk),
            tmpfs: self.tmpfs.unwrap_or(defaults.tmpfs),
            shm: self.shm.unwrap_or(defaults.shm),
            nofile: self.nofile.unwrap_or(defaults.nofile),
        }
    }
}

/// Processors as a file writes them: `1`, `0.5`, and `0` for all.
fn cpus(nano: Amount) -> String {
    let nano = nano.limit().unwrap_or_default();
    let (whole, rest) = (nano / 1_000_000_000, nano % 1_000_000_000);
    match format!("{rest:09}").trim_end_matches('0') {
        "" => whole.to_string(),
        fraction => format!("{whole}.{fraction}"),
    }
}
