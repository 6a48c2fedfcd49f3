//! A lexed file with its brackets matched: what functions are found and branches are counted in.

mod brackets;

use std::ops::Range;

use crate::language::Language;
use crate::lexer::{Fault, Span, Token, TokenKind, lex};
use crate::lines::Lines;

pub use brackets::Stray;

/// One file, ready to be analysed.
pub struct Code<'a> {
    /// The language it was read as.
    pub language: Language,
    /// Its text.
    pub text: &'a str,
    /// Its lines.
    pub lines: Lines<'a>,
    /// Its tokens, comments left out.
    pub tokens: Vec<Token>,
    /// Its comments.
    pub comments: Vec<Span>,
    /// What the lexer stumbled over.
    pub faults: Vec<Fault>,
    /// Brackets without a partner.
    pub strays: Vec<Stray>,
    pairs: Vec<Option<u32>>,
}

impl<'a> Code<'a> {
    /// Lexes a text and matches its brackets.
    pub fn read(text: &'a str, language: Language) -> Self {
        let lexed = lex(text, language);
        let mut code = Self {
            language,
            text,
            lines: Lines::new(text),
            tokens: lexed.tokens,
            comments: lexed.comments,
            faults: lexed.faults,
            strays: Vec::new(),
            pairs: Vec::new(),
        };
        (code.pairs, code.strays) = brackets::matched(&code);
        code
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &'a str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// The text of a token; empty behind the last one.
    pub fn at(&self, index: usize) -> &'a str {
        self.tokens
            .get(index)
            .map_or("", |token| self.slice(token.span))
    }

    /// Whether a byte lies within a string, behind its first character.
    pub fn is_in_text(&self, offset: usize) -> bool {
        let next = self
            .tokens
            .partition_point(|token| (token.span.start as usize) < offset);
        let token = next.checked_sub(1).and_then(|index| self.tokens.get(index));
        token.is_some_and(|token| {
            matches!(token.kind, TokenKind::Text | TokenKind::Docstring)
                && (token.span.end as usize) > offset
        })
    }

    /// The kind of a token.
    pub fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    /// Whether the token is this operator or bracket.
    pub fn is_symbol(&self, index: usize, symbol: &str) -> bool {
        self.kind(index) == Some(TokenKind::Symbol) && self.at(index) == symbol
    }

    /// The text of a token that is a word.
    pub fn word(&self, index: usize) -> Option<&'a str> {
        (self.kind(index) == Some(TokenKind::Word)).then(|| self.at(index))
    }

    /// Whether the token is this keyword.
    pub fn is_word(&self, index: usize, word: &str) -> bool {
        self.word(index) == Some(word)
    }

    /// The partner of a bracket (or of a Python indentation).
    pub fn pair(&self, index: usize) -> Option<usize> {
        self.pairs
            .get(index)
            .copied()
            .flatten()
            .map(|pair| pair as usize)
    }

    /// The token behind `index`, or behind its partner where it opens a bracket.
    pub fn after(&self, index: usize) -> usize {
        self.pair(index)
            .filter(|pair| *pair > index)
            .unwrap_or(index)
            + 1
    }

    /// The strings that stand for comments.
    pub fn docstrings(&self) -> impl Iterator<Item = Span> + '_ {
        let docstrings = self
            .tokens
            .iter()
            .filter(|token| token.kind == TokenKind::Docstring);
        docstrings.map(|token| token.span)
    }

    /// The token before `index`, if there is one.
    pub fn before(&self, index: usize) -> Option<usize> {
        index.checked_sub(1)
    }

    /// The line that a token begins in.
    pub fn line_of(&self, index: usize) -> usize {
        self.tokens
            .get(index)
            .map_or(1, |token| self.lines.line_of(token.span.start))
    }

    /// The line that a token ends in.
    pub fn end_line_of(&self, index: usize) -> usize {
        self.tokens.get(index).map_or(1, |token| {
            self.lines
                .line_of(token.span.end.saturating_sub(1).max(token.span.start))
        })
    }

    /// The line that a range of tokens ends in. Python's blocks end with tokens that stand on a later line: they do not
    /// count.
    pub fn last_line_of(&self, tokens: &Range<usize>) -> usize {
        let is_text = |index: &usize| {
            !matches!(
                self.kind(*index),
                Some(TokenKind::Newline | TokenKind::Indent | TokenKind::Dedent) | None
            )
        };
        let last = tokens.clone().rev().find(is_text);
        self.end_line_of(last.unwrap_or(tokens.start))
    }
}
