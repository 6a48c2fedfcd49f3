//! `plugin-name`: a plugin with one tool. A tool is an ordinary function; its types and doc comments are what agents see.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use toolhatch_plugin::{Result, ToolError, tool};

/// What was counted.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Count {
    /// All words of the text.
    words: usize,
    /// The most frequent words in small letters, the most frequent first.
    top: Vec<Word>,
}

/// A word, and how often it is there.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Word {
    /// The word.
    word: String,
    /// How often it is there.
    count: usize,
}

/// Counts the words of a text, and tells which are the most frequent.
#[tool]
pub fn count_words(
    /// The text.
    #[schemars(length(max = 1_000_000), example = &"The cat and the dog")]
    text: String,
    /// How many of the most frequent words to tell.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 100), example = 3)]
    top: usize,
) -> Result<Count> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'') {
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return Err(ToolError::invalid_arguments("`text` has no words"));
    }
    let words = counts.values().sum();
    let mut all: Vec<Word> = counts
        .into_iter()
        .map(|(word, count)| Word { word, count })
        .collect();
    // They are sorted by the word already, and stay so where they are as frequent.
    all.sort_by_key(|word| std::cmp::Reverse(word.count));
    all.truncate(top);
    Ok(Count { words, top: all })
}

fn five() -> usize {
    5
}

// Every tool of the plugin, by its function.
toolhatch_plugin::plugin!(count_words);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_words_come_first() {
        let count = count_words("The cat and the dog".to_owned(), 1).unwrap();
        let word = "the".to_owned();
        assert_eq!(
            count,
            Count {
                words: 5,
                top: vec![Word { word, count: 2 }],
            }
        );
    }

    #[test]
    fn a_text_without_words_is_refused() {
        let error = count_words("?!".to_owned(), 5).unwrap_err();
        assert_eq!(error.to_string(), "`text` has no words");
    }
}
