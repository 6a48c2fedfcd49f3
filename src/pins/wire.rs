//! The form of `tools.lock`: JSON with a version, made to be read by people and compared line by line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::descriptor::ToolDescriptor;
use super::identity::{ServerIdentity, ServerInfo, ServerRecord};
use super::server::{PinnedServer, PinnedTool, Sighting, State};
use crate::audit::is_time;
use crate::ids::{Digest, ToolId};

/// The version of the form.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    version: u32,
    servers: BTreeMap<String, Server>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    state: State,
    since: String,
    digest: Digest,
    identity: ServerIdentity,
    info: ServerInfo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<SeenRecord>,
    tools: BTreeMap<String, Tool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenRecord {
    at: String,
    digest: Digest,
    identity: ServerIdentity,
    info: ServerInfo,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    state: State,
    since: String,
    digest: Digest,
    descriptor: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<SeenTool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenTool {
    at: String,
    digest: Digest,
    descriptor: Value,
}

/// What is wrong with a file, as a clause.
type Wrong = String;

/// Writes down every server.
pub(super) fn write(servers: &BTreeMap<String, PinnedServer>) -> File {
    let servers = servers
        .iter()
        .map(|(name, server)| (name.clone(), write_server(server)));
    File {
        version: VERSION,
        servers: servers.collect(),
    }
}

fn write_server(server: &PinnedServer) -> Server {
    let tools = server.tools.iter().map(|(name, tool)| {
        let seen = tool.seen.as_ref().map(|seen| SeenTool {
            at: seen.at.clone(),
            digest: seen.what.digest(),
            descriptor: seen.what.value().clone(),
        });
        let tool = Tool {
            state: tool.state,
            since: tool.since.clone(),
            digest: tool.descriptor.digest(),
            descriptor: tool.descriptor.value().clone(),
            seen,
        };
        (name.clone(), tool)
    });
    Server {
        state: server.state,
        since: server.since.clone(),
        digest: server.record.digest(),
        identity: server.record.identity.clone(),
        info: server.record.info.clone(),
        seen: server.seen.as_ref().map(|seen| SeenRecord {
            at: seen.at.clone(),
            digest: seen.what.digest(),
            identity: seen.what.identity.clone(),
            info: seen.what.info.clone(),
        }),
        tools: tools.collect(),
    }
}

/// Checks every server: the digests, and that each state has what belongs to it.
pub(super) fn read(file: File) -> Result<BTreeMap<String, PinnedServer>, Wrong> {
    let servers = file.servers.into_iter().map(|(name, server)| {
        if ToolId::new(&name, "tool").is_err() {
            return Err(format!("{name:?} is no name of a server"));
        }
        match read_server(server) {
            Ok(server) => Ok((name, server)),
            Err(wrong) => Err(format!("the server {name}: {wrong}")),
        }
    });
    servers.collect()
}

fn read_server(server: Server) -> Result<PinnedServer, Wrong> {
    let record = read_record(server.identity, server.info, server.digest)?;
    let seen = match server.seen {
        None => None,
        Some(seen) => Some(sighting(
            read_record(seen.identity, seen.info, seen.digest)?,
            seen.at,
            |what| what.digest() != record.digest(),
        )?),
    };
    if server.state == State::Removed {
        return Err("a server is never `removed`".to_owned());
    }
    check_state(server.state, seen.is_some(), &server.since)?;
    let tools = server
        .tools
        .into_iter()
        .map(|(name, tool)| match read_tool(&name, tool) {
            Ok(tool) => Ok((name, tool)),
            Err(wrong) => Err(format!("the tool {name:?}: {wrong}")),
        });
    Ok(PinnedServer {
        tools: tools.collect::<Result<_, _>>()?,
        record,
        since: server.since,
        state: server.state,
        seen,
    })
}

fn read_record(
    identity: ServerIdentity,
    info: ServerInfo,
    digest: Digest,
) -> Result<ServerRecord, Wrong> {
    let record = ServerRecord { identity, info };
    if record.digest() != digest {
        return Err(mismatch(digest, record.digest()));
    }
    Ok(record)
}

fn read_tool(name: &str, tool: Tool) -> Result<PinnedTool, Wrong> {
    let pinned = descriptor(name, tool.descriptor, tool.digest)?;
    let seen = match tool.seen {
        None => None,
        Some(seen) => Some(sighting(
            descriptor(name, seen.descriptor, seen.digest)?,
            seen.at,
            |what| *what != pinned,
        )?),
    };
    check_state(tool.state, seen.is_some(), &tool.since)?;
    Ok(PinnedTool {
        descriptor: pinned,
        since: tool.since,
        state: tool.state,
        seen,
    })
}

fn descriptor(name: &str, value: Value, digest: Digest) -> Result<ToolDescriptor, Wrong> {
    let descriptor = ToolDescriptor::new(value).map_err(|error| error.to_string())?;
    if descriptor.name() != name {
        return Err("its descriptor has another name".to_owned());
    }
    if descriptor.digest() != digest {
        return Err(mismatch(digest, descriptor.digest()));
    }
    Ok(descriptor)
}

fn mismatch(written: Digest, is: Digest) -> Wrong {
    format!("its digest is {is}, and should be {written}")
}

fn sighting<T>(
    what: T,
    at: String,
    differs: impl FnOnce(&T) -> bool,
) -> Result<Sighting<T>, Wrong> {
    if !is_time(&at) {
        return Err("a moment is not in RFC 3339 with microseconds".to_owned());
    }
    if !differs(&what) {
        return Err("what is said to differ is what is pinned".to_owned());
    }
    Ok(Sighting { what, at })
}

fn check_state(state: State, has_seen: bool, since: &str) -> Result<(), Wrong> {
    if !is_time(since) {
        return Err("a moment is not in RFC 3339 with microseconds".to_owned());
    }
    match (state, has_seen) {
        (State::Quarantined, false) => Err("it is quarantined, and nothing was seen".to_owned()),
        (State::New, true) => Err("it is new, and differs from itself".to_owned()),
        _ => Ok(()),
    }
}
