//! Lines of a text, each with its end.

/// The longest text that a tool takes or returns: 2 Mi characters.
pub const MAX_TEXT: usize = 2 << 20;

/// The lines, with the `\n` at their ends; the last one may be without.
pub fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Counts lines and characters on the way through a text, always onwards.
#[derive(Debug)]
pub struct Position<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    line: usize,
    column: usize,
}

impl<'a> Position<'a> {
    /// The beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            column: 1,
        }
    }

    /// Line and column of a byte that is not before the last one, both counted from 1, columns in characters.
    pub fn of(&mut self, byte: usize) -> (usize, usize) {
        for character in self.text.get(self.at..byte).unwrap_or_default().chars() {
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.at = self.at.max(byte);
        (self.line, self.column)
    }
}
