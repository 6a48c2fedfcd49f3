//! The containers that commands run in. A project can take away from what they may use; which daemon runs them, from which
//! image and with what mounted is not for somebody else to say.

mod resources;
mod volumes;

use std::time::Duration;

use super::{Enforced, Merge, Project};
use crate::config::docker::{DaemonChoice, Glob, ImagePattern};
use crate::config::schema::{Docker, Pool, Retry};
use crate::config::{Config, Origin};
use crate::manifest::HumanDuration;
use crate::manifest::container::Network;

impl Merge<'_> {
    pub(super) fn docker(&mut self, written: Docker) {
        self.daemon(written.host, written.context);
        self.tls([written.tls_ca, written.tls_cert, written.tls_key]);
        let image = self.parsed("docker.image", written.image.as_deref());
        self.outward("docker.image", image, |config| &mut config.docker.image);
        let policy = self.parsed(
            "docker.image_pull_policy",
            written.image_pull_policy.as_deref(),
        );
        self.outward("docker.image_pull_policy", policy, |config| {
            &mut config.docker.image_pull_policy
        });
        if let Some(list) = written.allowed_images {
            self.allowed_images(&list);
        }
        self.replace(
            "docker.require_digest",
            written.require_digest,
            Project::Raises,
            |config| &mut config.docker.require_digest,
        );
        self.resources("docker.resources", written.resources, |config| {
            &mut config.docker.resources
        });
        self.resources("docker.ceiling", written.ceiling.into(), |config| {
            &mut config.docker.ceiling
        });
        self.times(written.pull_timeout, written.timeout, written.grace);
        let key = "docker.network_mode";
        if written.network_mode.is_some() && self.is_enforced() {
            let message = "this is what a command gets that names no network; write `allow_bridge = false` to keep \
                           the open one from those that do";
            self.problem(key, message);
        } else {
            self.capped(key, written.network_mode.map(Network::from), |config| {
                &mut config.docker.network_mode
            });
        }
        self.replace(
            "docker.allow_bridge",
            written.allow_bridge,
            Project::Lowers,
            |config| &mut config.docker.allow_bridge,
        );
        self.operator(
            "docker.allow_host_network",
            written.allow_host_network,
            |config| &mut config.docker.allow_host_network,
        );
        if let Some(list) = written.volumes {
            self.volumes(list);
        }
        if let Some(list) = written.volume_roots {
            self.volume_roots(&list);
        }
        let runtime = self.checked(
            "docker.runtime",
            written.runtime,
            is_name,
            "expected the name of a runtime that the daemon knows, such as `runsc`",
        );
        self.outward("docker.runtime", runtime, |config| {
            &mut config.docker.runtime
        });
        self.optional_file("docker.seccomp", written.seccomp, |config| {
            &mut config.docker.seccomp
        });
        self.outward("docker.allow_root", written.allow_root, |config| {
            &mut config.docker.allow_root
        });
        self.protected_paths(&written.protected_paths);
        self.retry(written.retry);
        self.pool(written.pool);
        self.capped("docker.concurrency", written.concurrency, |config| {
            &mut config.docker.concurrency
        });
    }

    /// The daemon, by where it listens or by its context: whichever is written takes the place of both.
    fn daemon(&mut self, host: Option<String>, context: Option<String>) {
        const KEYS: [&str; 2] = ["docker.host", "docker.context"];
        let [host_key, context_key] = KEYS;
        let (key, choice) = match (host, context) {
            (None, None) => return,
            (Some(_), Some(_)) => {
                let message = format!("write either this or `{host_key}`, not both");
                self.problem(context_key, message);
                return;
            }
            (Some(host), None) => {
                let host = self.optional(host_key, Some(host));
                let choice = host.map(|host| host.map_or(DaemonChoice::Found, DaemonChoice::Host));
                (host_key, choice)
            }
            (None, Some(context)) => {
                let expected = "expected the name of a context, as `docker context ls` lists them";
                let context = self.checked(context_key, Some(context), is_name, expected);
                let choice = context
                    .map(|context| context.map_or(DaemonChoice::Found, DaemonChoice::Context));
                (context_key, choice)
            }
        };
        let is_problem = choice.is_none() || matches!(self.origin, Origin::Project(_));
        self.outward(key, choice, |config| &mut config.docker.daemon);
        if !is_problem {
            KEYS.into_iter().for_each(|key| self.note(key));
        }
    }

    fn tls(&mut self, [ca, cert, key]: [Option<String>; 3]) {
        // One without the other would be that of a lower layer, which knows nothing of it.
        for (written, missing, name, other) in [
            (&cert, &key, "docker.tls_cert", "docker.tls_key"),
            (&key, &cert, "docker.tls_key", "docker.tls_cert"),
        ] {
            let is_there = |text: &Option<String>| text.as_ref().map(String::is_empty);
            if written.is_some() && is_there(written) != is_there(missing) {
                self.problem(name, format!("write this and `{other}` together"));
                return;
            }
        }
        self.optional_file("docker.tls_ca", ca, |config| &mut config.docker.tls.ca);
        self.optional_file("docker.tls_cert", cert, |config| {
            &mut config.docker.tls.cert
        });
        self.optional_file("docker.tls_key", key, |config| &mut config.docker.tls.key);
    }

    fn allowed_images(&mut self, list: &[String]) {
        let key = "docker.allowed_images";
        let patterns: Vec<ImagePattern> = list
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.parsed(&format!("{key}[{index}]"), Some(text)))
            .collect();
        // What is left of a list with a problem would allow less than was meant, and nothing is loaded anyway.
        if self.config.docker.allowed_images.narrow(patterns) {
            self.note(key);
        }
    }

    fn times(&mut self, pull: Option<String>, timeout: Option<String>, grace: Option<String>) {
        let pull = self.duration("docker.pull_timeout", pull);
        self.capped("docker.pull_timeout", pull, |config| {
            &mut config.docker.pull_timeout
        });
        let key = "docker.timeout";
        if timeout.is_some() && self.is_enforced() {
            let message = "only the ceiling can be enforced: this is what a command gets that asks for nothing; write \
                           `timeout` under `[enforced.ceiling]`";
            self.problem(key, message);
        } else {
            let timeout = self.duration(key, timeout);
            self.capped(key, timeout, |config| &mut config.docker.timeout);
        }
        // Nothing is a grace too: the command is killed at once.
        let grace = self.parsed("docker.grace", grace.as_deref());
        let grace = grace.map(|HumanDuration(grace)| grace);
        self.capped("docker.grace", grace, |config| &mut config.docker.grace);
    }

    fn protected_paths(&mut self, list: &[String]) {
        for (index, text) in list.iter().enumerate() {
            match text.parse::<Glob>() {
                Ok(glob) => {
                    if self.config.docker.protected_paths.add(glob) {
                        self.note("docker.protected_paths");
                    }
                }
                Err(error) => {
                    let key = format!("docker.protected_paths[{index}]");
                    let message = format!(
                        "expected a glob relative to the workspace, such as `.circleci/**`: {error}"
                    );
                    self.problem(&key, message);
                }
            }
        }
    }

    fn retry(&mut self, written: Retry) {
        self.capped("docker.retry.attempts", written.attempts, |config| {
            &mut config.docker.retry.attempts
        });
        let delay: Option<Duration> = self.duration("docker.retry.base_delay", written.base_delay);
        self.outward("docker.retry.base_delay", delay, |config| {
            &mut config.docker.retry.base_delay
        });
    }

    fn pool(&mut self, written: Pool) {
        self.capped("docker.pool.size", written.size, |config| {
            &mut config.docker.pool.size
        });
        let idle = self.duration("docker.pool.idle", written.idle);
        self.capped("docker.pool.idle", idle, |config| {
            &mut config.docker.pool.idle
        });
    }

    /// A value that projects only lower and the operator caps.
    fn capped<T: Ord>(
        &mut self,
        key: &str,
        value: Option<T>,
        slot: impl Fn(&mut Config) -> &mut T,
    ) {
        self.set(key, value, Project::Lowers, Enforced::Caps, slot);
    }

    /// A value that has no empty text.
    fn parsed<T: std::str::FromStr<Err: ToString>>(
        &mut self,
        key: &str,
        text: Option<&str>,
    ) -> Option<T> {
        match text?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }
}

/// True for a name that a daemon or the `docker` command knows something by.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte))
}
