//! Who runs tools that are commands. A project can ask for a container and for nothing less.

use std::net::IpAddr;

use super::{Merge, Project};
use crate::config::docker::{is_absolute, is_login};
use crate::config::schema::{Execution, Ssh, Strategy};
use crate::config::{Config, Origin};

impl Merge<'_> {
    pub(super) fn execution(&mut self, written: Execution) {
        self.strategy(written.strategy);
        self.operator("execution.allow_direct", written.allow_direct, |config| {
            &mut config.execution.allow_direct
        });
        self.ssh(written.ssh);
    }

    fn strategy(&mut self, written: Option<Strategy>) {
        let key = "execution.strategy";
        let Some(strategy) = written else { return };
        let is_project = matches!(self.origin, Origin::Project(_));
        if is_project && !matches!(strategy, Strategy::Auto | Strategy::Docker) {
            let message =
                "a project can only ask for a container; choose this in your own configuration";
            self.problem(key, message);
            return;
        }
        self.config.execution.strategy = strategy;
        self.note(key);
    }

    fn ssh(&mut self, written: Ssh) {
        let host = self.checked(
            "execution.ssh.host",
            written.host,
            |text| is_login(text) || text.parse::<IpAddr>().is_ok(),
            "expected the name or address of a machine; user and port have keys of their own",
        );
        let user = self.checked(
            "execution.ssh.user",
            written.user,
            is_login,
            "expected a user name: letters, digits, `.`, `-` and `_`",
        );
        let workdir = self.checked(
            "execution.ssh.workdir",
            written.workdir,
            is_absolute,
            "expected the absolute path of a folder of that machine, without `..`",
        );
        for (key, value, slot) in [
            (
                "execution.ssh.host",
                host,
                (|config| &mut config.execution.ssh.host) as fn(&mut Config) -> &mut Option<String>,
            ),
            ("execution.ssh.user", user, |config| {
                &mut config.execution.ssh.user
            }),
            ("execution.ssh.workdir", workdir, |config| {
                &mut config.execution.ssh.workdir
            }),
        ] {
            self.outward(key, value, slot);
        }
        self.outward("execution.ssh.port", written.port, |config| {
            &mut config.execution.ssh.port
        });
        let host_key = self.optional("execution.ssh.host_key", written.host_key);
        self.outward("execution.ssh.host_key", host_key, |config| {
            &mut config.execution.ssh.host_key
        });
        self.optional_file(
            "execution.ssh.identity_file",
            written.identity_file,
            |config| &mut config.execution.ssh.identity_file,
        );
    }

    /// A value that the operator's file can have, in either of its tables, and no other layer.
    pub(super) fn operator<T: Ord>(
        &mut self,
        key: &str,
        value: Option<T>,
        slot: impl Fn(&mut Config) -> &mut T,
    ) {
        let is_operator = matches!(self.origin, Origin::SystemDefaults(_) | Origin::Enforced(_));
        if value.is_some() && !is_operator {
            self.problem(
                key,
                "only the operator can decide this, in the system's file",
            );
            return;
        }
        self.replace(key, value, Project::Leaves, slot);
    }

    /// A text that has to be valid, and that an empty one takes away again.
    pub(super) fn checked(
        &mut self,
        key: &str,
        text: Option<String>,
        is_valid: impl Fn(&str) -> bool,
        expected: &str,
    ) -> Option<Option<String>> {
        let text = text?;
        if text.is_empty() {
            return Some(None);
        }
        if is_valid(&text) {
            return Some(Some(text));
        }
        self.problem(key, expected);
        None
    }
}
