//! Go's control flow.

use super::{Control, HEAD_LIMIT};
use crate::code::Code;
use crate::lexer::TokenKind;

pub fn control(code: &Code<'_>) -> Control {
    let mut control = Control::default();
    for (index, token) in code.tokens.iter().enumerate() {
        match (token.kind, code.slice(token.span)) {
            (TokenKind::Word, "if" | "for") => {
                control.branches.push(index);
                if let Some(body) = body(code, index) {
                    control.add_block(code, body);
                    if is_error_check(code, index, body) && code.after(body) == body + 2 {
                        control.swallowed.push(index..code.after(body));
                    }
                }
            }
            (TokenKind::Word, "switch" | "select") => {
                if let Some(body) = body(code, index) {
                    control.add_block(code, body);
                }
            }
            (TokenKind::Word, "else") => control.add_block(code, index + 1),
            (TokenKind::Word, "case") | (TokenKind::Symbol, "&&" | "||") => {
                control.branches.push(index);
            }
            _ => {}
        }
    }
    control
}

/// The `{` of the body behind a keyword: composite literals need parentheses there, unless their type says what they
/// are.
fn body(code: &Code<'_>, keyword: usize) -> Option<usize> {
    let end = (keyword + HEAD_LIMIT).min(code.tokens.len());
    let mut index = keyword + 1;
    let mut in_function_head = false;
    while index < end {
        match code.at(index) {
            "func" => in_function_head = true,
            "{" if in_function_head => in_function_head = false,
            "{" if !is_literal(code, index) => return Some(index),
            "}" | ")" | "]" => return None,
            _ => {}
        }
        index = code.after(index);
    }
    None
}

/// Whether a brace begins the elements of `[]T{…}`, `[]p.T{…}`, `map[K]V{…}` or the fields of a type.
fn is_literal(code: &Code<'_>, brace: usize) -> bool {
    let Some(mut index) = code.before(brace) else {
        return false;
    };
    if matches!(code.at(index), "struct" | "interface") {
        return true;
    }
    while code.word(index).is_some() {
        let Some(before) = code.before(index) else {
            return false;
        };
        match code.at(before) {
            "]" => return true,
            "." => match code.before(before) {
                Some(qualifier) => index = qualifier,
                None => return false,
            },
            _ => return false,
        }
    }
    false
}

/// `if err != nil` and `if err := f(); err != nil`.
fn is_error_check(code: &Code<'_>, keyword: usize, body: usize) -> bool {
    body >= keyword + 4
        && code
            .word(body - 3)
            .is_some_and(|name| name.to_lowercase().ends_with("err"))
        && code.is_symbol(body - 2, "!=")
        && code.is_word(body - 1, "nil")
}
