//! Where links lead (RFC 3986 §5).

/// The address that links of a page are relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// `https`.
    scheme: String,
    /// The host with its port.
    authority: String,
    /// Begins with a slash.
    path: String,
    /// Without its question mark.
    query: Option<String>,
}

impl Base {
    /// Reads an `http` or `https` address; nothing where it is none.
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, rest) = split_before(rest, &['/', '?']);
        if authority.is_empty() {
            return None;
        }
        let (path, query) = split_query(rest);
        Some(Self {
            scheme,
            authority: authority.to_owned(),
            path: without_dots(if path.is_empty() { "/" } else { path }),
            query: query.map(str::to_owned),
        })
    }

    /// The whole address that a link means. Nothing for those that lead nowhere: to another place of the same page, to a
    /// script, to data.
    pub fn resolve(&self, link: &str) -> Option<String> {
        // Browsers leave line breaks out.
        let link: String = link
            .trim()
            .chars()
            .filter(|character| !character.is_control())
            .collect();
        if link.is_empty() || link.starts_with('#') {
            return None;
        }
        if let Some(scheme) = scheme_of(&link) {
            return matches!(scheme.as_str(), "http" | "https" | "mailto" | "ftp" | "tel")
                .then(|| encoded(&link));
        }
        let (link, fragment) = split_before(&link, &['#']);
        let whole = if let Some(rest) = link.strip_prefix("//") {
            let (authority, rest) = split_before(rest, &['/', '?']);
            let (path, query) = split_query(rest);
            let path = without_dots(if path.is_empty() { "/" } else { path });
            join(&self.scheme, authority, &path, query)
        } else {
            let (path, query) = split_query(link);
            let (path, query) = if path.is_empty() {
                (self.path.clone(), query.or(self.query.as_deref()))
            } else if path.starts_with('/') {
                (without_dots(path), query)
            } else {
                let end = self.path.rfind('/').map_or(0, |slash| slash + 1);
                let folder = self.path.get(..end).unwrap_or("/");
                (without_dots(&format!("{folder}{path}")), query)
            };
            join(&self.scheme, &self.authority, &path, query)
        };
        Some(encoded(&format!("{whole}{fragment}")))
    }
}

fn join(scheme: &str, authority: &str, path: &str, query: Option<&str>) -> String {
    let mut whole = format!("{scheme}://{authority}{path}");
    if let Some(query) = query {
        whole.push('?');
        whole.push_str(query);
    }
    whole
}

fn split_before<'a>(text: &'a str, ends: &[char]) -> (&'a str, &'a str) {
    match text.find(ends) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    }
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    }
}

/// The scheme of a link that has one, in small letters.
fn scheme_of(link: &str) -> Option<String> {
    let (scheme, _) = link.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|other| other.is_ascii_alphanumeric() || "+-.".contains(other));
    is_scheme.then(|| scheme.to_ascii_lowercase())
}

/// Resolves `.` and `..` in a path that begins with a slash.
fn without_dots(path: &str) -> String {
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
    format!("/{}", parts.join("/"))
}

/// What would end a link of Markdown too early is written as addresses write it.
fn encoded(link: &str) -> String {
    let mut whole = String::with_capacity(link.len());
    for character in link.chars() {
        match character {
            ' ' => whole.push_str("%20"),
            '(' => whole.push_str("%28"),
            ')' => whole.push_str("%29"),
            '<' => whole.push_str("%3C"),
            '>' => whole.push_str("%3E"),
            '"' => whole.push_str("%22"),
            '\\' => whole.push_str("%5C"),
            other => whole.push(other),
        }
    }
    whole
}

#[cfg(test)]
mod tests;
