//! The rules of the house that a compiler does not know, each a test whose message says how to mend it.

mod dependencies;
mod documentation;
mod rooms;
mod style;

use crate::support::source::Token;

/// Fails with every place that breaks a rule.
fn report(problems: &[String], mend: &str) {
    assert!(
        problems.is_empty(),
        "\n  {}\n\n{mend}\n",
        problems.join("\n  ")
    );
}

/// The lines on which these tokens stand one after the other.
fn lines_with(tokens: &[Token], wanted: &[&str]) -> Vec<usize> {
    tokens
        .windows(wanted.len())
        .filter(|window| {
            window
                .iter()
                .map(|token| token.text.as_str())
                .eq(wanted.iter().copied())
        })
        .map(|window| window[0].line)
        .collect()
}
