//! A text in TOML or YAML as a tree that remembers where everything stands.
//!
//! Both formats end in the same tree, so that one check against the schema ([`super::conform`]) and one reader serve both,
//! and the configuration as well.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Map, Number, Value as Json};
use toml::de::{DeTable, DeValue};
use toml_parser::lexer::TokenKind;

use super::problem::{Position, Problems};

/// The largest TOML text that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The largest YAML text that is read, in bytes: its parser needs time that grows with the square of the nesting.
pub const MAX_YAML_BYTES: usize = 64 << 10;

/// How deep tables and arrays may nest, below a `[header]` and within one.
const MAX_DEPTH: usize = 64;

/// A parsed text.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    root: Node,
    places: HashMap<String, Position>,
}

/// One value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands, if the format tells.
    pub at: Option<Position>,
    /// The value.
    pub value: Value,
}

/// A value of either format.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value (YAML only).
    Null,
    /// True or false.
    Boolean(bool),
    /// A finite number.
    Number(Number),
    /// Text.
    String(String),
    /// Something that JSON has no word for, such as a date; named for people.
    Other(&'static str),
    /// Values in order.
    Array(Vec<Node>),
    /// Entries in the order of the text.
    Table(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands, if the format tells.
    pub at: Option<Position>,
    /// Its value.
    pub node: Node,
}

impl Document {
    /// Reads TOML.
    ///
    /// # Errors
    /// Every syntax error that could be told apart.
    pub fn from_toml(text: &str) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        if too_large(text, MAX_BYTES, &mut problems) {
            return Err(problems);
        }
        let lines = Lines::of(text);
        if let Some(deep) = too_deep(text) {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            problems.add(Some(lines.position(deep)), "", message);
            return Err(problems);
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map(|span| lines.position(span));
            problems.add(at, "", format!("not valid TOML: {}", error.message()));
        }
        let at = Some(Position { line: 1, column: 1 });
        let value = from_toml_table(table.get_ref(), &lines);
        Self::finish(Node { at, value }, problems)
    }

    /// Reads YAML: one document, no tags, every key a string. The format does not tell where its values stand.
    ///
    /// # Errors
    /// The first syntax error, or everything that has no place in the tree.
    pub fn from_yaml(text: &str) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        if too_large(text, MAX_YAML_BYTES, &mut problems) {
            return Err(problems);
        }
        match yaml_serde::from_str::<yaml_serde::Value>(text) {
            Ok(value) => {
                let root = from_yaml_value(value, 0, "", &mut problems);
                Self::finish(root, problems)
            }
            Err(error) => {
                let at = error.location().map(|location| Position {
                    line: location.line(),
                    column: location.column(),
                });
                problems.add(at, "", format!("not valid YAML: {error}"));
                Err(problems)
            }
        }
    }

    fn finish(root: Node, problems: Problems) -> Result<Self, Problems> {
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut places = HashMap::new();
        note_places(&root, "", &mut places);
        Ok(Self { root, places })
    }

    /// The outermost table.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Where the value with this dotted key path stands; where it is absent, the nearest table around it.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<Position> {
        let mut key = key;
        loop {
            match self.places.get(key) {
                Some(place) => return Some(*place),
                None if key.is_empty() => return None,
                None => {}
            }
            let end = key.rfind(['.', '[']).unwrap_or_default();
            key = key.get(..end).unwrap_or_default();
        }
    }

    /// Checks the tree against the schema of `Wire` and reads it.
    ///
    /// # Errors
    /// Everything that does not fit.
    pub fn conform<Wire: serde::de::DeserializeOwned>(
        &self,
        schema: &Json,
    ) -> Result<Wire, Problems> {
        let mut problems = Problems::new();
        super::conform::check(self, schema, &mut problems);
        if problems.is_empty() {
            match serde_json::from_value(self.to_json()) {
                Ok(wire) => return Ok(wire),
                Err(error) => problems.add(None, "", error.to_string()),
            }
        }
        Err(problems)
    }

    /// The tree as JSON; what JSON has no word for becomes null, which a check before must have refused.
    #[must_use]
    pub fn to_json(&self) -> Json {
        self.root.to_json()
    }
}

impl Node {
    fn to_json(&self) -> Json {
        match &self.value {
            Value::Null | Value::Other(_) => Json::Null,
            Value::Boolean(value) => Json::Bool(*value),
            Value::Number(value) => Json::Number(value.clone()),
            Value::String(value) => Json::String(value.clone()),
            Value::Array(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.node.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Value {
    /// What it is, for a sentence that says what was found.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::Number(value) => format!("the number {value}"),
            Self::String(value) => quoted(value),
            Self::Other(what) => (*what).to_owned(),
            Self::Array(_) => "an array".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

/// Text in quotes for a message: escaped, and cut where it is long.
#[must_use]
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start:?}…")
}

/// The key path of `key` inside the table at `path`.
#[must_use]
pub fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if bare { key.to_owned() } else { quoted(key) };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

fn too_large(text: &str, max: usize, problems: &mut Problems) -> bool {
    if text.len() <= max {
        return false;
    }
    let message = format!("it has {} bytes; at most {max} are read", text.len());
    problems.add(None, "", message);
    true
}

/// Where a TOML text nests too deep, if it does.
///
/// The parser bounds brackets and the parts of a dotted key, but not the one inside the other: a short text can make a
/// tree of thousands of levels, and merely dropping that tree overflows the stack. So this looks at the tokens before.
fn too_deep(text: &str) -> Option<Range<usize>> {
    let (mut open, mut depth, mut dots) = (Vec::new(), 0, 0);
    for token in toml_parser::Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            kind @ (TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket) => {
                open.push((kind, dots + 1));
                depth += dots + 1;
                dots = 0;
            }
            kind @ (TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket) => {
                let opener = if kind == TokenKind::RightSquareBracket {
                    TokenKind::LeftSquareBracket
                } else {
                    TokenKind::LeftCurlyBracket
                };
                // The parser goes on after a bracket that does not match, so such a one closes nothing here either.
                if let Some((_, levels)) = open.pop_if(|(kind, _)| *kind == opener) {
                    depth -= levels;
                }
                dots = 0;
            }
            TokenKind::Comma | TokenKind::Newline => dots = 0,
            _ => {}
        }
        if depth + dots > MAX_DEPTH {
            return Some(token.span().start()..token.span().end());
        }
    }
    None
}

fn note_places(node: &Node, path: &str, places: &mut HashMap<String, Position>) {
    if let Some(at) = node.at {
        places.insert(path.to_owned(), at);
    }
    match &node.value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                note_places(item, &format!("{path}[{index}]"), places);
            }
        }
        Value::Table(entries) => {
            for entry in entries {
                note_places(&entry.node, &join(path, &entry.key), places);
            }
        }
        _ => {}
    }
}

/// The byte offsets at which the lines of a text begin.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(newlines).collect(),
        }
    }

    fn position(&self, span: Range<usize>) -> Position {
        let line = self.starts.partition_point(|start| *start <= span.start);
        let start = line
            .checked_sub(1)
            .and_then(|line| self.starts.get(line))
            .copied()
            .unwrap_or_default();
        let before = self.text.get(start..span.start).unwrap_or_default();
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }
}

fn from_toml_table(table: &DeTable<'_>, lines: &Lines<'_>) -> Value {
    // The parser sorts keys; people expect the order they wrote.
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entries = entries.into_iter().map(|(key, value)| {
        let at = Some(lines.position(key.span()));
        let place = match value.get_ref() {
            // The span of a table opened by a header covers only that header; its key is what people look for.
            DeValue::Table(_) => at,
            _ => Some(lines.position(value.span())),
        };
        Entry {
            key: key.get_ref().to_string(),
            at,
            node: Node {
                at: place,
                value: from_toml_value(value.get_ref(), lines),
            },
        }
    });
    Value::Table(entries.collect())
}

fn from_toml_value(value: &DeValue<'_>, lines: &Lines<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Value::Other("an integer past 64 bits"), |value| {
                Value::Number(value.into())
            }),
        DeValue::Float(float) => float_value(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| Node {
                    at: Some(lines.position(item.span())),
                    value: from_toml_value(item.get_ref(), lines),
                })
                .collect(),
        ),
        DeValue::Table(table) => from_toml_table(table, lines),
    }
}

fn float_value(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Other("a number that is not finite"), Value::Number)
}

fn from_yaml_value(
    value: yaml_serde::Value,
    depth: usize,
    path: &str,
    problems: &mut Problems,
) -> Node {
    use yaml_serde::Value as Yaml;
    let value = match value {
        _ if depth > MAX_DEPTH => {
            problems.add(None, path, format!("nested deeper than {MAX_DEPTH} levels"));
            Value::Null
        }
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Boolean(value),
        Yaml::Number(number) => number
            .as_i64()
            .map(Number::from)
            .or_else(|| number.as_u64().map(Number::from))
            .map_or_else(
                || float_value(number.as_f64().unwrap_or(f64::NAN)),
                Value::Number,
            ),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| {
                    from_yaml_value(item, depth + 1, &format!("{path}[{index}]"), problems)
                })
                .collect(),
        ),
        Yaml::Mapping(entries) => {
            let mut table = Vec::new();
            for (key, value) in entries {
                let Yaml::String(key) = key else {
                    problems.add(None, path, "a key is not a string; put it in quotes");
                    continue;
                };
                let node = from_yaml_value(value, depth + 1, &join(path, &key), problems);
                table.push(Entry {
                    key,
                    at: None,
                    node,
                });
            }
            Value::Table(table)
        }
        Yaml::Tagged(tagged) => {
            problems.add(
                None,
                path,
                format!("the tag {} is not supported", tagged.tag),
            );
            Value::Null
        }
    };
    Node { at: None, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, key: &str) -> String {
        let document = Document::from_toml(text).expect("valid");
        document.place(key).expect("known").to_string()
    }

    #[test]
    fn places_are_those_of_the_values() {
        let text = "a = 1\n[b]\n  \"ä\" = 'x'\n[[c]]\nd = [1,\n {e = 2}]\n[[c]]\n\"x.y\" = 1\n";
        assert_eq!(place(text, "a"), "1:5");
        assert_eq!(place(text, "b"), "2:2");
        assert_eq!(place(text, "b.\"ä\""), "3:9");
        assert_eq!(place(text, "c[0].d[1].e"), "6:7");
        assert_eq!(place(text, "c[1].\"x.y\""), "8:9");
        assert_eq!(place(text, "b.missing"), "2:2");
        assert_eq!(place(text, "missing"), "1:1");
    }

    #[test]
    fn every_syntax_error_is_told() {
        let problems = Document::from_toml("a = \nb = 'x\nc = 1\nc = 2\n").expect_err("broken");
        let text = problems
            .into_error(crate::error::Code::E3105, "f")
            .to_string();
        assert!(text.contains("1:5: not valid TOML"), "{text}");
        assert!(
            text.contains("4:1: not valid TOML: duplicate key"),
            "{text}"
        );
    }

    #[test]
    fn nothing_nests_without_end() {
        let segments = vec!["a"; 60].join(".");
        let nested = |close: &str| {
            let open = format!("{segments} = {{ {close}").repeat(60);
            format!("{open} x = 1 {}", "}".repeat(60))
        };
        let texts = [
            nested(""),
            nested("]"),
            format!("{} = 1", vec!["a"; 200_000].join(".")),
            format!("a = {}", "[".repeat(200_000)),
            format!("[{}]", vec!["a"; 1000].join(".")),
        ];
        for text in &texts {
            let problems = Document::from_toml(text).expect_err("too deep");
            let told = problems
                .into_error(crate::error::Code::E3105, "f")
                .to_string();
            assert!(told.contains("nested deeper than 64 levels"), "{told}");
        }
        for unit in ["[", "{a: ", "- "] {
            assert!(Document::from_yaml(&unit.repeat(10_000)).is_err());
        }
        let schema = format!("[a.b]\nc = {}1{}", "[".repeat(60), "]".repeat(60));
        assert!(Document::from_toml(&schema).is_ok());
    }

    #[test]
    fn yaml_aliases_cannot_explode() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for n in 1..30 {
            let last = format!("*a{}", n - 1);
            text.push_str(&format!(
                "a{n}: &a{n} [{}]\n",
                vec![last.as_str(); 9].join(", ")
            ));
        }
        let problems = Document::from_yaml(&text).expect_err("a billion of them");
        let text = problems
            .into_error(crate::error::Code::E3105, "f")
            .to_string();
        assert!(text.contains("limit exceeded"), "{text}");
    }
}
