//! A text as words, read as a model would read it, and patterns of words.

use super::characters::latin;
use crate::pins::visible::is_hidden;

/// A word in lower case, and where it stands in the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The letter or digit that a character is read as; nothing for what stands between words.
fn read(c: char) -> Option<char> {
    let plain = match c {
        // Full-width forms.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0)?,
        // Letters in the styles of mathematics: 13 alphabets of 52 letters, one after the other.
        '\u{1d400}'..='\u{1d6a3}' => {
            let letter = (u32::from(c) - 0x1d400) % 26;
            char::from_u32(u32::from('a') + letter)?
        }
        // In circles and squares.
        '\u{24b6}'..='\u{24e9}' => char::from_u32(u32::from('a') + (u32::from(c) - 0x24b6) % 26)?,
        '\u{1f130}'..='\u{1f149}' => char::from_u32(u32::from('a') + u32::from(c) - 0x1f130)?,
        c => latin(c).unwrap_or(c),
    };
    plain
        .is_alphanumeric()
        .then(|| plain.to_lowercase().next().unwrap_or(plain))
}

/// The words of a text. Names such as `system_prompt` and `systemPrompt` are several; `don't` is `dont`. What is hidden
/// within a word is passed over.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut word = String::new();
    let mut start = 0;
    let mut end = 0;
    let mut was_lower = false;
    for (at, c) in text.char_indices() {
        if is_hidden(c) || matches!(c, '\'' | '’' | 'ʼ') && !word.is_empty() {
            continue;
        }
        let letter = read(c);
        let begins = was_lower && c.is_uppercase();
        if (letter.is_none() || begins) && !word.is_empty() {
            let text = std::mem::take(&mut word);
            words.push(Word { text, start, end });
        }
        if let Some(letter) = letter {
            if word.is_empty() {
                start = at;
            }
            word.push(letter);
            end = at + c.len_utf8();
        }
        was_lower = c.is_lowercase();
    }
    if !word.is_empty() {
        words.push(Word {
            text: word,
            start,
            end,
        });
    }
    words
}

/// A pattern of words, such as `ignore|forget ..2 instructions?`.
///
/// Each part is one of several words. `tell*` is any word that begins with `tell`; a part that ends with `?` may be left
/// out; `..N` stands for up to N words of any kind.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug)]
enum Part {
    Words { any: Vec<Wanted>, optional: bool },
    Gap(usize),
}

#[derive(Debug)]
enum Wanted {
    Word(&'static str),
    Beginning(&'static str),
}

impl Wanted {
    fn is(&self, word: &str) -> bool {
        match self {
            Self::Word(wanted) => word == *wanted,
            Self::Beginning(wanted) => word.starts_with(wanted),
        }
    }
}

impl Pattern {
    pub(super) fn new(text: &'static str) -> Self {
        let parts = text.split_whitespace().map(|part| {
            if let Some(most) = part.strip_prefix("..") {
                return Part::Gap(most.parse().unwrap_or_default());
            }
            let (words, optional) = match part.strip_suffix('?') {
                Some(words) => (words, true),
                None => (part, false),
            };
            let any = words.split('|').map(|word| match word.strip_suffix('*') {
                Some(beginning) => Wanted::Beginning(beginning),
                None => Wanted::Word(word),
            });
            Part::Words {
                any: any.collect(),
                optional,
            }
        });
        Self(parts.collect())
    }

    /// The first place that it fits: from the first word to behind the last.
    pub(super) fn find(&self, words: &[Word]) -> Option<(usize, usize)> {
        (0..words.len()).find_map(|first| {
            let rest = words.get(first..)?;
            let length = fits(&self.0, rest).filter(|length| *length > 0)?;
            let last = words.get(first + length - 1)?;
            Some((words.get(first)?.start, last.end))
        })
    }
}

/// How many words the parts take from the beginning, where they fit.
fn fits(parts: &[Part], words: &[Word]) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(0);
    };
    match part {
        Part::Gap(most) => (0..=*most).find_map(|skipped| {
            let after = words.get(skipped..)?;
            Some(skipped + fits(rest, after)?)
        }),
        Part::Words { any, optional } => {
            let taken = words.split_first().and_then(|(word, after)| {
                let is_one = any.iter().any(|wanted| wanted.is(&word.text));
                is_one.then(|| fits(rest, after)).flatten()
            });
            match taken {
                Some(length) => Some(length + 1),
                None if *optional => fits(rest, words),
                None => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_what_is_read() {
        assert_eq!(
            texts("Don't  IGNORE\u{200b}d the_systemPrompt, ｆｕｌｌ 𝐛𝐨𝐥𝐝 Ⓒⓘ ѕуѕtеm 42."),
            [
                "dont", "ignored", "the", "system", "prompt", "full", "bold", "ci", "system", "42"
            ]
        );
        assert_eq!(texts(" \n—"), [""; 0]);
        let text = "a bcd";
        let second = &words(text)[1];
        assert_eq!(&text[second.start..second.end], "bcd");
    }

    #[test]
    fn patterns_fit_where_their_words_stand() {
        let found = |pattern: &'static str, text: &str| {
            let found = Pattern::new(pattern).find(&words(text));
            found.map(|(start, end)| text[start..end].to_owned())
        };
        let pattern = "ignore|forget the? ..1 rule*";
        assert_eq!(
            found(pattern, "now ignore the old rules!").as_deref(),
            Some("ignore the old rules")
        );
        assert_eq!(
            found(pattern, "forget rule").as_deref(),
            Some("forget rule")
        );
        assert_eq!(found(pattern, "ignore the very old rules"), None);
        assert_eq!(found(pattern, "ignore"), None);
    }
}
