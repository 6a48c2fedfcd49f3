//! Python: indentation, logical lines, triple-quoted and prefixed strings, f-strings whose expressions may hold any
//! other string (as since 3.12).

mod format;

use super::{FaultKind, Lexed, Lexer, TokenKind, is_word_part, is_word_start};

const SYMBOLS: &[&str] = &[
    "**=", "//=", ">>=", "<<=", "...", "==", "!=", "<=", ">=", "->", ":=", "+=", "-=", "*=", "/=",
    "%=", "&=", "|=", "^=", "@=", "**", "//", "<<", ">>",
];

/// Words that no line inside of brackets can begin with: a bracket still open before one of them was never closed.
const STATEMENTS: &[&str] = &[
    "assert", "break", "class", "continue", "def", "del", "elif", "except", "finally", "global",
    "import", "nonlocal", "pass", "raise", "return", "try", "while", "with",
];

/// A tab moves to the next column that is a multiple of this, as in CPython.
const TAB: usize = 8;

/// What is open at the cursor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `(`, `[` or `{`.
    Bracket,
    /// The literal part of an f-string.
    Format(Quotes),
    /// An expression in an f-string.
    Field,
    /// What follows the `:` of such an expression.
    FieldFormat,
}

/// How a string was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Quotes {
    quote: char,
    triple: bool,
    raw: bool,
    start: usize,
}

impl Quotes {
    /// What ends the string.
    fn end(self) -> &'static str {
        match (self.quote, self.triple) {
            ('"', true) => "\"\"\"",
            ('"', false) => "\"",
            (_, true) => "'''",
            (_, false) => "'",
        }
    }
}

struct Python<'a> {
    lexer: Lexer<'a>,
    open: Vec<Open>,
    /// How many f-strings are open.
    formats: usize,
    /// The columns of the blocks around the cursor, outermost first.
    indents: Vec<usize>,
}

pub fn lex(text: &str) -> Lexed {
    let mut python = Python {
        lexer: Lexer::new(text),
        open: Vec::new(),
        formats: 0,
        indents: Vec::new(),
    };
    python.lexer.cursor.eat("\u{feff}");
    python.line_start();
    while python.step() {}
    python.end();
    mark_docstrings(&mut python.lexer.lexed);
    python.lexer.lexed
}

impl Python<'_> {
    /// Takes one token, comment or blank; false at the end.
    fn step(&mut self) -> bool {
        let Some(char) = self.lexer.cursor.peek() else {
            return false;
        };
        let start = self.lexer.cursor.position();
        match self.open.last() {
            Some(Open::Format(quotes)) => {
                let quotes = *quotes;
                self.format_text(quotes);
                return true;
            }
            Some(Open::FieldFormat) => {
                self.field_format();
                return true;
            }
            _ => {}
        }
        match char {
            '\n' => self.line_end(),
            '\\' if matches!(self.lexer.cursor.peek_at(1), Some('\n' | '\r')) => {
                self.lexer.cursor.bump();
                self.lexer.cursor.eat("\r");
                self.lexer.cursor.eat("\n");
            }
            _ if char.is_whitespace() => {
                self.lexer.cursor.bump();
            }
            '#' => self.lexer.line_comment(),
            '"' | '\'' => self.string(start, ""),
            _ if char.is_ascii_digit() => self.lexer.number(),
            '.' if self
                .lexer
                .cursor
                .peek_at(1)
                .is_some_and(|next| next.is_ascii_digit()) =>
            {
                self.lexer.number();
            }
            _ if is_word_start(char) => {
                let word = self.lexer.cursor.take_while(is_word_part);
                if matches!(self.lexer.cursor.peek(), Some('"' | '\'')) && is_prefix(word) {
                    self.string(start, word);
                } else {
                    self.lexer.push(TokenKind::Word, start);
                }
            }
            _ => self.symbol(char),
        }
        true
    }

    fn symbol(&mut self, char: char) {
        match char {
            '(' | '[' | '{' => self.open.push(Open::Bracket),
            ')' | ']' if self.open.last() == Some(&Open::Bracket) => {
                self.open.pop();
            }
            '}' if matches!(self.open.last(), Some(Open::Bracket | Open::Field)) => {
                self.open.pop();
            }
            ':' | '!' if self.open.last() == Some(&Open::Field) => return self.field_end(char),
            _ => {}
        }
        self.lexer.symbol(SYMBOLS);
    }

    /// A string whose prefix, if any, lies behind the cursor.
    fn string(&mut self, start: usize, prefix: &str) {
        let has = |letter| {
            prefix
                .chars()
                .any(|char| char.eq_ignore_ascii_case(&letter))
        };
        let quote = self.lexer.cursor.peek().unwrap_or('"');
        let mut quotes = Quotes {
            quote,
            triple: true,
            raw: has('r'),
            start,
        };
        if !self.lexer.cursor.eat(quotes.end()) {
            quotes.triple = false;
            self.lexer.cursor.bump();
        }
        if has('f') || has('t') {
            self.open.push(Open::Format(quotes));
            self.formats += 1;
            self.format_text(quotes);
        } else {
            self.plain_text(quotes);
        }
    }

    fn plain_text(&mut self, quotes: Quotes) {
        loop {
            if self.lexer.cursor.eat(quotes.end()) {
                break;
            }
            match self.lexer.cursor.peek() {
                // Even in a raw string a backslash keeps the next quote from ending it.
                Some('\\') => {
                    self.lexer.cursor.bump();
                    self.lexer.cursor.eat("\r");
                    self.lexer.cursor.bump();
                }
                Some('\n') if !quotes.triple => {
                    self.lexer
                        .fault(FaultKind::UnterminatedString, quotes.start);
                    break;
                }
                Some(_) => {
                    self.lexer.cursor.bump();
                }
                None => {
                    self.lexer
                        .fault(FaultKind::UnterminatedString, quotes.start);
                    break;
                }
            }
        }
        self.lexer.push(TokenKind::Text, quotes.start);
    }

    fn line_end(&mut self) {
        self.lexer.cursor.bump();
        if self.open.is_empty() {
            self.newline();
            self.line_start();
        } else if self.formats == 0 && self.is_statement_ahead() {
            self.open.clear();
            self.newline();
            self.line_start();
        }
    }

    /// Ends a logical line, unless nothing is on it.
    fn newline(&mut self) {
        let ends_a_line = self.lexer.lexed.tokens.last().is_some_and(|token| {
            !matches!(
                token.kind,
                TokenKind::Newline | TokenKind::Indent | TokenKind::Dedent
            )
        });
        if ends_a_line {
            let here = self.lexer.cursor.position();
            self.lexer.push(TokenKind::Newline, here);
        }
    }

    /// Whether the line at the cursor begins with a word that only a statement begins with.
    fn is_statement_ahead(&self) -> bool {
        let rest = self.lexer.cursor.rest().trim_start_matches([' ', '\t']);
        let length = rest.find(|char| !is_word_part(char)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(length).unwrap_or_default();
        // `pass=1` and `with_=…` are arguments, not statements.
        STATEMENTS.contains(&word) && !behind.trim_start().starts_with('=')
    }

    /// Measures the indentation of the next line that has code on it, and opens or closes blocks.
    fn line_start(&mut self) {
        loop {
            let mut column = 0;
            loop {
                match self.lexer.cursor.peek() {
                    Some(' ') => column += 1,
                    Some('\t') => column = (column / TAB + 1) * TAB,
                    Some('\u{c}') => column = 0,
                    _ => break,
                }
                self.lexer.cursor.bump();
            }
            match self.lexer.cursor.peek() {
                None => return,
                Some('#') => self.lexer.line_comment(),
                Some('\n' | '\r') => {}
                Some(_) => return self.indent_to(column),
            }
            self.lexer.cursor.take_while(|char| char == '\r');
            if !self.lexer.cursor.eat("\n") {
                return;
            }
        }
    }

    fn indent_to(&mut self, column: usize) {
        let here = self.lexer.cursor.position();
        let Some(current) = self.indents.last().copied() else {
            // A snippet may be indented as a whole.
            self.indents.push(column);
            return;
        };
        if column > current {
            if !self.is_block_open() {
                self.lexer.fault(FaultKind::Indentation, here);
            }
            self.indents.push(column);
            self.lexer.push(TokenKind::Indent, here);
        }
        while self.indents.len() > 1 && self.indents.last().is_some_and(|last| *last > column) {
            self.indents.pop();
            self.lexer.push(TokenKind::Dedent, here);
        }
        match self.indents.last() {
            Some(last) if *last == column => {}
            Some(last) if *last < column => {
                // Between two levels. It becomes one of its own, so that the lines below it are not reported again.
                self.lexer.fault(FaultKind::Indentation, here);
                self.indents.push(column);
                self.lexer.push(TokenKind::Indent, here);
            }
            _ => {
                self.lexer.fault(FaultKind::Indentation, here);
                self.indents = vec![column];
            }
        }
    }

    /// Whether the line before ended in a colon, so that an indented block may follow.
    fn is_block_open(&self) -> bool {
        let mut tokens = self.lexer.lexed.tokens.iter().rev();
        let last = tokens.find(|token| token.kind != TokenKind::Newline);
        last.is_some_and(|token| self.lexer.text_of(token) == ":")
    }

    /// Closes what is still open at the end of the text.
    fn end(&mut self) {
        let unterminated = self.open.iter().find_map(|open| match open {
            Open::Format(quotes) => Some(quotes.start),
            _ => None,
        });
        if let Some(start) = unterminated {
            self.lexer.fault(FaultKind::UnterminatedString, start);
        }
        self.newline();
        let here = self.lexer.cursor.position();
        for _ in 1..self.indents.len() {
            self.lexer.push(TokenKind::Dedent, here);
        }
    }
}

/// Whether a word that is followed by a quote is the prefix of a string.
fn is_prefix(word: &str) -> bool {
    let mut letters: Vec<char> = word.chars().map(|char| char.to_ascii_lowercase()).collect();
    letters.sort_unstable();
    matches!(
        letters.as_slice(),
        ['b' | 'f' | 'r' | 't' | 'u'] | ['b' | 'f', 'r'] | ['r', 't']
    )
}

/// A string that is a whole logical line is documentation.
fn mark_docstrings(lexed: &mut Lexed) {
    let is_boundary = |kind| {
        matches!(
            kind,
            TokenKind::Newline | TokenKind::Indent | TokenKind::Dedent
        )
    };
    let mut at_line_start = true;
    let mut tokens = lexed.tokens.iter_mut().peekable();
    while let Some(token) = tokens.next() {
        let at_line_end = tokens
            .peek()
            .is_none_or(|next| next.kind == TokenKind::Newline);
        if token.kind == TokenKind::Text && at_line_start && at_line_end {
            token.kind = TokenKind::Docstring;
        }
        at_line_start = is_boundary(token.kind);
    }
}
