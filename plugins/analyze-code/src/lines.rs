//! From byte offsets to lines and columns.

/// How many bytes are counted at once, see [`Lines::continuations`].
const BLOCK: usize = 256;

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// For each block of the text how many bytes before it do not begin a character: with it a column takes no look at
    /// the whole line, which may be megabytes long.
    continuations: Vec<usize>,
}

/// A place for people, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl<'a> Lines<'a> {
    /// Indexes a text. A line break at its end begins no further line; an empty text has no lines.
    pub fn new(text: &'a str) -> Self {
        let mut starts = Vec::new();
        if !text.is_empty() {
            starts.push(0);
        }
        starts.extend(text.match_indices('\n').map(|(offset, _)| offset + 1));
        if text.ends_with('\n') {
            starts.pop();
        }
        let mut before = 0;
        let blocks = text.as_bytes().chunks(BLOCK).map(|block| {
            let here = before;
            before += count_continuations(block);
            here
        });
        let continuations = blocks.collect();
        Self {
            text,
            starts,
            continuations,
        }
    }

    /// How many lines there are.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The byte that a line, counted from 1, begins with.
    pub fn start_of(&self, line: usize) -> usize {
        let index = line.checked_sub(1);
        index
            .and_then(|index| self.starts.get(index))
            .copied()
            .unwrap_or(self.text.len())
    }

    /// The line that this byte lies in, counted from 1.
    pub fn line_of(&self, offset: u32) -> usize {
        self.starts
            .partition_point(|start| *start <= offset as usize)
            .max(1)
    }

    /// Line and column of this byte.
    pub fn position_of(&self, offset: u32) -> Position {
        let line = self.line_of(offset);
        let start = self.start_of(line);
        let bytes = (offset as usize).saturating_sub(start);
        let continuations =
            self.continuations_before(start + bytes) - self.continuations_before(start);
        Position {
            line,
            column: bytes - continuations + 1,
        }
    }

    /// How many bytes before this one do not begin a character.
    fn continuations_before(&self, offset: usize) -> usize {
        // The text may end where a block does.
        let block = (offset / BLOCK).min(self.continuations.len().saturating_sub(1));
        let before = self.continuations.get(block).copied().unwrap_or_default();
        let rest = self
            .text
            .as_bytes()
            .get(block * BLOCK..offset)
            .unwrap_or_default();
        before + count_continuations(rest)
    }

    /// The lines, without their breaks.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.text.lines()
    }
}

fn count_continuations(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one_and_in_characters() {
        let lines = Lines::new("ab\néx\n\nz");
        assert_eq!(lines.count(), 4);
        let at = |offset| {
            let position = lines.position_of(offset);
            (position.line, position.column)
        };
        assert_eq!(
            [at(0), at(1), at(3), at(5), at(7), at(8)],
            [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (4, 1)]
        );
    }

    #[test]
    fn columns_are_right_far_into_a_line() {
        let text = format!("x\n{}", "aé日".repeat(500));
        let lines = Lines::new(&text);
        for (index, (offset, _)) in text.char_indices().enumerate().skip(2) {
            let offset = u32::try_from(offset).unwrap();
            assert_eq!(
                lines.position_of(offset),
                Position {
                    line: 2,
                    column: index - 1
                }
            );
        }
        let end = u32::try_from(text.len()).unwrap();
        assert_eq!(lines.position_of(end).column, 1_501);
    }

    #[test]
    fn a_break_at_the_end_begins_no_line() {
        assert_eq!(
            ["", "a", "a\n", "a\n\n", "\n"].map(|text| Lines::new(text).count()),
            [0, 1, 1, 2, 1]
        );
        assert_eq!(
            Lines::new("").position_of(0),
            Position { line: 1, column: 1 }
        );
    }
}
