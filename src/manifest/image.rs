//! References to container images: `alpine:3.20`, `ghcr.io/owner/name@sha256:…`.
//!
//! The grammar is that of the OCI distribution specification, with the short names people know from Docker. A reference
//! is parsed once and kept in its full form, `docker.io/library/alpine:3.20`, so that two texts for the same image are
//! equal, and so that no daemon looks a short name up in a registry of its own choice. What a tag points to is not known
//! here: only a digest names one image for ever.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::permission::is_outside;

/// The registry of names that say none.
const HUB: &str = "docker.io";
/// Other spellings of [`HUB`].
const HUB_ALIAS: &str = "index.docker.io";
/// The folder of [`HUB`] that names without a slash lie in.
const OFFICIAL: &str = "library/";
/// The tag of references that say neither tag nor digest.
const DEFAULT_TAG: &str = "latest";
/// The longest repository, with its registry, in bytes: what registries agree on.
const MAX_REPOSITORY: usize = 255;
/// The longest tag in characters.
const MAX_TAG: usize = 128;
/// The algorithms that anything can verify, and the digits of their digests.
const ALGORITHMS: [(&str, usize); 2] = [("sha256", 64), ("sha512", 128)];

/// A reference to a container image; it has a tag, a digest, or both.
///
/// `Display` writes the full form, which reads back as the same reference; see [`ImageRef::familiar`] for the short one.
/// Two references are equal where they name the same repository, tag and digest, however they were written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageRef {
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// The full form of a reference, by which images are granted and asked for; another text, such as an id, as it is.
#[must_use]
pub fn full_name(text: &str) -> String {
    ImageRef::parse(text).map_or_else(|_| text.to_owned(), |image| image.to_string())
}

/// What is meant where somebody grants or asks for an image by this text: a word for a place outside of containers, as it
/// is, or the full name of the image. An image of such a name has to be written `library/direct`.
#[must_use]
pub fn granted_name(text: &str) -> String {
    if is_outside(text) {
        return text.to_owned();
    }
    full_name(text)
}

/// The text is not a reference to an image; says which rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidImage {
    text: String,
    problem: &'static str,
}

impl fmt::Display for InvalidImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected an image such as \"alpine:3.20\" or \"ghcr.io/owner/name@sha256:…\", found {}: {}",
            super::document::quoted(&self.text),
            self.problem
        )
    }
}

impl std::error::Error for InvalidImage {}

impl ImageRef {
    /// Reads a reference in its short or full form.
    ///
    /// The id of a local image (64 hexadecimal digits, with or without `sha256:`) is not a reference and is refused:
    /// registries do not know it, and as a name it would mean something else.
    ///
    /// # Errors
    /// Where the text breaks a rule of the grammar.
    pub fn parse(text: &str) -> Result<Self, InvalidImage> {
        parts(text).map_err(|problem| InvalidImage {
            text: text.to_owned(),
            problem,
        })
    }

    /// An image of the code's own choice: one of Docker's official ones, by name and tag.
    #[must_use]
    pub(crate) fn official(name: &'static str, tag: &'static str) -> Self {
        Self {
            repository: format!("{HUB}/{OFFICIAL}{name}"),
            tag: Some(tag.to_owned()),
            digest: None,
        }
    }

    /// The registry, such as `docker.io` or `localhost:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.repository
            .split_once('/')
            .map_or(HUB, |(registry, _)| registry)
    }

    /// The repository in its full form, with the registry and without tag and digest: `docker.io/library/alpine`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; absent only where there is a digest.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, such as `sha256:…`. Where there is one, it alone says which image is meant.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// True where it names one image for ever, and not what a tag points to today.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.digest.is_some()
    }

    /// The form people know: without `docker.io/`, `library/` and the tag `latest`, where it reads back the same.
    #[must_use]
    pub fn familiar(&self) -> String {
        let of_hub = self
            .repository
            .strip_prefix(HUB)
            .and_then(|rest| rest.strip_prefix('/'));
        let name = match of_hub {
            Some(path) => path
                .strip_prefix(OFFICIAL)
                .filter(|name| !name.contains('/'))
                .unwrap_or(path),
            None => self.repository.as_str(),
        };
        let short = Self {
            repository: name.to_owned(),
            tag: self
                .tag
                .clone()
                .filter(|tag| self.is_pinned() || tag != DEFAULT_TAG),
            digest: self.digest.clone(),
        };
        // A folder of the hub that is named like a host would be taken for one.
        let text = short.to_string();
        match Self::parse(&text) {
            Ok(again) if again == *self => text,
            _ => self.to_string(),
        }
    }
}

impl FromStr for ImageRef {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        Self::parse(text)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Reads the parts of a reference, or says what is wrong with it.
fn parts(text: &str) -> Result<ImageRef, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.starts_with('-') {
        return Err("it begins with `-` and would be taken for a flag");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it has a space or a control character");
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let name_at = rest.rfind('/').map_or(0, |slash| slash + 1);
    let colon = rest
        .get(name_at..)
        .and_then(|name| name.find(':'))
        .map(|colon| name_at + colon);
    let (name, tag) = match colon {
        Some(colon) => (rest.get(..colon).unwrap_or_default(), rest.get(colon + 1..)),
        None => (rest, None),
    };
    let is_id = |digits: &str| digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id(name) || (name == "sha256" && tag.is_some_and(is_id)) {
        return Err("this is the id of an image; write the name it was pulled or built under");
    }
    let repository = repository(name)?;
    if let Some(tag) = tag
        && !is_tag(tag)
    {
        return Err(
            "a tag has at most 128 letters, digits, `_`, `.` and `-`, and begins with none of the last two",
        );
    }
    if let Some(digest) = digest
        && !is_digest(digest)
    {
        return Err(
            "a digest is `sha256:` and 64 lower-case hexadecimal digits, or `sha512:` and 128",
        );
    }
    Ok(ImageRef {
        repository,
        tag: match (tag, digest) {
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (tag, _) => tag.map(str::to_owned),
        },
        digest: digest.map(str::to_owned),
    })
}

/// The repository in its full form.
fn repository(name: &str) -> Result<String, &'static str> {
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => (first.to_ascii_lowercase(), path),
        _ => (HUB.to_owned(), name),
    };
    if !is_host(&registry) {
        return Err("the registry is not a host, with or without a port");
    }
    let registry = if registry == HUB_ALIAS {
        HUB
    } else {
        &registry
    };
    if path.chars().any(|c| c.is_ascii_uppercase()) {
        return Err("a repository is written in lower case");
    }
    if !path.split('/').all(is_component) {
        return Err(
            "a repository has lower-case letters and digits, joined by `/`, `.`, `_`, `__` or hyphens",
        );
    }
    let folder = if registry == HUB && !path.contains('/') {
        OFFICIAL
    } else {
        ""
    };
    let repository = format!("{registry}/{folder}{path}");
    if repository.len() > MAX_REPOSITORY {
        return Err("registry and repository together have more than 255 characters");
    }
    Ok(repository)
}

/// True where the first part of a name is a registry and not a folder of the hub.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost")
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| {
        port.len() <= 5
            && port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let address = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    is_host && port.is_none_or(is_port)
}

/// True for one component of a repository: words of letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_component(component: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    component.starts_with(is_word)
        && component.ends_with(is_word)
        && component.split(is_word).all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= MAX_TAG
        && tag.starts_with(is_word)
        && tag.chars().all(|c| is_word(c) || c == '.' || c == '-')
}

fn is_digest(digest: &str) -> bool {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    digest.split_once(':').is_some_and(|(algorithm, digits)| {
        ALGORITHMS.contains(&(algorithm, digits.len())) && digits.bytes().all(is_hex)
    })
}

#[cfg(test)]
mod tests;
