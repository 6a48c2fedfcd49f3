//! Python's functions: `def name[…](…) -> …: …`, with the body indented below or on the same line.

use std::ops::Range;

use super::{Angles, Function, split_list};
use crate::code::Code;
use crate::lexer::TokenKind;

/// No line has more tokens than this; looking further would only cost time in files that are no code.
const LINE_LIMIT: usize = 2_000;

pub fn functions(code: &Code<'_>) -> Vec<Function> {
    let starts = (0..code.tokens.len()).filter(|index| code.is_word(*index, "def"));
    starts.filter_map(|start| function(code, start)).collect()
}

fn function(code: &Code<'_>, start: usize) -> Option<Function> {
    let name = code.word(start + 1)?;
    let open = if code.is_symbol(start + 2, "[") {
        code.after(start + 2)
    } else {
        start + 2
    };
    if !code.is_symbol(open, "(") {
        return None;
    }
    let colon = colon(code, code.pair(open)? + 1)?;
    let parameters = split_list(code, open, Angles::Operators);
    let count = parameters.iter().enumerate().filter(|(position, part)| {
        let first = code.at(part.start);
        // `*` and `/` alone divide the parameters and are none.
        let is_divider = part.len() == 1 && matches!(first, "*" | "/");
        let is_receiver = *position == 0 && matches!(first, "self" | "cls");
        !is_divider && !is_receiver
    });
    Some(Function {
        name: name.to_owned(),
        start,
        parameters: count.count(),
        body: suite(code, colon),
    })
}

/// The colon that ends a head, on this logical line and outside of brackets.
pub fn colon(code: &Code<'_>, start: usize) -> Option<usize> {
    let mut index = start;
    while index < start + LINE_LIMIT {
        match code.kind(index)? {
            TokenKind::Newline => return None,
            TokenKind::Symbol if code.at(index) == ":" => return Some(index),
            _ => index = code.after(index),
        }
    }
    None
}

/// The block behind a colon: indented below, else the rest of the line.
pub fn suite(code: &Code<'_>, colon: usize) -> Range<usize> {
    let start = colon + 1;
    if code.kind(start) == Some(TokenKind::Newline) {
        if code.kind(start + 1) == Some(TokenKind::Indent) {
            return start + 1..code.after(start + 1);
        }
        return start..start;
    }
    let is_on_line = |index: &usize| {
        code.kind(*index)
            .is_some_and(|kind| kind != TokenKind::Newline)
    };
    start..start + (start..start + LINE_LIMIT).take_while(is_on_line).count()
}
