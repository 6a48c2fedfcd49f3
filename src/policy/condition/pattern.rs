//! The pattern of a `like`.

use serde_json::Value;

/// Literal texts with anything, or nothing, between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// What the text starts with; without a wildcard all of it.
    start: String,
    /// What follows after each wildcard, in order; the last is what the text ends with.
    rest: Vec<String>,
}

impl Pattern {
    /// The pattern in Cedar's JSON form.
    pub(super) fn of(pattern: &Value) -> Option<Self> {
        let mut found = Self {
            start: String::new(),
            rest: Vec::new(),
        };
        for part in pattern.as_array()? {
            if part.as_str() == Some("Wildcard") {
                found.rest.push(String::new());
            } else {
                let text = part.get("Literal")?.as_str()?;
                let to = found.rest.last_mut().unwrap_or(&mut found.start);
                to.push_str(text);
            }
        }
        Some(found)
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let Some((end, between)) = self.rest.split_last() else {
            return text == self.start;
        };
        let Some(mut rest) = text.strip_prefix(self.start.as_str()) else {
            return false;
        };
        // The first place where a literal fits leaves the most for those after it.
        for literal in between {
            let Some((_, after)) = rest.split_once(literal.as_str()) else {
                return false;
            };
            rest = after;
        }
        rest.ends_with(end.as_str())
    }
}
