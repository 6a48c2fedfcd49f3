//! Where control flow branches, and which blocks it nests in.

mod go;
mod javascript;
mod python;
mod rust;

use std::ops::Range;

use crate::code::Code;
use crate::language::Language;

/// No head of a loop or condition has more tokens than this; looking further would only cost time in files that are no
/// code.
const HEAD_LIMIT: usize = 2_000;

/// The control flow of a file, by token indexes.
#[derive(Debug, Default)]
pub struct Control {
    /// Every place where a path splits off: each adds one to the complexity of the function it stands in.
    pub branches: Vec<usize>,
    /// The blocks that belong to conditions, loops and the like, in the order of their starts.
    pub blocks: Vec<Range<usize>>,
    /// Error handlers without a statement, from their keyword to the end of their block.
    pub swallowed: Vec<Range<usize>>,
}

/// Reads the control flow of a file.
///
/// A branch is a condition, a loop, a case behind the first (or, where a default is a case of its own, every other
/// one), an error handler, a conditional expression, and each `and` and `or`. Rust's `?` is none: it adds a path, but
/// no thought.
pub fn control(code: &Code<'_>) -> Control {
    let mut control = match code.language {
        Language::Rust => rust::control(code),
        Language::Python => python::control(code),
        Language::JavaScript | Language::TypeScript { .. } => javascript::control(code),
        Language::Go => go::control(code),
    };
    control.blocks.sort_by_key(|block| (block.start, block.end));
    control.blocks.dedup();
    control
}

impl Control {
    /// Adds the block in braces that opens at `open`, if it is closed somewhere.
    fn add_block(&mut self, code: &Code<'_>, open: usize) {
        if code.is_symbol(open, "{") && code.pair(open).is_some() {
            self.blocks.push(open..code.after(open));
        }
    }
}

#[cfg(test)]
mod tests;
