//! Addresses, as far as requests need them.

use std::fmt;

use super::Error;

/// An `http` or `https` address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// It is `https`.
    pub is_secure: bool,
    /// The host, and the port where it is not that of the scheme.
    pub authority: String,
    /// The path and the query, encoded. It begins with `/`.
    pub path_and_query: String,
}

impl Url {
    /// Reads an address. What a path may not contain is encoded; a fragment is left out.
    ///
    /// # Errors
    /// [`Error::Invalid`] for other schemes, and for addresses without a host or with credentials.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid =
            |why: &str| Error::Invalid(format!("`{text}` is no address of a request: {why}"));
        let text = text.trim();
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| invalid("it does not begin with http:// or https://"))?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(invalid("it does not begin with http:// or https://")),
        };
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        if authority.contains('@') {
            // They would end up in logs, and the host injects what is secret.
            return Err(Error::Invalid(
                "an address has no place for credentials: send them in a header".to_owned(),
            ));
        }
        if authority.is_empty() || authority.starts_with(':') {
            return Err(invalid("it names no host"));
        }
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
        if !authority.bytes().all(is_of_host) {
            return Err(invalid(
                "the host is written in letters, digits, `-` and `.`",
            ));
        }
        let path = path.split('#').next().unwrap_or_default();
        let mut path_and_query = String::new();
        if !path.starts_with('/') {
            path_and_query.push('/');
        }
        encode(&mut path_and_query, path, |byte| {
            byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
        });
        Ok(Self {
            is_secure,
            authority: authority.to_ascii_lowercase(),
            path_and_query,
        })
    }

    /// The address that a link at this one points to.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, link: &str) -> Result<Self, Error> {
        let link = link.trim();
        let link = link.split('#').next().unwrap_or_default();
        let scheme = if self.is_secure { "https" } else { "http" };
        let has_scheme = link
            .split_once(':')
            .is_some_and(|(scheme, _)| !scheme.contains(['/', '?']));
        if has_scheme {
            return Self::parse(link);
        }
        if let Some(rest) = link.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        let whole = if link.is_empty() {
            self.path_and_query.clone()
        } else if link.starts_with('/') {
            without_dots(link)
        } else if link.starts_with('?') {
            format!("{path}{link}")
        } else {
            let folder = path
                .rfind('/')
                .and_then(|end| path.get(..=end))
                .unwrap_or("/");
            without_dots(&format!("{folder}{link}"))
        };
        Self::parse(&format!("{scheme}://{}{whole}", self.authority))
    }

    /// True where both are of the same scheme, host and port.
    pub fn has_same_origin(&self, other: &Self) -> bool {
        self.is_secure == other.is_secure && self.host_and_port() == other.host_and_port()
    }

    fn host_and_port(&self) -> (&str, &str) {
        let default = if self.is_secure { "443" } else { "80" };
        match self.authority.rsplit_once(':') {
            // A colon within brackets is one of an address.
            Some((host, port)) if !port.contains(']') => {
                (host, if port.is_empty() { default } else { port })
            }
            _ => (&self.authority, default),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(
            formatter,
            "{scheme}://{}{}",
            self.authority, self.path_and_query
        )
    }
}

/// Resolves `.` and `..` in the path before a query.
fn without_dots(path_and_query: &str) -> String {
    let (path, query) = match path_and_query.find('?') {
        Some(start) => path_and_query.split_at(start),
        None => (path_and_query, ""),
    };
    let mut parts: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for part in path.split('/').skip(1) {
        ends_in_folder = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if ends_in_folder {
        parts.push("");
    }
    format!("/{}{query}", parts.join("/"))
}

/// Adds a name and a value to the query of an address.
pub fn with_query(url: &str, name: &str, value: &str) -> String {
    let (address, fragment) = match url.find('#') {
        Some(start) => url.split_at(start),
        None => (url, ""),
    };
    let mut whole = address.to_owned();
    if !address.contains('?') {
        whole.push('?');
    } else if !address.ends_with(['?', '&']) {
        whole.push('&');
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    encode(&mut whole, name, is_plain);
    whole.push('=');
    encode(&mut whole, value, is_plain);
    whole.push_str(fragment);
    whole
}

fn encode(into: &mut String, text: &str, is_plain: impl Fn(u8) -> bool) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if is_plain(byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            for digit in [byte >> 4, byte & 15] {
                into.extend(DIGITS.get(usize::from(digit)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
