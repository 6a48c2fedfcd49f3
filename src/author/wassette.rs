//! Policy files of Wassette, read into requests of a manifest.
//!
//! Such a file grants; a manifest only asks, and whoever installs the plugin grants. What the file says and a manifest cannot
//! is told, never dropped silently and never widened.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use toml_edit::{Array, InlineTable};

use super::amend::amend;
use crate::error::{Code, Result};
use crate::manifest::ByteSize;
use crate::manifest::document::Document;
use crate::manifest::json_schema;
use crate::manifest::problem::{Problems, nearest};
use crate::permission::{Access, Capability, Kind};

/// A policy of Wassette, as far as it is known what its parts mean.
#[derive(Debug, Deserialize, JsonSchema)]
struct Wire {
    #[serde(default)]
    permissions: Permissions,
    /// What says nothing about permissions.
    #[serde(default)]
    version: Option<Value>,
    #[serde(default)]
    description: Option<Value>,
    #[serde(flatten)]
    rest: Rest,
}

/// What is not known.
type Rest = BTreeMap<String, Value>;

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Permissions {
    #[serde(default)]
    storage: Option<List<Storage>>,
    #[serde(default)]
    network: Option<List<Network>>,
    #[serde(default)]
    environment: Option<List<Variable>>,
    #[serde(default)]
    resources: Option<Value>,
    #[serde(default)]
    runtime: Option<Value>,
    #[serde(default)]
    ipc: Option<Value>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct List<T> {
    allow: Option<Vec<T>>,
    deny: Option<Vec<Value>>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Storage {
    uri: String,
    #[serde(default)]
    access: Vec<String>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Network {
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    cidr: Option<String>,
    #[serde(default)]
    defaults: Option<bool>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Variable {
    key: String,
    #[serde(flatten)]
    rest: Rest,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(json_schema::schema_of::<Wire>);

/// What a policy file became.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines of `[permissions]`.
    lines: Vec<String>,
    /// The memory limit, as a manifest writes it.
    memory: Option<String>,
    /// What was left out, as sentences.
    pub left_out: Vec<String>,
}

/// Reads a policy file; `origin` names it in errors.
///
/// # Errors
/// E3105 where it is not YAML, or its parts have other shapes than they should.
pub fn read(text: &str, origin: &str) -> Result<Imported> {
    let wire = parse(text).map_err(|problems| {
        problems
            .into_error(Code::E3105, origin)
            .hint("A policy of Wassette is YAML, with its lists below `permissions`.")
    })?;
    let mut imported = Imported::default();
    // They are read so that they are not told of as unknown.
    drop((wire.version, wire.description));
    imported.unknown("", &wire.rest, &["permissions"]);
    let parts = [
        "storage",
        "network",
        "environment",
        "resources",
        "runtime",
        "ipc",
    ];
    imported.unknown("permissions.", &wire.permissions.rest, &parts);
    imported.storage(wire.permissions.storage);
    imported.network(wire.permissions.network);
    imported.environment(wire.permissions.environment);
    imported.resources(wire.permissions.resources.as_ref());
    for (name, part) in [
        ("runtime", wire.permissions.runtime),
        ("ipc", wire.permissions.ipc),
    ] {
        if part.is_some() {
            imported.leave_out(format!("`{name}`: a component has no such thing here"));
        }
    }
    Ok(imported)
}

fn parse(text: &str) -> Result<Wire, Problems> {
    Document::from_yaml(text)?.conform(&SCHEMA)
}

impl Imported {
    /// The manifest with all of it asked for besides what it asks for already.
    ///
    /// # Errors
    /// Those of [`amend`].
    pub fn amend(&self, manifest: &str) -> Result<String> {
        amend(manifest, self.lines.iter().map(String::as_str))
    }

    /// The memory limit it has, such as `512MiB`: for `[limits]`.
    #[must_use]
    pub fn memory(&self) -> Option<&str> {
        self.memory.as_deref()
    }

    fn leave_out(&mut self, sentence: String) {
        self.left_out.push(sentence);
    }

    /// Tells of the keys that mean nothing here, and of the one that each may have been meant for.
    fn unknown(&mut self, place: &str, rest: &Rest, known: &[&str]) {
        for key in rest.keys() {
            let near = nearest(key, known.iter().copied());
            let meant = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.leave_out(format!("`{place}{key}`: it is unknown{meant}"));
        }
    }

    fn denied<T>(&mut self, part: &str, list: &List<T>) {
        self.unknown(&format!("{part}."), &list.rest, &["allow", "deny"]);
        let deny = list.deny.as_deref().unwrap_or_default();
        if !deny.is_empty() {
            self.leave_out(format!(
                "`{part}.deny` ({} entries): a manifest only asks; write a policy that forbids it (`toolhatch policy --help`)",
                deny.len()
            ));
        }
    }

    fn storage(&mut self, list: Option<List<Storage>>) {
        let Some(list) = list else { return };
        self.denied("storage", &list);
        for entry in list.allow.unwrap_or_default() {
            self.unknown("storage.allow: ", &entry.rest, &["uri", "access"]);
            let Some((path, mount)) = folder(&entry.uri) else {
                self.leave_out(format!(
                    "storage {:?}: only folders and files can be asked for, without patterns inside their paths",
                    entry.uri
                ));
                continue;
            };
            let mut table = InlineTable::new();
            table.insert("path", path.into());
            table.insert("mount", mount.into());
            for access in &entry.access {
                match access.to_ascii_lowercase().as_str() {
                    "read" => self.line(Access::Read.kind(), table.clone()),
                    "write" => self.line(Access::Write.kind(), table.clone()),
                    other => self.leave_out(format!(
                        "storage {:?}: the access {other:?} is unknown",
                        entry.uri
                    )),
                }
            }
            if entry.access.is_empty() {
                self.leave_out(format!("storage {:?}: it says no access", entry.uri));
            }
        }
    }

    fn network(&mut self, list: Option<List<Network>>) {
        let Some(list) = list else { return };
        self.denied("network", &list);
        for entry in list.allow.unwrap_or_default() {
            self.unknown(
                "network.allow: ",
                &entry.rest,
                &["host", "cidr", "defaults"],
            );
            if entry.host.is_none() && entry.cidr.is_none() && entry.defaults.is_none() {
                self.leave_out("`network.allow`: an entry names no host".to_owned());
            }
            if entry.defaults == Some(true) {
                self.leave_out(
                    "network `defaults`: name the hosts that are needed; `toolhatch call --learn` finds them out".to_owned(),
                );
            }
            if let Some(cidr) = &entry.cidr {
                self.leave_out(format!(
                    "network {cidr:?}: HTTP is asked for by host; for a network of addresses ask for network_tcp"
                ));
            }
            let Some(host) = entry.host else { continue };
            // What stands behind it is of our grammar, and nothing that a policy of theirs can say.
            if host.contains(';') {
                self.leave_out(format!("network {host:?}: it is no host"));
                continue;
            }
            match Capability::parse(Kind::NetworkHttp, host.trim_end_matches('/')) {
                Ok(capability) => self.lines.extend(capability.manifest_line()),
                Err(error) => self.leave_out(format!("network {host:?}: {error}")),
            }
        }
    }

    fn environment(&mut self, list: Option<List<Variable>>) {
        let Some(list) = list else { return };
        self.denied("environment", &list);
        for entry in list.allow.unwrap_or_default() {
            self.unknown("environment.allow: ", &entry.rest, &["key"]);
            match Capability::parse(Kind::Env, &entry.key) {
                Ok(capability) => self.lines.extend(capability.manifest_line()),
                Err(error) => self.leave_out(format!("environment {:?}: {error}", entry.key)),
            }
        }
    }

    fn resources(&mut self, resources: Option<&Value>) {
        let Some(resources) = resources.and_then(Value::as_object) else {
            return;
        };
        let limits = resources.get("limits").and_then(Value::as_object);
        let beside = limits.map(|_| resources.iter().filter(|(name, _)| *name != "limits"));
        for (name, _) in beside.into_iter().flatten() {
            self.leave_out(format!(
                "`resources.{name}`: it stands beside `limits`, which counts"
            ));
        }
        let given = limits.unwrap_or(resources);
        for (name, value) in given {
            match (name.as_str(), memory(value)) {
                ("memory", Some(bytes)) => self.memory = Some(ByteSize(bytes).to_string()),
                ("cpu", _) => self.leave_out(
                    "`cpu`: a call is limited by its time; set `timeout` in `[limits]`".to_owned(),
                ),
                _ => self.leave_out(format!("`resources.{name}`: {value} means nothing here")),
            }
        }
    }

    fn line(&mut self, kind: Kind, table: InlineTable) {
        let mut entries = Array::new();
        entries.push(table);
        self.lines.push(format!("{kind} = {entries}"));
    }
}

/// The path of a manifest and the place in the guest for `fs://…`; nothing where it cannot be said without widening it.
fn folder(uri: &str) -> Option<(String, String)> {
    let path = uri.strip_prefix("fs://")?;
    // All of where the server was started.
    if matches!(path, "" | "**" | "." | "./**") {
        return Some(("${workspace}".to_owned(), "/workspace".to_owned()));
    }
    // `/*` is one level of a folder, and a manifest only asks for all of it.
    let path = path.strip_suffix("/**").unwrap_or(path);
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { "/" } else { path };
    let of_home = ["~/", "${HOME}/", "$HOME/"]
        .iter()
        .find_map(|home| path.strip_prefix(home));
    let (path, is_of_home) = of_home.map_or((path, false), |rest| (rest, true));
    let is_odd = |part: &str| part.contains(['*', '$', '~']) || part == ".." || part == ".";
    if path.split('/').any(is_odd) || path.chars().any(char::is_control) {
        return None;
    }
    // Without a third slash it is relative to where the server was started.
    Some(if is_of_home {
        (format!("${{home}}/{path}"), format!("/{path}"))
    } else if path.starts_with('/') {
        (path.to_owned(), path.to_owned())
    } else {
        (format!("${{workspace}}/{path}"), format!("/{path}"))
    })
}

/// Bytes, as a number or in the notation of Kubernetes: `512Mi`, `1G`.
fn memory(value: &Value) -> Option<u64> {
    let Some(text) = value.as_str() else {
        return value.as_u64();
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests;
