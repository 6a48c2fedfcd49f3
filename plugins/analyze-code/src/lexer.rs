//! Source text to tokens. Each language has its own lexer, exact about what makes counting go wrong otherwise: every
//! form of string, comment, character and regular expression. Everything later works on tokens and never looks at raw
//! text.

mod cursor;
mod go;
mod javascript;
mod python;
mod rust;

use crate::language::Language;
use cursor::Cursor;

/// A byte range of the source text. Files are far below 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An identifier or keyword.
    Word,
    /// A number.
    Number,
    /// A string, a character, a regular expression, or a piece of one that has expressions in it.
    Text,
    /// A string that stands alone as a statement: Python's documentation.
    Docstring,
    /// A Rust lifetime or loop label.
    Lifetime,
    /// An operator or a bracket.
    Symbol,
    /// The end of a logical line, where the language has them (Python).
    Newline,
    /// The start of an indented block (Python).
    Indent,
    /// The end of an indented block (Python).
    Dedent,
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is.
    pub span: Span,
}

/// What a lexer could not make sense of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A string or template without its end.
    UnterminatedString,
    /// A character literal without its end.
    UnterminatedCharacter,
    /// A block comment without its end.
    UnterminatedComment,
    /// A line indented like none of the blocks around it, or for no reason.
    Indentation,
}

/// A place where lexing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong.
    pub kind: FaultKind,
    /// From where to where; an unterminated string may run to the end of the file.
    pub span: Span,
}

/// The result of lexing one file.
#[derive(Debug, Default)]
pub struct Lexed {
    /// All tokens but comments, in order.
    pub tokens: Vec<Token>,
    /// All comments, in order.
    pub comments: Vec<Span>,
    /// All faults, in order.
    pub faults: Vec<Fault>,
}

/// Splits a source text into tokens and comments. Never fails: what is broken becomes a [`Fault`], and lexing goes on.
pub fn lex(text: &str, language: Language) -> Lexed {
    match language {
        Language::Rust => rust::lex(text),
        Language::Python => python::lex(text),
        Language::JavaScript => javascript::lex(text, javascript::Jsx::Yes),
        Language::TypeScript { jsx: true } => javascript::lex(text, javascript::Jsx::Yes),
        Language::TypeScript { jsx: false } => javascript::lex(text, javascript::Jsx::No),
        Language::Go => go::lex(text),
    }
}

/// Whether a string may contain line breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    Many,
}

/// A cursor and what was found so far: the parts that the lexers have in common.
struct Lexer<'a> {
    cursor: Cursor<'a>,
    lexed: Lexed,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            cursor: Cursor::new(text),
            lexed: Lexed::default(),
        }
    }

    fn span_from(&self, start: usize) -> Span {
        // Sources are capped at a few MiB, so the conversion cannot fail; an absurd one would only move a position.
        let narrow = |position| u32::try_from(position).unwrap_or(u32::MAX);
        Span {
            start: narrow(start),
            end: narrow(self.cursor.position()),
        }
    }

    /// Ends a token that began at `start`.
    fn push(&mut self, kind: TokenKind, start: usize) {
        let span = self.span_from(start);
        self.lexed.tokens.push(Token { kind, span });
    }

    fn fault(&mut self, kind: FaultKind, start: usize) {
        let span = self.span_from(start);
        self.lexed.faults.push(Fault { kind, span });
    }

    fn text_of(&self, token: &Token) -> &'a str {
        self.cursor
            .slice(token.span.start as usize, token.span.end as usize)
    }

    /// A comment that ends with its line.
    fn line_comment(&mut self) {
        let start = self.cursor.position();
        self.cursor.take_while(|char| char != '\n');
        let span = self.span_from(start);
        self.lexed.comments.push(span);
    }

    /// A comment in `/* … */`, in which others may be nested.
    fn block_comment(&mut self, nests: bool) {
        let start = self.cursor.position();
        let mut depth = 0_usize;
        loop {
            if self.cursor.starts_with("/*") && (nests || depth == 0) {
                depth += 1;
                self.cursor.skip(2);
            } else if self.cursor.eat("*/") {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            } else if self.cursor.bump().is_none() {
                self.fault(FaultKind::UnterminatedComment, start);
                break;
            }
        }
        let span = self.span_from(start);
        self.lexed.comments.push(span);
    }

    /// A literal with backslash escapes that ends with `quote`; the cursor is on its opening quote, the token began at
    /// `start`.
    fn quoted(&mut self, start: usize, quote: char, lines: Lines, fault: FaultKind) {
        self.cursor.bump();
        loop {
            match self.cursor.peek() {
                Some(char) if char == quote => {
                    self.cursor.bump();
                    break;
                }
                Some('\\') => {
                    self.cursor.bump();
                    if !self.cursor.eat("\r\n") {
                        self.cursor.bump();
                    }
                }
                Some('\n') if lines == Lines::One => {
                    self.fault(fault, start);
                    break;
                }
                Some(_) => {
                    self.cursor.bump();
                }
                None => {
                    self.fault(fault, start);
                    break;
                }
            }
        }
        self.push(TokenKind::Text, start);
    }

    /// A literal without escapes that ends with `end`; the cursor is behind its opening, the token began at `start`.
    fn raw(&mut self, start: usize, end: &str) {
        if !self.cursor.skip_past(end) {
            self.fault(FaultKind::UnterminatedString, start);
        }
        self.push(TokenKind::Text, start);
    }

    /// A number in any of the notations: `1_000`, `0xFFu8`, `1.5e-3`, `1.`, `10n`, `2i`. The dots of `1..2` and
    /// `1.max(2)` are left.
    fn number(&mut self) {
        let start = self.cursor.position();
        let hexadecimal = self.cursor.starts_with("0x") || self.cursor.starts_with("0X");
        let mut previous = '0';
        while let Some(char) = self.cursor.peek() {
            let goes_on = match char {
                '.' => {
                    let next = self.cursor.peek_at(1);
                    !next.is_some_and(|next| next == '.' || is_word_start(next))
                }
                '+' | '-' => {
                    matches!(previous, 'e' | 'E')
                        && !hexadecimal
                        && self
                            .cursor
                            .peek_at(1)
                            .is_some_and(|next| next.is_ascii_digit())
                }
                _ => is_word_part(char),
            };
            if !goes_on {
                break;
            }
            previous = char;
            self.cursor.bump();
        }
        self.push(TokenKind::Number, start);
    }

    fn word(&mut self) {
        let start = self.cursor.position();
        self.cursor.take_while(is_word_part);
        self.push(TokenKind::Word, start);
    }

    /// The first of `symbols` that is here, else a single character.
    fn symbol(&mut self, symbols: &[&str]) {
        let start = self.cursor.position();
        match symbols
            .iter()
            .find(|symbol| self.cursor.starts_with(symbol))
        {
            Some(symbol) => self.cursor.skip(symbol.len()),
            None => {
                self.cursor.bump();
            }
        }
        self.push(TokenKind::Symbol, start);
    }
}

fn is_word_start(char: char) -> bool {
    char == '_' || char.is_alphabetic()
}

fn is_word_part(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

#[cfg(test)]
mod tests;
