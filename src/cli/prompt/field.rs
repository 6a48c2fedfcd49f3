//! One field of a form on a terminal: how it is shown, and what a typed line means.

use serde_json::{Map, Value};

use crate::schema::Validator;

/// One property of a form's schema.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in the answer.
    pub(super) name: String,
    title: String,
    description: Option<String>,
    is_required: bool,
    default: Option<Value>,
    kind: Kind,
    schema: Value,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Text,
    Whole,
    Number,
    YesOrNo,
    One(Vec<Choice>),
    Several(Vec<Choice>),
}

/// One thing to choose.
#[derive(Debug, PartialEq)]
struct Choice {
    value: Value,
    title: String,
}

impl Field {
    /// The fields of a form.
    pub(super) fn all(schema: &Value) -> Vec<Self> {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| {
            required.is_some_and(|names| names.iter().any(|other| other.as_str() == Some(name)))
        };
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        properties
            .unwrap_or(&none)
            .iter()
            .map(|(name, schema)| Self {
                name: name.clone(),
                title: text(schema, "title").unwrap_or_else(|| name.clone()),
                description: text(schema, "description"),
                is_required: is_required(name),
                default: schema.get("default").cloned(),
                kind: kind(schema),
                schema: schema.clone(),
            })
            .collect()
    }

    /// What stands before the line that is typed.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.description.clone());
        if let Kind::One(choices) | Kind::Several(choices) = &self.kind {
            let numbered = (1..).zip(choices);
            lines.extend(numbered.map(|(number, choice)| format!("{number}. {}", choice.title)));
        }
        lines
    }

    /// The question itself: what it is, of which kind, and what Enter stands for.
    pub(super) fn question(&self) -> String {
        let kind = match &self.kind {
            Kind::Text => "text",
            Kind::Whole => "whole number",
            Kind::Number => "number",
            Kind::YesOrNo => "yes or no",
            Kind::One(_) => "one of these",
            Kind::Several(_) => "some of these, with commas between",
        };
        let enter = match (&self.default, self.is_required) {
            (Some(default), _) => format!(" [{}]", self.shown(default)),
            (None, true) => String::new(),
            (None, false) => ", may be left out".to_owned(),
        };
        format!("{} ({kind}{enter}):", self.title)
    }

    fn shown(&self, value: &Value) -> String {
        match (value, &self.kind) {
            (Value::Bool(yes), _) => if *yes { "yes" } else { "no" }.to_owned(),
            (Value::String(text), Kind::Text) => text.clone(),
            (Value::Array(values), Kind::Several(_)) => {
                let values = values.iter().map(|value| self.shown(value));
                values.collect::<Vec<_>>().join(", ")
            }
            (value, Kind::One(choices) | Kind::Several(choices)) => choices
                .iter()
                .find(|choice| choice.value == *value)
                .map_or_else(|| value.to_string(), |choice| choice.title.clone()),
            (value, _) => value.to_string(),
        }
    }

    /// What a typed line means; nothing where the field is left out.
    ///
    /// # Errors
    /// Why it cannot be the value of this field.
    pub(super) fn read(&self, line: &str) -> Result<Option<Value>, String> {
        let line = line.trim();
        if line.is_empty() {
            return match (&self.default, self.is_required) {
                (Some(default), _) => Ok(Some(default.clone())),
                (None, false) => Ok(None),
                (None, true) => Err("it cannot be left out".to_owned()),
            };
        }
        let value = match &self.kind {
            Kind::Text => line.into(),
            Kind::Whole => line
                .parse::<i64>()
                .map_err(|_| format!("{line:?} is no whole number"))?
                .into(),
            Kind::Number => {
                let number: f64 = line.parse().map_err(|_| format!("{line:?} is no number"))?;
                serde_json::Number::from_f64(number)
                    .ok_or_else(|| format!("{line:?} is no number"))?
                    .into()
            }
            Kind::YesOrNo => match line.to_lowercase().as_str() {
                "y" | "yes" | "true" => true.into(),
                "n" | "no" | "false" => false.into(),
                _ => return Err(format!("{line:?} is neither yes nor no")),
            },
            Kind::One(choices) => chosen(choices, line)?,
            Kind::Several(choices) => line
                .split(',')
                .map(|one| chosen(choices, one.trim()))
                .collect::<Result<_, _>>()?,
        };
        match Validator::new(&self.schema).and_then(|schema| schema.validate_answer(&value)) {
            Ok(()) => Ok(Some(value)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A choice by its number, its title or its value.
fn chosen(choices: &[Choice], typed: &str) -> Result<Value, String> {
    let by_number = typed
        .parse::<usize>()
        .ok()
        .and_then(|number| choices.get(number.checked_sub(1)?));
    let by_word = |choice: &&Choice| choice.title == typed || choice.value == typed;
    choices
        .iter()
        .find(by_word)
        .or(by_number)
        .map(|choice| choice.value.clone())
        .ok_or_else(|| format!("{typed:?} is none of these"))
}

fn text(schema: &Value, key: &str) -> Option<String> {
    schema.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn kind(schema: &Value) -> Kind {
    if let Some(choices) = choices(schema) {
        return Kind::One(choices);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => Kind::Whole,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::YesOrNo,
        Some("array") => {
            let items = schema.get("items").and_then(choices);
            Kind::Several(items.unwrap_or_default())
        }
        _ => Kind::Text,
    }
}

/// What there is to choose: plain values, or values with titles in one of the three ways there are to write that.
fn choices(schema: &Value) -> Option<Vec<Choice>> {
    let titled = ["oneOf", "anyOf"]
        .iter()
        .find_map(|key| schema.get(key)?.as_array());
    if let Some(options) = titled {
        return options
            .iter()
            .map(|option| {
                let value = option.get("const")?.clone();
                let title = text(option, "title").unwrap_or_else(|| plain(&value));
                Some(Choice { value, title })
            })
            .collect();
    }
    let values = schema.get("enum")?.as_array()?;
    let titles = schema.get("enumNames").and_then(Value::as_array);
    let title = |index: usize| titles?.get(index)?.as_str().map(str::to_owned);
    let choice = |(index, value): (usize, &Value)| Choice {
        value: value.clone(),
        title: title(index).unwrap_or_else(|| plain(value)),
    };
    Some(values.iter().enumerate().map(choice).collect())
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn field(schema: Value, is_required: bool) -> Field {
        let required = if is_required { json!(["f"]) } else { json!([]) };
        let form = json!({"type": "object", "properties": {"f": schema}, "required": required});
        Field::all(&form).pop().expect("one field")
    }

    #[test]
    fn each_type_is_read_by_its_rules() {
        let cases = [
            (json!({"type": "string"}), "12", json!("12")),
            (json!({"type": "integer"}), " 12 ", json!(12)),
            (json!({"type": "number"}), "1.5", json!(1.5)),
            (json!({"type": "boolean"}), "Yes", json!(true)),
            (json!({"type": "boolean"}), "n", json!(false)),
            (
                json!({"type": "string", "enum": ["a", "b"]}),
                "2",
                json!("b"),
            ),
            (
                json!({"type": "string", "enum": ["a", "b"]}),
                "a",
                json!("a"),
            ),
            (
                json!({"type": "string", "oneOf": [{"const": "v", "title": "The V"}]}),
                "The V",
                json!("v"),
            ),
            (
                json!({"type": "string", "enum": ["x"], "enumNames": ["The X"]}),
                "The X",
                json!("x"),
            ),
            (
                json!({"type": "array", "items": {"type": "string", "enum": ["a", "b", "c"]}}),
                "1, c",
                json!(["a", "c"]),
            ),
            (
                json!({"type": "array", "items": {"anyOf": [{"const": "v", "title": "The V"}]}}),
                "1",
                json!(["v"]),
            ),
        ];
        for (schema, line, expected) in cases {
            let read = field(schema.clone(), true).read(line);
            assert_eq!(read, Ok(Some(expected)), "{schema}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_and_not_taken() {
        for (schema, line) in [
            (json!({"type": "integer"}), "1.5"),
            (json!({"type": "integer", "maximum": 3}), "4"),
            (json!({"type": "number"}), "NaN"),
            (json!({"type": "boolean"}), "perhaps"),
            (json!({"type": "string", "minLength": 3}), "ab"),
            (json!({"type": "string", "enum": ["a"]}), "0"),
            (json!({"type": "string", "enum": ["a"]}), "2"),
            (
                json!({"type": "array", "items": {"type": "string", "enum": ["a"]}}),
                "1,,1",
            ),
        ] {
            let read = field(schema.clone(), true).read(line);
            assert!(read.is_err(), "{schema} {line}: {read:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_refused_or_fits(line in ".{0,20}", which in 0..6_usize) {
            let schemas = [
                json!({"type": "string", "maxLength": 5}),
                json!({"type": "integer", "minimum": -3, "maximum": 12}),
                json!({"type": "number", "exclusiveMinimum": 0}),
                json!({"type": "boolean"}),
                json!({"type": "string", "enum": ["1", "2", "x"]}),
                json!({"type": "array", "items": {"type": "string", "enum": ["1", "a"]}, "maxItems": 2}),
            ];
            let schema = &schemas[which];
            if let Ok(Some(value)) = field(schema.clone(), true).read(&line) {
                let fits = Validator::new(schema).and_then(|it| it.validate_answer(&value));
                prop_assert!(fits.is_ok(), "{line:?} became {value}");
            }
        }
    }

    #[test]
    fn enter_takes_the_default_or_leaves_out_what_may_be_left_out() {
        let plain = json!({"type": "integer"});
        assert_eq!(field(plain.clone(), false).read("\n"), Ok(None));
        assert!(field(plain, true).read("").is_err());
        let with_default = field(json!({"type": "integer", "default": 30}), true);
        assert_eq!(with_default.read(""), Ok(Some(json!(30))));
        assert!(with_default.question().contains("[30]"));
    }
}
