//! Templates: texts in which `{name}` stands for an argument of the call.
//!
//! A template is read once, when the manifest is; filling it in ([`super::fill`]) only puts values between its literal
//! parts. What a value holds is never looked at for placeholders again, and nothing is ever handed to a shell.

use std::fmt;

/// What marks a placeholder whose value may begin with `-`.
const ANY: &str = ":any";

/// The text is not a template; says where it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTemplate(String);

impl fmt::Display for InvalidTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidTemplate {}

/// One string with placeholders; `{{` and `}}` in it are literal braces.
///
/// `Display` writes the text that reads back as the same template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// No literal is empty, and no two stand side by side.
    parts: Vec<Part>,
}

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// It stands as it is.
    Literal(String),
    /// The value of an argument stands here.
    Argument(Placeholder),
}

/// A place for the value of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    name: String,
    any: bool,
}

impl Placeholder {
    /// The argument whose value stands here.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name for a sentence: escaped, and cut where it is long. A schema can call its properties anything.
    #[must_use]
    pub fn shown(&self) -> String {
        const SHOWN: usize = 60;
        let start: String = self.name.chars().take(SHOWN).collect();
        let cut = if start.len() < self.name.len() {
            "…"
        } else {
            ""
        };
        format!("{}{cut}", start.escape_debug())
    }

    /// True where the value may look like a flag, because the author wrote `{name:any}`.
    #[must_use]
    pub fn takes_any(&self) -> bool {
        self.any
    }
}

impl Text {
    /// Reads a text with placeholders.
    ///
    /// # Errors
    /// A brace that stands alone, a placeholder without a name, `:any` where it would mean nothing, or a NUL character.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let invalid = |why: String| Err(InvalidTemplate(why));
        if text.contains('\0') {
            return invalid("a NUL character cannot be handed to a program".to_owned());
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from_brace.strip_prefix("{{") {
                literal.push('{');
                rest = after;
                continue;
            }
            if let Some(after) = from_brace.strip_prefix("}}") {
                literal.push('}');
                rest = after;
                continue;
            }
            let Some(inner) = from_brace.strip_prefix('{') else {
                return invalid("`}` closes nothing; a literal brace is written `}}`".to_owned());
            };
            let Some((written, after)) = inner.split_once('}').filter(|(n, _)| !n.contains('{'))
            else {
                return invalid("`{` is not closed; a literal brace is written `{{`".to_owned());
            };
            rest = after;
            let (name, any) = match written.strip_suffix(ANY) {
                Some(name) => (name, true),
                None => (written, false),
            };
            if name.is_empty() {
                return invalid(format!(
                    "`{{{written}}}` names no argument; literal braces are written `{{{{` and `}}}}`"
                ));
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            if any && !parts.is_empty() {
                return invalid(format!(
                    "`{ANY}` says that a value may begin with `-`, which matters only at the beginning of an element"
                ));
            }
            parts.push(Part::Argument(Placeholder {
                name: name.to_owned(),
                any,
            }));
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// The text itself, where it has no placeholder.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The placeholder, where the text is exactly one.
    #[must_use]
    pub fn sole(&self) -> Option<&Placeholder> {
        match self.parts.as_slice() {
            [Part::Argument(placeholder)] => Some(placeholder),
            _ => None,
        }
    }

    /// Every placeholder, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Argument(placeholder) => Some(placeholder),
            Part::Literal(_) => None,
        })
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => f.write_str(&escape(text))?,
                Part::Argument(Placeholder { name, any }) => {
                    write!(f, "{{{name}{}}}", if *any { ANY } else { "" })?;
                }
            }
        }
        Ok(())
    }
}

/// The template of a text without placeholders.
fn escape(literal: &str) -> String {
    literal.replace('{', "{{").replace('}', "}}")
}

/// A program and what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTemplate {
    program: String,
    elements: Vec<Element>,
}

/// What stands after the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// One element; several where it is exactly one placeholder for an array, none where its argument is absent.
    Text(Text),
    /// Elements that stand there where an argument is true, or is there at all.
    When {
        /// The argument: a boolean, or any other.
        argument: String,
        /// The elements.
        then: Vec<Text>,
    },
}

impl Element {
    /// The texts, as if every condition held.
    #[must_use]
    pub fn texts(&self) -> &[Text] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::When { then, .. } => then,
        }
    }
}

/// What is wrong with a command, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCommand {
    /// The number of the element; 0 is the program.
    pub element: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl CommandTemplate {
    /// A template for this program.
    ///
    /// # Errors
    /// Where the program is empty, looks like a flag, or has a control character; and where an argument would be pasted
    /// into a script: `sh -c "grep {pattern} *"` would run whatever code is in the pattern. A script that is an argument as
    /// a whole is no paste: running it is what such a tool is for.
    pub fn new(program: &str, elements: Vec<Element>) -> Result<Self, InvalidCommand> {
        let problem = if program.is_empty() {
            "the program is empty"
        } else if program.starts_with('-') {
            "the program begins with `-` and would be taken for a flag"
        } else if program.chars().any(char::is_control) {
            "the program has a control character"
        } else {
            let command = Self {
                program: program.to_owned(),
                elements,
            };
            return command.script().map(|_| command);
        };
        Err(InvalidCommand {
            element: 0,
            problem: problem.to_owned(),
        })
    }

    /// The program: a name that the image looks up, or a path in it. Never taken from an argument.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What stands after the program.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The program as it stands in a manifest: with its braces written twice.
    #[must_use]
    pub fn program_text(&self) -> String {
        escape(&self.program)
    }

    /// True where the program, as far as anybody can tell, runs what it reads from standard input.
    #[must_use]
    pub fn runs_stdin(&self) -> bool {
        matches!(self.script(), Ok(Script::Flags(_)))
    }

    /// Where a script may stand after the last element; the first script that an argument would be pasted into is an error.
    fn script(&self) -> Result<Script, InvalidCommand> {
        let mut script = Script::after(&self.program);
        let texts = (1..)
            .zip(&self.elements)
            .flat_map(|(number, element)| element.texts().iter().map(move |text| (number, text)));
        for (element, text) in texts {
            script = match (script, text.literal()) {
                (Script::Next, None) if text.sole().is_none() => {
                    return Err(InvalidCommand {
                        element,
                        problem: pasted(text),
                    });
                }
                (Script::Next, _) => Script::None,
                (Script::Flags(letter), Some(flag)) if flag.starts_with(['-', '+']) => {
                    let is_short = flag.starts_with('-') && !flag.starts_with("--");
                    if is_short && flag.contains(letter) {
                        Script::Next
                    } else if flag.ends_with(['o', 'O']) {
                        Script::Option(letter)
                    } else {
                        script
                    }
                }
                (Script::Option(letter), _) => Script::Flags(letter),
                (_, Some(literal)) => Script::after(literal),
                (_, None) => Script::None,
            };
        }
        Ok(script)
    }
}

/// What is wrong with a script that has placeholders within.
pub(in crate::manifest) fn pasted(script: &Text) -> String {
    let name = script
        .placeholders()
        .next()
        .map(Placeholder::shown)
        .unwrap_or_default();
    format!(
        "the value of `{{{name}}}` would be read as code; give it as an element of its own after the script, where a shell calls it \"$1\": [\"sh\", \"-c\", \"grep -- \\\"$1\\\" notes\", \"sh\", \"{{{name}}}\"]"
    )
}

/// Where in a command a script may stand.
#[derive(Clone, Copy)]
enum Script {
    /// Nowhere that is known.
    None,
    /// After flags of an interpreter, one of which has this letter.
    Flags(char),
    /// The same, and the next text is the value of a flag, as in `bash -o pipefail -c`.
    Option(char),
    /// The next text is one.
    Next,
}

impl Script {
    /// What may follow this program.
    fn after(program: &str) -> Self {
        match program.rsplit('/').next().unwrap_or_default() {
            "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" | "fish" | "python"
            | "python2" | "python3" => Self::Flags('c'),
            "perl" | "ruby" | "node" | "lua" => Self::Flags('e'),
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests;
