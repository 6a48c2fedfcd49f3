//! What can be counted in a file and in its functions.

use crate::code::Code;
use crate::control::{Control, control};
use crate::functions::{Function, functions};
use crate::lexer::TokenKind;
use crate::lines::Position;

/// The lines of a file by what is on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// All of them.
    pub total: usize,
    /// Those with code; what else is on them does not matter.
    pub code: usize,
    /// Those with nothing but a comment or documentation.
    pub comment: usize,
    /// Those with nothing.
    pub blank: usize,
}

/// The numbers of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionMetrics {
    /// Its name; `(anonymous)` where it has none.
    pub name: String,
    /// Where it begins.
    pub position: Position,
    /// The line that it ends in.
    pub end_line: usize,
    /// How many of its lines have code on them.
    pub code_lines: usize,
    /// Its cyclomatic complexity: 1 + the branches in it.
    pub complexity: usize,
    /// How deep its conditions and loops are nested.
    pub nesting: usize,
    /// How many parameters it takes.
    pub parameters: usize,
}

/// The numbers of one file.
#[derive(Debug)]
pub struct Metrics {
    /// Its lines.
    pub lines: LineCounts,
    /// Its functions, in order.
    pub functions: Vec<FunctionMetrics>,
    /// Its control flow.
    pub control: Control,
}

/// What is on a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineKind {
    Blank,
    Comment,
    Code,
}

/// Measures a file.
pub fn measure(code: &Code<'_>) -> Metrics {
    let kinds = line_kinds(code);
    let count = |kind| kinds.iter().filter(|line| **line == kind).count();
    let lines = LineCounts {
        total: kinds.len(),
        code: count(LineKind::Code),
        comment: count(LineKind::Comment),
        blank: count(LineKind::Blank),
    };
    let control = control(code);
    let functions = functions(code);
    let owners = owners(code, &functions);
    let mut measured: Vec<FunctionMetrics> = functions
        .iter()
        .map(|function| function_metrics(code, function, &kinds))
        .collect();
    for branch in &control.branches {
        if let Some(function) = owner(&owners, *branch).and_then(|owner| measured.get_mut(owner)) {
            function.complexity += 1;
        }
    }
    measure_nesting(&control, &owners, &mut measured);
    Metrics {
        lines,
        functions: measured,
        control,
    }
}

fn function_metrics(code: &Code<'_>, function: &Function, kinds: &[LineKind]) -> FunctionMetrics {
    let start = code
        .tokens
        .get(function.start)
        .map_or(0, |token| token.span.start);
    let position = code.lines.position_of(start);
    let end_line = code.last_line_of(&(function.start..function.body.end));
    let lines = kinds.get(position.line - 1..end_line).unwrap_or_default();
    FunctionMetrics {
        name: function.name.clone(),
        position,
        end_line,
        code_lines: lines.iter().filter(|kind| **kind == LineKind::Code).count(),
        complexity: 1,
        nesting: 0,
        parameters: function.parameters,
    }
}

fn line_kinds(code: &Code<'_>) -> Vec<LineKind> {
    let mut kinds = vec![LineKind::Blank; code.lines.count()];
    let mut mark = |start: u32, end: u32, kind| {
        let first = code.lines.line_of(start);
        let last = code.lines.line_of(end.saturating_sub(1).max(start));
        for line in kinds.get_mut(first - 1..last).into_iter().flatten() {
            *line = kind;
        }
    };
    for comment in code.comments.iter().copied().chain(code.docstrings()) {
        mark(comment.start, comment.end, LineKind::Comment);
    }
    for token in &code.tokens {
        let is_code = !matches!(
            token.kind,
            TokenKind::Newline | TokenKind::Indent | TokenKind::Dedent | TokenKind::Docstring
        );
        if is_code {
            mark(token.span.start, token.span.end, LineKind::Code);
        }
    }
    kinds
}

/// For each token the innermost function around it, as an index into `functions`, or `u32::MAX`.
fn owners(code: &Code<'_>, functions: &[Function]) -> Vec<u32> {
    let mut owners = vec![u32::MAX; code.tokens.len()];
    let mut next = functions.iter().zip(0_u32..).peekable();
    let mut open: Vec<(usize, u32)> = Vec::new();
    for (index, owner) in owners.iter_mut().enumerate() {
        while open.pop_if(|(end, _)| *end <= index).is_some() {}
        while let Some((function, number)) = next.next_if(|(next, _)| next.body.start <= index) {
            open.push((function.body.end, number));
        }
        *owner = open.last().map_or(u32::MAX, |(_, number)| *number);
    }
    owners
}

fn owner(owners: &[u32], token: usize) -> Option<usize> {
    let owner = owners
        .get(token)
        .copied()
        .filter(|owner| *owner != u32::MAX)?;
    Some(owner as usize)
}

/// A function's nesting is that of its own blocks: it does not matter what the function itself stands in.
fn measure_nesting(control: &Control, owners: &[u32], functions: &mut [FunctionMetrics]) {
    // The blocks around the current one: where they end, whose they are, and how deep they are in that function.
    let mut open: Vec<(usize, Option<usize>, usize)> = Vec::new();
    for block in &control.blocks {
        while open.pop_if(|(end, _, _)| *end <= block.start).is_some() {}
        let owner = owner(owners, block.start);
        let outer = open.last().filter(|(_, outer, _)| *outer == owner);
        let depth = outer.map_or(0, |(_, _, depth)| *depth) + 1;
        if let Some(function) = owner.and_then(|owner| functions.get_mut(owner)) {
            function.nesting = function.nesting.max(depth);
        }
        open.push((block.end, owner, depth));
    }
}

#[cfg(test)]
mod tests;
