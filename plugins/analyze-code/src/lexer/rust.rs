//! Rust: nested block comments, raw strings with any number of hashes, byte and C strings, lifetimes against
//! characters.

use super::{FaultKind, Lexed, Lexer, Lines, TokenKind, is_word_part, is_word_start};

/// `>` is never joined to what follows, so that the brackets of generics can be counted.
const SYMBOLS: &[&str] = &[
    "..=", "...", "<<=", "::", "->", "=>", "==", "!=", "<=", "&&", "||", "..", "+=", "-=", "*=",
    "/=", "%=", "^=", "&=", "|=",
];

pub fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer::new(text);
    if lexer.cursor.starts_with("#!") && !lexer.cursor.starts_with("#![") {
        lexer.line_comment();
    }
    while let Some(char) = lexer.cursor.peek() {
        let start = lexer.cursor.position();
        match char {
            _ if char.is_whitespace() => {
                lexer.cursor.bump();
            }
            '/' if lexer.cursor.starts_with("//") => lexer.line_comment(),
            '/' if lexer.cursor.starts_with("/*") => lexer.block_comment(true),
            '"' => lexer.quoted(start, '"', Lines::Many, FaultKind::UnterminatedString),
            '\'' => character_or_lifetime(&mut lexer),
            _ if char.is_ascii_digit() => lexer.number(),
            _ if is_word_start(char) => word_or_literal(&mut lexer),
            _ => lexer.symbol(SYMBOLS),
        }
    }
    lexer.lexed
}

/// What begins with a quote: a character if the quote is closed after one character or an escape, else a lifetime.
fn character_or_lifetime(lexer: &mut Lexer<'_>) {
    let start = lexer.cursor.position();
    match (lexer.cursor.peek_at(1), lexer.cursor.peek_at(2)) {
        (Some('\\'), _) => {
            lexer.quoted(start, '\'', Lines::One, FaultKind::UnterminatedCharacter);
        }
        (Some(inner), Some('\'')) if inner != '\'' => {
            lexer.quoted(start, '\'', Lines::Many, FaultKind::UnterminatedCharacter);
        }
        (Some(inner), _) if is_word_start(inner) => {
            lexer.cursor.bump();
            lexer.cursor.take_while(is_word_part);
            lexer.push(TokenKind::Lifetime, start);
        }
        _ => {
            lexer.cursor.bump();
            lexer.fault(FaultKind::UnterminatedCharacter, start);
            lexer.push(TokenKind::Symbol, start);
        }
    }
}

/// What begins with a letter: a word, a raw identifier, or the prefix of a literal.
fn word_or_literal(lexer: &mut Lexer<'_>) {
    let start = lexer.cursor.position();
    let word = lexer.cursor.take_while(is_word_part);
    let next = lexer.cursor.peek();
    match (word, next) {
        ("b" | "c", Some('"')) => {
            lexer.quoted(start, '"', Lines::Many, FaultKind::UnterminatedString);
        }
        ("b", Some('\'')) => {
            lexer.quoted(start, '\'', Lines::One, FaultKind::UnterminatedCharacter);
        }
        ("r" | "br" | "cr", Some('"' | '#')) => {
            let behind_word = lexer.cursor.position();
            let hashes = lexer.cursor.take_while(|char| char == '#');
            if lexer.cursor.eat("\"") {
                lexer.raw(start, &format!("\"{hashes}"));
            } else if word == "r" && hashes == "#" && lexer.cursor.peek().is_some_and(is_word_start)
            {
                lexer.cursor.take_while(is_word_part);
                lexer.push(TokenKind::Word, start);
            } else {
                lexer.cursor.go_back(behind_word);
                lexer.push(TokenKind::Word, start);
            }
        }
        _ => lexer.push(TokenKind::Word, start),
    }
}
