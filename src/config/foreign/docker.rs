//! The MCP toolkit of Docker: catalogs, and the registry that says which servers of them are switched on.

use std::collections::BTreeSet;

use serde_json::Value;

use super::docker_run::{container, mounted};
use super::entry::texts;
use super::secret::Texts;
use super::{ForeignServer, Servers};
use crate::config::schema::McpProtocol;

pub(super) fn servers(tree: &Value, with_secrets: bool) -> Servers {
    let Some(Value::Object(entries)) = tree.get("registry") else {
        let message = "expected `registry`: a table of servers";
        return Err(("registry".to_owned(), message.to_owned()));
    };
    // What the registry has are only names.
    let described = entries.iter().filter(|(_, entry)| {
        ["image", "remote", "title"]
            .iter()
            .any(|key| entry.get(key).is_some())
    });
    Ok(described
        .map(|(name, entry)| server(name, entry, with_secrets))
        .collect())
}

/// The servers that a registry switches on; nothing where the tree is no registry.
pub(super) fn switched_on(tree: &Value) -> Option<BTreeSet<String>> {
    Some(tree.get("registry")?.as_object()?.keys().cloned().collect())
}

fn server(name: &str, entry: &Value, with_secrets: bool) -> ForeignServer {
    let mut server = ForeignServer::new(name, format!("registry.{name}"));
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let list = |key: &str| entry.get(key).and_then(texts).unwrap_or_default();
    if let Some(url) = entry.pointer("/remote/url").and_then(Value::as_str) {
        server.service(url);
        server.texts(
            entry.pointer("/remote/headers").unwrap_or(&Value::Null),
            true,
            with_secrets,
        );
        if entry
            .pointer("/remote/transport_type")
            .and_then(Value::as_str)
            == Some("sse")
        {
            server.declared.protocol = Some(McpProtocol::Sse);
        }
        return server;
    }
    let Some(image) = text("image") else {
        server.refuse("it has neither an `image` nor a `remote.url`");
        return server;
    };
    let named = |key: &str| {
        entry
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut variables = Texts::new(name, false, with_secrets);
    for variable in named("env") {
        let of = |key: &str| variable.get(key).and_then(Value::as_str);
        if let Some(name) = of("name") {
            match of("value") {
                Some(value) => variables.take(name, value),
                None => variables.refer(name, "is set elsewhere there"),
            }
        }
    }
    for secret in named("secrets") {
        if let Some(variable) = secret.get("env").and_then(Value::as_str) {
            variables.refer(variable, "is a secret that Docker keeps");
        }
    }
    server.keep(variables);
    let hosts = list("allowHosts");
    if entry.get("disableNetwork").and_then(Value::as_bool) == Some(true) {
        server.could.push("reach no host".to_owned());
    } else if hosts.is_empty() {
        server.could.push("reach every host".to_owned());
    } else {
        server.could.push(format!("reach {}", hosts.join(", ")));
        for host in &hosts {
            // A port of its own is HTTPS for most.
            let host = host.strip_suffix(":443").unwrap_or(host);
            server.propose(format!("network_http={host}"));
        }
    }
    container(&mut server, image, None, list("command"));
    for volume in list("volumes") {
        mounted(&mut server, &volume);
    }
    server
}
