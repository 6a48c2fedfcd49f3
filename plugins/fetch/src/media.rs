//! What kind of thing an answer is.

/// What is done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A page.
    Html,
    /// A document of JSON.
    Json,
    /// Any other text.
    Text,
    /// What nobody reads as text.
    Binary,
}

/// A media type with its charset, as a header says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Media {
    /// In small letters, without parameters: `text/html`.
    pub essence: String,
    /// As it was written.
    pub charset: Option<String>,
}

impl Media {
    /// Reads the value of a `Content-Type`.
    pub fn parse(header: &str) -> Self {
        let mut parts = header.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let value = value.trim().trim_matches(['"', '\'']);
            (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty())
                .then(|| value.to_owned())
        });
        Self { essence, charset }
    }

    /// What it is, by its type, and where that says nothing by its first bytes.
    pub fn kind(&self, bytes: &[u8]) -> Kind {
        let essence = self.essence.as_str();
        if matches!(essence, "text/html" | "application/xhtml+xml") {
            return Kind::Html;
        }
        if matches!(essence, "application/json" | "text/json") || essence.ends_with("+json") {
            return Kind::Json;
        }
        let is_text = essence.starts_with("text/")
            || essence.ends_with("+xml")
            || essence.ends_with("+yaml")
            || matches!(
                essence,
                "application/xml"
                    | "application/javascript"
                    | "application/ecmascript"
                    | "application/x-javascript"
                    | "application/yaml"
                    | "application/x-yaml"
                    | "application/toml"
                    | "application/sql"
                    | "application/x-sh"
                    | "application/x-ndjson"
                    | "application/jsonl"
                    | "application/x-www-form-urlencoded"
            );
        if is_text && essence != "image/svg+xml" {
            return Kind::Text;
        }
        if !essence.is_empty() && essence != "application/octet-stream" && essence.contains('/') {
            return if essence == "image/svg+xml" {
                Kind::Text
            } else {
                Kind::Binary
            };
        }
        sniff(bytes)
    }
}

fn sniff(bytes: &[u8]) -> Kind {
    let start = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let is_wide = start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff");
    if start.contains(&0) && !is_wide {
        return Kind::Binary;
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    if text.starts_with(b"<!doctype html")
        || text.starts_with(b"<html")
        || text.starts_with(b"<head")
    {
        return Kind::Html;
    }
    if text.starts_with(b"{") || text.starts_with(b"[") {
        return Kind::Json;
    }
    let is_utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        // Cut in the middle of a character.
        Err(error) => error.error_len().is_none(),
    };
    if is_utf8 || is_wide {
        Kind::Text
    } else {
        Kind::Binary
    }
}

#[cfg(test)]
mod tests;
