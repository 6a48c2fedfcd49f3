//! ToolHive: one server a file, with a profile of what it may do.

use serde_json::Value;

use super::docker_run::{container, mounted};
use super::entry::texts;
use super::secret::Texts;
use super::{ForeignServer, Servers};
use crate::config::schema::McpProtocol;

pub(super) fn servers(tree: &Value, with_secrets: bool) -> Servers {
    let text = |key: &str| {
        tree.get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let named = ["name", "base_name", "container_name"]
        .into_iter()
        .find_map(text);
    let Some(name) = named else {
        return Err((
            "name".to_owned(),
            "expected the name of the server".to_owned(),
        ));
    };
    let mut server = ForeignServer::new(name, String::new());
    let transport = text("transport").unwrap_or("stdio");
    if let Some(url) = text("remote_url") {
        server.service(url);
        if transport == "sse" {
            server.declared.protocol = Some(McpProtocol::Sse);
        }
        return Ok(vec![server]);
    }
    let Some(image) = text("image") else {
        server.refuse("it has neither an `image` nor a `remote_url`");
        return Ok(vec![server]);
    };
    server.texts(
        tree.get("env_vars").unwrap_or(&Value::Null),
        false,
        with_secrets,
    );
    // `NAME,target=VARIABLE`
    let mut variables = Texts::new(name, false, with_secrets);
    for secret in tree.get("secrets").and_then(texts).unwrap_or_default() {
        let variable = secret.split_once(",target=").map(|(_, variable)| variable);
        let variable = variable.unwrap_or(&secret);
        variables.refer(variable, "is a secret that ToolHive keeps");
    }
    server.keep(variables);
    if transport != "stdio" {
        let port = tree
            .get("target_port")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        server.refuse(format!(
            "it listens on port {port} of its container, and only programs on their standard streams are started here: \
             keep it running there, and add its URL"
        ));
    }
    let profile = tree.get("permission_profile").unwrap_or(&Value::Null);
    profile_of(&mut server, profile);
    if profile.is_null() {
        let named = text("permission_profile_name_or_path").unwrap_or("network");
        server
            .could
            .push(format!("do what the profile {named:?} lets it"));
    }
    let arguments = tree.get("cmd_args").and_then(texts).unwrap_or_default();
    container(&mut server, image, None, arguments);
    for volume in tree.get("volumes").and_then(texts).unwrap_or_default() {
        mounted(&mut server, &volume);
    }
    Ok(vec![server])
}

fn profile_of(server: &mut ForeignServer, profile: &Value) {
    let list = |key: &str| profile.get(key).and_then(texts).unwrap_or_default();
    for path in list("read") {
        mounted(server, &with_mode(&path, true));
    }
    for path in list("write") {
        mounted(server, &with_mode(&path, false));
    }
    let Some(outbound) = profile.pointer("/network/outbound") else {
        return;
    };
    if outbound.get("insecure_allow_all").and_then(Value::as_bool) == Some(true) {
        server.could.push("reach every host".to_owned());
        return;
    }
    let hosts = outbound
        .get("allow_host")
        .and_then(texts)
        .unwrap_or_default();
    if hosts.is_empty() {
        server.could.push("reach no host".to_owned());
        return;
    }
    server.could.push(format!("reach {}", hosts.join(", ")));
    for host in hosts {
        // A dot in front stands for the host and those below it.
        let host = host
            .strip_prefix('.')
            .map_or(host.clone(), |rest| format!("*.{rest}"));
        server.propose(format!("network_http={host}"));
    }
}

/// A path of a profile, `HOST[:CONTAINER]`, as a volume.
fn with_mode(path: &str, read_only: bool) -> String {
    let whole = if path.contains(':') {
        path.to_owned()
    } else {
        format!("{path}:{path}")
    };
    if read_only {
        format!("{whole}:ro")
    } else {
        whole
    }
}
