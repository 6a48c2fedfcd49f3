//! Which bracket belongs to which, and which belong to none.

use crate::code::Code;
use crate::lexer::TokenKind;

/// A bracket without a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stray {
    /// The token.
    pub token: usize,
    /// The bracket that stands where this one's partner should, if one does.
    pub instead: Option<usize>,
}

/// What a bracket is closed by; the indented blocks of Python count as brackets here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Parenthesis,
    Bracket,
    Brace,
    Dedent,
}

/// Brackets that are open, innermost last.
#[derive(Default)]
struct Open {
    stack: Vec<(usize, End)>,
    /// How many of each kind are on the stack: a bracket that fits none is found out without a search.
    counts: [usize; 4],
}

/// The work of [`matched`].
struct Matching {
    pairs: Vec<Option<u32>>,
    strays: Vec<Stray>,
    open: Open,
}

/// Matches all brackets. A closing bracket that fits an outer one closes it, and those in between were never closed;
/// one that fits none was never opened. Where a Python statement begins within brackets, they were never closed either.
pub fn matched(code: &Code<'_>) -> (Vec<Option<u32>>, Vec<Stray>) {
    let mut matching = Matching {
        pairs: vec![None; code.tokens.len()],
        strays: Vec::new(),
        open: Open::default(),
    };
    for (index, token) in code.tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Indent => matching.open.push(index, End::Dedent),
            TokenKind::Newline => matching.end_line(),
            TokenKind::Dedent => matching.close(index, End::Dedent),
            TokenKind::Symbol => match code.slice(token.span) {
                "(" => matching.open.push(index, End::Parenthesis),
                "[" => matching.open.push(index, End::Bracket),
                "{" | "${" => matching.open.push(index, End::Brace),
                ")" => matching.close(index, End::Parenthesis),
                "]" => matching.close(index, End::Bracket),
                "}" => matching.close(index, End::Brace),
                _ => {}
            },
            _ => {}
        }
    }
    while let Some((token, end)) = matching.open.pop() {
        if end != End::Dedent {
            matching.strays.push(Stray {
                token,
                instead: None,
            });
        }
    }
    matching.strays.sort_by_key(|stray| stray.token);
    (matching.pairs, matching.strays)
}

impl Open {
    fn push(&mut self, token: usize, end: End) {
        self.stack.push((token, end));
        self.count(end, |count| count + 1);
    }

    fn pop(&mut self) -> Option<(usize, End)> {
        let (token, end) = self.stack.pop()?;
        self.count(end, |count| count - 1);
        Some((token, end))
    }

    fn count(&mut self, end: End, change: impl Fn(usize) -> usize) {
        if let Some(count) = self.counts.get_mut(end as usize) {
            *count = change(*count);
        }
    }

    fn has(&self, end: End) -> bool {
        self.counts
            .get(end as usize)
            .is_some_and(|count| *count > 0)
    }
}

impl Matching {
    /// The end of a logical line of Python: brackets that are open here were never closed.
    fn end_line(&mut self) {
        while let Some((token, end)) = self.open.pop() {
            if end == End::Dedent {
                return self.open.push(token, end);
            }
            self.strays.push(Stray {
                token,
                instead: None,
            });
        }
    }

    fn close(&mut self, index: usize, end: End) {
        // Brackets do not reach across the edge of a block: `end_line` has closed those outside of it.
        if !self.open.has(end) {
            let instead = self
                .open
                .stack
                .last()
                .filter(|(_, open)| *open != End::Dedent);
            let instead = instead.map(|(token, _)| *token);
            return self.strays.push(Stray {
                token: index,
                instead,
            });
        }
        while let Some((token, open)) = self.open.pop() {
            if open == end {
                for (from, to) in [(token, index), (index, token)] {
                    if let Some(pair) = self.pairs.get_mut(from) {
                        *pair = u32::try_from(to).ok();
                    }
                }
                return;
            }
            self.strays.push(Stray {
                token,
                instead: Some(index),
            });
        }
    }
}
