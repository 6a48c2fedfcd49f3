//! Every key with its value and where it came from, as `config show` lists them.

use super::{Config, Origin};
use crate::manifest::{ByteSize, HumanDuration, Limits};

/// One key with its value, for `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The dotted key.
    pub key: String,
    /// The value as a file would write it, without quotes.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Config {
    /// Every key with its value and where it came from, in the order of the schema.
    #[must_use]
    pub fn entries(&self) -> Vec<ConfigEntry> {
        let mut values = Vec::new();
        values.extend(limit_values("limits", &self.limits));
        values.extend(limit_values("ceiling", &self.ceiling));
        let deny: Vec<&str> = self.deny.iter().map(|kind| kind.name()).collect();
        let search_paths: Vec<String> = self
            .search_paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        values.extend(
            [
                ("calls.concurrency", self.concurrency.to_string()),
                ("calls.per_caller", self.per_caller.to_string()),
                ("calls.queue", self.queue.to_string()),
                (
                    "calls.per_minute",
                    match self.per_minute {
                        u32::MAX => "no limit".to_owned(),
                        limit => limit.to_string(),
                    },
                ),
                ("calls.attempts", self.attempts.to_string()),
                ("calls.breaker", self.breaker.to_string()),
                ("calls.compile_jobs", self.compile_jobs.to_string()),
                ("permissions.allow_flag", self.allow_flag.to_string()),
                ("permissions.yes", self.yes.to_string()),
                ("permissions.deny", deny.join(", ")),
                (
                    "approvers",
                    self.approvers
                        .keys()
                        .cloned()
                        .collect::<Vec<_>>()
                        .join(", "),
                ),
                (
                    "approvals.default",
                    self.approvals_default.word().to_owned(),
                ),
                (
                    "approvals.tools",
                    self.approvals_tools
                        .iter()
                        .map(|(tool, mode)| format!("{tool} = {}", mode.word()))
                        .collect::<Vec<_>>()
                        .join(", "),
                ),
                (
                    "approvals.ttl",
                    HumanDuration(self.approvals_ttl).to_string(),
                ),
                ("policy.default", self.policy_default.to_string()),
                ("policy.user", self.policy_user.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        values.extend(
            self.audit
                .entries()
                .into_iter()
                .chain(self.embedding.entries())
                .map(|(key, value)| (key.to_owned(), value))
                .chain(self.execution.entries())
                .chain(self.docker.entries())
                .chain(self.mcp.entries())
                .chain(self.serve.entries()),
        );
        values.extend(
            [
                ("cache.dir", self.cache_dir.display().to_string()),
                ("cache.max_size", ByteSize(self.cache_max_size).to_string()),
                ("plugins.enabled", self.plugins_enabled.to_string()),
                ("plugins.search_paths", search_paths.join(", ")),
                ("log.level", self.log_level.word().to_owned()),
                ("output.color", self.color.word().to_owned()),
                ("strict", self.strict.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        values
            .into_iter()
            .map(|(key, value)| ConfigEntry {
                origin: self.origin(&key).clone(),
                key,
                value,
            })
            .collect()
    }
}

fn limit_values(table: &str, limits: &Limits) -> Vec<(String, String)> {
    let size = |bytes: u64| ByteSize(bytes).to_string();
    [
        ("timeout", HumanDuration(limits.timeout).to_string()),
        ("memory", size(limits.memory)),
        ("output", size(limits.output)),
        ("stdio", size(limits.stdio)),
        ("http_bytes", size(limits.http_bytes)),
        ("table_elements", limits.table_elements.to_string()),
        ("instances", limits.instances.to_string()),
        ("host_calls", limits.host_calls.to_string()),
        ("fuel", limits.fuel.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{table}.{name}"), value))
    .collect()
}
