//! What is found in the characters of a text, whatever it says.

use super::{Kind, Spot};
use crate::pins::visible::{is_bidi, is_format, is_private, is_selector, is_tag, visible};

/// The shortest run of base64 digits that is told.
const BASE64: usize = 120;
/// The shortest run of hexadecimal digits: longer than a SHA-512.
const HEX: usize = 129;

pub(super) fn look(text: &str, spots: &mut Vec<Spot>) {
    if text.is_ascii() {
        look_for_controls(text, spots);
    } else {
        look_for_hidden(text, spots);
        look_for_controls(text, spots);
        look_for_lookalikes(text, spots);
    }
    look_for_letters_apart(text, spots);
    look_for_encoded(text, spots);
}

fn look_for_controls(text: &str, spots: &mut Vec<Spot>) {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let mut found = text.char_indices().filter(|(_, c)| is_control(*c));
    let Some((start, first)) = found.next() else {
        return;
    };
    let sentence = match (first, found.count()) {
        ('\u{1b}', _) => {
            "It has escape sequences, which make a terminal show something else.".to_owned()
        }
        (_, 0) => "It has a control character, which a terminal may obey.".to_owned(),
        (_, more) => format!(
            "It has {} control characters, which a terminal may obey.",
            more + 1
        ),
    };
    spots.push(Spot {
        kind: Kind::ControlCharacters,
        start,
        end: start + first.len_utf8(),
        sentence,
    });
}

fn look_for_hidden(text: &str, spots: &mut Vec<Spot>) {
    let right_to_left = text.chars().any(is_right_to_left);
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut first = None;
    let mut last = 0;
    let mut count = 0;
    let mut spelled = String::new();
    let mut index = 0;
    while let Some(&(at, c)) = chars.get(index) {
        let before = index.checked_sub(1).and_then(|at| chars.get(at));
        let before = before.map_or(' ', |(_, c)| *c);
        let after = chars.get(index + 1).map_or(' ', |(_, c)| *c);
        if c == '\u{1f3f4}' {
            index += 1 + flag(chars.get(index + 1..).unwrap_or_default());
            continue;
        }
        index += 1;
        let is_hidden = if is_tag(c) {
            spelled.extend(char::from_u32(u32::from(c) - 0xe0000).filter(char::is_ascii_graphic));
            spelled.push_str(if c == '\u{e0020}' { " " } else { "" });
            true
        } else if is_selector(c) {
            // One behind a character that has such forms.
            let follows_one = !before.is_ascii_alphabetic()
                && !before.is_whitespace()
                && !is_selector(before)
                && !is_format(before);
            !follows_one
        } else if matches!(c, '\u{200c}' | '\u{200d}') {
            // Emoji are put together with them, and so are letters of scripts that join.
            !(is_joining(before) && is_joining(after))
        } else if matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}') {
            !right_to_left
        } else {
            is_bidi(c) || is_format(c) || is_private(c)
        };
        if is_hidden {
            first.get_or_insert(at);
            if count < 64 {
                last = at + c.len_utf8();
            }
            count += 1;
        }
    }
    let Some(start) = first else {
        return;
    };
    let mut sentence = match count {
        1 => "It has a character that nobody sees.".to_owned(),
        count => format!("It has {count} characters that nobody sees."),
    };
    if !spelled.is_empty() {
        let shown: String = spelled.chars().take(80).collect();
        sentence.push_str(&format!(" They spell `{}`.", visible(&shown)));
    }
    spots.push(Spot {
        kind: Kind::HiddenText,
        start,
        end: last,
        sentence,
    });
}

/// How many characters behind a black flag make it that of a country: a few tags and an end.
fn flag(rest: &[(usize, char)]) -> usize {
    let tags = rest
        .iter()
        .take_while(|(_, c)| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}'))
        .count();
    let ends = rest.get(tags).is_some_and(|(_, c)| *c == '\u{e007f}');
    if ends && (3..=6).contains(&tags) {
        tags + 1
    } else {
        0
    }
}

fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{5ff}' | '\u{600}'..='\u{61b}' | '\u{61d}'..='\u{8ff}'
        | '\u{fb1d}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

/// Emoji and their parts, and letters that change their shape next to a joiner.
fn is_joining(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{f00}'..='\u{fff}' | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17b3}' | '\u{1800}'..='\u{1809}' | '\u{1820}'..='\u{18af}'
        | '\u{2190}'..='\u{27ff}' | '\u{2b00}'..='\u{2bff}' | '\u{fe0f}'
        | '\u{fb50}'..='\u{fdcf}' | '\u{fe70}'..='\u{fefc}' | '\u{1f000}'..='\u{1faff}')
}

/// The Latin letter that a Cyrillic or Greek one looks like.
pub(super) fn latin(c: char) -> Option<char> {
    Some(match c {
        'а' | 'А' | 'α' | 'Α' => 'a',
        'В' | 'Β' => 'b',
        'с' | 'С' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'Е' | 'Ε' => 'e',
        'ɡ' => 'g',
        'һ' | 'Н' | 'Η' => 'h',
        'і' | 'І' | 'ι' | 'Ι' => 'i',
        'ј' | 'Ј' => 'j',
        'к' | 'К' | 'κ' | 'Κ' => 'k',
        'М' | 'Μ' => 'm',
        'п' | 'Ν' => 'n',
        'о' | 'О' | 'ο' | 'Ο' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' | 'Ѕ' => 's',
        'Т' | 'Τ' | 'τ' => 't',
        'υ' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' => 'w',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'у' | 'У' | 'Υ' => 'y',
        'Ζ' => 'z',
        _ => return None,
    })
}

fn look_for_lookalikes(text: &str, spots: &mut Vec<Spot>) {
    for word in text.split(|c: char| !c.is_alphabetic()) {
        let ascii = word.chars().filter(char::is_ascii_alphabetic).count();
        let alike = word.chars().filter(|c| latin(*c).is_some()).count();
        // `kα` is a symbol; what reads as a word is a disguise.
        if ascii >= 2 && alike >= 1 && ascii + alike == word.chars().count() {
            let start = word.as_ptr().addr() - text.as_ptr().addr();
            spots.push(Spot {
                kind: Kind::DisguisedText,
                start,
                end: start + word.len(),
                sentence: "A word has letters of another script that look like its own.".to_owned(),
            });
            return;
        }
    }
}

/// Words such as `i g n o r e`, which a search for words does not find.
fn look_for_letters_apart(text: &str, spots: &mut Vec<Spot>) {
    const MOST: usize = 12;
    let mut run = 0;
    let mut start = 0;
    for word in text.split_whitespace() {
        let at = word.as_ptr().addr() - text.as_ptr().addr();
        let mut chars = word.chars();
        if chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none() {
            if run == 0 {
                start = at;
            }
            run += 1;
            if run == MOST {
                spots.push(Spot {
                    kind: Kind::DisguisedText,
                    start,
                    end: at + word.len(),
                    sentence: "Letters stand apart, so that their words are not recognised."
                        .to_owned(),
                });
                return;
            }
        } else {
            run = 0;
        }
    }
}

fn look_for_encoded(text: &str, spots: &mut Vec<Spot>) {
    // Pictures are what icons are made of.
    if text.starts_with("data:image/") {
        return;
    }
    let is_digit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
    for run in text.split(|c: char| !is_digit(c)) {
        let has = |of: fn(&u8) -> bool| run.as_bytes().iter().any(of);
        let is_hex = run.len() >= HEX && run.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_base64 = run.len() >= BASE64
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit);
        if is_hex || is_base64 {
            let start = run.as_ptr().addr() - text.as_ptr().addr();
            spots.push(Spot {
                kind: Kind::EncodedText,
                start,
                end: start + run.len(),
                sentence: format!(
                    "It has {} characters that look encoded, so nobody can read what they say.",
                    run.len()
                ),
            });
            return;
        }
    }
}
