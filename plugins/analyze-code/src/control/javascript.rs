//! The control flow of JavaScript and TypeScript.

use super::Control;
use crate::code::Code;
use crate::language::Language;
use crate::lexer::TokenKind;

pub fn control(code: &Code<'_>) -> Control {
    let mut control = Control::default();
    for (index, token) in code.tokens.iter().enumerate() {
        if is_name(code, index) {
            continue;
        }
        match (token.kind, code.slice(token.span)) {
            (TokenKind::Word, "if" | "for" | "while") => {
                control.branches.push(index);
                control.add_block(code, after_head(code, index));
            }
            (TokenKind::Word, "catch") if is_after_block(code, index) => {
                control.branches.push(index);
                let body = after_head(code, index);
                control.add_block(code, body);
                if code.is_symbol(body, "{") && code.after(body) == body + 2 {
                    control.swallowed.push(index..code.after(body));
                }
            }
            (TokenKind::Word, "switch" | "with" | "else" | "do" | "try" | "finally") => {
                control.add_block(code, after_head(code, index));
            }
            (TokenKind::Word, "case")
            | (TokenKind::Symbol, "&&" | "||" | "??" | "&&=" | "||=" | "??=") => {
                control.branches.push(index);
            }
            (TokenKind::Symbol, "?") if is_conditional(code, index) => control.branches.push(index),
            _ => {}
        }
    }
    control
}

/// Whether a word is the name of a property or method, which may be any keyword: `a.if`, `{ for: 1 }`, `catch(f)` in a
/// class.
fn is_name(code: &Code<'_>, index: usize) -> bool {
    if code.kind(index) != Some(TokenKind::Word) {
        return false;
    }
    let is_member = code
        .before(index)
        .is_some_and(|before| matches!(code.at(before), "." | "?."));
    is_member || code.is_symbol(index + 1, ":")
}

/// Whether a `catch` belongs to a `try`, and is not the name of a method.
fn is_after_block(code: &Code<'_>, index: usize) -> bool {
    code.before(index)
        .is_some_and(|before| code.is_symbol(before, "}"))
}

/// The token behind a keyword and its parentheses.
fn after_head(code: &Code<'_>, keyword: usize) -> usize {
    let mut index = keyword + 1;
    if code.is_word(index, "await") {
        index += 1;
    }
    if code.is_symbol(index, "(") {
        code.after(index)
    } else {
        index
    }
}

/// Whether a `?` chooses, and is not the mark of what may be left out in TypeScript.
fn is_conditional(code: &Code<'_>, index: usize) -> bool {
    code.language == Language::JavaScript
        || !matches!(
            code.at(index + 1),
            ":" | ")" | "," | "=" | ";" | "]" | "}" | ">"
        )
}
