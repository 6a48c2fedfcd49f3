//! A text in TOML or YAML as a tree that remembers where everything stands.
//!
//! Both formats end in the same tree, so that one check against the schema ([`super::conform`]) and one reader serve both,
//! and the configuration as well.

mod read_toml;
mod read_yaml;

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Map, Number, Value as Json};
use toml::de::DeTable;

use read_toml::{Lines, from_toml_table, too_deep};
use read_yaml::from_yaml_value;

use super::problem::{Position, Problems};

/// The largest TOML text that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The largest YAML text that is read, in bytes: its parser needs time that grows with the square of the nesting.
pub const MAX_YAML_BYTES: usize = 64 << 10;

/// The largest YAML text that is read where it hardly nests, in bytes.
const MAX_LONG_YAML_BYTES: usize = 4 << 20;

/// How deep tables and arrays may nest, below a `[header]` and within one.
const MAX_DEPTH: usize = 64;

/// A parsed text.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    root: Node,
    /// Filled when the first place is asked for: a valid text never needs one.
    places: OnceLock<HashMap<String, Position>>,
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
        Self::parsed_yaml(text, problems)
    }

    fn parsed_yaml(text: &str, mut problems: Problems) -> Result<Self, Problems> {
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

    /// Reads YAML that is longer than people write, as [`Document::from_yaml`] does: catalogs that programs make. Instead, it
    /// may hardly nest.
    ///
    /// # Errors
    /// Those of [`Document::from_yaml`], and text that nests deep or may do so.
    pub fn from_long_yaml(text: &str) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        if text.len() <= MAX_YAML_BYTES {
            return Self::from_yaml(text);
        }
        if too_large(text, MAX_LONG_YAML_BYTES, &mut problems) {
            return Err(problems);
        }
        if let Some(line) = nesting_line(text) {
            let at = Some(Position { line, column: 1 });
            problems.add(at, "", "nested too deep for so long a text");
            return Err(problems);
        }
        Self::parsed_yaml(text, problems)
    }

    /// A tree without places.
    #[must_use]
    pub fn from_json(value: &Json) -> Self {
        Self {
            root: from_json_value(value),
            places: OnceLock::new(),
        }
    }

    fn finish(root: Node, problems: Problems) -> Result<Self, Problems> {
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            root,
            places: OnceLock::new(),
        })
    }

    /// The keys of the outermost table, in the order of the text.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        let entries = match &self.root.value {
            Value::Table(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|entry| join("", &entry.key))
    }

    /// The outermost table.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Where the value with this dotted key path stands; where it is absent, the nearest table around it.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<Position> {
        let places = self.places.get_or_init(|| {
            let mut places = HashMap::new();
            note_places(&self.root, "", &mut places);
            places
        });
        let mut key = key;
        loop {
            match places.get(key) {
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

/// The line from which on a YAML text may nest deep, by brackets that are open or by what stands before the first word of a
/// line. Brackets within texts count too.
fn nesting_line(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let before = line.len() - line.trim_start_matches([' ', '\t', '-', '?', ':']).len();
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
        }
        if open > MAX_DEPTH || before > 4 * MAX_DEPTH {
            return Some(index + 1);
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

fn from_json_value(value: &Json) -> Node {
    let value = match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(value) => Value::Number(value.clone()),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(from_json_value).collect()),
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| Entry {
                key: key.clone(),
                at: None,
                node: from_json_value(value),
            });
            Value::Table(entries.collect())
        }
    };
    Node { at: None, value }
}

fn float_value(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Other("a number that is not finite"), Value::Number)
}

#[cfg(test)]
mod tests;
