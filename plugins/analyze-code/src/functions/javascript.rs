//! The functions of JavaScript and TypeScript: declarations, expressions, methods, and arrow functions whose body is in
//! braces.

use std::collections::HashMap;

use super::{ANONYMOUS, Angles, Function, HEAD_LIMIT, after_angles, split_list};
use crate::code::Code;
use crate::language::Language;
use crate::lexer::TokenKind;

/// Words that are followed by parentheses and braces and are no methods.
const STATEMENTS: &[&str] = &[
    "if", "for", "while", "switch", "catch", "with", "function", "await", "return",
];

/// Words that may stand before the name of a method.
const MODIFIERS: &[&str] = &[
    "abstract",
    "accessor",
    "async",
    "declare",
    "get",
    "override",
    "private",
    "protected",
    "public",
    "readonly",
    "set",
    "static",
];

/// Words that begin the next statement, where the semicolon between is left out.
const DECLARATIONS: &[&str] = &[
    "async",
    "class",
    "const",
    "declare",
    "enum",
    "export",
    "function",
    "import",
    "interface",
    "let",
    "type",
    "var",
];

pub fn functions(code: &Code<'_>) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut bodies: HashMap<usize, Body> = HashMap::new();
    // The brackets around the current token, and what the innermost declared body around each of them is.
    let mut open: Vec<(usize, Option<Body>)> = Vec::new();
    for (index, token) in code.tokens.iter().enumerate() {
        while open
            .pop_if(|(bracket, _)| code.pair(*bracket).is_none_or(|end| end <= index))
            .is_some()
        {}
        let around = open.last().and_then(|(_, body)| *body);
        functions.extend(match (token.kind, code.at(index)) {
            (TokenKind::Word, "function") => declaration(code, index),
            (TokenKind::Word, keyword @ ("class" | "interface" | "type")) => {
                let kind = if keyword == "class" {
                    Body::Class
                } else {
                    Body::Type
                };
                bodies.extend(declared_body(code, index).map(|body| (body, kind)));
                None
            }
            (TokenKind::Symbol, "=>") if around != Some(Body::Type) => {
                let is_type = bodies.get(&(index + 1)) == Some(&Body::Type);
                if is_type { None } else { arrow(code, index) }
            }
            (TokenKind::Symbol, "(") => method(code, index, around == Some(Body::Class)),
            _ => None,
        });
        if code.pair(index).is_some_and(|end| end > index) {
            // A body in a type is a type; anything else in a class is not the class.
            let inherited = around.filter(|around| *around == Body::Type);
            open.push((index, bodies.get(&index).copied().or(inherited)));
        }
    }
    functions
}

/// What the braces of a declaration hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// The members of a class.
    Class,
    /// A type: nothing in it runs.
    Type,
}

/// The `{` of a class, an interface or a type, behind its name and what it extends or equals.
fn declared_body(code: &Code<'_>, keyword: usize) -> Option<usize> {
    let end = (keyword + HEAD_LIMIT).min(code.tokens.len());
    let is_type = code.is_word(keyword, "type");
    if is_type && code.word(keyword + 1).is_none() {
        return None;
    }
    let (mut index, mut angles) = (keyword + 1, 0_usize);
    while index < end {
        match code.at(index) {
            "{" if angles == 0 => return Some(index),
            "<" => angles += 1,
            ">" => angles = angles.saturating_sub(1),
            "=" if is_type || angles > 0 => {}
            ";" | "}" | ")" | "]" | "=" => return None,
            word if DECLARATIONS.contains(&word) => return None,
            _ => {}
        }
        index = code.after(index);
    }
    None
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
    Some(function(
        code,
        assigned_name(code, start),
        start,
        open,
        body,
    ))
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
                return code
                    .is_symbol(before, ")")
                    .then(|| code.pair(before))
                    .flatten();
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
fn method(code: &Code<'_>, open: usize, in_class: bool) -> Option<Function> {
    let name_end = before_angles(code, code.before(open)?)?;
    let (name, start) = match code.kind(name_end)? {
        TokenKind::Word if in_class || !is_statement(code, name_end) => {
            (code.at(name_end), name_end)
        }
        TokenKind::Text | TokenKind::Number => {
            (code.at(name_end).trim_matches(['"', '\'']), name_end)
        }
        TokenKind::Symbol if code.at(name_end) == "]" => ("[computed]", code.pair(name_end)?),
        _ => return None,
    };
    if !begins_member(code, start, in_class) {
        return None;
    }
    let body = body(code, code.after(open))?;
    Some(function(code, name.to_owned(), start, Some(open), body))
}

/// Whether a word begins a statement, and is not the name of a member: behind a comma it can only be that.
fn is_statement(code: &Code<'_>, index: usize) -> bool {
    STATEMENTS.contains(&code.at(index))
        && code
            .before(index)
            .is_none_or(|before| !code.is_symbol(before, ","))
}

/// Whether a member of a class or an object can begin at `start`.
fn begins_member(code: &Code<'_>, start: usize, in_class: bool) -> bool {
    let Some(before) = code.before(start) else {
        return false;
    };
    let is_behind_member = matches!(code.at(before), "{" | "}" | ";" | "," | ")" | "*");
    let is_behind_modifier = code.word(before).is_some_and(|word| {
        MODIFIERS.contains(&word)
            || code
                .before(before)
                .is_some_and(|at| code.is_symbol(at, "@"))
    });
    // In a class the semicolon behind a field may be missing.
    let is_on_new_line = in_class && code.end_line_of(before) < code.line_of(start);
    is_behind_member || is_behind_modifier || is_on_new_line
}

/// The token before `<…>`, where one ends at `index`.
fn before_angles(code: &Code<'_>, index: usize) -> Option<usize> {
    if !code.is_symbol(index, ">") || code.language == Language::JavaScript {
        return Some(index);
    }
    let (end, mut index, mut depth) = (index, index, 0_usize);
    while index + HEAD_LIMIT > end {
        match code.at(index) {
            ">" => depth += 1,
            "<" => depth -= 1,
            "}" | ")" | "]" => index = code.pair(index)?,
            ";" | "{" | "(" | "[" => return None,
            _ => {}
        }
        index = code.before(index)?;
        if depth == 0 {
            return Some(index);
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
            "{" if !matches!(
                code.at(index - 1),
                ":" | "|" | "&" | "=>" | "<" | "," | "extends" | "?"
            ) =>
            {
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
    let start = if start > 0 && code.is_word(start - 1, "async") {
        start - 1
    } else {
        start
    };
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

fn function(
    code: &Code<'_>,
    name: String,
    start: usize,
    open: Option<usize>,
    body: usize,
) -> Function {
    let angles = match code.language {
        Language::TypeScript { .. } => Angles::Brackets,
        _ => Angles::Operators,
    };
    // Without parentheses there is exactly one.
    let parameters = open.map_or(1, |open| {
        let parameters = split_list(code, open, angles);
        parameters
            .iter()
            .filter(|part| !code.is_word(part.start, "this"))
            .count()
    });
    Function {
        name,
        start,
        body: body..code.after(body),
        parameters,
    }
}
