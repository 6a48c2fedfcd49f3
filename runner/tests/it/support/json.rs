//! Reads JSON strictly, to see that what is printed is some.

use std::collections::BTreeMap;

/// A value of JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Parses the whole text, or panics.
    pub fn parse(text: &str) -> Self {
        let mut rest = text;
        let value = value(&mut rest);
        assert_eq!(rest, "", "something follows");
        value
    }

    /// A value inside, by the names on the way to it.
    pub fn at(&self, path: &[&str]) -> &Self {
        path.iter().fold(self, |value, name| match value {
            Self::Object(members) => members.get(*name).unwrap_or_else(|| panic!("no {name}")),
            Self::List(values) => &values[name.parse::<usize>().expect("a number")],
            other => panic!("no {name} in {other:?}"),
        })
    }

    /// A string.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

fn value(rest: &mut &str) -> Json {
    for (word, value) in [
        ("null", Json::Null),
        ("true", Json::Bool(true)),
        ("false", Json::Bool(false)),
    ] {
        if eat(rest, word) {
            return value;
        }
    }
    if eat(rest, "[") {
        let mut values = Vec::new();
        items(rest, "]", |rest| values.push(value(rest)));
        return Json::List(values);
    }
    if eat(rest, "{") {
        let mut members = BTreeMap::new();
        items(rest, "}", |rest| {
            let name = text(rest);
            assert!(eat(rest, ":"), "a colon at {rest}");
            let twice = members.insert(name, value(rest));
            assert_eq!(twice, None, "a name that is there twice");
        });
        return Json::Object(members);
    }
    if rest.starts_with('"') {
        return Json::Text(text(rest));
    }
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    Json::Number(digits.parse().expect("a number"))
}

fn items(rest: &mut &str, end: &str, mut item: impl FnMut(&mut &str)) {
    if eat(rest, end) {
        return;
    }
    loop {
        item(rest);
        if eat(rest, end) {
            return;
        }
        assert!(eat(rest, ","), "a comma at {rest}");
    }
}

fn text(rest: &mut &str) -> String {
    assert!(eat(rest, "\""), "a string at {rest}");
    let mut text = String::new();
    loop {
        let c = rest.chars().next().expect("an end of the string");
        *rest = &rest[c.len_utf8()..];
        match c {
            '"' => return text,
            '\\' if eat(rest, "u") => {
                let (digits, after) = rest.split_at(4);
                *rest = after;
                let number = u32::from_str_radix(digits, 16).expect("four digits");
                text.push(char::from_u32(number).expect("a character"));
            }
            '\\' => {
                assert!(rest.starts_with(['"', '\\']), "an escape at {rest}");
                text.push_str(&rest[..1]);
                *rest = &rest[1..];
            }
            c => {
                assert!(c >= ' ', "a control character");
                text.push(c);
            }
        }
    }
}

fn eat(rest: &mut &str, word: &str) -> bool {
    match rest.strip_prefix(word) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}
