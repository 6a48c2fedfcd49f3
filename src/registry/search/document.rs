//! What a tool is found by.

use serde_json::Value;

use super::words;
use crate::ids::{Digest, ToolId};
use crate::registry::Tool;
use crate::store::FIELDS;

/// Changes whenever the same tool gives other words than before, so that indexes are brought up to date.
const WORDS_VERSION: u8 = 1;
/// How many characters of a text are looked at; who says more hides what matters, or wants to be found by everything.
const LONGEST: usize = 4000;
/// How many parameters are looked at.
const MOST_PARAMETERS: usize = 200;

/// The texts a tool is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id, the words of which say most.
    pub id: ToolId,
    /// What it does. The first sentence says more than the rest.
    pub description: String,
    /// The names of its parameters.
    pub parameters: Vec<String>,
    /// What is said of the parameters.
    pub parameter_text: String,
    /// Words that its author wants it to be found by.
    pub tags: Vec<String>,
}

impl Document {
    /// The texts of a tool, with the tags of its plugin.
    #[must_use]
    pub fn of(tool: &Tool, tags: &[String]) -> Self {
        let mut parameters = Vec::new();
        let mut texts = Vec::new();
        let properties = tool.input_schema.get("properties");
        for (name, schema) in properties.and_then(Value::as_object).into_iter().flatten() {
            parameters.push(name.clone());
            texts.extend(schema.get("description").and_then(Value::as_str));
        }
        Self {
            id: tool.id.clone(),
            description: tool.description.clone(),
            parameters,
            parameter_text: texts.join("; "),
            tags: tags.to_vec(),
        }
    }

    /// A digest of all of it: equal only where the words, and what a model is shown, are.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut bytes = vec![WORDS_VERSION];
        let mut add = |text: &str| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        add(&self.id.to_string());
        add(&self.description);
        add(&self.parameter_text);
        self.parameters.iter().for_each(|name| add(name));
        // What follows is tags, however many parameters there were.
        add("");
        self.tags.iter().for_each(|tag| add(tag));
        Digest::of(&bytes)
    }

    /// Its words by field, in the order that [`FIELDS`] gives.
    pub(super) fn words(&self) -> [String; FIELDS] {
        let (summary, rest) = parted(cut(&self.description));
        let names = |names: &[String]| {
            names
                .iter()
                .take(MOST_PARAMETERS)
                .flat_map(|name| words::identifier(cut(name)))
                .collect::<Vec<_>>()
                .join(" ")
        };
        [
            words::identifier(self.id.tool()).join(" "),
            words::identifier(self.id.source()).join(" "),
            words::prose(summary).join(" "),
            words::prose(rest).join(" "),
            names(&self.parameters),
            words::prose(cut(&self.parameter_text)).join(" "),
            names(&self.tags),
        ]
    }

    /// What a model is shown of it.
    pub(super) fn for_model(&self) -> String {
        format!("{}: {}", self.id, cut(&self.description))
    }
}

fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The first sentence or line, and the rest. A stop right at the beginning, as in `E.g.`, ends no sentence.
fn parted(text: &str) -> (&str, &str) {
    const SHORTEST: usize = 15;
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        let ends = c == '\n' || (c.is_whitespace() && matches!(last, '.' | '!' | '?'));
        if ends && at > SHORTEST {
            return text.split_at(at);
        }
        last = c;
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_is_the_summary() {
        assert_eq!(
            parted("Reads a file of text. Or not."),
            ("Reads a file of text.", " Or not.")
        );
        assert_eq!(
            parted("Reads v1.2 of it\nand more"),
            ("Reads v1.2 of it", "\nand more")
        );
        assert_eq!(parted("One"), ("One", ""));
    }

    #[test]
    fn the_digest_tells_apart_what_differs_only_in_where_it_stands() {
        let document = |parameters: &[&str], tags: &[&str]| Document {
            id: "a.b".parse().expect("an id"),
            description: "d".into(),
            parameters: parameters.iter().map(|name| (*name).to_owned()).collect(),
            parameter_text: String::new(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        let digests = [
            document(&["x", "y"], &[]).digest(),
            document(&["xy"], &[]).digest(),
            document(&["x"], &["y"]).digest(),
            document(&[], &["x", "y"]).digest(),
        ];
        for (number, digest) in digests.iter().enumerate() {
            assert!(!digests[..number].contains(digest), "{number}");
        }
        assert_eq!(document(&["x"], &["y"]).digest(), digests[2]);
    }
}
