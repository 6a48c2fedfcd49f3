//! JSX: elements with attributes and children. An element that does not end, or contains what no element can, was none:
//! the lexer returns to its `<` and takes it for an operator.

use super::{JavaScript, Jsx, Open};
use crate::lexer::{TokenKind, is_word_part, is_word_start};

/// What to restore where an element turns out to be none.
#[derive(Clone, Copy)]
pub struct Checkpoint {
    position: usize,
    tokens: usize,
    comments: usize,
    faults: usize,
    open: usize,
    closed: Option<Open>,
}

impl JavaScript<'_> {
    pub(super) fn is_element_start(&self, position: usize) -> bool {
        self.jsx == Jsx::Yes
            && self.no_element_at != Some(position)
            && self
                .lexer
                .cursor
                .peek_at(1)
                .is_some_and(|next| next == '>' || is_word_start(next))
            && self.is_expression_start()
    }

    pub(super) fn element_start(&mut self, start: usize) {
        if self.before_element.is_none() {
            self.before_element = Some(Checkpoint {
                position: start,
                tokens: self.lexer.lexed.tokens.len(),
                comments: self.lexer.lexed.comments.len(),
                faults: self.lexer.lexed.faults.len(),
                open: self.open.len(),
                closed: self.closed,
            });
        }
        self.open_tag("<", false);
    }

    fn open_tag(&mut self, symbol: &str, closing: bool) {
        let start = self.lexer.cursor.position();
        self.lexer.cursor.skip(symbol.len());
        self.lexer.push(TokenKind::Symbol, start);
        self.open.push(Open::Tag {
            closing,
            generics: 0,
        });
    }

    /// One part of a tag: its name, an attribute, its end.
    pub(super) fn tag_part(&mut self, char: char, closing: bool, generics: usize) {
        let start = self.lexer.cursor.position();
        match char {
            _ if char.is_whitespace() => {
                self.lexer.cursor.bump();
            }
            '/' if self.lexer.cursor.starts_with("/*") => self.lexer.block_comment(false),
            '/' if self.lexer.cursor.starts_with("//") => self.lexer.line_comment(),
            '/' if self.lexer.cursor.starts_with("/>") => {
                self.lexer.cursor.skip(2);
                self.lexer.push(TokenKind::Symbol, start);
                self.close_tag(false);
            }
            '>' => {
                self.lexer.cursor.bump();
                self.lexer.push(TokenKind::Symbol, start);
                if generics > 0 {
                    self.set_generics(closing, generics - 1);
                } else {
                    self.close_tag(!closing);
                }
            }
            '<' => {
                self.lexer.cursor.bump();
                self.lexer.push(TokenKind::Symbol, start);
                self.set_generics(closing, generics + 1);
            }
            '"' | '\'' => {
                // No escapes, and any number of lines.
                self.lexer.cursor.bump();
                self.lexer.raw(start, if char == '"' { "\"" } else { "'" });
            }
            '{' => {
                self.lexer.cursor.bump();
                self.lexer.push(TokenKind::Symbol, start);
                self.open.push(Open::JsxField);
            }
            _ if is_word_start(char) => {
                let name = self
                    .lexer
                    .cursor
                    .take_while(|char| is_word_part(char) || char == '-');
                self.lexer.push(TokenKind::Word, start);
                if name == "extends" && generics == 0 {
                    // `<T extends U>(…) => …`: a generic function.
                    self.give_up_on_element();
                }
            }
            ',' | '[' | ']' | '|' | '&' if generics == 0 => {
                self.give_up_on_element();
            }
            '=' | '.' | ':' | ',' | '$' | '[' | ']' | '|' | '&' => {
                self.lexer.cursor.bump();
                self.lexer.push(TokenKind::Symbol, start);
            }
            _ => {
                self.give_up_on_element();
            }
        }
    }

    fn set_generics(&mut self, closing: bool, generics: usize) {
        self.open.pop();
        self.open.push(Open::Tag { closing, generics });
    }

    /// Ends a tag; children follow an opening one that did not close itself.
    fn close_tag(&mut self, has_children: bool) {
        self.closed = self.open.pop();
        if has_children {
            self.open.push(Open::Children);
        } else if self
            .before_element
            .is_some_and(|before| self.open.len() <= before.open)
        {
            self.before_element = None;
        }
    }

    /// What comes next between tags: text, an expression, an element, or the closing tag.
    pub(super) fn child(&mut self) {
        let start = self.lexer.cursor.position();
        let text = self
            .lexer
            .cursor
            .take_while(|char| !matches!(char, '<' | '{'));
        if !text.trim().is_empty() {
            self.lexer.push(TokenKind::Text, start);
        }
        if self.lexer.cursor.starts_with("</") {
            self.open.pop();
            self.open_tag("</", true);
        } else if self.lexer.cursor.starts_with("<") {
            self.open_tag("<", false);
        } else if self.lexer.cursor.starts_with("{") {
            let brace = self.lexer.cursor.position();
            self.lexer.cursor.bump();
            self.lexer.push(TokenKind::Symbol, brace);
            self.open.push(Open::JsxField);
        }
    }

    /// Returns to the `<` of an element that was none; false where there is no such element.
    pub(super) fn give_up_on_element(&mut self) -> bool {
        let Some(before) = self.before_element.take() else {
            return false;
        };
        self.lexer.cursor.go_back(before.position);
        self.lexer.lexed.tokens.truncate(before.tokens);
        self.lexer.lexed.comments.truncate(before.comments);
        self.lexer.lexed.faults.truncate(before.faults);
        self.open.truncate(before.open);
        self.closed = before.closed;
        self.no_element_at = Some(before.position);
        self.mistakes_left = self.mistakes_left.saturating_sub(1);
        if self.mistakes_left == 0 {
            self.jsx = Jsx::No;
        }
        true
    }
}
