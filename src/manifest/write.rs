//! Writing a manifest as TOML that people go on editing.
//!
//! The text reads back as the same manifest. Permissions that ask for everything get a comment, because somebody should
//! narrow them.

mod container;

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::limits::LimitRequest;
use super::permissions::{Ask, HttpAsk, PermissionEntry, Permissions, SecretAsk};
use super::{ByteSize, HumanDuration, Manifest, Risk, ToolSpec};
use crate::permission::{Capability, Kind, Scheme};

/// The manifest as the text of a `plugin.toml`.
#[must_use]
pub fn to_toml(manifest: &Manifest) -> String {
    let mut out = String::from("schema = 1\n");
    line(&mut out, "name", &string(manifest.name.as_str()));
    line(&mut out, "version", &string(&manifest.version.to_string()));
    if !manifest.description.is_empty() {
        line(&mut out, "description", &string(&manifest.description));
    }
    if !manifest.authors.is_empty() {
        line(&mut out, "authors", &strings(&manifest.authors));
    }
    if let Some(license) = &manifest.license {
        line(&mut out, "license", &string(license));
    }
    if let Some(world) = &manifest.world {
        out.push_str("\n[component]\n");
        line(&mut out, "world", &string(world));
        if let Some(idle) = manifest.lifecycle.idle() {
            line(&mut out, "lifecycle", &string("session"));
            line(&mut out, "idle", &string(&HumanDuration(idle).to_string()));
        }
    }
    if !manifest.dependencies.is_empty() {
        out.push_str("\n[dependencies]\n");
        for (name, range) in &manifest.dependencies {
            line(&mut out, name.as_str(), &string(&range.to_string()));
        }
    }
    for spec in &manifest.tools {
        tool(&mut out, spec);
    }
    permissions(&mut out, &manifest.permissions);
    limits(&mut out, &manifest.limits);
    if !manifest.config.is_empty() {
        out.push_str("\n[config]\n");
        for (name, value) in &manifest.config {
            line(&mut out, &key(name), &string(value));
        }
    }
    out
}

fn line(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {value}");
}

fn tool(out: &mut String, tool: &ToolSpec) {
    out.push_str("\n[[tools]]\n");
    line(out, "name", &string(&tool.name));
    if let Some(description) = &tool.description {
        line(out, "description", &string(description));
    }
    for (name, on) in [
        // A pure tool is idempotent anyway.
        ("idempotent", tool.idempotent && !tool.pure),
        ("pure", tool.pure),
    ] {
        if on {
            line(out, name, "true");
        }
    }
    if tool.risk != Risk::Low {
        line(out, "risk", &string(tool.risk.word()));
    }
    if tool.untrusted_output {
        line(out, "untrusted_output", "true");
    }
    if tool.coerce {
        line(out, "coerce", "true");
    }
    let schemas = [
        ("input_schema", &tool.input_schema),
        ("output_schema", &tool.output_schema),
    ]
    .map(|(name, schema)| (name, schema.as_ref(), schema.as_ref().and_then(inline)));
    for (name, schema, in_toml) in &schemas {
        if let (Some(schema), None) = (schema, in_toml) {
            // TOML has no null and no integers past 63 bits: such a schema is written as its JSON text.
            line(out, name, &string(&schema.to_string()));
        }
    }
    if let Some(spec) = &tool.container {
        container::write(out, spec);
    }
    for (name, schema, in_toml) in schemas {
        if let (Some(Value::Object(table)), Some(_)) = (schema, in_toml) {
            schema_table(out, name, table);
        }
    }
}

/// A schema as a table, its properties a line each.
fn schema_table(out: &mut String, name: &str, schema: &Map<String, Value>) {
    let value_line = |out: &mut String, (name, value): (&String, &Value)| {
        line(out, &key(name), &inline(value).unwrap_or_default());
    };
    let _ = writeln!(out, "\n[tools.{name}]");
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in schema {
        if properties.is_none() || name != "properties" {
            value_line(out, (name, value));
        }
    }
    if let Some(properties) = properties {
        let _ = writeln!(out, "\n[tools.{name}.properties]");
        for entry in properties {
            value_line(out, entry);
        }
    }
}

fn permissions(out: &mut String, permissions: &Permissions) {
    let of = |optional: bool| {
        permissions
            .entries
            .iter()
            .filter(move |entry| entry.optional == optional)
    };
    if permissions.deterministic || of(false).next().is_some() {
        out.push_str("\n[permissions]\n");
        table(out, of(false));
        if permissions.deterministic {
            line(out, "deterministic", "true");
        }
    }
    if of(true).next().is_some() {
        out.push_str("\n[permissions.optional]\n");
        table(out, of(true));
    }
}

fn table<'a>(out: &mut String, entries: impl Iterator<Item = &'a PermissionEntry>) {
    let entries: Vec<&Ask> = entries.map(|entry| &entry.ask).collect();
    for kind in Kind::ALL {
        let asks: Vec<&Ask> = entries
            .iter()
            .copied()
            .filter(|ask| ask.kind() == kind)
            .collect();
        if asks.is_empty() {
            continue;
        }
        if asks.iter().any(|ask| ask.is_broad()) {
            let _ = writeln!(
                out,
                "# This asks for all of {kind}. Name what is needed, such as {}.",
                string(kind.example())
            );
        }
        let values: Vec<String> = asks.iter().map(|ask| ask_value(ask)).collect();
        let value = match kind {
            Kind::State | Kind::Checkpoint => values.concat(),
            _ => format!("[{}]", values.join(", ")),
        };
        line(out, kind.name(), &value);
    }
}

fn ask_value(ask: &Ask) -> String {
    match ask {
        Ask::File {
            path, mount: None, ..
        } => string(path),
        Ask::File {
            path,
            mount: Some(mount),
            ..
        } => inline_table(&[("path", Some(string(path))), ("mount", Some(string(mount)))]),
        Ask::Http(ask) => http(ask),
        Ask::Secret(ask) => secret(ask),
        Ask::Scope(Capability::State(quota)) => {
            inline_table(&[("quota", Some(string(&quota.to_string())))])
        }
        Ask::Scope(Capability::Checkpoint(_)) => "true".to_owned(),
        Ask::Scope(capability) => string(&capability.to_string()),
    }
}

fn http(ask: &HttpAsk) -> String {
    inline_table(&[
        ("host", Some(string(&ask.host))),
        (
            "scheme",
            ask.scheme.map(|scheme| string(Scheme::name(scheme))),
        ),
        ("port", ask.port.map(|port| port.to_string())),
        ("methods", ask.methods.as_deref().map(strings)),
        ("paths", ask.paths.as_deref().map(strings)),
        ("private", ask.private.then(|| "true".to_owned())),
    ])
}

fn secret(ask: &SecretAsk) -> String {
    let inject = ask.inject.as_ref().map(|inject| {
        inline_table(&[
            ("host", Some(string(&inject.host))),
            ("header", inject.header.as_deref().map(string)),
            ("format", inject.format.as_deref().map(string)),
        ])
    });
    inline_table(&[
        ("name", Some(string(&ask.name))),
        ("inject", inject),
        ("reveal", ask.reveal.then(|| "true".to_owned())),
    ])
}

fn limits(out: &mut String, limits: &LimitRequest) {
    let size = |bytes: Option<u64>| bytes.map(|bytes| string(&ByteSize(bytes).to_string()));
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    let timeout = limits
        .timeout
        .map(|timeout| string(&HumanDuration(timeout).to_string()));
    let lines = [
        ("timeout", timeout),
        ("memory", size(limits.memory)),
        ("output", size(limits.output)),
        ("stdio", size(limits.stdio)),
        ("http_bytes", size(limits.http_bytes)),
        ("table_elements", count(limits.table_elements)),
        ("instances", count(limits.instances.map(u64::from))),
        ("host_calls", count(limits.host_calls)),
        ("fuel", count(limits.fuel)),
    ];
    if lines.iter().any(|(_, value)| value.is_some()) {
        out.push_str("\n[limits]\n");
    }
    for (name, value) in lines {
        if let Some(value) = value {
            line(out, name, &value);
        }
    }
}

/// Text as a TOML string.
fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn strings(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| string(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A key, in quotes where TOML needs them.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        return name.to_owned();
    }
    // A key may not be a multi-line string, which `string` chooses for text with line ends; JSON's escapes are TOML's.
    Value::from(name).to_string().replace('\u{7f}', "\\u007F")
}

fn inline_table(entries: &[(&str, Option<String>)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .filter_map(|(key, value)| Some(format!("{key} = {}", value.as_ref()?)))
        .collect();
    format!("{{ {} }}", entries.join(", "))
}

/// JSON as a TOML value on one line; nothing where TOML cannot say it or it nests deeper than anybody reads.
fn inline(value: &Value) -> Option<String> {
    inline_within(value, 24)
}

fn inline_within(value: &Value, depth: usize) -> Option<String> {
    let inner = depth.checked_sub(1)?;
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.to_string(),
            (None, Some(float)) if number.is_f64() => toml::Value::from(float).to_string(),
            _ => return None,
        },
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items
                .iter()
                .map(|item| inline_within(item, inner))
                .collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let entries: Option<Vec<String>> = table
                .iter()
                .map(|(name, value)| {
                    Some(format!("{} = {}", key(name), inline_within(value, inner)?))
                })
                .collect();
            format!("{{ {} }}", entries?.join(", "))
        }
    })
}
