//! Claude Code, Claude Desktop and Cursor: `mcpServers`, and for Claude Code those of each project.

use serde_json::Value;

use super::{Servers, entry};

pub(super) fn servers(tree: &Value, with_secrets: bool) -> Servers {
    let mut servers = match tree.get("mcpServers") {
        Some(table) => entry::servers(table, "mcpServers", with_secrets)?,
        None => Vec::new(),
    };
    let projects = tree.get("projects").and_then(Value::as_object);
    for (folder, project) in projects.into_iter().flatten() {
        let Some(table) = project.get("mcpServers") else {
            continue;
        };
        let key = format!("projects.{folder}.mcpServers");
        for mut server in entry::servers(table, &key, with_secrets)? {
            server
                .notes
                .push(format!("there it is for the project {folder} alone"));
            servers.push(server);
        }
    }
    Ok(servers)
}
