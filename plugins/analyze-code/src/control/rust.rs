//! Rust's control flow.

use super::{Control, HEAD_LIMIT};
use crate::code::Code;
use crate::lexer::TokenKind;

pub fn control(code: &Code<'_>) -> Control {
    let mut control = Control::default();
    for (index, token) in code.tokens.iter().enumerate() {
        match (token.kind, code.slice(token.span)) {
            (TokenKind::Word, "if" | "while") => {
                control.branches.push(index);
                add_body(&mut control, code, index);
            }
            (TokenKind::Word, "for") if is_loop(code, index) => {
                control.branches.push(index);
                add_body(&mut control, code, index);
            }
            (TokenKind::Word, "loop") if code.is_symbol(index + 1, "{") => {
                control.branches.push(index);
                control.add_block(code, index + 1);
            }
            (TokenKind::Word, "else") => {
                // Behind an `if` stands its `}`; behind a `let` no brace may stand, and the choice is here.
                if code
                    .before(index)
                    .is_some_and(|before| !code.is_symbol(before, "}"))
                {
                    control.branches.push(index);
                }
                control.add_block(code, index + 1);
            }
            (TokenKind::Word, "match") => {
                if let Some(body) = body(code, index) {
                    control.add_block(code, body);
                    // One arm is always taken: only the others are choices.
                    control.branches.extend(arms(code, body).skip(1));
                }
            }
            (TokenKind::Symbol, "&&") if is_operator(code, index) => control.branches.push(index),
            // Between patterns it is `|`; a closure without parameters begins with `||`.
            (TokenKind::Symbol, "||") if is_operator(code, index) => control.branches.push(index),
            _ => {}
        }
    }
    control
}

fn add_body(control: &mut Control, code: &Code<'_>, keyword: usize) {
    if let Some(body) = body(code, keyword) {
        control.add_block(code, body);
    }
}

/// The `{` of the body behind `if`, `while`, `for` or `match`: no struct can be written there without parentheses, but
/// patterns and closures have braces too.
fn body(code: &Code<'_>, keyword: usize) -> Option<usize> {
    let end = (keyword + HEAD_LIMIT).min(code.tokens.len());
    let mut in_pattern = code.is_word(keyword, "for");
    let mut index = keyword + 1;
    while index < end {
        match code.at(index) {
            "let" => in_pattern = true,
            "=" | "in" => in_pattern = false,
            "{" if !in_pattern && !is_inner_block(code, index - 1) => return Some(index),
            ";" | "}" | ")" | "]" | "=>" => return None,
            _ => {}
        }
        index = code.after(index);
    }
    None
}

/// Whether a brace behind this token is part of the condition: `unsafe { … }`, `|x| { … }`.
fn is_inner_block(code: &Code<'_>, before: usize) -> bool {
    matches!(
        code.at(before),
        "if" | "while"
            | "match"
            | "unsafe"
            | "const"
            | "async"
            | "move"
            | "loop"
            | "|"
            | "||"
            | "&&"
            | "!"
            | "="
            | "=="
    )
}

/// A loop stands where a statement or an expression begins; in `impl Trait for Type` and `for<'a>` it does not.
fn is_loop(code: &Code<'_>, index: usize) -> bool {
    if code.is_symbol(index + 1, "<") {
        return false;
    }
    match code.before(index) {
        None => true,
        Some(before) => {
            code.kind(before) == Some(TokenKind::Symbol) && !matches!(code.at(before), ">" | ")")
        }
    }
}

/// The `=>` of the arms of a `match` whose body opens at `open`.
fn arms<'a>(code: &'a Code<'_>, open: usize) -> impl Iterator<Item = usize> + 'a {
    let close = code.pair(open).unwrap_or(open);
    std::iter::successors(Some(open + 1), |index| Some(code.after(*index)))
        .take_while(move |index| *index < close)
        .filter(|index| code.is_symbol(*index, "=>"))
}

/// Whether `&&` or `||` joins two conditions, and is neither a double reference nor the start of a closure.
fn is_operator(code: &Code<'_>, index: usize) -> bool {
    code.before(index)
        .is_some_and(|before| match code.kind(before) {
            Some(TokenKind::Symbol) => matches!(code.at(before), ")" | "]" | "}" | "?" | ">"),
            Some(TokenKind::Word) => !matches!(
                code.at(before),
                "return" | "move" | "in" | "match" | "if" | "while" | "mut" | "as" | "else"
            ),
            Some(_) => true,
            None => false,
        })
}
