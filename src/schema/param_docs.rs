//! What the documentation of a function says of each of its parameters.
//!
//! WIT has doc comments for functions, types and fields, and none for parameters. So a list item that begins with the name of
//! a parameter describes it, as authors write it anyway:
//!
//! ```wit
//! /// Counts the words of a text.
//! ///
//! /// - `text`: What is counted. Example: `Well begun is half done.`
//! /// - `top`: How many of the most frequent words to tell. Examples: `3`, `10`
//! count-words: func(text: string, top: option<u32>) -> count;
//! ```
//!
//! Examples are JSON, or the text itself where the type is a text.

use serde_json::Value as Json;

use super::wit::Ty;

/// Words before a list of parameters that say nothing else.
const HEADINGS: [&str; 3] = ["parameters", "arguments", "params"];

/// The documentation of a function, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ParamDocs {
    /// What it says of the function.
    pub(super) rest: String,
    /// What it says of parameters, by their names.
    params: Vec<(String, String)>,
}

/// A description without the examples at its end, and those.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Described {
    pub(super) description: String,
    pub(super) examples: Vec<Json>,
}

impl ParamDocs {
    /// Takes the documentation of a function with these parameters apart.
    pub(super) fn read<'a>(docs: &str, names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut found = Self::default();
        let mut rest: Vec<&str> = Vec::new();
        // Whether the lines that come belong to the item before them.
        let mut in_item = false;
        for line in docs.lines() {
            if let Some((name, text)) = item(line, names.clone()) {
                found.params.push((name.to_owned(), text.to_owned()));
                in_item = true;
                continue;
            }
            let is_continued = in_item && line.starts_with([' ', '\t']) && !line.trim().is_empty();
            match found.params.last_mut().filter(|_| is_continued) {
                Some((_, text)) => {
                    text.push(' ');
                    text.push_str(line.trim());
                }
                None => {
                    in_item = false;
                    rest.push(line);
                }
            }
        }
        if !found.params.is_empty() {
            rest.retain(|line| !is_heading(line));
        }
        rest.join("\n").trim().clone_into(&mut found.rest);
        found
    }

    /// What is said of a parameter of this type.
    pub(super) fn of(&self, name: &str, ty: &Ty) -> Option<Described> {
        let (_, text) = self.params.iter().find(|(known, _)| known == name)?;
        Some(described(text, ty))
    }
}

/// Takes the examples off the end of a description.
pub(super) fn described(text: &str, ty: &Ty) -> Described {
    let found = ["Example:", "Examples:"]
        .iter()
        .filter_map(|word| text.rfind(word).map(|at| (at, word.len())))
        .max();
    let none = || Described {
        description: text.trim().to_owned(),
        examples: Vec::new(),
    };
    let Some((at, length)) = found else {
        return none();
    };
    let (description, list) = (text.get(..at), text.get(at + length..));
    let (Some(description), Some(examples)) = (description, list.and_then(quoted)) else {
        return none();
    };
    let is_text = match ty {
        Ty::Option(inner) => is_text(inner),
        ty => is_text(ty),
    };
    Described {
        description: description.trim().to_owned(),
        examples: examples
            .into_iter()
            .map(|example| value(example, is_text))
            .collect(),
    }
}

fn is_text(ty: &Ty) -> bool {
    matches!(ty, Ty::String | Ty::Char | Ty::Enum(_) | Ty::Bytes)
}

fn value(example: &str, is_text: bool) -> Json {
    match serde_json::from_str(example) {
        Ok(value @ Json::String(_)) => value,
        Ok(value) if !is_text => value,
        _ => example.into(),
    }
}

/// The texts of a list such as `a`, `b`; nothing where there is anything else in it.
fn quoted(list: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = list.trim().trim_end_matches('.');
    while !rest.is_empty() {
        let (example, after) = rest.strip_prefix('`')?.split_once('`')?;
        found.push(example);
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    (!found.is_empty()).then_some(found)
}

/// The name and the description, where a line is a list item about a parameter.
fn item<'a, 'n>(
    line: &'a str,
    mut names: impl Iterator<Item = &'n str>,
) -> Option<(&'a str, &'a str)> {
    let text = line.trim_start();
    let text = ["- ", "* "]
        .iter()
        .find_map(|bullet| text.strip_prefix(bullet))?;
    let text = text.trim_start();
    let (name, rest) = match text.strip_prefix('`') {
        Some(quoted) => quoted.split_once('`')?,
        None => {
            let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-')?;
            text.split_at_checked(end)?
        }
    };
    let rest = rest.trim_start();
    let said = [":", "—", "– "]
        .iter()
        .find_map(|mark| rest.strip_prefix(mark))?;
    names
        .any(|known| known == name)
        .then(|| (name, said.trim()))
}

fn is_heading(line: &str) -> bool {
    let word = line
        .trim()
        .trim_start_matches('#')
        .trim()
        .trim_end_matches(':');
    HEADINGS.contains(&word.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn read(docs: &str) -> ParamDocs {
        ParamDocs::read(docs, ["text", "words-per-minute"].into_iter())
    }

    #[test]
    fn a_list_of_parameters_is_taken_apart() {
        let docs = read(
            "Counts.\n\nParameters:\n\n- `text`: The text,\n  whatever it is. Example: `a \"b\"`\n* words-per-minute — How fast.\n  Examples: `230`, `50`.\n\nIt is quick.",
        );
        assert_eq!(docs.rest, "Counts.\n\n\n\nIt is quick.");
        assert_eq!(
            docs.of("text", &Ty::String),
            Some(Described {
                description: "The text, whatever it is.".into(),
                examples: vec![json!("a \"b\"")]
            })
        );
        assert_eq!(
            docs.of("words-per-minute", &Ty::Option(Arc::new(Ty::U16))),
            Some(Described {
                description: "How fast.".into(),
                examples: vec![json!(230), json!(50)]
            })
        );
        assert_eq!(docs.of("other", &Ty::String), None);
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        for docs in [
            "Counts the `text`: all of it.",
            "- `other`: no parameter\n- text without a mark\n- `text` is counted",
            "Parameters: none are described",
            "",
        ] {
            assert_eq!(
                read(docs),
                ParamDocs {
                    rest: docs.to_owned(),
                    params: Vec::new()
                }
            );
        }
    }

    #[test]
    fn an_example_is_what_its_type_says() {
        let of = |text: &str, ty: &Ty| described(text, ty).examples;
        assert_eq!(of("A. Example: `12`", &Ty::String), [json!("12")]);
        assert_eq!(of("A. Example: `\"12\"`", &Ty::String), [json!("12")]);
        assert_eq!(of("A. Example: `12`", &Ty::U8), [json!(12)]);
        assert_eq!(
            of("A. Example: `[1, 2]`", &Ty::List(Arc::new(Ty::U16))),
            [json!([1, 2])]
        );
        for no_list in [
            "For Example: this",
            "A. Example: `12` or so",
            "Examples: 1, 2",
            "Example:",
        ] {
            assert_eq!(
                described(no_list, &Ty::U8),
                Described {
                    description: no_list.to_owned(),
                    examples: Vec::new()
                }
            );
        }
    }
}
