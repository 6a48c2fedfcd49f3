//! Python's control flow.

use super::Control;
use crate::code::Code;
use crate::functions::python::{colon, suite};
use crate::lexer::TokenKind;

pub fn control(code: &Code<'_>) -> Control {
    let mut control = Control::default();
    let mut at_line_start = true;
    for (index, token) in code.tokens.iter().enumerate() {
        match (token.kind, code.slice(token.span)) {
            (TokenKind::Word, keyword @ ("if" | "for" | "while" | "elif" | "except")) => {
                control.branches.push(index);
                if at_line_start || is_async(code, index) {
                    add_suite(&mut control, code, index, keyword == "except");
                }
            }
            (TokenKind::Word, "else" | "try" | "finally" | "with")
                if at_line_start || is_async(code, index) =>
            {
                add_suite(&mut control, code, index, false);
            }
            // `case` is a keyword only at the start of a line that ends in a colon; `case _` is the default.
            (TokenKind::Word, "case") if at_line_start && colon(code, index + 1).is_some() => {
                if !(code.is_word(index + 1, "_") && code.is_symbol(index + 2, ":")) {
                    control.branches.push(index);
                }
                add_suite(&mut control, code, index, false);
            }
            (TokenKind::Word, "and" | "or") => control.branches.push(index),
            _ => {}
        }
        at_line_start = matches!(
            token.kind,
            TokenKind::Newline | TokenKind::Indent | TokenKind::Dedent
        );
    }
    control
}

fn is_async(code: &Code<'_>, index: usize) -> bool {
    code.before(index)
        .is_some_and(|before| code.is_word(before, "async"))
}

fn add_suite(control: &mut Control, code: &Code<'_>, keyword: usize, is_handler: bool) {
    let Some(colon) = colon(code, keyword + 1) else {
        return;
    };
    let suite = suite(code, colon);
    if is_handler && is_empty(code, suite.clone()) {
        control.swallowed.push(keyword..suite.end);
    }
    if !suite.is_empty() {
        control.blocks.push(suite);
    }
}

/// Whether a block holds nothing but `pass`, `...` and documentation.
fn is_empty(code: &Code<'_>, suite: std::ops::Range<usize>) -> bool {
    !suite.is_empty()
        && suite.into_iter().all(|index| match code.kind(index) {
            Some(TokenKind::Word) => code.at(index) == "pass",
            Some(TokenKind::Symbol) => code.at(index) == "...",
            Some(TokenKind::Number | TokenKind::Text | TokenKind::Lifetime) | None => false,
            Some(_) => true,
        })
}
