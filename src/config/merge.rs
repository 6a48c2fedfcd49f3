//! Laying one layer over what is there: which values it may set, and which way it may move them.

mod docker;
mod execution;
mod mcp;
mod outward;
mod serve;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::origin::Origin;
use super::paths::Paths;
use super::{Config, schema};
use crate::manifest::document::Document;
use crate::manifest::problem::Problems;
use crate::manifest::{ByteSize, HumanDuration, Limits, schema as manifest_schema};
use crate::permission::Kind;

/// Which way a project may move a value. The operator's `[enforced]` may set every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Project {
    /// Down, or from true to false.
    Lowers,
    /// Up, or from false to true.
    Raises,
    /// Not at all.
    Leaves,
}

/// What `[enforced]` does to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enforced {
    /// Keeps it from being higher.
    Caps,
    /// Takes its place.
    Replaces,
}

/// One layer on its way into a configuration.
pub(super) struct Merge<'a> {
    pub(super) config: &'a mut Config,
    pub(super) paths: &'a Paths,
    pub(super) origin: Origin,
    /// Tells where the values of the layer stand.
    pub(super) document: &'a Document,
    /// The table of the layer in its file: empty, `defaults` or `enforced`.
    pub(super) table: &'static str,
    pub(super) problems: Problems,
}

impl Merge<'_> {
    /// Lays the layer over the configuration; what it may not do becomes a problem and changes nothing.
    pub(super) fn layer(&mut self, layer: schema::Layer) {
        self.limits("limits", layer.limits, |config| &mut config.limits);
        self.limits("ceiling", layer.ceiling, |config| &mut config.ceiling);
        let calls = layer.calls;
        for (key, value, slot) in [
            (
                "calls.concurrency",
                calls.concurrency,
                (|config| &mut config.concurrency) as fn(&mut Config) -> &mut u32,
            ),
            ("calls.per_caller", calls.per_caller, |config| {
                &mut config.per_caller
            }),
            ("calls.queue", calls.queue, |config| &mut config.queue),
            ("calls.per_minute", calls.per_minute, |config| {
                &mut config.per_minute
            }),
            ("calls.attempts", calls.attempts, |config| {
                &mut config.attempts
            }),
            ("calls.compile_jobs", calls.compile_jobs, |config| {
                &mut config.compile_jobs
            }),
        ] {
            self.set(key, value, Project::Lowers, Enforced::Caps, slot);
        }
        self.replace("calls.breaker", calls.breaker, Project::Raises, |config| {
            &mut config.breaker
        });
        self.permissions(layer.permissions);
        self.approvers(layer.approvers);
        self.approvals(layer.approvals);
        self.policy(&layer.policy);
        self.audit(layer.audit);
        self.embedding(layer.search.embedding);
        self.execution(layer.execution);
        self.docker(layer.docker);
        self.mcp(layer.mcp);
        self.serve(layer.serve);
        let dir = layer.cache.dir.and_then(|dir| self.path("cache.dir", &dir));
        self.replace("cache.dir", dir, Project::Leaves, |config| {
            &mut config.cache_dir
        });
        let max_size = self.size("cache.max_size", layer.cache.max_size);
        self.replace("cache.max_size", max_size, Project::Leaves, |config| {
            &mut config.cache_max_size
        });
        let plugins = layer.plugins;
        self.replace(
            "plugins.enabled",
            plugins.enabled,
            Project::Lowers,
            |config| &mut config.plugins_enabled,
        );
        let search_paths = plugins.search_paths.map(|list| self.search_paths(&list));
        self.replace(
            "plugins.search_paths",
            search_paths,
            Project::Leaves,
            |config| &mut config.search_paths,
        );
        self.replace("log.level", layer.log.level, Project::Leaves, |config| {
            &mut config.log_level
        });
        self.replace(
            "output.color",
            layer.output.color,
            Project::Leaves,
            |config| &mut config.color,
        );
        self.replace("strict", layer.strict, Project::Raises, |config| {
            &mut config.strict
        });
    }

    fn limits(
        &mut self,
        table: &str,
        written: manifest_schema::Limits,
        slot: impl Fn(&mut Config) -> &mut Limits,
    ) {
        let key = |name: &str| format!("{table}.{name}");
        let timeout = self.duration(&key("timeout"), written.timeout);
        self.limit(&key("timeout"), timeout, |config| &mut slot(config).timeout);
        for (name, text, field) in [
            (
                "memory",
                written.memory,
                (|limits| &mut limits.memory) as fn(&mut Limits) -> &mut u64,
            ),
            ("output", written.output, |limits| &mut limits.output),
            ("stdio", written.stdio, |limits| &mut limits.stdio),
            ("http_bytes", written.http_bytes, |limits| {
                &mut limits.http_bytes
            }),
        ] {
            let size = self.size(&key(name), text);
            self.limit(&key(name), size, |config| field(slot(config)));
        }
        for (name, count, field) in [
            (
                "table_elements",
                written.table_elements,
                (|limits| &mut limits.table_elements) as fn(&mut Limits) -> &mut u64,
            ),
            ("host_calls", written.host_calls, |limits| {
                &mut limits.host_calls
            }),
            ("fuel", written.fuel, |limits| &mut limits.fuel),
        ] {
            self.limit(&key(name), count, |config| field(slot(config)));
        }
        self.limit(&key("instances"), written.instances, |config| {
            &mut slot(config).instances
        });
    }

    fn limit<T: Ord>(&mut self, key: &str, value: Option<T>, slot: impl Fn(&mut Config) -> &mut T) {
        if value.is_some() && self.is_enforced() && key.starts_with("limits.") {
            let message = "only the ceiling can be enforced: `limits` is what a call gets that asks for nothing; \
                           write it under `[enforced.ceiling]`";
            self.problem(key, message);
            return;
        }
        self.set(key, value, Project::Lowers, Enforced::Caps, slot);
    }

    fn permissions(&mut self, written: schema::Permissions) {
        self.replace(
            "permissions.allow_flag",
            written.allow_flag,
            Project::Lowers,
            |config| &mut config.allow_flag,
        );
        if written.yes.is_some() && !self.is_enforced() {
            let message = "only the operator can decide this, under `[enforced.permissions]` in the system's file";
            self.problem("permissions.yes", message);
        } else {
            self.replace("permissions.yes", written.yes, Project::Leaves, |config| {
                &mut config.yes
            });
        }
        for (index, name) in written.deny.iter().enumerate() {
            match name.parse::<Kind>() {
                Ok(kind) => {
                    if self.config.deny.insert(kind) {
                        self.note("permissions.deny");
                    }
                }
                Err(error) => {
                    self.problem(&format!("permissions.deny[{index}]"), error.to_string())
                }
            }
        }
    }

    fn approvals(&mut self, written: schema::Approvals) {
        self.floor("approvals.default", written.default, |config| {
            &mut config.approvals_default
        });
        // What the operator says of all tools holds also for those that somebody said less about.
        if let Some(floor) = written.default.filter(|_| self.is_enforced()) {
            for (tool, mode) in &mut self.config.approvals_tools {
                if !written.tools.contains_key(tool) {
                    *mode = (*mode).max(floor);
                }
            }
        }
        for (tool, mode) in written.tools {
            let key = format!("approvals.tools.{tool}");
            let place = self.config.approvals_tools.get(&tool).copied();
            let floor = place.unwrap_or(self.config.approvals_default);
            let is_project = matches!(self.origin, Origin::Project(_));
            if is_project && mode < floor {
                self.problem(&key, "a project can only ask a person more often");
            } else if !self.is_enforced() || place.is_none_or(|place| mode > place) {
                self.config.approvals_tools.insert(tool, mode);
                self.note("approvals.tools");
            }
        }
        let ttl = self.duration("approvals.ttl", written.ttl);
        self.set(
            "approvals.ttl",
            ttl,
            Project::Lowers,
            Enforced::Caps,
            |config| &mut config.approvals_ttl,
        );
    }

    /// A value that the operator and projects can only raise.
    fn floor<T: Ord>(&mut self, key: &str, value: Option<T>, slot: impl Fn(&mut Config) -> &mut T) {
        let Some(value) = value else { return };
        if self.is_enforced() && value <= *slot(self.config) {
            return;
        }
        self.set(key, Some(value), Project::Raises, Enforced::Replaces, slot);
    }

    fn policy(&mut self, written: &schema::Policy) {
        self.replace(
            "policy.default",
            written.default,
            Project::Leaves,
            |config| &mut config.policy_default,
        );
        self.replace("policy.user", written.user, Project::Leaves, |config| {
            &mut config.policy_user
        });
    }

    fn audit(&mut self, written: schema::Audit) {
        for (key, value, project, slot) in [
            (
                "audit.enabled",
                written.enabled,
                Project::Raises,
                (|config| &mut config.audit.enabled) as fn(&mut Config) -> &mut bool,
            ),
            ("audit.strict", written.strict, Project::Raises, |config| {
                &mut config.audit.strict
            }),
            (
                "audit.include_arguments",
                written.include_arguments,
                Project::Leaves,
                |config| &mut config.audit.include_arguments,
            ),
            (
                "audit.include_output",
                written.include_output,
                Project::Leaves,
                |config| &mut config.audit.include_output,
            ),
        ] {
            self.replace(key, value, project, slot);
        }
        let size = self.size("audit.max_file_size", written.max_file_size);
        self.replace("audit.max_file_size", size, Project::Leaves, |config| {
            &mut config.audit.max_file_size
        });
        let age = self.duration("audit.max_age", written.max_age);
        self.replace("audit.max_age", age, Project::Leaves, |config| {
            &mut config.audit.max_age
        });
        self.replace(
            "audit.keep_files",
            written.keep_files,
            Project::Leaves,
            |config| &mut config.audit.keep_files,
        );
        self.outward("audit.stdout", written.stdout, |config| {
            &mut config.audit.stdout
        });
        self.syslog(written.syslog);
        self.webhook(written.webhook);
    }

    fn approvers(&mut self, written: BTreeMap<String, String>) {
        if !written.is_empty() && !self.is_enforced() {
            let message = "only the operator can name approvers, under `[enforced.approvers]` in the system's file";
            self.problem("approvers", message);
            return;
        }
        for (name, digest) in written {
            let is_digest = digest.len() == 64
                && digest
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            if is_digest {
                self.config.approvers.insert(name, digest);
                self.note("approvers");
            } else {
                let message =
                    "expected the SHA-256 of a credential: 64 lower-case hexadecimal digits";
                self.problem(&format!("approvers.{name}"), message);
            }
        }
    }

    fn replace<T: Ord>(
        &mut self,
        key: &str,
        value: Option<T>,
        project: Project,
        slot: impl Fn(&mut Config) -> &mut T,
    ) {
        self.set(key, value, project, Enforced::Replaces, slot);
    }

    /// Puts a value into its place, if this layer may.
    fn set<T: Ord>(
        &mut self,
        key: &str,
        value: Option<T>,
        project: Project,
        enforced: Enforced,
        slot: impl Fn(&mut Config) -> &mut T,
    ) {
        let Some(value) = value else { return };
        let capped = self.is_enforced() && enforced == Enforced::Caps;
        let place = slot(self.config);
        if matches!(self.origin, Origin::Project(_)) {
            let message = match project {
                Project::Lowers if value > *place => {
                    "a project can only lower this, and it is lower already; ask for more in your own configuration"
                }
                Project::Raises if value < *place => {
                    "a project can only turn this on, and it is on already; change it in your own configuration"
                }
                Project::Leaves => {
                    "a project cannot set this; write it into your own configuration"
                }
                Project::Lowers | Project::Raises => "",
            };
            if !message.is_empty() {
                self.problem(key, message);
                return;
            }
        }
        if capped && value >= *place {
            return;
        }
        *place = value;
        self.note(key);
    }

    fn note(&mut self, key: &str) {
        self.config
            .origins
            .insert(key.to_owned(), self.origin.clone());
    }

    fn is_enforced(&self) -> bool {
        matches!(self.origin, Origin::Enforced(_))
    }

    fn problem(&mut self, key: &str, message: impl Into<String>) {
        let key = if self.table.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.table)
        };
        self.problems.add(self.document.place(&key), key, message);
    }

    fn duration(&mut self, key: &str, text: Option<String>) -> Option<Duration> {
        match text?.parse::<HumanDuration>() {
            Ok(HumanDuration(duration)) if !duration.is_zero() => return Some(duration),
            Ok(_) => self.problem(key, "expected more than nothing: no call can be that short"),
            Err(error) => self.problem(key, error.to_string()),
        }
        None
    }

    fn size(&mut self, key: &str, text: Option<String>) -> Option<u64> {
        match text?.parse::<ByteSize>() {
            Ok(ByteSize(bytes)) if bytes > 0 => return Some(bytes),
            Ok(_) => self.problem(key, "expected more than nothing"),
            Err(error) => self.problem(key, error.to_string()),
        }
        None
    }

    fn search_paths(&mut self, list: &[String]) -> Vec<PathBuf> {
        let keyed = list.iter().enumerate();
        keyed
            .filter_map(|(index, text)| self.path(&format!("plugins.search_paths[{index}]"), text))
            .collect()
    }
}
