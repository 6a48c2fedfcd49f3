//! The record of what calls did, all decided.

use std::path::PathBuf;
use std::time::Duration;

use super::credential::CredentialSource;
use super::syslog::{Facility, SyslogAddress};
use crate::manifest::{ByteSize, HumanDuration};
use crate::web::Endpoint;

/// The record of what calls did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// Calls are recorded (`audit.enabled`).
    pub enabled: bool,
    /// No record, no run (`audit.strict`).
    pub strict: bool,
    /// The text of arguments is recorded (`audit.include_arguments`).
    pub include_arguments: bool,
    /// The text of output is recorded (`audit.include_output`).
    pub include_output: bool,
    /// When a file of the log is full, in bytes (`audit.max_file_size`).
    pub max_file_size: u64,
    /// When a file of the log is old (`audit.max_age`).
    pub max_age: Duration,
    /// How many files are kept; 0 keeps all (`audit.keep_files`).
    pub keep_files: u32,
    /// Records are printed to standard output too (`audit.stdout`).
    pub stdout: bool,
    /// The syslog that gets records too (`audit.syslog`).
    pub syslog: SyslogConfig,
    /// The webhook that records are delivered to (`audit.webhook`).
    pub webhook: WebhookConfig,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            strict: false,
            include_arguments: false,
            include_output: false,
            max_file_size: 64 << 20,
            max_age: Duration::from_secs(7 * 24 * 3600),
            keep_files: 0,
            stdout: false,
            syslog: SyslogConfig::default(),
            webhook: WebhookConfig::default(),
        }
    }
}

/// The syslog that gets records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogConfig {
    /// Where it is; none gets records where this is absent (`audit.syslog.address`).
    pub address: Option<SyslogAddress>,
    /// What it sorts them by (`audit.syslog.facility`).
    pub facility: Facility,
    /// What it calls us (`audit.syslog.app_name`).
    pub app_name: String,
    /// The longest message, in bytes; what is longer is cut (`audit.syslog.max_message`).
    pub max_message: u64,
}

impl Default for SyslogConfig {
    fn default() -> Self {
        Self {
            address: None,
            facility: Facility::Authpriv,
            app_name: "toolhatch".to_owned(),
            max_message: 8 << 10,
        }
    }
}

/// The webhook that records are delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Where records are posted to; nothing is delivered where this is absent (`audit.webhook.url`).
    pub url: Option<Endpoint>,
    /// Where the secret is that deliveries are signed with (`audit.webhook.secret_file`, `audit.webhook.secret_env`).
    pub secret: Option<CredentialSource>,
    /// How long a delivery may take (`audit.webhook.timeout`).
    pub timeout: Duration,
    /// How long a process that ends waits for the last delivery (`audit.webhook.close_wait`).
    pub close_wait: Duration,
    /// In strict mode nothing runs while a record waits longer than this (`audit.webhook.max_lag`).
    pub max_lag: Duration,
    /// Whether `http://` may go to other machines (`audit.webhook.plain_http`).
    pub plain_http: bool,
    /// Whether the proxy of the environment is used (`audit.webhook.proxy`).
    pub proxy: bool,
    /// Certificates that are trusted beside the system's (`audit.webhook.ca_file`).
    pub ca_file: Option<PathBuf>,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            url: None,
            secret: None,
            timeout: Duration::from_secs(10),
            close_wait: Duration::from_secs(2),
            max_lag: Duration::from_secs(300),
            plain_http: false,
            proxy: false,
            ca_file: None,
        }
    }
}

impl AuditConfig {
    /// Keys and values, in the order of the schema.
    pub(super) fn entries(&self) -> Vec<(&'static str, String)> {
        let (syslog, webhook) = (&self.syslog, &self.webhook);
        vec![
            ("audit.enabled", self.enabled.to_string()),
            ("audit.strict", self.strict.to_string()),
            (
                "audit.include_arguments",
                self.include_arguments.to_string(),
            ),
            ("audit.include_output", self.include_output.to_string()),
            (
                "audit.max_file_size",
                ByteSize(self.max_file_size).to_string(),
            ),
            ("audit.max_age", HumanDuration(self.max_age).to_string()),
            ("audit.keep_files", self.keep_files.to_string()),
            ("audit.stdout", self.stdout.to_string()),
            ("audit.syslog.address", text(syslog.address.as_ref())),
            ("audit.syslog.facility", syslog.facility.word().to_owned()),
            ("audit.syslog.app_name", syslog.app_name.clone()),
            (
                "audit.syslog.max_message",
                ByteSize(syslog.max_message).to_string(),
            ),
            ("audit.webhook.url", text(webhook.url.as_ref())),
            (
                "audit.webhook.secret_file",
                file_of(webhook.secret.as_ref()),
            ),
            (
                "audit.webhook.secret_env",
                variable_of(webhook.secret.as_ref()),
            ),
            (
                "audit.webhook.timeout",
                HumanDuration(webhook.timeout).to_string(),
            ),
            (
                "audit.webhook.close_wait",
                HumanDuration(webhook.close_wait).to_string(),
            ),
            (
                "audit.webhook.max_lag",
                HumanDuration(webhook.max_lag).to_string(),
            ),
            ("audit.webhook.plain_http", webhook.plain_http.to_string()),
            ("audit.webhook.proxy", webhook.proxy.to_string()),
            ("audit.webhook.ca_file", path(webhook.ca_file.as_ref())),
        ]
    }
}

pub(super) fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

pub(super) fn path(path: Option<&PathBuf>) -> String {
    path.map(|path| path.display().to_string())
        .unwrap_or_default()
}

pub(super) fn file_of(source: Option<&CredentialSource>) -> String {
    match source {
        Some(CredentialSource::File(file)) => path(Some(file)),
        Some(CredentialSource::Variable(_)) | None => String::new(),
    }
}

pub(super) fn variable_of(source: Option<&CredentialSource>) -> String {
    match source {
        Some(CredentialSource::Variable(name)) => name.clone(),
        Some(CredentialSource::File(_)) | None => String::new(),
    }
}
