//! The record of what calls did, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::syslog::Facility;

/// The record of what calls did.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Whether calls are recorded. Projects can only turn it on.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// No record, no run. Projects can only turn it on.
    #[serde(default)]
    pub strict: Option<bool>,
    /// Whether the text of arguments is recorded; its digest always is. Projects cannot change it.
    #[serde(default)]
    pub include_arguments: Option<bool>,
    /// Whether the text of output is recorded; its digest always is. Projects cannot change it.
    #[serde(default)]
    pub include_output: Option<bool>,
    /// A file of the log that has reached this size is followed by the next one.
    #[schemars(example = &"64MiB")]
    #[serde(default)]
    pub max_file_size: Option<String>,
    /// A file of the log that is older than this is followed by the next one.
    #[schemars(example = &"168h")]
    #[serde(default)]
    pub max_age: Option<String>,
    /// How many files are kept; 0 keeps all.
    #[serde(default)]
    pub keep_files: Option<u32>,
    /// Whether each record is printed to standard output too, where that carries nothing else. Projects cannot change it.
    #[serde(default)]
    pub stdout: Option<bool>,
    /// A syslog that gets each record too. Projects cannot change it.
    #[serde(default)]
    pub syslog: Syslog,
    /// A webhook that records are delivered to. Projects cannot change it.
    #[serde(default)]
    pub webhook: Webhook,
}

/// A syslog that gets each record too, as messages of RFC 5424.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Syslog {
    /// `unix:///dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`. Empty for none.
    #[schemars(example = &"unix:///dev/log")]
    #[serde(default)]
    pub address: Option<String>,
    /// What the syslog sorts the messages by.
    #[serde(default)]
    pub facility: Option<Facility>,
    /// What the syslog calls us: 1 to 48 visible characters of ASCII.
    #[serde(default)]
    pub app_name: Option<String>,
    /// The longest message, from 480B to 60KiB; a longer one is cut and says so.
    #[schemars(example = &"8KiB")]
    #[serde(default)]
    pub max_message: Option<String>,
}

/// A webhook that records are delivered to, in batches of CloudEvents.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where batches are posted to. Empty for none.
    #[schemars(example = &"https://collector.example/audit")]
    #[serde(default)]
    pub url: Option<String>,
    /// The file with the secret that deliveries are signed with, `whsec_…`: absolute, or beginning with `~/`.
    #[serde(default)]
    pub secret_file: Option<String>,
    /// The environment variable with that secret, in place of a file.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// How long a delivery may take.
    #[schemars(example = &"10s")]
    #[serde(default)]
    pub timeout: Option<String>,
    /// How long a process that ends waits for the last delivery; the next one, or `toolhatch audit deliver`, goes on.
    #[schemars(example = &"2s")]
    #[serde(default)]
    pub close_wait: Option<String>,
    /// With `strict`, nothing runs while a record has waited longer than this for its delivery.
    #[schemars(example = &"5m")]
    #[serde(default)]
    pub max_lag: Option<String>,
    /// Whether an `http://` URL may be that of another machine.
    #[serde(default)]
    pub plain_http: Option<bool>,
    /// Whether the proxy is used that the environment names.
    #[serde(default)]
    pub proxy: Option<bool>,
    /// A file of certificates in PEM form that are trusted beside the system's.
    #[serde(default)]
    pub ca_file: Option<String>,
}
