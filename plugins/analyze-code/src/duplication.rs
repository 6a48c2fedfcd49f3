//! Finds code that was copied: runs of equal tokens, within a file and between files. White space and comments do not
//! matter, names and values do.
//!
//! Every [`STRIDE`]th position is indexed by a hash of the tokens that follow it, and every position is looked up, so
//! that the index is small and no run of the wanted length is missed.

use std::collections::HashMap;

use crate::code::Code;
use crate::lexer::TokenKind;

/// How far apart the indexed positions are.
const STRIDE: usize = 16;

/// How many earlier places with the same tokens are compared; more of them say nothing new.
const CANDIDATES: usize = 4;

/// A run that spans fewer lines than this is not reported: it is one dense statement.
const MIN_LINES: usize = 5;

/// The multiplier of the rolling hash: odd, with well-mixed bits.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// The tokens of one file, reduced to what is compared.
#[derive(Debug, Default)]
pub struct Fingerprint {
    /// A hash of each token's text.
    tokens: Vec<u32>,
    /// The line that each of them begins in.
    lines: Vec<u32>,
}

/// Two places with the same code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The place that comes later.
    pub copy: Place,
    /// The place that comes first.
    pub original: Place,
    /// How many tokens are the same.
    pub tokens: usize,
}

/// Some lines of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The file, as an index into what was compared.
    pub file: usize,
    /// The first line.
    pub first_line: usize,
    /// The last line.
    pub last_line: usize,
}

impl Fingerprint {
    /// Reduces a file.
    pub fn of(code: &Code<'_>) -> Self {
        let mut fingerprint = Self::default();
        for token in &code.tokens {
            let is_layout = matches!(
                token.kind,
                TokenKind::Newline | TokenKind::Indent | TokenKind::Dedent | TokenKind::Docstring
            );
            if !is_layout {
                fingerprint.tokens.push(hash(code.slice(token.span)));
                let line = code.lines.line_of(token.span.start);
                fingerprint
                    .lines
                    .push(u32::try_from(line).unwrap_or(u32::MAX));
            }
        }
        fingerprint.tokens.shrink_to_fit();
        fingerprint.lines.shrink_to_fit();
        fingerprint
    }

    /// The lines of a run of tokens, those that it begins or ends in the middle of left out.
    fn place(&self, file: usize, start: usize, length: usize) -> Place {
        let line = |token: usize| self.lines.get(token).copied().unwrap_or_default() as usize;
        let last = (start + length).saturating_sub(1);
        let (mut first_line, mut last_line) = (line(start), line(last));
        if start > 0 && line(start - 1) == first_line {
            let next = (start..last).find(|token| line(*token) > first_line);
            first_line = next.map_or(first_line, line);
        }
        if last + 1 < self.lines.len() && line(last + 1) == last_line {
            let before = (start..last).rev().find(|token| line(*token) < last_line);
            last_line = before.map_or(last_line, line).max(first_line);
        }
        Place {
            file,
            first_line,
            last_line,
        }
    }
}

/// Finds the duplicates of at least `min_tokens` tokens, in the order of the copies. A stretch of code is reported
/// once, as a copy of an earlier place.
pub fn duplicates(files: &[Fingerprint], min_tokens: usize) -> Vec<Duplicate> {
    // A run of `min_tokens` contains a whole window that begins at an indexed position.
    let window = min_tokens.saturating_sub(STRIDE - 1).max(1);
    let mut index: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
    let mut found = Vec::new();
    for (file, fingerprint) in files.iter().enumerate() {
        let mut covered = 0;
        for (position, hash) in windows(&fingerprint.tokens, window).enumerate() {
            if position >= covered {
                let earlier = index.get(&hash).map_or(&[][..], Vec::as_slice);
                let longest = earlier
                    .iter()
                    .map(|candidate| common_run(files, *candidate, (file, position), covered))
                    .max_by_key(|run| (run.length, std::cmp::Reverse(run.original)));
                if let Some(run) = longest.filter(|run| run.length >= min_tokens) {
                    covered = run.copy.1 + run.length;
                    found.extend(run.report(files));
                }
            }
            if position % STRIDE == 0 {
                let places = index.entry(hash).or_default();
                if places.len() < CANDIDATES {
                    places.push((file, position));
                }
            }
        }
    }
    found
}

/// A run of equal tokens, both places given as file and token.
struct Run {
    original: (usize, usize),
    copy: (usize, usize),
    length: usize,
}

impl Run {
    fn report(&self, files: &[Fingerprint]) -> Option<Duplicate> {
        let place = |(file, start): (usize, usize)| {
            files
                .get(file)
                .map(|fingerprint| fingerprint.place(file, start, self.length))
        };
        let (original, copy) = (place(self.original)?, place(self.copy)?);
        let lines = copy.last_line + 1 - copy.first_line;
        (lines >= MIN_LINES).then_some(Duplicate {
            copy,
            original,
            tokens: self.length,
        })
    }
}

/// Extends two equal windows to both sides as far as they are the same: not over each other, and not back over what was
/// reported already.
fn common_run(
    files: &[Fingerprint],
    original: (usize, usize),
    copy: (usize, usize),
    covered: usize,
) -> Run {
    let tokens = |file: usize| {
        files
            .get(file)
            .map_or(&[][..], |file| file.tokens.as_slice())
    };
    let (first, second) = (tokens(original.0), tokens(copy.0));
    let back = first
        .iter()
        .take(original.1)
        .rev()
        .zip(second.get(covered..copy.1).unwrap_or_default().iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (original, copy) = ((original.0, original.1 - back), (copy.0, copy.1 - back));
    let room = if original.0 == copy.0 {
        copy.1.saturating_sub(original.1)
    } else {
        usize::MAX
    };
    let length = first
        .iter()
        .skip(original.1)
        .zip(second.iter().skip(copy.1))
        .take(room)
        .take_while(|(a, b)| a == b)
        .count();
    Run {
        original,
        copy,
        length,
    }
}

/// The hash of each window of this many tokens.
fn windows(tokens: &[u32], window: usize) -> impl Iterator<Item = u64> + '_ {
    let (mut hash, mut leading) = (0_u64, 1_u64);
    for token in tokens.iter().take(window.saturating_sub(1)) {
        hash = hash.wrapping_mul(BASE).wrapping_add(u64::from(*token) + 1);
        leading = leading.wrapping_mul(BASE);
    }
    let leaving = tokens.iter();
    let entering = tokens.iter().skip(window.saturating_sub(1));
    entering.zip(leaving).map(move |(entering, leaving)| {
        let full = hash
            .wrapping_mul(BASE)
            .wrapping_add(u64::from(*entering) + 1);
        hash = full.wrapping_sub(leading.wrapping_mul(u64::from(*leaving) + 1));
        full
    })
}

/// FNV-1a: short, and good enough where a hundred tokens in a row have to agree.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests;
