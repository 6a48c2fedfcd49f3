//! Codex: `[mcp_servers.NAME]`.

use serde_json::Value;

use super::entry::{self, texts};
use super::secret::Texts;
use super::{ForeignServer, Servers};

pub(super) fn servers(tree: &Value, with_secrets: bool) -> Servers {
    const KEY: &str = "mcp_servers";
    let Some(table) = tree.get(KEY) else {
        return Ok(Vec::new());
    };
    let mut servers = entry::servers(table, KEY, with_secrets)?;
    for server in &mut servers {
        if let Some(entry) = table.get(&server.given) {
            own(server, entry, with_secrets);
        }
    }
    Ok(servers)
}

/// What no other program has.
fn own(server: &mut ForeignServer, entry: &Value, with_secrets: bool) {
    let given = server.given.clone();
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    // Names of variables that are handed on.
    for name in entry.get("env_vars").and_then(texts).unwrap_or_default() {
        let mut handed = Texts::new(&given, false, false);
        handed.take(&name, &format!("${{{name}}}"));
        server.keep(handed);
    }
    if let Some(written) = entry.get("http_headers") {
        server.texts(written, true, with_secrets);
    }
    let mut headers = Texts::new(&given, true, false);
    let by_variable = entry.get("env_http_headers").and_then(Value::as_object);
    for (name, variable) in by_variable.into_iter().flatten() {
        if let Some(variable) = variable.as_str() {
            headers.take(name, &format!("${{{variable}}}"));
        }
    }
    if let Some(variable) = text("bearer_token_env_var") {
        let why = format!("was `Bearer` and the variable {variable} there");
        headers.refer("Authorization", &why);
    }
    server.keep(headers);
    if let Some(tools) = entry.get("enabled_tools").and_then(texts) {
        server.declared.tools = Some(tools);
    }
    if entry.get("disabled_tools").is_some() {
        let note =
            "tools that are switched off there are on here: name those you want with `--tool`";
        server.notes.push(note.to_owned());
    }
    for (there, is_start) in [("startup_timeout_sec", true), ("tool_timeout_sec", false)] {
        let written = entry.get(there).and_then(Value::as_f64);
        if let Some(value) = written.filter(|value| (1.0..=3600.0).contains(value)) {
            let text = Some(format!("{}s", value.ceil()));
            if is_start {
                server.declared.start_timeout = text;
            } else {
                server.declared.timeout = text;
            }
        }
    }
}
