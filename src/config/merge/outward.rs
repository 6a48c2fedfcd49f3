//! What goes to other machines: a syslog, a webhook, a model. A project can set none of it, or a folder that somebody was
//! made to look into could send away what they do.

use std::path::PathBuf;
use std::str::FromStr;

use super::{Merge, Project};
use crate::config::credential::CredentialSource;
use crate::config::schema::{Embedding, Syslog, Webhook};
use crate::config::{Config, Origin};
use crate::manifest::document::quoted;

/// The sizes a message to a syslog may be limited to: what each must take, and what fits into a datagram.
const MESSAGE: std::ops::RangeInclusive<u64> = 480..=60 << 10;

impl Merge<'_> {
    pub(super) fn syslog(&mut self, written: Syslog) {
        let address = self.optional("audit.syslog.address", written.address);
        self.outward("audit.syslog.address", address, |config| {
            &mut config.audit.syslog.address
        });
        self.outward("audit.syslog.facility", written.facility, |config| {
            &mut config.audit.syslog.facility
        });
        let key = "audit.syslog.app_name";
        match written.app_name {
            Some(name) if !is_app_name(&name) => {
                self.problem(key, "expected 1 to 48 visible characters of ASCII");
            }
            name => self.outward(key, name, |config| &mut config.audit.syslog.app_name),
        }
        let key = "audit.syslog.max_message";
        let size = self.size(key, written.max_message);
        match size {
            Some(size) if !MESSAGE.contains(&size) => {
                self.problem(key, "expected a size from 480B to 60KiB");
            }
            size => self.outward(key, size, |config| &mut config.audit.syslog.max_message),
        }
    }

    pub(super) fn webhook(&mut self, written: Webhook) {
        let url = self.optional("audit.webhook.url", written.url);
        self.outward("audit.webhook.url", url, |config| {
            &mut config.audit.webhook.url
        });
        self.credential(
            ["audit.webhook.secret_file", "audit.webhook.secret_env"],
            [written.secret_file, written.secret_env],
            |config| &mut config.audit.webhook.secret,
        );
        for (key, text, slot) in [
            (
                "audit.webhook.timeout",
                written.timeout,
                (|config| &mut config.audit.webhook.timeout)
                    as fn(&mut Config) -> &mut std::time::Duration,
            ),
            ("audit.webhook.close_wait", written.close_wait, |config| {
                &mut config.audit.webhook.close_wait
            }),
            ("audit.webhook.max_lag", written.max_lag, |config| {
                &mut config.audit.webhook.max_lag
            }),
        ] {
            let duration = self.duration(key, text);
            self.outward(key, duration, slot);
        }
        self.outward("audit.webhook.plain_http", written.plain_http, |config| {
            &mut config.audit.webhook.plain_http
        });
        self.outward("audit.webhook.proxy", written.proxy, |config| {
            &mut config.audit.webhook.proxy
        });
        self.optional_file("audit.webhook.ca_file", written.ca_file, |config| {
            &mut config.audit.webhook.ca_file
        });
    }

    pub(super) fn embedding(&mut self, written: Embedding) {
        let url = self.optional("search.embedding.url", written.url);
        self.outward("search.embedding.url", url, |config| {
            &mut config.embedding.url
        });
        self.outward("search.embedding.api", written.api, |config| {
            &mut config.embedding.api
        });
        self.outward("search.embedding.model", written.model, |config| {
            &mut config.embedding.model
        });
        self.credential(
            ["search.embedding.key_file", "search.embedding.key_env"],
            [written.key_file, written.key_env],
            |config| &mut config.embedding.key,
        );
        let timeout = self.duration("search.embedding.timeout", written.timeout);
        self.outward("search.embedding.timeout", timeout, |config| {
            &mut config.embedding.timeout
        });
        self.outward(
            "search.embedding.plain_http",
            written.plain_http,
            |config| &mut config.embedding.plain_http,
        );
        self.outward("search.embedding.proxy", written.proxy, |config| {
            &mut config.embedding.proxy
        });
        self.optional_file("search.embedding.ca_file", written.ca_file, |config| {
            &mut config.embedding.ca_file
        });
    }

    /// A value that says what goes where.
    pub(super) fn outward<T: Ord>(
        &mut self,
        key: &str,
        value: Option<T>,
        slot: impl Fn(&mut Config) -> &mut T,
    ) {
        self.replace(key, value, Project::Leaves, slot);
    }

    /// A value that an empty text takes away again.
    pub(super) fn optional<T: FromStr<Err: ToString>>(
        &mut self,
        key: &str,
        text: Option<String>,
    ) -> Option<Option<T>> {
        match text?.as_str() {
            "" => Some(None),
            text => match text.parse() {
                Ok(value) => Some(Some(value)),
                Err(error) => {
                    self.problem(key, error.to_string());
                    None
                }
            },
        }
    }

    /// A secret, by the file or the variable it is in: whichever is written takes the place of both.
    fn credential(
        &mut self,
        keys: [&str; 2],
        written: [Option<String>; 2],
        slot: impl Fn(&mut Config) -> &mut Option<CredentialSource>,
    ) {
        let [file_key, variable_key] = keys;
        match written {
            [Some(_), Some(_)] => {
                self.problem(
                    variable_key,
                    format!("write either this or `{file_key}`, not both"),
                );
            }
            [Some(text), None] => {
                let source = self
                    .path(file_key, &text)
                    .map(|path| Some(CredentialSource::File(path)));
                self.outward(file_key, source, slot);
            }
            [None, Some(name)] if !CredentialSource::is_variable(&name) => {
                // Whoever writes a secret here must not find it in an error.
                self.problem(
                    variable_key,
                    "expected the name of an environment variable: letters, digits and `_`",
                );
            }
            [None, Some(name)] => {
                let source = Some(Some(CredentialSource::Variable(name)));
                self.outward(variable_key, source, slot);
            }
            [None, None] => {}
        }
    }

    /// A file that an empty text takes away again.
    pub(super) fn optional_file(
        &mut self,
        key: &str,
        text: Option<String>,
        slot: impl Fn(&mut Config) -> &mut Option<PathBuf>,
    ) {
        let file = match text.as_deref() {
            None => None,
            Some("") => Some(None),
            Some(text) => self.path(key, text).map(Some),
        };
        self.outward(key, file, slot);
    }

    /// A path: from a file absolute or below the home folder, from a variable or flag also relative to where we are.
    pub(super) fn path(&mut self, key: &str, text: &str) -> Option<PathBuf> {
        if let Some(path) = self.paths.expand(text) {
            return Some(path);
        }
        if matches!(self.origin, Origin::Variable(_) | Origin::Flag(_)) && !text.starts_with('~') {
            return Some(self.paths.current.join(text));
        }
        let message = format!(
            "expected an absolute path or one that begins with `~/`, found {}",
            quoted(text)
        );
        self.problem(key, message);
        None
    }
}

/// What stands between two spaces in the header of a message (RFC 5424 §6).
fn is_app_name(name: &str) -> bool {
    (1..=48).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}
