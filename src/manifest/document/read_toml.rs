//! TOML into the tree.

use std::ops::Range;

use toml::de::{DeTable, DeValue};
use toml_parser::lexer::TokenKind;

use super::{Entry, MAX_DEPTH, Node, Position, Value, float_value};

/// Where a TOML text nests too deep, if it does.
///
/// The parser bounds brackets and the parts of a dotted key, but not the one inside the other: a short text can make a
/// tree of thousands of levels, and merely dropping that tree overflows the stack. So this looks at the tokens before.
pub(super) fn too_deep(text: &str) -> Option<Range<usize>> {
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

/// Where the lines of a text begin, and how many characters there are before each block of it.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    starts: Vec<usize>,
    /// Characters before each block of [`BLOCK`] bytes: a text of one long line would otherwise be counted again for
    /// every value in it.
    characters: Vec<usize>,
}

const BLOCK: usize = 256;

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let mut characters = vec![0];
        let mut total = 0;
        for block in text.as_bytes().chunks(BLOCK) {
            total += count_characters(block);
            characters.push(total);
        }
        Self {
            text: text.as_bytes(),
            starts: std::iter::once(0).chain(newlines).collect(),
            characters,
        }
    }

    pub(super) fn position(&self, span: Range<usize>) -> Position {
        let line = self.starts.partition_point(|start| *start <= span.start);
        let start = line
            .checked_sub(1)
            .and_then(|line| self.starts.get(line))
            .copied()
            .unwrap_or_default();
        Position {
            line,
            column: self.characters_before(span.start) - self.characters_before(start) + 1,
        }
    }

    fn characters_before(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let block = offset / BLOCK;
        let before = self.characters.get(block).copied().unwrap_or_default();
        let rest = self.text.get(block * BLOCK..offset).unwrap_or_default();
        before + count_characters(rest)
    }
}

/// How many characters begin in these bytes of UTF-8.
fn count_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

pub(super) fn from_toml_table(table: &DeTable<'_>, lines: &Lines<'_>) -> Value {
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
