//! Filling templates in: from the arguments of one call to what is run.
//!
//! Every value becomes a whole element or a part of one, and nothing else: no shell sees it, a placeholder in a value is
//! text, and a value cannot become a flag unless the author said so. What a program cannot be given is refused before
//! anything runs.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::template::{CommandTemplate, Element, Part, Placeholder, Text};
use super::{ContainerSpec, Stdin};
use crate::error::{Code, Error, Result};

/// The most bytes of a command, with a NUL after each element; also of one element, and of the variables together.
///
/// The kernel takes no more than this in one element.
pub const MAX_COMMAND: usize = 128 << 10;
/// The most bytes of standard input.
pub const MAX_STDIN: usize = 64 << 20;

/// What is run in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Environment variables and their values, by name.
    pub env: Vec<(String, String)>,
    /// What the program reads; nothing where the tool hands it nothing.
    pub stdin: Option<Vec<u8>>,
}

impl ContainerSpec {
    /// The command for these arguments, which fit the tool's input schema.
    ///
    /// An argument that is null counts as absent.
    ///
    /// # Errors
    /// E3301, naming the argument: where a text would be taken for a flag, holds a NUL, or has a shape that the place for
    /// it does not take; and where the whole is larger than [`MAX_COMMAND`] or [`MAX_STDIN`].
    pub fn fill(&self, arguments: &Value) -> Result<Command> {
        let Value::Object(table) = arguments else {
            return Err(refused("the arguments are not an object"));
        };
        let filling = Filling { arguments: table };
        Ok(Command {
            argv: filling.argv(&self.command)?,
            env: filling.env(self)?,
            stdin: match &self.stdin {
                None => None,
                Some(Stdin::Json) => Some(json_line(arguments)?),
                Some(Stdin::Text(text)) => filling
                    .joined(text, Place::Stdin)?
                    .map(|filled| filled.text.into_bytes()),
            },
        })
    }
}

/// Something that cannot be run.
fn refused(why: impl Into<String>) -> Error {
    Error::new(Code::E3301, why).while_doing("filling in the command of the tool")
}

/// The same, because of one argument.
fn refused_argument(name: &str, why: &str) -> Error {
    let shown = crate::manifest::document::quoted(name);
    refused(format!("the argument {shown} {why}")).detail("argument", name)
}

fn json_line(arguments: &Value) -> Result<Vec<u8>> {
    let mut line = arguments.to_string().into_bytes();
    line.push(b'\n');
    if line.len() > MAX_STDIN {
        return Err(refused(format!(
            "the arguments are larger than {MAX_STDIN} bytes as JSON"
        )));
    }
    Ok(line)
}

/// Where a value goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Into an element of the command, or a variable.
    Argument,
    /// Into standard input: bytes, in which nothing is a flag and nothing ends them.
    Stdin,
}

impl Place {
    const fn max(self) -> usize {
        match self {
            Self::Argument => MAX_COMMAND,
            Self::Stdin => MAX_STDIN,
        }
    }

    /// A value as text: as it is where it is text, as JSON where it is not.
    fn text_of<'v>(self, value: &'v Value, placeholder: &Placeholder) -> Result<Cow<'v, str>> {
        match value {
            Value::String(text) if self == Self::Argument && text.contains('\0') => {
                Err(refused_argument(
                    placeholder.name(),
                    "holds a NUL character, which cannot be handed to a program",
                ))
            }
            Value::String(text) => Ok(Cow::Borrowed(text)),
            value => Ok(Cow::Owned(value.to_string())),
        }
    }

    fn too_large(self, placeholder: &Placeholder) -> Error {
        let max = self.max();
        let why = format!("makes what the program is given larger than {max} bytes");
        refused_argument(placeholder.name(), &why)
    }
}

/// The arguments of one call.
struct Filling<'a> {
    arguments: &'a Map<String, Value>,
}

/// A text with its values.
struct Filled<'t> {
    text: String,
    /// The placeholder it begins with, where a text that somebody chose could make it look like a flag.
    led_by: Option<&'t Placeholder>,
}

impl Filling<'_> {
    /// The value of an argument; nothing where it is absent or null.
    fn value(&self, name: &str) -> Option<&Value> {
        self.arguments.get(name).filter(|value| !value.is_null())
    }

    fn holds(&self, argument: &str) -> bool {
        match self.value(argument) {
            Some(Value::Bool(is_true)) => *is_true,
            other => other.is_some(),
        }
    }

    fn argv(&self, command: &CommandTemplate) -> Result<Vec<String>> {
        let mut argv = Argv::default();
        argv.push(command.program().to_owned(), None)?;
        for element in command.elements() {
            match element {
                Element::When { argument, .. } if !self.holds(argument) => {}
                element => {
                    for text in element.texts() {
                        self.element(text, &mut argv)?;
                    }
                }
            }
        }
        Ok(argv.elements)
    }

    /// Adds the elements that one text of the command becomes.
    fn element(&self, text: &Text, argv: &mut Argv) -> Result<()> {
        if let Some(literal) = text.literal() {
            argv.push(literal.to_owned(), None)?;
            argv.is_past_flags |= literal == "--";
            return Ok(());
        }
        let Some(placeholder) = text.sole() else {
            return match self.joined(text, Place::Argument)? {
                Some(filled) => argv.push(filled.text, filled.led_by),
                None => Ok(()),
            };
        };
        match self.value(placeholder.name()) {
            None => Ok(()),
            Some(Value::Array(items)) => {
                for item in items {
                    if matches!(item, Value::Null | Value::Array(_) | Value::Object(_)) {
                        return Err(refused_argument(
                            placeholder.name(),
                            "becomes an element of the command for each of its items, and so takes only text, numbers and booleans in it",
                        ));
                    }
                    argv.push_value(item, placeholder)?;
                }
                Ok(())
            }
            Some(value) => argv.push_value(value, placeholder),
        }
    }

    fn env(&self, spec: &ContainerSpec) -> Result<Vec<(String, String)>> {
        let mut env = Vec::with_capacity(spec.env.len());
        let mut left = MAX_COMMAND;
        for (name, template) in &spec.env {
            let Some(filled) = self.joined(template, Place::Argument)? else {
                continue;
            };
            // With the `=` and the NUL at the end.
            let size = name.len() + filled.text.len() + 2;
            left = left.checked_sub(size).ok_or_else(|| {
                refused(format!(
                    "with {name} the environment variables are larger than {MAX_COMMAND} bytes"
                ))
            })?;
            env.push((name.clone(), filled.text));
        }
        Ok(env)
    }

    /// The text with the values put in; nothing where one of them is absent.
    fn joined<'t>(&self, template: &'t Text, place: Place) -> Result<Option<Filled<'t>>> {
        let mut text = String::new();
        let mut has_words = false;
        for part in template.parts() {
            let placeholder = match part {
                Part::Literal(literal) => {
                    text.push_str(literal);
                    continue;
                }
                Part::Argument(placeholder) => placeholder,
            };
            let value = match self.value(placeholder.name()) {
                None => return Ok(None),
                Some(Value::Array(_) | Value::Object(_)) => {
                    return Err(refused_argument(
                        placeholder.name(),
                        "becomes part of a text, and so can only be text, a number or a boolean",
                    ));
                }
                Some(value) => value,
            };
            has_words |= value.is_string();
            text.push_str(&place.text_of(value, placeholder)?);
            // Checked as it grows: a short template can name a long value many times.
            if text.len() > place.max() {
                return Err(place.too_large(placeholder));
            }
        }
        if text.len() > place.max() {
            let max = place.max();
            return Err(refused(format!(
                "what the program is given is larger than {max} bytes"
            )));
        }
        let led_by = match template.parts().first() {
            Some(Part::Argument(placeholder)) if has_words => Some(placeholder),
            _ => None,
        };
        Ok(Some(Filled { text, led_by }))
    }
}

/// The elements so far.
#[derive(Default)]
struct Argv {
    elements: Vec<String>,
    bytes: usize,
    /// A literal `--` was given: programs take what follows for no flag.
    is_past_flags: bool,
}

impl Argv {
    /// Adds a value as an element of its own.
    fn push_value(&mut self, value: &Value, placeholder: &Placeholder) -> Result<()> {
        let text = Place::Argument.text_of(value, placeholder)?;
        if text.len() >= MAX_COMMAND {
            return Err(Place::Argument.too_large(placeholder));
        }
        // A number is no flag that anybody chose.
        self.push(text.into_owned(), value.is_string().then_some(placeholder))
    }

    /// Adds an element; `led_by` is the placeholder it begins with.
    fn push(&mut self, element: String, led_by: Option<&Placeholder>) -> Result<()> {
        if let Some(placeholder) = led_by
            && element.starts_with('-')
            && !placeholder.takes_any()
            && !self.is_past_flags
        {
            let name = placeholder.name();
            let shown = placeholder.shown();
            let for_author = format!(
                "The author of the tool can let such values through with \"--\" before `{{{shown}}}`, or with `{{{shown}:any}}`."
            );
            return Err(
                refused_argument(name, "begins with `-` and looks like a flag")
                    .hint("Where it names a file, write `./` before it.")
                    .hint(for_author),
            );
        }
        self.bytes += element.len() + 1;
        if self.bytes > MAX_COMMAND {
            return Err(match led_by {
                Some(placeholder) => Place::Argument.too_large(placeholder),
                None => refused(format!("the command is larger than {MAX_COMMAND} bytes")),
            });
        }
        self.elements.push(element);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
