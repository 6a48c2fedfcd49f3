//! A position in a text.

/// Reads a text from front to back, a character at a time, with as much look-ahead as is asked for.
pub struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the front.
    pub fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// How many bytes lie behind.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes back to an earlier position.
    pub fn go_back(&mut self, position: usize) {
        self.position = position;
    }

    /// What lies ahead.
    pub fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// A piece of the whole text, by byte offsets.
    pub fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The character `ahead` characters behind the next one.
    pub fn peek_at(&self, ahead: usize) -> Option<char> {
        self.rest().chars().nth(ahead)
    }

    /// Whether this comes next.
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.rest().starts_with(prefix)
    }

    /// Takes the next character.
    pub fn bump(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.position += char.len_utf8();
        Some(char)
    }

    /// Moves over this many bytes, which the caller has looked at.
    pub fn skip(&mut self, bytes: usize) {
        self.position += bytes;
    }

    /// Takes `prefix` where it comes next.
    pub fn eat(&mut self, prefix: &str) -> bool {
        let here = self.starts_with(prefix);
        if here {
            self.skip(prefix.len());
        }
        here
    }

    /// Takes characters as long as they fit, and returns them.
    pub fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|char| !fits(char)).unwrap_or(rest.len());
        self.skip(length);
        rest.get(..length).unwrap_or_default()
    }

    /// Moves behind the next `end`; to the end of the text, and false, where there is none.
    pub fn skip_past(&mut self, end: &str) -> bool {
        let rest = self.rest();
        let found = rest.find(end);
        self.skip(found.map_or(rest.len(), |offset| offset + end.len()));
        found.is_some()
    }
}
