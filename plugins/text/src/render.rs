//! `render`: a template of Jinja with values.

use std::error::Error as _;
use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use toolhatch_plugin::{Reply, Result, ToolError, tool};

use crate::lines::MAX_TEXT;

/// How many steps a template may take.
const FUEL: u64 = 2_000_000;
/// How deeply macros may call each other.
const MAX_RECURSION: usize = 64;
/// How a template is called in messages.
const NAME: &str = "template";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "template": "Dear {{ name }},{% for item in items %}\n- {{ item }}{% endfor %}",
    "data": {"name": "Ada", "items": ["one", "two"]}
}))]
pub struct Arguments {
    /// A template in the syntax of Jinja 2: `{{ value }}`, `{% for %}`, `{% if %}`, `{% set %}`, macros, and filters such as
    /// `upper`, `join`, `sort` and `tojson`. It cannot load others.
    #[schemars(length(max = 1_048_576), example = &"Hello {{ name }}!")]
    template: String,
    /// The values, by the names that the template has for them.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 10_000), example = serde_json::json!({"name": "Ada"}))]
    data: Map<String, serde_json::Value>,
    /// How values are escaped.
    #[serde(default)]
    escape: Escape,
    /// Take a name that has no value for an empty text, instead of failing.
    #[serde(default)]
    lenient: bool,
    /// Remove the line break behind a block, and the white space before it.
    #[serde(default)]
    trim_blocks: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Escape {
    /// Not at all: for text, Markdown and code.
    #[default]
    None,
    /// For HTML and XML.
    Html,
    /// As JSON: texts in quotation marks.
    Json,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rendered {
    /// The template with the values in it.
    text: String,
}

/// Renders a Jinja template with values.
///
/// # Errors
/// `invalid-arguments` for a template that cannot be read, or fails with these values, with the line; `failed` where it takes
/// too many steps or writes too much.
#[tool]
pub fn render(#[serde(flatten)] arguments: Arguments) -> Result<Reply<Rendered>> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_undefined_behavior(if arguments.lenient {
        UndefinedBehavior::Lenient
    } else {
        UndefinedBehavior::Strict
    });
    let syntax = SyntaxConfig::builder()
        .trim_blocks(arguments.trim_blocks)
        .lstrip_blocks(arguments.trim_blocks)
        .keep_trailing_newline(true)
        .build()
        .map_err(|error| explain(&error))?;
    environment.set_syntax(syntax);
    let escape = match arguments.escape {
        Escape::None => AutoEscape::None,
        Escape::Html => AutoEscape::Html,
        Escape::Json => AutoEscape::Json,
    };
    environment.set_auto_escape_callback(move |_| escape.clone());
    environment
        .add_template(NAME, &arguments.template)
        .map_err(|error| explain(&error))?;
    let template = environment
        .get_template(NAME)
        .map_err(|error| explain(&error))?;
    let mut text = Capped(Vec::new());
    let written = template.render_captured_to(Value::from(Serde(&arguments.data)), &mut text);
    if text.is_full() {
        return Err(ToolError::failed(format!(
            "the template writes more than {MAX_TEXT} bytes"
        )));
    }
    written.map_err(|error| explain(&error))?;
    let rendered = Rendered {
        text: String::from_utf8(text.0)?,
    };
    let text = rendered.text.clone();
    Ok(Reply::new(rendered).text(text))
}

/// Says what is wrong, and in which line.
fn explain(error: &minijinja::Error) -> ToolError {
    if error.kind() == ErrorKind::OutOfFuel {
        return ToolError::failed(format!(
            "the template takes more than {FUEL} steps: it may loop over too much"
        ));
    }
    let mut message = match error.line() {
        Some(line) => format!("line {line} of the template: {}", error.kind()),
        None => format!("the template: {}", error.kind()),
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut detail = None;
    while let Some(known) = cause.and_then(|cause| cause.downcast_ref::<minijinja::Error>()) {
        // The one that everything began with knows what is wrong.
        detail = known.detail().or(detail);
        cause = known.source();
    }
    if let Some(detail) = detail {
        message.push_str(": ");
        message.extend(detail.chars().take(500));
    }
    ToolError::invalid_arguments(message)
}

/// Takes so much and no more.
struct Capped(Vec<u8>);

impl Capped {
    fn is_full(&self) -> bool {
        self.0.len() > MAX_TEXT
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        if self.is_full() {
            return Err(io::Error::other("it is full"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
