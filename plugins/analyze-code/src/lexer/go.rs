//! Go: interpreted and raw strings, runes.

use super::{FaultKind, Lexed, Lexer, Lines, is_word_start};

const SYMBOLS: &[&str] = &[
    "<<=", ">>=", "&^=", "...", "&&", "||", "<-", "++", "--", "==", "!=", "<=", ">=", ":=", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "&^",
];

pub fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer::new(text);
    while let Some(char) = lexer.cursor.peek() {
        let start = lexer.cursor.position();
        match char {
            _ if char.is_whitespace() => {
                lexer.cursor.bump();
            }
            '/' if lexer.cursor.starts_with("//") => lexer.line_comment(),
            '/' if lexer.cursor.starts_with("/*") => lexer.block_comment(false),
            '"' => lexer.quoted(start, '"', Lines::One, FaultKind::UnterminatedString),
            '\'' => lexer.quoted(start, '\'', Lines::One, FaultKind::UnterminatedCharacter),
            '`' => {
                lexer.cursor.bump();
                lexer.raw(start, "`");
            }
            _ if char.is_ascii_digit() => lexer.number(),
            _ if is_word_start(char) => lexer.word(),
            _ => lexer.symbol(SYMBOLS),
        }
    }
    lexer.lexed
}
