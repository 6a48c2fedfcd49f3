//! Visual Studio Code: `servers` and `inputs` of `mcp.json`, or the same below `mcp` in its settings.

use serde_json::Value;

use super::{Servers, entry};

pub(super) fn servers(tree: &Value, with_secrets: bool) -> Servers {
    let (tree, key) = match (tree.get("servers"), tree.get("mcp")) {
        (None, Some(within)) => (within, "mcp.servers"),
        _ => (tree, "servers"),
    };
    let Some(table) = tree.get("servers") else {
        return Ok(Vec::new());
    };
    let mut servers = entry::servers(table, key, with_secrets)?;
    let inputs = tree.get("inputs").and_then(Value::as_array);
    for input in inputs.into_iter().flatten() {
        let (Some(id), Some(words)) = (
            input.get("id").and_then(Value::as_str),
            input.get("description").and_then(Value::as_str),
        ) else {
            continue;
        };
        let asked = format!("(`{id}`)");
        let notes = servers.iter_mut().flat_map(|server| &mut server.notes);
        for note in notes.filter(|note| note.contains(&asked)) {
            *note = note.replace(&asked, &format!("({words:?})"));
        }
    }
    Ok(servers)
}
