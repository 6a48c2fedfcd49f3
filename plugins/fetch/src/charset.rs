//! From bytes to text, in whatever encoding a page is.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How many bytes of a page are looked through for what it says of its encoding, as in the standard of HTML.
const PRESCAN: usize = 1024;

/// A text, and where it is none, what stands for it: bytes that mean nothing become U+FFFD.
///
/// A byte order mark counts most, then the header, then what the page says; where nobody says anything it is UTF-8, or what
/// browsers take it for. Of a text that was cut, the last character may be.
pub fn decode(bytes: &[u8], header: Option<&str>, is_html: bool, is_cut: bool) -> String {
    let declared = header
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .or_else(|| if is_html { declared_in(bytes) } else { None });
    let encoding = declared.unwrap_or_else(|| {
        if is_utf8(bytes, is_cut) {
            UTF_8
        } else {
            WINDOWS_1252
        }
    });
    // A byte order mark goes over it.
    encoding.decode(bytes).0.into_owned()
}

fn is_utf8(bytes: &[u8], is_cut: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => is_cut && error.error_len().is_none(),
    }
}

/// What a `meta` near the beginning says.
fn declared_in(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = bytes.get(..bytes.len().min(PRESCAN)).unwrap_or_default();
    let start = start.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&start);
    text.split("<meta").skip(1).find_map(|meta| {
        let meta = meta.split('>').next().unwrap_or_default();
        let (_, value) = meta.split_once("charset")?;
        let value = value.trim_start().strip_prefix('=')?.trim_start();
        let value = value.trim_start_matches(['"', '\'']);
        let end = value.find(|end: char| end.is_whitespace() || "\"';/".contains(end));
        let label = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
        let encoding = Encoding::for_label(label.as_bytes())?;
        // Whoever reads this as single bytes does not read UTF-16.
        let is_wide = encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE;
        Some(if is_wide { UTF_8 } else { encoding })
    })
}

#[cfg(test)]
mod tests;
