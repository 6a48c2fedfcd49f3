//! How a call is shown.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::output::{CommandOutput, Printer};
use crate::exec::{Content, Output, ResourceBody, bytes};
use crate::invoke::{Authorised, Report};

/// Prints a report: the result to standard output, everything else to standard error.
pub(in crate::cli) fn report(printer: &Printer, report: &Report) {
    if printer.is_json() {
        printer.json_value(&report.to_json());
        return;
    }
    for warning in &report.warnings {
        printer.warning(warning);
    }
    match &report.result {
        Ok(_) => {
            result(printer, report);
            denials(printer, report);
        }
        Err(error) => printer.error(error),
    }
}

/// Prints the result of a call that has one.
pub(super) fn result(printer: &Printer, report: &Report) {
    let text = report.result.as_deref().map(text).unwrap_or_default();
    if !text.is_empty() {
        printer.text(&text);
    }
}

/// A call can succeed although something was denied on the way; the caller should know.
fn denials(printer: &Printer, report: &Report) {
    for denial in &report.events.denials {
        printer.warning(&denial.to_string());
        if let Some(flag) = denial.flag() {
            printer.note(&format!("  If you trust the tool with it, add `{flag}`."));
        }
    }
}

/// The result as text: what the tool wrote for people, or else its structured result.
fn text(output: &Output) -> String {
    let blocks: Vec<String> = if output.prompt.is_some() {
        let messages = output.messages();
        messages
            .map(|(role, content)| format!("{}: {}", role.word(), block(content)))
            .collect()
    } else {
        output.content.iter().map(block).collect()
    };
    if !blocks.is_empty() {
        return blocks.join("\n");
    }
    output
        .structured
        .as_ref()
        .and_then(|value| serde_json::to_string_pretty(value).ok())
        .unwrap_or_default()
}

fn block(content: &Content) -> String {
    match content {
        Content::Text { text, .. } => text.clone(),
        Content::Image {
            data, mime_type, ..
        } => {
            format!("[image {mime_type}, {}]", bytes(data.len() as u64))
        }
        Content::Audio {
            data, mime_type, ..
        } => {
            format!("[audio {mime_type}, {}]", bytes(data.len() as u64))
        }
        Content::ResourceLink { uri, name, .. } => format!("[{name}: {uri}]"),
        Content::Resource { uri, body, .. } => match body {
            ResourceBody::Text(text) => text.clone(),
            ResourceBody::Blob(data) => format!("[{uri}, {}]", bytes(data.len() as u64)),
        },
    }
}

/// What a call would be allowed to do.
pub(super) fn plan(authorised: &Authorised) -> CommandOutput {
    let plan = &authorised.plan;
    let mut text = format!("{} would run", authorised.tool.id);
    let section = |text: &mut String, title: &str, lines: Vec<String>| {
        // Writing into a string cannot fail.
        let _ = write!(text, "\n\n{title}:");
        if lines.is_empty() {
            text.push_str("\n  nothing");
        }
        for line in lines {
            let _ = write!(text, "\n  {line}");
        }
    };
    let allowed = plan.effective.capabilities();
    section(
        &mut text,
        "It could",
        allowed
            .iter()
            .map(crate::permission::Capability::in_plain_words)
            .collect(),
    );
    section(
        &mut text,
        "It asks for, and does not get",
        plan.missing
            .iter()
            .map(|capability| match capability.flag() {
                Some(flag) => format!("{}   ({flag})", capability.in_plain_words()),
                None => capability.in_plain_words(),
            })
            .collect(),
    );
    section(
        &mut text,
        "It sees",
        plan.mounts
            .iter()
            .map(|mount| format!("{} as {}", mount.host.display(), mount.guest))
            .collect(),
    );
    section(
        &mut text,
        "Limits",
        vec![format!(
            "{:?}, {} of memory, {} of output",
            plan.limits.timeout,
            bytes(plan.limits.memory),
            bytes(plan.limits.output)
        )],
    );
    let entries = |capabilities: &[crate::permission::Capability]| -> Vec<serde_json::Value> {
        capabilities
            .iter()
            .map(|capability| {
                json!({
                    "permission": capability.kind().name(),
                    "scope": capability.to_string(),
                    "in_words": capability.in_plain_words(),
                    "flag": capability.flag(),
                })
            })
            .collect()
    };
    let json = json!({
        "tool": authorised.tool.id.to_string(),
        "digest": authorised.source.artifact.digest.to_string(),
        "allowed": entries(&allowed),
        "missing": entries(&plan.missing),
        "mounts": plan.mounts.iter().map(|mount| json!({"host": mount.host.to_string_lossy(), "guest": mount.guest})).collect::<Vec<_>>(),
        "environment": plan.environment.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "deterministic": plan.deterministic,
        "limits": {
            "timeout_ms": u64::try_from(plan.limits.timeout.as_millis()).unwrap_or(u64::MAX),
            "memory_bytes": plan.limits.memory,
            "output_bytes": plan.limits.output,
        },
    });
    CommandOutput {
        warnings: plan.warnings.clone(),
        ..CommandOutput::new(text, json)
    }
}
