//! What a container may use: the tables `docker.resources` and `docker.ceiling`.

use super::Merge;
use crate::config::Config;
use crate::config::docker::{Amount, ContainerResources};
use crate::config::schema::Resources;
use crate::manifest::ByteSize;

/// Less memory than this no daemon gives a container.
const LEAST_MEMORY: u64 = 6 << 20;

/// Less of a processor than this no daemon gives a container.
const LEAST_CPUS: f64 = 0.01;

impl Merge<'_> {
    pub(super) fn resources(
        &mut self,
        table: &str,
        written: Resources,
        slot: fn(&mut Config) -> &mut ContainerResources,
    ) {
        let key = |name: &str| format!("{table}.{name}");
        let shares = self.cpu_shares(&key("cpu_shares"), written.cpu_shares);
        let cpus = self.cpus(&key("cpus"), written.cpus);
        let disk = match written.disk.as_deref() {
            Some("none") => Some(Amount::NoLimit),
            _ => self.size(&key("disk"), written.disk).map(Amount::Of),
        };
        for (name, amount, field) in [
            (
                "cpu_shares",
                shares,
                (|resources| &mut resources.cpu_shares)
                    as fn(&mut ContainerResources) -> &mut Amount,
            ),
            ("cpus", cpus, |resources| &mut resources.nano_cpus),
            ("disk", disk, |resources| &mut resources.disk),
        ] {
            self.resource(&key(name), amount, |config| field(slot(config)));
        }
        let memory = self.memory(&key("memory"), written.memory);
        let is_memory_written = memory.is_some();
        let tmpfs = self.size(&key("tmpfs"), written.tmpfs);
        let shm = self.size(&key("shm"), written.shm);
        for (name, amount, field) in [
            (
                "memory",
                memory,
                (|resources| &mut resources.memory) as fn(&mut ContainerResources) -> &mut u64,
            ),
            ("pids", written.pids, |resources| &mut resources.pids),
            ("tmpfs", tmpfs, |resources| &mut resources.tmpfs),
            ("shm", shm, |resources| &mut resources.shm),
            ("nofile", written.nofile, |resources| &mut resources.nofile),
        ] {
            self.resource(&key(name), amount, |config| field(slot(config)));
        }
        let key = key("memory_swap");
        match written.memory_swap {
            Some(text) => {
                let memory = slot(self.config).memory;
                let total = self.memory_swap(&key, &text, memory);
                self.resource(&key, total, |config| &mut slot(config).memory_swap);
            }
            // A total that was meant for another amount of memory is not kept.
            None if is_memory_written && slot(self.config).memory_swap.is_some() => {
                slot(self.config).memory_swap = None;
                self.note(&key);
            }
            None => {}
        }
    }

    fn resource<T: Ord>(
        &mut self,
        key: &str,
        value: Option<T>,
        slot: impl Fn(&mut Config) -> &mut T,
    ) {
        if value.is_some() && self.is_enforced() && key.starts_with("docker.resources.") {
            let message = "only the ceiling can be enforced: `docker.resources` is what a container gets that asks for \
                           nothing; write it under `[enforced.docker.ceiling]`";
            self.problem(key, message);
            return;
        }
        self.capped(key, value, slot);
    }

    fn cpu_shares(&mut self, key: &str, written: Option<u64>) -> Option<Amount> {
        let shares = written?;
        if shares == 1 {
            self.problem(key, "expected 0, or an integer from 2 to 262144");
            return None;
        }
        Some(Amount::unless_zero(shares))
    }

    fn cpus(&mut self, key: &str, written: Option<f64>) -> Option<Amount> {
        let cpus = written?;
        if cpus > 0.0 && cpus < LEAST_CPUS {
            self.problem(key, format!("expected 0, or at least {LEAST_CPUS}"));
            return None;
        }
        // The schema bounds it, so that it fits.
        Some(Amount::unless_zero((cpus * 1e9).round() as u64))
    }

    fn memory(&mut self, key: &str, text: Option<String>) -> Option<u64> {
        let memory = self.size(key, text)?;
        if memory < LEAST_MEMORY {
            let least = ByteSize(LEAST_MEMORY);
            self.problem(
                key,
                format!("expected at least {least}: with less nothing starts"),
            );
            return None;
        }
        Some(memory)
    }

    /// Memory and swap together: nothing where that is no more than the memory alone.
    fn memory_swap(&mut self, key: &str, text: &str, memory: u64) -> Option<Option<u64>> {
        match text.parse::<ByteSize>() {
            Ok(ByteSize(0)) => Some(None),
            Ok(ByteSize(total)) if total >= memory => Some(Some(total).filter(|_| total > memory)),
            Ok(_) => {
                let memory = ByteSize(memory);
                let message = format!(
                    "expected no less than `memory`, which is {memory}: it counts memory and swap together; `0B` means \
                     no swap"
                );
                self.problem(key, message);
                None
            }
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }
}
