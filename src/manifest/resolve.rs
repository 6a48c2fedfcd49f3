//! From what is written to what it means: every value is read, and all problems are told together.

mod asks;
mod container;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use semver::{Version, VersionReq};
use serde_json::Value;

use super::document::{Document, join, quoted};
use super::duration::HumanDuration;
use super::limits::LimitRequest;
use super::permissions::{PermissionEntry, Permissions};
use super::problem::Problems;
use super::size::ByteSize;
use super::{Lifecycle, Manifest, Risk, ToolSpec, schema};
use crate::ids::{PluginName, is_tool_name};

/// Reads every value of a manifest; `document` tells where they stand.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn manifest(wire: schema::Wire, document: &Document) -> Result<Manifest, Problems> {
    let mut reader = Reader {
        document,
        problems: Problems::new(),
    };
    let name: Option<PluginName> = reader.read("name", &wire.name, "");
    let version: Option<Version> = reader.read("version", &wire.version, VERSION);
    reader.plain_text("description", &wire.description);
    for (index, author) in wire.authors.iter().enumerate() {
        reader.plain_text(&format!("authors[{index}]"), author);
    }
    if let Some(license) = &wire.license {
        reader.plain_text("license", license);
    }
    if let Some(component) = &wire.component
        && !is_world(&component.world)
    {
        let found = quoted(&component.world);
        let message = format!(
            "expected a WIT world such as \"toolhatch:plugin/plugin@0.1.0\", found {found}"
        );
        reader.problem("component.world", message);
    }
    let deterministic = wire.permissions.deterministic;
    let lifecycle = reader.lifecycle(wire.component.as_ref(), deterministic);
    let dependencies = reader.dependencies(&wire.dependencies, name.as_ref());
    let tools = reader.tools(wire.tools);
    let permissions = reader.permissions(wire.permissions);
    let limits = reader.limits(&wire.limits, permissions.deterministic);
    for key in wire.config.keys() {
        if key.is_empty() || key.chars().any(char::is_control) {
            reader.problem(
                &join("config", key),
                "expected a name without control characters",
            );
        }
    }
    match (name, version) {
        (Some(name), Some(version)) if reader.problems.is_empty() => Ok(Manifest {
            name,
            version,
            description: wire.description,
            authors: wire.authors,
            license: wire.license,
            world: wire.component.map(|component| component.world),
            lifecycle,
            dependencies,
            tools,
            permissions,
            limits,
            config: wire.config,
        }),
        _ => Err(reader.problems),
    }
}

const VERSION: &str = "a version such as \"1.0.0\"";

/// True for `namespace:package/world`, with or without `@VERSION`.
fn is_world(text: &str) -> bool {
    let (path, version) = match text.split_once('@') {
        Some((path, version)) => (path, Some(version)),
        None => (text, None),
    };
    let is_id = |id: &str| {
        id.split('-').all(|word| {
            word.starts_with(|c: char| c.is_ascii_alphabetic())
                && word.chars().all(|c| c.is_ascii_alphanumeric())
        })
    };
    let parts = path
        .split_once(':')
        .and_then(|(namespace, rest)| Some((namespace, rest.split_once('/')?)));
    parts.is_some_and(|(namespace, (package, world))| {
        is_id(namespace) && is_id(package) && is_id(world)
    }) && version.is_none_or(|version| Version::parse(version).is_ok())
}

struct Reader<'a> {
    document: &'a Document,
    problems: Problems,
}

impl Reader<'_> {
    fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.add(self.document.place(key), key, message);
    }

    /// Reads a value; `expected` says what it should be where the error of the type does not.
    fn read<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        text: &str,
        expected: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) if expected.is_empty() => {
                self.problem(key, error.to_string());
                None
            }
            Err(error) => {
                self.problem(
                    key,
                    format!("expected {expected}, found {}: {error}", quoted(text)),
                );
                None
            }
        }
    }

    /// Text that people see must not be able to move their cursor or rename their window.
    fn plain_text(&mut self, key: &str, text: &str) {
        let odd = |c: &char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
        if let Some(c) = text.chars().find(odd) {
            self.problem(
                key,
                format!("expected text without control characters, found {c:?}"),
            );
        }
    }

    fn dependencies(
        &mut self,
        written: &BTreeMap<String, String>,
        own: Option<&PluginName>,
    ) -> BTreeMap<PluginName, VersionReq> {
        let mut read = BTreeMap::new();
        for (name, range) in written {
            let key = join("dependencies", name);
            let name = self.read::<PluginName>(&key, name, "");
            let range = self.read(
                &key,
                range,
                "a range of versions such as \">=1.0.0\" or \"^2\"",
            );
            if name.is_some() && name.as_ref() == own {
                self.problem(&key, "a plugin cannot depend on itself");
            }
            read.extend(name.zip(range));
        }
        read
    }

    fn tools(&mut self, written: Vec<schema::Tool>) -> Vec<ToolSpec> {
        let mut names = BTreeSet::new();
        let mut tools = Vec::with_capacity(written.len());
        for (index, tool) in written.into_iter().enumerate() {
            let key = |name: &str| format!("tools[{index}].{name}");
            if !is_tool_name(&tool.name) {
                let message = format!(
                    "expected 1 to 128 letters, digits, `_`, `-` and `.`, found {}",
                    quoted(&tool.name)
                );
                self.problem(&key("name"), message);
            } else if !names.insert(tool.name.clone()) {
                self.problem(
                    &key("name"),
                    format!("there is another tool named {}", quoted(&tool.name)),
                );
            }
            if let Some(description) = &tool.description {
                self.plain_text(&key("description"), description);
            }
            let input_schema = self.json_schema(&key("input_schema"), tool.input_schema);
            if let Some(schema) = &input_schema
                && schema.get("type").and_then(Value::as_str) != Some("object")
            {
                let message = "expected a schema with `type = \"object\"` at its root: arguments are an object";
                self.problem(&key("input_schema"), message);
            }
            let output_schema = self.json_schema(&key("output_schema"), tool.output_schema);
            if tool.container.is_some() {
                for (name, missing) in [
                    ("description", tool.description.is_none()),
                    ("input_schema", input_schema.is_none()),
                ] {
                    if missing {
                        let message = format!(
                            "missing: a tool in a container needs `{name}`, nothing else describes it"
                        );
                        self.problem(&key(name), message);
                    }
                }
            }
            let container = tool.container.and_then(|container| {
                self.container(&key("container"), container, input_schema.as_ref())
            });
            tools.push(ToolSpec {
                name: tool.name,
                description: tool.description,
                input_schema,
                output_schema,
                idempotent: tool.idempotent || tool.pure,
                pure: tool.pure,
                risk: match tool.risk {
                    schema::Risk::Low => Risk::Low,
                    schema::Risk::Medium => Risk::Medium,
                    schema::Risk::High => Risk::High,
                },
                untrusted_output: tool.untrusted_output,
                coerce: tool.coerce,
                container,
            });
        }
        tools
    }

    fn json_schema(&mut self, key: &str, written: Option<schema::Schema>) -> Option<Value> {
        match written? {
            schema::Schema::Table(table) => Some(Value::Object(table)),
            schema::Schema::Text(text) => match serde_json::from_str(&text) {
                Ok(schema @ Value::Object(_)) => Some(schema),
                Ok(_) => {
                    self.problem(key, "expected a JSON object");
                    None
                }
                Err(error) => {
                    self.problem(key, format!("expected JSON: {error}"));
                    None
                }
            },
        }
    }

    fn permissions(&mut self, written: schema::Permissions) -> Permissions {
        let mut entries = Vec::new();
        for (table, requests, optional) in [
            ("permissions", written.required, false),
            ("permissions.optional", written.optional, true),
        ] {
            let asks = self.asks(table, requests);
            entries.extend(
                asks.into_iter()
                    .map(|ask| PermissionEntry { ask, optional }),
            );
        }
        Permissions {
            entries,
            deterministic: written.deterministic,
        }
    }

    fn lifecycle(&mut self, written: Option<&schema::Component>, deterministic: bool) -> Lifecycle {
        let Some(written) = written else {
            return Lifecycle::Call;
        };
        let key = "component.idle";
        let idle = self.duration(key, written.idle.as_deref());
        if written.lifecycle == schema::ComponentLifecycle::Call {
            if idle.is_some() {
                let message = "only instances of a session wait for the next call; set `lifecycle = \"session\"`";
                self.problem(key, message);
            }
            return Lifecycle::Call;
        }
        if deterministic {
            let message = "what an instance of a session holds would count in deterministic calls; set one of both";
            self.problem("component.lifecycle", message);
        }
        if idle.is_some_and(|idle| idle > Lifecycle::MOST_IDLE) {
            self.problem(key, "expected at most 24h");
        }
        Lifecycle::Session {
            idle: idle.unwrap_or(Lifecycle::IDLE),
        }
    }

    fn limits(&mut self, written: &schema::Limits, deterministic: bool) -> LimitRequest {
        if written.fuel.is_some() && !deterministic {
            let message = "fuel is counted in deterministic calls only; set `permissions.deterministic = true`";
            self.problem("limits.fuel", message);
        }
        LimitRequest {
            timeout: self.duration("limits.timeout", written.timeout.as_deref()),
            memory: self.size("limits.memory", written.memory.as_deref()),
            output: self.size("limits.output", written.output.as_deref()),
            stdio: self.size("limits.stdio", written.stdio.as_deref()),
            http_bytes: self.size("limits.http_bytes", written.http_bytes.as_deref()),
            table_elements: written.table_elements,
            instances: written.instances,
            host_calls: written.host_calls,
            fuel: written.fuel,
        }
    }

    fn duration(&mut self, key: &str, text: Option<&str>) -> Option<Duration> {
        let HumanDuration(duration) = self.read(key, text?, "")?;
        if duration.is_zero() {
            self.problem(key, "expected more than nothing: no call can be that short");
        }
        Some(duration)
    }

    fn size(&mut self, key: &str, text: Option<&str>) -> Option<u64> {
        let ByteSize(bytes) = self.read(key, text?, "")?;
        if bytes == 0 {
            self.problem(key, "expected more than nothing");
        }
        Some(bytes)
    }
}
