//! From byte offsets to lines and columns.

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
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
        Self { text, starts }
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
        let before = self
            .text
            .get(self.start_of(line)..offset as usize)
            .unwrap_or_default();
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }

    /// The lines, without their breaks.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.text.lines()
    }
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
