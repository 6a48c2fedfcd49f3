//! From the names in an archive to paths below a folder.

/// The longest name, in bytes.
const MAX_NAME: usize = 4096;
/// The longest part between two slashes, as file systems have it.
const MAX_PART: usize = 255;
/// How deeply folders are nested.
const MAX_DEPTH: usize = 64;

/// A name as text. Bytes that are no UTF-8 are written as `%E9`, so that different names stay different.
pub fn text(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The parts of a relative path that a name means; none for the folder itself.
///
/// # Errors
/// Why it is no path below a folder.
pub fn parts(name: &str) -> Result<Vec<&str>, &'static str> {
    if name.len() > MAX_NAME {
        return Err("its name is too long");
    }
    if name.starts_with('/') {
        return Err("its path is absolute");
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => continue,
            ".." => return Err("its path leads out of the folder"),
            _ => {}
        }
        if part.len() > MAX_PART {
            return Err("a part of its name is too long");
        }
        if part.chars().any(char::is_control) {
            return Err("its name has control characters");
        }
        if part.contains('\\') {
            return Err("its name has backslashes, which are folders elsewhere");
        }
        parts.push(part);
    }
    let mut first = parts.first().copied().unwrap_or_default().chars();
    if first
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic())
        && first.next() == Some(':')
    {
        return Err("its path names a drive");
    }
    if parts.len() > MAX_DEPTH {
        return Err("its folders are nested too deeply");
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
