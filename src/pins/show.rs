//! A drift as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use similar::TextDiff;

use super::drift::{Drift, ServerDrift, ToolDrift, ToolField};
use super::visible::visible;

/// After this time a difference is shown as it is, longer than it could be.
const WITHIN: Duration = Duration::from_millis(200);

impl Drift {
    /// One line for each thing that differs.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let server = self.server.iter().map(|drift| match drift {
            ServerDrift::New { .. } => "the server is new".to_owned(),
            ServerDrift::Changed { fields, .. } => {
                let fields: Vec<&str> = fields.iter().map(|field| field.words()).collect();
                format!("the server changed: {}", fields.join(", "))
            }
        });
        let tools = self.tools.iter().map(|drift| {
            let name = visible(drift.name());
            match drift {
                ToolDrift::Added { .. } => format!("{name} is new"),
                ToolDrift::Removed { .. } => format!("{name} is gone"),
                ToolDrift::Renamed { pinned, .. } => {
                    format!("{name} was called {}", visible(pinned.name()))
                }
                ToolDrift::Changed { fields, .. } => {
                    let fields: Vec<&str> = fields.iter().map(ToolField::name).collect();
                    format!("{name} changed: {}", visible(&fields.join(", ")))
                }
            }
        });
        server.chain(tools).collect()
    }

    /// Everything that differs, as unified diffs of indented JSON. Keys stand in order; a text of several lines is shown
    /// line by line, each behind a bar; what nobody would see is spelled out.
    #[must_use]
    pub fn diff(&self) -> String {
        let mut shown = String::new();
        if let Some(drift) = &self.server {
            let pinned = match drift {
                ServerDrift::New { .. } => None,
                ServerDrift::Changed { pinned, .. } => Some(json!(pinned)),
            };
            append(
                &mut shown,
                "server",
                pinned.as_ref(),
                Some(&json!(drift.seen())),
            );
        }
        for drift in &self.tools {
            append(
                &mut shown,
                drift.name(),
                drift.pinned().map(super::ToolDescriptor::value),
                drift.seen().map(super::ToolDescriptor::value),
            );
        }
        shown
    }
}

fn append(shown: &mut String, name: &str, pinned: Option<&Value>, seen: Option<&Value>) {
    let text = |value: Option<&Value>| value.map(readable).unwrap_or_default();
    let (old, new) = (text(pinned), text(seen));
    let header = |side: &str, value: Option<&Value>| match value {
        Some(_) => format!("{side}/{}", visible(name)),
        None => "/dev/null".to_owned(),
    };
    let diff = TextDiff::configure().timeout(WITHIN).diff_lines(&old, &new);
    let mut unified = diff.unified_diff();
    unified.context_radius(3);
    unified.header(&header("pinned", pinned), &header("seen", seen));
    // Writing into a text does not fail.
    let _ = write!(shown, "{unified}");
}

/// The value as indented JSON for the eye: keys in order, hidden characters spelled out, and texts of several lines as
/// such.
pub(super) fn readable(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, 0, &mut text);
    text.push('\n');
    visible(&text)
}

fn write_value(value: &Value, level: usize, text: &mut String) {
    let outer = "  ".repeat(level);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let members = fields.into_iter();
            let members = members.map(|(name, value)| (format!("{}:", json!(name)), value));
            write_members(['{', '}'], members, level, text);
        }
        Value::Array(items) if !items.is_empty() => {
            let members = items.iter().map(|item| (String::new(), item));
            write_members(['[', ']'], members, level, text);
        }
        Value::String(lines) if is_block(value) => {
            for line in lines.split('\n') {
                let _ = write!(text, "\n{outer}| {line}");
            }
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn write_members<'a>(
    [open, close]: [char; 2],
    members: impl Iterator<Item = (String, &'a Value)>,
    level: usize,
    text: &mut String,
) {
    let inner = "  ".repeat(level + 1);
    text.push(open);
    // What follows a text of several lines would be read as a part of its last.
    let mut comma = "";
    for (name, value) in members {
        let _ = write!(text, "{comma}\n{inner}{name}");
        if !name.is_empty() && !is_block(value) {
            text.push(' ');
        }
        write_value(value, level + 1, text);
        comma = if is_block(value) { "" } else { "," };
    }
    let _ = write!(text, "\n{}{close}", "  ".repeat(level));
}

/// A text of several lines is shown line by line, each behind a bar. No line of JSON begins with one.
fn is_block(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('\n'))
}
