//! The arguments of a call, from the command line.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::schema::{coerce_arg, parse_strict};

/// Arguments larger than this are a mistake: tools read large things from files.
const MAX_ARGUMENTS: u64 = 64 << 20;

/// Puts the arguments together: the JSON object of `--args`, and over it each `--arg`, read by the tool's schema.
pub(in crate::cli) fn combine(
    whole: Option<Map<String, Value>>,
    single: &[String],
    schema: &Value,
) -> Result<Value> {
    let mut arguments = whole.unwrap_or_default();
    for text in single {
        let (name, value) = one(text, schema)?;
        arguments.insert(name, value);
    }
    Ok(Value::Object(arguments))
}

/// Reads the JSON object of `--args`: as it stands, from a file, or from standard input.
pub(in crate::cli) fn read_whole(text: &str) -> Result<Map<String, Value>> {
    object(&text_of(text)?)
}

fn text_of(text: &str) -> Result<String> {
    if text == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .take(MAX_ARGUMENTS + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| {
                Error::new(Code::E3301, "reading the arguments from standard input")
                    .caused_by(error)
            })?;
        if bytes.len() as u64 > MAX_ARGUMENTS {
            return Err(too_large("standard input"));
        }
        return String::from_utf8(bytes).map_err(|error| {
            Error::new(
                Code::E3301,
                format!(
                    "the arguments on standard input are not UTF-8 (byte {})",
                    error.utf8_error().valid_up_to()
                ),
            )
        });
    }
    match text.strip_prefix('@') {
        Some(path) => fsx::read_text(Path::new(path), MAX_ARGUMENTS)
            .map_err(|error| error.while_doing("reading the arguments")),
        None => Ok(text.to_owned()),
    }
}

fn too_large(what: &str) -> Error {
    Error::new(
        Code::E3301,
        format!(
            "the arguments from {what} are larger than {} MiB",
            MAX_ARGUMENTS >> 20
        ),
    )
    .hint("Put large things into a file and let the tool read it.")
}

fn object(text: &str) -> Result<Map<String, Value>> {
    match parse_strict(text).map_err(|error| error.while_doing("reading the arguments"))? {
        Value::Object(object) => Ok(object),
        _ => Err(
            Error::new(Code::E3301, "the arguments are JSON, but not an object")
                .hint("Write them as `{\"name\": value}`."),
        ),
    }
}

/// `name=value` or `name:=JSON`.
fn one(text: &str, schema: &Value) -> Result<(String, Value)> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(
            Error::new(Code::E3004, format!("`--arg {text}` has no `=`"))
                .hint("Write `--arg name=value`, or `--arg name:=JSON`."),
        );
    };
    match name.strip_suffix(':') {
        Some(name) => {
            let value = parse_strict(value)
                .map_err(|error| error.while_doing(format!("reading `--arg {name}:=`")))?;
            Ok((name.to_owned(), value))
        }
        None => Ok((name.to_owned(), coerce_arg(schema, name, value)?)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn single_arguments_go_over_the_whole() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}});
        let single = ["n=2".to_owned(), "s=3".to_owned(), "x:=[1]".to_owned()];
        let whole = read_whole(r#"{"n": 1, "k": null}"#).expect("an object");
        let read = combine(Some(whole), &single, &schema).expect("valid");
        assert_eq!(read, json!({"n": 2, "k": null, "s": "3", "x": [1]}));
    }

    #[test]
    fn what_is_no_argument_is_refused() {
        for whole in ["[]", "{", "@/no/such/file"] {
            assert!(read_whole(whole).is_err(), "{whole}");
        }
        for single in ["novalue", "a:={"] {
            let read = combine(None, &[single.to_owned()], &json!({}));
            assert!(read.is_err(), "{single}");
        }
    }
}
