//! What is asked for: the words of a query, and the kind of doing it wants.

use super::synonyms::{Action, action, phrase};
use super::words::{is_stop_word, parts, split, stem};

/// More words than a question has; the rest is left out.
const MOST_WORDS: usize = 32;

/// A query, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// Its words, each once.
    pub(super) words: Vec<Asked>,
    /// What is to be done, where a verb or a question tells.
    pub(super) action: Option<Action>,
}

/// A word of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its stem.
    pub(super) stem: String,
    /// The stems of its parts, if it looks like a name of several words: used where no tool has the whole.
    pub(super) parts: Vec<String>,
}

impl Query {
    /// Reads a query. One that consists of nothing but words that say nothing is taken at its word.
    pub(super) fn parse(text: &str) -> Self {
        let mut all: Vec<Asked> = Vec::new();
        for token in text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’')) {
            let mut parts: Vec<String> = parts(token)
                .iter()
                .flat_map(|part| split(part).map(|word| stem(&word)).collect::<Vec<_>>())
                .collect();
            let words: Vec<String> = split(token).collect();
            if parts.len() <= words.len() {
                parts.clear();
            }
            all.extend(words.into_iter().map(|word| Asked {
                stem: word,
                parts: parts.clone(),
            }));
            if all.len() >= MOST_WORDS {
                break;
            }
        }
        all.truncate(MOST_WORDS);
        replace_phrases(&mut all);
        let asks = |word: &Asked| action(&stem(&word.stem));
        let action = all.iter().find_map(asks);
        let mut said: Vec<Asked> = all
            .iter()
            .filter(|word| !is_stop_word(&word.stem))
            .cloned()
            .collect();
        if said.is_empty() {
            said = all;
        }
        let mut words: Vec<Asked> = Vec::new();
        for mut word in said {
            word.stem = stem(&word.stem);
            if !words.iter().any(|other| other.stem == word.stem) {
                words.push(word);
            }
        }
        Self { words, action }
    }
}

fn replace_phrases(all: &mut Vec<Asked>) {
    let mut words: Vec<String> = all.iter().map(|word| word.stem.clone()).collect();
    let mut at = 0;
    while at < words.len() {
        if let Some((word, length)) = words.get(at..).and_then(phrase) {
            let one = Asked {
                stem: word.to_owned(),
                parts: Vec::new(),
            };
            all.splice(at..at + length, [one]);
            words.splice(at..at + length, [word.to_owned()]);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stems(text: &str) -> Vec<String> {
        let words = Query::parse(text).words;
        words.into_iter().map(|word| word.stem).collect()
    }

    #[test]
    fn words_that_say_nothing_are_dropped_unless_there_is_nothing_else() {
        assert_eq!(
            stems("find a word in my project"),
            ["find", "word", "project"]
        );
        assert_eq!(stems("who am I"), ["who", "am", "i"]);
        assert!(stems(" ?! ").is_empty());
    }

    #[test]
    fn a_query_tells_what_is_to_be_done() {
        let action = |text: &str| Query::parse(text).action;
        assert_eq!(action("how many rows are there"), Some(Action::Read));
        assert_eq!(action("adding a row"), Some(Action::Create));
        assert_eq!(action("get rid of a row"), Some(Action::Delete));
        assert_eq!(action("rows"), None);
    }

    #[test]
    fn a_name_of_several_words_can_be_taken_apart() {
        let words = Query::parse("readTextFile").words;
        assert_eq!(words[0].stem, "readtextfil");
        assert_eq!(words[0].parts, ["read", "text", "file"]);
        assert!(
            Query::parse("read_file")
                .words
                .iter()
                .all(|word| word.parts.is_empty())
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_of_few_distinct_words(text in "\\PC{0,400}") {
            let words = stems(&text);
            prop_assert!(words.len() <= MOST_WORDS);
            for (at, word) in words.iter().enumerate() {
                prop_assert!(!words[..at].contains(word));
            }
        }
    }
}
