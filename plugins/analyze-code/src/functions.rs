//! Where functions are, and what their heads say.

mod go;
mod javascript;
pub mod python;
mod rust;

use std::ops::Range;

use crate::code::Code;
use crate::language::Language;

/// One function, by token indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name; `(anonymous)` where it has none.
    pub name: String,
    /// The token that it begins with: its keyword or name.
    pub start: usize,
    /// Its body, brackets included.
    pub body: Range<usize>,
    /// How many parameters it takes; a receiver (`self`, `cls`, Go's) is none.
    pub parameters: usize,
}

/// The name of functions that have none.
pub const ANONYMOUS: &str = "(anonymous)";

/// Finds the functions of a file that have a body, in the order of their bodies.
///
/// Functions within functions are listed too. Closures and lambdas are not: they are part of the function around them,
/// but for JavaScript's functions and those arrow functions that have a body in braces, which stand for what other
/// languages name.
pub fn functions(code: &Code<'_>) -> Vec<Function> {
    let mut functions = match code.language {
        Language::Rust => rust::functions(code),
        Language::Python => python::functions(code),
        Language::JavaScript | Language::TypeScript { .. } => javascript::functions(code),
        Language::Go => go::functions(code),
    };
    functions.sort_by_key(|function| function.body.start);
    functions.dedup_by_key(|function| function.body.start);
    functions
}

/// No head of a function has more tokens than this; looking further would only cost time in files that are no code.
const HEAD_LIMIT: usize = 500;

/// Whether `<` and `>` between words are brackets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Angles {
    Brackets,
    Operators,
}

/// Splits what stands in a pair of parentheses (`open` is the first of them) at its outermost commas, and returns the
/// token ranges of the parts that are not empty.
fn split_list(code: &Code<'_>, open: usize, angles: Angles) -> Vec<Range<usize>> {
    let Some(close) = code.pair(open).filter(|close| *close > open) else {
        return Vec::new();
    };
    let mut parts = Vec::new();
    let (mut start, mut index, mut depth) = (open + 1, open + 1, 0_usize);
    while index < close {
        match code.at(index) {
            "<" if angles == Angles::Brackets => depth += 1,
            ">" if angles == Angles::Brackets => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(start..index);
                start = index + 1;
            }
            _ => {}
        }
        index = code.after(index);
    }
    parts.push(start..close);
    parts.retain(|part| !part.is_empty());
    parts
}

/// The token behind a list of generic parameters in `<…>`, where one begins at `index`.
fn after_angles(code: &Code<'_>, index: usize) -> usize {
    if !code.is_symbol(index, "<") {
        return index;
    }
    let end = (index + HEAD_LIMIT).min(code.tokens.len());
    let (mut index, mut depth) = (index, 0_usize);
    while index < end {
        match code.at(index) {
            "<" => depth += 1,
            ">" => depth -= 1,
            ";" => break,
            _ => {}
        }
        index = code.after(index);
        if depth == 0 {
            break;
        }
    }
    index
}

#[cfg(test)]
mod tests;
