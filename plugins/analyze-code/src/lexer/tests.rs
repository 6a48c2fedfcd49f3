mod go;
mod javascript;
mod python;
mod rust;

use super::*;

const TSX: Language = Language::TypeScript { jsx: true };
const TS: Language = Language::TypeScript { jsx: false };

/// The tokens of a text, one letter for the kind and then the text: `W:fn W:main S:(`.
fn tokens(text: &str, language: Language) -> String {
    let kinds = lex(text, language).tokens.into_iter().map(|token| {
        let letter = match token.kind {
            TokenKind::Word => "W:",
            TokenKind::Number => "N:",
            TokenKind::Text => "T:",
            TokenKind::Docstring => "D:",
            TokenKind::Lifetime => "L:",
            TokenKind::Symbol => "S:",
            TokenKind::Newline => return "newline".to_owned(),
            TokenKind::Indent => return "indent".to_owned(),
            TokenKind::Dedent => return "dedent".to_owned(),
        };
        format!(
            "{letter}{}",
            &text[token.span.start as usize..token.span.end as usize]
        )
    });
    kinds.collect::<Vec<_>>().join(" ")
}

/// The texts of all tokens of one kind.
fn of_kind(text: &str, language: Language, kind: TokenKind) -> Vec<String> {
    lex(text, language)
        .tokens
        .into_iter()
        .filter(|token| token.kind == kind)
        .map(|token| text[token.span.start as usize..token.span.end as usize].to_owned())
        .collect()
}

/// Checks that a text has exactly these strings in it, and no faults.
fn check_strings(language: Language, cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(
            of_kind(text, language, TokenKind::Text),
            *expected,
            "in {text}"
        );
        assert_eq!(lex(text, language).faults, [], "in {text}");
    }
}

/// Checks which faults a text has, and what of it they span.
fn check_faults(language: Language, cases: &[(&str, FaultKind, &str)]) {
    for (text, kind, spanned) in cases {
        let faults = lex(text, language).faults;
        let found: Vec<_> = faults
            .iter()
            .map(|fault| {
                (
                    fault.kind,
                    &text[fault.span.start as usize..fault.span.end as usize],
                )
            })
            .collect();
        assert_eq!(found, [(*kind, *spanned)], "in {text}");
    }
}

#[test]
fn numbers_take_what_belongs_to_them() {
    for (text, expected) in [
        ("1_000u32 0xFFu8 1.5e-3", "N:1_000u32 N:0xFFu8 N:1.5e-3"),
        ("0..10", "N:0 S:.. N:10"),
        ("1.max(2)", "N:1 S:. W:max S:( N:2 S:)"),
        ("1. + 2.", "N:1. S:+ N:2."),
        ("0xE+1", "N:0xE S:+ N:1"),
    ] {
        assert_eq!(tokens(text, Language::Rust), expected, "{text}");
    }
}

#[test]
fn whatever_the_text_is_tokens_are_in_order_and_within_it() {
    let pieces = [
        "'", "\"", "`", "/", "*", "#", "\\", "\n", "{", "}", "${", "(", ")", "<", ">", "r#\"",
        "f\"", "é", "fn a", " ", "\t", "def x:", "0x", "'''", "</a>", "<a", "$", "N{", "!", ":",
        "=", "\r\n", "b'",
    ];
    let mut state = 1_u64;
    for _ in 0..4_000 {
        let mut text = String::new();
        for _ in 0..24 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        for language in [
            Language::Rust,
            Language::Python,
            Language::JavaScript,
            TS,
            Language::Go,
        ] {
            let lexed = lex(&text, language);
            let mut end = 0;
            for token in &lexed.tokens {
                assert!(token.span.start >= end, "{language:?}: {text:?}");
                assert!(token.span.end >= token.span.start, "{language:?}: {text:?}");
                end = token.span.end;
            }
            assert!(end as usize <= text.len(), "{language:?}: {text:?}");
            for span in lexed
                .comments
                .iter()
                .chain(lexed.faults.iter().map(|fault| &fault.span))
            {
                assert!(
                    text.get(span.start as usize..span.end as usize).is_some(),
                    "{text:?}"
                );
            }
        }
    }
}

#[test]
fn hostile_texts_take_no_quadratic_time() {
    let count = 60_000;
    for (piece, language) in [
        ("/*", Language::Rust),
        ("'", Language::Rust),
        ("f\"{", Language::Python),
        ("(\n", Language::Python),
        (" a\n", Language::Python),
        ("`${", Language::JavaScript),
        ("=<a>", Language::JavaScript),
        ("=<a b=", TSX),
        ("(/", Language::JavaScript),
        ("{", Language::Go),
    ] {
        let start = std::time::Instant::now();
        let lexed = lex(&piece.repeat(count), language);
        // Unoptimised, linear takes two seconds at most, and quadratic more than fifteen.
        assert!(
            start.elapsed().as_secs() < 8,
            "{piece} took {:?}",
            start.elapsed()
        );
        assert!(lexed.tokens.len() < 10 * count, "{piece}");
    }
}
