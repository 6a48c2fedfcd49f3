//! Texts as words that can be compared: in lower case, without endings.

use std::collections::HashSet;
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};

static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));

/// Words that say nothing of what a tool does. Those that ask (`who`, `how many`) tell what kind of answer is wanted, which
/// is looked at before they are dropped.
static STOP_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "a about again all also am an and another any anyone anything are as at be been before being between but by can could \
     did do does down during each every everyone everything for from give had has have he her here his how i if in into is \
     it its just let like many me much my need no not now of off on once one only onto or other our out over own please she \
     should so some somebody someone something still than that the their them then there these they thing this those to \
     under up us want was way we were what when where which while who whom whose why will with within without would you your"
        .split_whitespace()
        .collect()
});

/// Forms that no rule about endings leads back to their word, or that the rules lead astray.
const IRREGULAR: &[(&str, &str)] = &[
    ("added", "add"),
    ("adding", "add"),
    ("analyses", "analyse"),
    ("bought", "buy"),
    ("broken", "break"),
    ("brought", "bring"),
    ("built", "build"),
    ("children", "child"),
    ("chosen", "choose"),
    ("drawn", "draw"),
    ("found", "find"),
    ("given", "give"),
    ("got", "get"),
    ("hidden", "hide"),
    ("indices", "index"),
    ("kept", "keep"),
    ("made", "make"),
    ("paid", "pay"),
    ("people", "person"),
    ("ran", "run"),
    ("sent", "send"),
    ("shown", "show"),
    ("sold", "sell"),
    ("spent", "spend"),
    ("taken", "take"),
    ("told", "tell"),
    ("vertices", "vertex"),
    ("written", "write"),
    ("wrote", "write"),
];

/// A longer run of letters is no word of a language.
const LONGEST: usize = 64;

/// The stems of a text that was written for people, in their order, without the words that say nothing.
#[must_use]
pub(super) fn prose(text: &str) -> Vec<String> {
    split(text)
        .filter(|word| !is_stop_word(word))
        .map(|word| stem(&word))
        .collect()
}

/// The stems of a name such as `readTextFile`, `read-text-file` or `HTTP2Server`, in their order.
#[must_use]
pub(super) fn identifier(name: &str) -> Vec<String> {
    split(&parts(name).join(" "))
        .map(|word| stem(&word))
        .collect()
}

/// The words of a text in lower case; `'s` and the like are left out.
pub(super) fn split(text: &str) -> impl Iterator<Item = String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c.is_alphanumeric() && !stands_alone(c) {
            word.extend(c.to_lowercase());
            continue;
        }
        let in_word = !word.is_empty();
        words.extend(finished(&mut word));
        if stands_alone(c) {
            words.push(c.to_string());
        }
        // What follows an apostrophe is an ending, up to two letters long.
        if in_word && matches!(c, '\'' | '’') {
            let ending: String = characters
                .clone()
                .take(3)
                .take_while(|c| c.is_alphanumeric())
                .collect();
            if ending.chars().count() <= 2 {
                characters
                    .by_ref()
                    .take(ending.chars().count())
                    .for_each(drop);
            }
        }
    }
    words.extend(finished(&mut word));
    words.into_iter()
}

fn finished(word: &mut String) -> Option<String> {
    let word = std::mem::take(word);
    (!word.is_empty() && word.len() <= LONGEST).then_some(word)
}

/// Scripts without spaces: each sign is taken as a word.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

/// The parts of a name, by its capitals: `readTextFile` is `read`, `Text`, `File`, and `HTTPServer` is `HTTP`, `Server`.
pub(super) fn parts(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut parts = vec![String::new()];
    let mut last: Option<char> = None;
    for (at, &c) in characters.iter().enumerate() {
        let next_is_lower = characters
            .get(at + 1)
            .is_some_and(|next| next.is_lowercase());
        let begins = last.is_some_and(|last| {
            c.is_uppercase()
                && (last.is_lowercase()
                    || last.is_numeric()
                    || (last.is_uppercase() && next_is_lower))
        });
        if begins {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        last = Some(c);
    }
    parts
}

/// What a word has in common with its other forms.
#[must_use]
pub(super) fn stem(word: &str) -> String {
    let irregular = IRREGULAR
        .binary_search_by_key(&word, |(form, _)| form)
        .ok()
        .and_then(|at| IRREGULAR.get(at));
    STEMMER
        .stem(irregular.map_or(word, |(_, word)| word))
        .into_owned()
}

/// True for a word in lower case that says nothing.
#[must_use]
pub(super) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_split_however_their_authors_join_words() {
        for name in [
            "readTextFile",
            "read-text-file",
            "read_text_file",
            "ReadTextFile",
            "read.text/file",
            "READ_TEXT_FILE",
        ] {
            assert_eq!(identifier(name), ["read", "text", "file"], "{name}");
        }
        assert_eq!(
            identifier("getHTTPServer2Name"),
            ["get", "http", "server2", "name"]
        );
        assert_eq!(
            identifier("add_card_to_list"),
            ["add", "card", "to", "list"]
        );
    }

    #[test]
    fn prose_keeps_product_names_whole_and_drops_what_says_nothing() {
        assert_eq!(
            prose("What's in the GitHub repositories of my team?"),
            ["github", "repositori", "team"]
        );
        assert_eq!(prose("the user’s files"), ["user", "file"]);
        assert_eq!(prose("o'clock"), ["o", "clock"]);
    }

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for forms in [
            "add adds added adding",
            "write writes writing written wrote",
            "index indexes indices",
            "file files",
        ] {
            let stems: HashSet<String> = forms.split(' ').map(stem).collect();
            assert_eq!(stems.len(), 1, "{forms}: {stems:?}");
        }
        assert!(IRREGULAR.is_sorted(), "they are searched by halves");
    }

    #[test]
    fn scripts_without_spaces_are_split_into_signs() {
        assert_eq!(prose("搜索file文件"), ["搜", "索", "file", "文", "件"]);
    }

    proptest! {
        #[test]
        fn any_text_gives_words_of_letters_and_digits(text in "\\PC*") {
            for word in prose(&text).into_iter().chain(identifier(&text)) {
                prop_assert!(!word.is_empty());
                prop_assert!(!word.contains([' ', '"', '*', '^']));
            }
        }

        #[test]
        fn case_makes_no_difference_to_prose(text in "[a-z' ]{0,40}") {
            prop_assert_eq!(prose(&text), prose(&text.to_uppercase()));
        }
    }
}
