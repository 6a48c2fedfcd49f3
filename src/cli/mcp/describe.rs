//! Servers in words and in JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli::table::{Fit, table};
use crate::cli::text::{count, cut, section};
use crate::config::{McpPlace, McpServerConfig, NamePattern};
use crate::ids::PluginName;
use crate::mcp::bridge::{Examination, ServerTool};
use crate::pins::suspicion::{Finding, Neighbours, scan_server, scan_tool};
use crate::pins::{Drift, ServerInfo, ToolDescriptor};

/// How a server is reached, as people read it.
pub(super) fn place(server: &McpServerConfig) -> String {
    match &server.place {
        McpPlace::Program {
            command,
            run,
            image,
            ..
        } => {
            let image = image
                .as_ref()
                .map_or_else(String::new, |image| format!(" of {image}"));
            format!(
                "the command `{}`, in a {}{image}",
                command.join(" "),
                run.word()
            )
        }
        McpPlace::Service { url, .. } => format!("a service at {}", url.origin()),
    }
}

/// A server as it was declared, for programs. Secrets are left out.
pub(super) fn declared_json(name: &PluginName, server: &McpServerConfig) -> Value {
    let (kind, names): (&str, Vec<&String>) = match &server.place {
        McpPlace::Program { env, .. } => ("command", env.keys().collect()),
        McpPlace::Service { headers, .. } => ("url", headers.keys().collect()),
    };
    json!({
        "name": name.as_str(),
        "kind": kind,
        "place": server.place.shown(),
        "run": match &server.place {
            McpPlace::Program { run, .. } => Some(run.word()),
            McpPlace::Service { .. } => None,
        },
        "secrets": names,
        "allow": server.allow,
        "protocol": server.protocol.word(),
        "timeout_ms": u64::try_from(server.timeout.as_millis()).unwrap_or(u64::MAX),
        "start_timeout_ms": u64::try_from(server.start_timeout.as_millis()).unwrap_or(u64::MAX),
        "connections": server.connections,
        "concurrency": server.concurrency,
        "max_message": server.max_message,
        "offered": server.tools.as_ref().map(|patterns| {
            patterns.iter().map(NamePattern::to_string).collect::<Vec<_>>()
        }),
        "untrusted": server.untrusted,
        "enabled": server.enabled,
        "origin": server.origin.to_string(),
    })
}

/// A tool for programs: all that the server says of it.
pub(super) fn tool_json(server: &McpServerConfig, tool: &ServerTool) -> Value {
    json!({
        "name": tool.name,
        "digest": tool.digest.to_string(),
        "offered": server.offers(&tool.name),
        "warnings": tool.warnings,
        "description": tool.raw,
    })
}

/// The tools of a server on a line each.
pub(super) fn tools_text(server: &McpServerConfig, tools: &[ServerTool]) -> String {
    let rows = tools.iter().map(|tool| {
        let offered = if server.offers(&tool.name) {
            ""
        } else {
            "not offered"
        };
        vec![
            tool.name.clone(),
            offered.to_owned(),
            tool.description.clone(),
        ]
    });
    table(&["TOOL", "", "DESCRIPTION"], 2, Fit::Cut, rows)
}

/// What was found by looking at a server, in words.
pub(super) fn examination(
    name: &PluginName,
    server: &McpServerConfig,
    examined: &Examination,
) -> String {
    let identity = &examined.seen.identity;
    let listing = &examined.seen.listing;
    let called = identity.title.as_ref().or(identity.name.as_ref());
    let version = identity.version.as_deref().unwrap_or_default();
    let mut text = format!(
        "{name} is {}\nIt calls itself {} {version}, and speaks MCP {} ({}).\n\
         Connected in {} ms; {} listed in {} ms, {} bytes.\n",
        place(server),
        called.map_or_else(
            || "nothing".to_owned(),
            |called| format!("{:?}", cut(called, 80))
        ),
        identity.protocol,
        examined.seen.era.word(),
        examined.connecting.as_millis(),
        count(listing.tools.len(), "tool"),
        examined.listing.as_millis(),
        listing.bytes,
    );
    if let Some(posture) = &examined.posture {
        text.push_str(&format!("Confined: {posture}\n"));
    }
    if !listing.tools.is_empty() {
        text.push('\n');
        text.push_str(&tools_text(server, &listing.tools));
        text.push('\n');
    }
    let left_out: Vec<String> = listing
        .left_out
        .iter()
        .map(|left| format!("{:?}: {}", left.name, left.why))
        .collect();
    let of_tools = listing.tools.iter().flat_map(|tool| {
        let warnings = tool.warnings.iter();
        warnings.map(|warning| format!("{}: {warning}", tool.name))
    });
    let mut warnings: Vec<String> = listing.warnings.iter().cloned().chain(of_tools).collect();
    let noise = &examined.noise;
    if noise.lines > 0 {
        warnings.push(format!(
            "it wrote {} to standard output that are no messages, such as {:?}",
            count(usize::try_from(noise.lines).unwrap_or(usize::MAX), "line"),
            noise.samples.first().map_or("", String::as_str)
        ));
    }
    if noise.strays > 0 {
        warnings.push(format!(
            "it sent {} answers that nobody waited for",
            noise.strays
        ));
    }
    if noise.broken > 0 {
        warnings.push(format!(
            "it sent {} that cannot be read: {}",
            count(
                usize::try_from(noise.broken).unwrap_or(usize::MAX),
                "message"
            ),
            noise.reasons.join("; ")
        ));
    }
    let suspicious: Vec<String> = suspicions(examined)
        .into_iter()
        .map(|(tool, finding)| {
            let of = tool.unwrap_or_else(|| "the server".to_owned());
            format!("{of}: {} ({:?})", finding.sentence, finding.excerpt)
        })
        .collect();
    for (heading, lines) in [
        ("Suspicious", suspicious),
        ("Left out", left_out),
        ("Warnings", warnings),
        ("Standard error", examined.stderr.clone()),
    ] {
        if !lines.is_empty() {
            text.push('\n');
            text.push_str(&section(heading, &lines));
        }
    }
    text
}

/// The same for programs.
pub(super) fn examination_json(
    name: &PluginName,
    server: &McpServerConfig,
    examined: &Examination,
) -> Value {
    let identity = &examined.seen.identity;
    let listing = &examined.seen.listing;
    let noise = &examined.noise;
    let tools: Vec<Value> = listing
        .tools
        .iter()
        .map(|tool| tool_json(server, tool))
        .collect();
    let left_out: Vec<Value> = listing
        .left_out
        .iter()
        .map(|left| json!({"name": left.name, "why": left.why}))
        .collect();
    json!({
        "server": declared_json(name, server),
        "identity": {
            "name": identity.name,
            "title": identity.title,
            "version": identity.version,
            "instructions": identity.instructions,
        },
        "protocol": identity.protocol,
        "era": examined.seen.era.word(),
        "connect_ms": milliseconds(examined.connecting),
        "list_ms": milliseconds(examined.listing),
        "tools": tools,
        "left_out": left_out,
        "suspicious": suspicions(examined)
            .iter()
            .map(|(tool, finding)| json!({"tool": tool, "finding": finding.to_json()}))
            .collect::<Vec<_>>(),
        "warnings": listing.warnings,
        "pages": listing.pages,
        "bytes": listing.bytes,
        "noise": {
            "lines": noise.lines,
            "samples": noise.samples,
            "strays": noise.strays,
            "broken": noise.broken,
            "reasons": noise.reasons,
        },
        "stderr": examined.stderr,
        "posture": examined.posture,
    })
}

/// What differs from what a person agreed to, in words; nothing where nothing does.
pub(super) fn drift(name: &PluginName, drift: &Drift) -> String {
    if drift.is_empty() {
        return String::new();
    }
    let mut text = section("Put aside, until a person accepts it", &drift.summary());
    text.push_str(&format!(
        "`toolhatch mcp accept {name}` shows all of it, and accepts it.\n"
    ));
    text
}

/// What looks suspicious in the texts of a server, as sentences.
fn suspicions(examined: &Examination) -> Vec<Suspicion> {
    let listing = &examined.seen.listing;
    let own = listing.tools.iter().map(|tool| tool.name.clone()).collect();
    let others = BTreeSet::new();
    let neighbours = Neighbours {
        own: &own,
        others: &others,
    };
    let raw = &examined.seen.identity.raw;
    let info = raw.get("serverInfo").cloned().unwrap_or_default();
    let of_server = ServerInfo::new(&info, raw.get("instructions"))
        .map(|info| scan_server(&info, neighbours))
        .unwrap_or_default();
    let of_server = of_server.into_iter().map(|finding| (None, finding));
    let of_tools = listing.tools.iter().flat_map(|tool| {
        let found = ToolDescriptor::new(tool.raw.clone())
            .map(|descriptor| scan_tool(&descriptor, neighbours))
            .unwrap_or_default();
        found
            .into_iter()
            .map(|finding| (Some(tool.name.clone()), finding))
    });
    of_server.chain(of_tools).collect()
}

/// A finding, and the tool it is about; none where it is about the server.
type Suspicion = (Option<String>, Finding);

fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
