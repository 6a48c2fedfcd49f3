//! F-strings and t-strings: text with expressions in it, which have formats, which may have expressions in them.

use super::{Open, Python, Quotes, SYMBOLS};
use crate::lexer::{FaultKind, TokenKind};

impl Python<'_> {
    /// The literal part of an f-string, up to its end or the next expression.
    pub(super) fn format_text(&mut self, quotes: Quotes) {
        let first = self
            .lexer
            .lexed
            .tokens
            .last()
            .is_none_or(|token| (token.span.end as usize) <= quotes.start);
        let start = if first {
            quotes.start
        } else {
            self.lexer.cursor.position()
        };
        loop {
            if self.lexer.cursor.eat(quotes.end()) {
                self.end_format();
                break;
            }
            if self.lexer.cursor.eat("{{") {
                continue;
            }
            match self.lexer.cursor.peek() {
                Some('\\') => self.escape(quotes.raw),
                Some('{') => {
                    self.push_text(start);
                    return self.field_start();
                }
                Some('\n') if !quotes.triple => {
                    self.lexer
                        .fault(FaultKind::UnterminatedString, quotes.start);
                    self.end_format();
                    break;
                }
                Some(_) => {
                    self.lexer.cursor.bump();
                }
                // The end of the text: `end` reports what is still open.
                None => break,
            }
        }
        self.push_text(start);
    }

    fn end_format(&mut self) {
        self.open.pop();
        self.formats -= 1;
    }

    /// A backslash in an f-string: it never hides a brace, but those of `\N{NAME}` are no expression.
    fn escape(&mut self, raw: bool) {
        self.lexer.cursor.bump();
        if !raw && self.lexer.cursor.eat("N{") {
            self.lexer
                .cursor
                .take_while(|char| !matches!(char, '}' | '\n' | '"' | '\''));
            self.lexer.cursor.eat("}");
        } else if !matches!(self.lexer.cursor.peek(), Some('{' | '}')) {
            self.lexer.cursor.eat("\r");
            self.lexer.cursor.bump();
        }
    }

    fn field_start(&mut self) {
        let start = self.lexer.cursor.position();
        self.lexer.cursor.bump();
        self.lexer.push(TokenKind::Symbol, start);
        self.open.push(Open::Field);
    }

    /// The format of an expression in an f-string, up to the `}` that ends both.
    pub(super) fn field_format(&mut self) {
        let start = self.lexer.cursor.position();
        let end = self.open.iter().rev().find_map(|open| match open {
            Open::Format(quotes) => Some(quotes.end()),
            _ => None,
        });
        loop {
            if end.is_some_and(|end| self.lexer.cursor.starts_with(end)) {
                // The string ends before its expression does: the brace stays open and is reported as such.
                self.push_text(start);
                self.open.truncate(self.open.len().saturating_sub(2));
                return;
            }
            match self.lexer.cursor.peek() {
                Some('{') => {
                    self.push_text(start);
                    return self.field_start();
                }
                Some('}') => {
                    self.push_text(start);
                    self.open.truncate(self.open.len().saturating_sub(2));
                    let brace = self.lexer.cursor.position();
                    self.lexer.cursor.bump();
                    return self.lexer.push(TokenKind::Symbol, brace);
                }
                Some(_) => {
                    self.lexer.cursor.bump();
                }
                None => return self.push_text(start),
            }
        }
    }

    fn push_text(&mut self, start: usize) {
        if self.lexer.cursor.position() > start {
            self.lexer.push(TokenKind::Text, start);
        }
    }

    /// In the expression of an f-string, outside of brackets: `:` begins the format, `!r` converts, `!=` compares.
    pub(super) fn field_end(&mut self, char: char) {
        let start = self.lexer.cursor.position();
        if char == ':' {
            self.open.push(Open::FieldFormat);
            self.lexer.cursor.bump();
            self.lexer.push(TokenKind::Symbol, start);
        } else {
            self.lexer.symbol(SYMBOLS);
        }
    }
}
