//! The functions of JavaScript and TypeScript: declarations, expressions, methods, and arrow functions whose body is in braces.

use super::{ANONYMOUS, Angles, Function, HEAD_LIMIT, after_angles, split_list};
use crate::code::Code;
use crate::language::Language;
use crate::lexer::TokenKind;

/// Words that are followed by parentheses and braces and are no methods.
const STATEMENTS: &[&str] = &["if", "for", "while", "switch", "catch", "with", "function", "await", "return"];

/// Words that may stand before the name of a method.
const MODIFIERS: &[&str] = &[
    "abstract", "accessor", "async", "declare", "get", "override", "private", "protected", "public",
    "readonly", "set", "static",
];

pub fn functions(code: &Code<'_>) -> Vec<Function> {
    (0..code.tokens.len())
        .filter_map(|index| match (code.kind(index)?, code.at(index)) {
            (TokenKind::Word, "function") => declaration(code, index),
            (TokenKind::Symbol, "=>") => arrow(code, index),
            (TokenKind::Symbol, "(") => method(code, index),
            _ => None,
        })
        .collect()
}

/// `function name<…>(…): … { … }`, with or without a name.
fn declaration(code: &Code<'_>, start: usize) -> Option<Function> {
    let mut index = start + 1;
    if code.is_symbol(index, "*") {
        index += 1;
    }
    let own_name = code.word(index);
    if own_name.is_some() {
        index += 1;
    }
    let open = after_angles(code, index);
    if !code.is_symbol(open, "(") {
        return None;
    }
    let body = body(code, code.after(open))?;
    let name = own_name.map_or_else(|| assigned_name(code, start), str::to_owned);
    Some(function(code, name, start, Some(open), body))
}

/// `(…) => { … }` and `name => { … }`.
fn arrow(code: &Code<'_>, arrow: usize) -> Option<Function> {
    let body = arrow + 1;
    if !code.is_symbol(body, "{") || code.pair(body).is_none() {
        return None;
    }
    let last = code.before(arrow)?;
    let open = if code.is_symbol(last, ")") {
        code.pair(last)
    } else {
        annotated_parameters(code, last)
    };
    let start = open.unwrap_or(last);
    Some(function(code, assigned_name(code, start), start, open, body))
}

/// The `(` of the parameters where a return type ends at `last`: `(…): Promise<T> =>`.
fn annotated_parameters(code: &Code<'_>, last: usize) -> Option<usize> {
    if !matches!(code.language, Language::TypeScript { .. }) {
        return None;
    }
    let mut index = last;
    while index + HEAD_LIMIT > last {
        let before = code.before(index)?;
        match (code.kind(index)?, code.at(index)) {
            (TokenKind::Symbol, ":") => {
                return code.is_symbol(before, ")").then(|| code.pair(before)).flatten();
            }
            (TokenKind::Symbol, "]" | "}" | ")") => index = code.before(code.pair(index)?)?,
            (TokenKind::Symbol, "." | "|" | "&" | "<" | ">" | ",") => index = before,
            (TokenKind::Word | TokenKind::Text | TokenKind::Number, _) => index = before,
            _ => return None,
        }
    }
    None
}

/// `name(…) { … }` in a class or an object, `open` being its parenthesis.
fn method(code: &Code<'_>, open: usize) -> Option<Function> {
    let name_end = before_angles(code, code.before(open)?)?;
    let (name, start) = match code.kind(name_end)? {
        TokenKind::Word if !STATEMENTS.contains(&code.at(name_end)) => (code.at(name_end), name_end),
        TokenKind::Text | TokenKind::Number => (code.at(name_end).trim_matches(['"', '\'']), name_end),
        TokenKind::Symbol if code.at(name_end) == "]" => ("[computed]", code.pair(name_end)?),
        _ => return None,
    };
    let is_member = match code.before(start) {
        None => false,
        Some(before) => {
            matches!(code.at(before), "{" | "}" | ";" | "," | ")" | "*")
                || code.word(before).is_some_and(|word| {
                    MODIFIERS.contains(&word)
                        || code.before(before).is_some_and(|at| code.is_symbol(at, "@"))
                })
        }
    };
    if !is_member {
        return None;
    }
    let body = body(code, code.after(open))?;
    Some(function(code, name.to_owned(), start, Some(open), body))
}

/// The token before `<…>`, where one ends at `index`.
fn before_angles(code: &Code<'_>, index: usize) -> Option<usize> {
    if !code.is_symbol(index, ">") || code.language == Language::JavaScript {
        return Some(index);
    }
    let mut depth = 0_usize;
    for index in (index.saturating_sub(HEAD_LIMIT)..=index).rev() {
        match code.at(index) {
            ">" => depth += 1,
            "<" => depth -= 1,
            ";" | "{" | "(" => return None,
            _ => {}
        }
        if depth == 0 {
            return code.before(index);
        }
    }
    None
}

/// The `{` of a body behind the parameters, and behind the type that a function may declare to return.
fn body(code: &Code<'_>, index: usize) -> Option<usize> {
    if code.is_symbol(index, "{") {
        return code.pair(index).map(|_| index);
    }
    if !code.is_symbol(index, ":") || code.language == Language::JavaScript {
        return None;
    }
    let end = (index + HEAD_LIMIT).min(code.tokens.len());
    let mut index = index + 1;
    while index < end {
        match code.at(index) {
            // Behind one of these a brace is an object type.
            "{" if !matches!(code.at(index - 1), ":" | "|" | "&" | "=>" | "<" | "," | "extends" | "?") => {
                return code.pair(index).map(|_| index);
            }
            ";" | "}" | ")" | "]" | "=" => return None,
            _ => index = code.after(index),
        }
    }
    None
}

/// The name that an expression is given where it stands: `name = …`, `name: …`, `const name: Type = …`.
fn assigned_name(code: &Code<'_>, start: usize) -> String {
    let start = if start > 0 && code.is_word(start - 1, "async") { start - 1 } else { start };
    let name = match start.checked_sub(1).map_or("", |before| code.at(before)) {
        "=" => declared_name(code, start - 1).or_else(|| code.word(start.checked_sub(2)?)),
        ":" if start > 2 && matches!(code.at(start - 3), "{" | ",") => code.word(start - 2),
        _ => None,
    };
    name.unwrap_or(ANONYMOUS).to_owned()
}

/// The name behind `const`, `let` or `var` that the `=` belongs to, whatever type stands between.
fn declared_name<'a>(code: &Code<'a>, equals: usize) -> Option<&'a str> {
    let head = equals.saturating_sub(HEAD_LIMIT)..equals;
    let keyword = head
        .rev()
        .take_while(|index| !matches!(code.at(*index), ";" | "=" | "=>"))
        .find(|index| matches!(code.word(*index), Some("const" | "let" | "var")))?;
    code.word(keyword + 1)
}

fn function(code: &Code<'_>, name: String, start: usize, open: Option<usize>, body: usize) -> Function {
    let angles = match code.language {
        Language::TypeScript { .. } => Angles::Brackets,
        _ => Angles::Operators,
    };
    // Without parentheses there is exactly one.
    let parameters = open.map_or(1, |open| {
        let parameters = split_list(code, open, angles);
        parameters.iter().filter(|part| !code.is_word(part.start, "this")).count()
    });
    Function { name, start, body: body..code.after(body), parameters }
}
