//! What in the texts of a server looks as if it was meant to mislead a model, or a person.
//!
//! Every string of a descriptor is looked at, and so are the names in its schemas: a model reads all of them. A finding is
//! a reason to look, not a verdict. What is looked for are the ways that were seen in the field; a text that says something
//! bad in plain words of its own is not found.

mod characters;
mod phrases;
mod words;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::descriptor::ToolDescriptor;
use super::identity::ServerInfo;
use super::visible::{is_hidden, visible};

/// The most findings about one descriptor. What is beyond them is not told: so many are reason enough.
pub const MAX_FINDINGS: usize = 100;
/// The longest pointer that is told, in characters: names in schemas can be of any length.
const MAX_POINTER: usize = 400;
/// The longest excerpt, in characters.
const EXCERPT: usize = 160;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Characters that nobody sees, or that reorder what is seen.
    HiddenText,
    /// Characters that control a terminal.
    ControlCharacters,
    /// Letters of another script that look like those around them, or letters set apart.
    DisguisedText,
    /// A comment, which is not shown where the text is rendered.
    Comment,
    /// A mark that pretends to be the system, the user, or an order.
    InstructionMark,
    /// An order to the model that has nothing to do with a tool.
    InstructionToModel,
    /// Something is to be kept from the user.
    Concealment,
    /// A tool of another server is spoken of.
    OtherTool,
    /// A file that keeps secrets is spoken of.
    SecretFile,
    /// A long run of base64 or hexadecimal digits.
    EncodedText,
    /// Something of the conversation or of this machine is to be handed over.
    Exfiltration,
}

impl Kind {
    /// The word for it, for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::HiddenText => "hidden-text",
            Self::ControlCharacters => "control-characters",
            Self::DisguisedText => "disguised-text",
            Self::Comment => "comment",
            Self::InstructionMark => "instruction-mark",
            Self::InstructionToModel => "instruction-to-model",
            Self::Concealment => "concealment",
            Self::OtherTool => "other-tool",
            Self::SecretFile => "secret-file",
            Self::EncodedText => "encoded-text",
            Self::Exfiltration => "exfiltration",
        }
    }
}

/// Something that looks suspicious.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Where it is: a JSON pointer into the descriptor, or into `{"name", "title", "version", "instructions"}`. Cut where
    /// it is very long, and with what is hidden in it spelled out.
    pub at: String,
    /// The place with what is around it, of at most 160 characters; hidden ones are spelled out, and it has no line ends.
    pub excerpt: String,
    /// What it means, as a sentence.
    pub sentence: String,
}

impl Finding {
    /// The form for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "kind": self.kind.word(),
            "at": self.at,
            "excerpt": self.excerpt,
            "sentence": self.sentence,
        })
    }
}

/// Names that a text may speak of, or not.
#[derive(Debug, Clone, Copy)]
pub struct Neighbours<'a> {
    /// The tools of the same server.
    pub own: &'a BTreeSet<String>,
    /// The tools of others, which the text has no reason to know.
    pub others: &'a BTreeSet<String>,
}

/// Looks through a tool's descriptor.
#[must_use]
pub fn scan_tool(tool: &ToolDescriptor, neighbours: Neighbours<'_>) -> Vec<Finding> {
    let mut search = Search::new(neighbours);
    search.value(tool.value(), &mut String::new());
    search.findings
}

/// Looks through what a server says of itself.
#[must_use]
pub fn scan_server(info: &ServerInfo, neighbours: Neighbours<'_>) -> Vec<Finding> {
    let mut search = Search::new(neighbours);
    let texts = [
        ("/name", Some(&info.name)),
        ("/title", info.title.as_ref()),
        ("/version", Some(&info.version)),
        ("/instructions", info.instructions.as_ref()),
    ];
    for (at, text) in texts {
        if let Some(text) = text {
            search.text(text, at);
        }
    }
    search.findings
}

/// One search through many texts.
struct Search<'a> {
    neighbours: Neighbours<'a>,
    findings: Vec<Finding>,
}

/// Something found in one text: its kind, where it begins and ends in bytes, and what it means.
struct Spot {
    kind: Kind,
    start: usize,
    end: usize,
    sentence: String,
}

impl<'a> Search<'a> {
    fn new(neighbours: Neighbours<'a>) -> Self {
        Self {
            neighbours,
            findings: Vec::new(),
        }
    }

    fn value(&mut self, value: &Value, at: &mut String) {
        let before = at.len();
        match value {
            Value::String(text) => self.text(text, at),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    at.push_str(&format!("/{index}"));
                    self.value(item, at);
                    at.truncate(before);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    at.push('/');
                    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    self.text(name, at);
                    self.value(field, at);
                    at.truncate(before);
                }
            }
            _ => {}
        }
    }

    /// Looks through one text. Of each kind the first is told, with how many more there are.
    fn text(&mut self, text: &str, at: &str) {
        let mut spots = Vec::new();
        characters::look(text, &mut spots);
        let words = words::words(text);
        phrases::look(text, &words, &mut spots);
        phrases::look_for_tools(text, self.neighbours, &mut spots);
        spots.sort_by_key(|spot| (spot.kind, spot.start));
        spots.dedup_by_key(|spot| spot.kind);
        for spot in spots {
            if self.findings.len() == MAX_FINDINGS {
                return;
            }
            let finding = Finding {
                kind: spot.kind,
                at: pointer(at),
                excerpt: excerpt(text, spot.start, spot.end),
                sentence: spot.sentence,
            };
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }
}

/// A pointer as it can be shown; one that is too long is cut.
fn pointer(at: &str) -> String {
    let head: String = at.chars().take(MAX_POINTER).collect();
    let shown = visible(&head).replace(['\n', '\t'], " ");
    if shown.chars().count() < MAX_POINTER {
        return shown;
    }
    let head = shown.chars().take(MAX_POINTER - 1);
    head.chain(['…']).collect()
}

/// The place in a text, with a little of what is before and after it.
fn excerpt(text: &str, start: usize, end: usize) -> String {
    const AROUND: usize = 24;
    let (before, rest) = text.split_at_checked(start).unwrap_or(("", text));
    let (place, after) = rest
        .split_at_checked(end.saturating_sub(start))
        .unwrap_or((rest, ""));
    let lead: Vec<char> = before.chars().rev().take(AROUND).collect();
    let parts = lead
        .into_iter()
        .rev()
        .chain(place.chars())
        .chain(after.chars().take(AROUND));
    let mut shown = String::new();
    let mut length = 0;
    for c in parts {
        let piece = if is_hidden(c) {
            c.escape_unicode().to_string()
        } else if c.is_whitespace() {
            " ".to_owned()
        } else {
            c.to_string()
        };
        length += piece.chars().count();
        if length >= EXCERPT {
            shown.push('…');
            break;
        }
        shown.push_str(&piece);
    }
    shown
}

#[cfg(test)]
mod tests;
