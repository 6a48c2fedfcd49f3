//! Characters that nobody sees, and that a model reads all the same.

/// True for a character without a shape of its own, or one that changes how others are shown: zero-width, joining,
/// reordering, tagging and selecting ones, fillers, those of private use, and everything for controlling a terminal but
/// line end and tab.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || is_format(c)
        || is_bidi(c)
        || is_tag(c)
        || is_selector(c)
        || is_private(c)
}

/// Zero-width and joining characters, soft hyphens, fillers, and separators of lines that are no line ends.
pub(super) fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
}

/// Characters that reorder text.
pub(super) fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Tag characters, each of which stands for an ASCII character.
pub(super) fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Variation selectors, of which there are 256: enough for any byte.
pub(super) fn is_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0080}'..='\u{e0fff}')
}

/// Characters of private use, and those that are none.
pub(super) fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..='\u{10ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// The text as a person can judge it: whatever is hidden is spelled out, as `\u{200b}`. Line ends and tabs stay.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_spelled_out_and_the_rest_stays() {
        assert_eq!(
            visible("a\u{1b}[31mb\u{200b}\u{202e}\u{e0041}\u{fe0f}\u{e000}\u{ad}\r\n\tc"),
            "a\\u{1b}[31mb\\u{200b}\\u{202e}\\u{e0041}\\u{fe0f}\\u{e000}\\u{ad}\\u{d}\n\tc"
        );
        let plain = "Größe, 東京, עברית, naïve — “quoted” 🎉 ½ ∑";
        assert_eq!(visible(plain), plain);
    }
}
