//! Images: how they are named, and the patterns that say which may be run.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use super::glob::Glob;
use crate::ids::Digest;
use crate::manifest::document::quoted;
use crate::manifest::image::ImageRef;

/// An image as somebody names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageReference {
    /// By its id, `sha256:…`: an image that is already here.
    Id(Digest),
    /// By the repository it is in, with a tag or a digest.
    Named(ImageRef),
}

impl ImageReference {
    /// Registry and path, where it is named by them.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Named(image) => Some(image.repository()),
        }
    }

    /// The digest that was written: of a manifest, or the id.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Named(image) => image.digest().and_then(|digest| digest.parse().ok()),
        }
    }

    /// True where it can only ever be one image.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        match self {
            Self::Id(_) => true,
            Self::Named(image) => image.is_pinned(),
        }
    }

    /// The form that people know: without the registry and the tag that go without saying.
    #[must_use]
    pub fn familiar(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Named(image) => image.familiar(),
        }
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Named(image) => image.fmt(f),
        }
    }
}

impl FromStr for ImageReference {
    type Err = crate::manifest::image::InvalidImage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Named),
        }
    }
}

/// Which images are meant: a repository with wildcards, a digest, or both joined by `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImagePattern {
    repository: Option<Glob>,
    digest: Option<Digest>,
}

impl ImagePattern {
    /// True where only a digest says which images are meant: a name alone cannot tell whether it is one.
    #[must_use]
    pub const fn is_digest(&self) -> bool {
        self.repository.is_none()
    }

    /// True where the image is meant. `digests` are what it is known by besides what was written: those of its manifests,
    /// and its id.
    #[must_use]
    pub fn matches(&self, image: &ImageReference, digests: &[Digest]) -> bool {
        let named = self.repository.as_ref().is_none_or(|glob| {
            image.repository().is_some_and(|repository| {
                let parts: Vec<&[u8]> = repository.split('/').map(str::as_bytes).collect();
                glob.matches(&parts)
            })
        });
        let known = self.digest.is_none_or(|digest| {
            digests
                .iter()
                .copied()
                .chain(image.digest())
                .any(|one| one == digest)
        });
        named && known
    }
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.repository, &self.digest) {
            (Some(glob), Some(digest)) => write!(f, "{glob}@{digest}"),
            (Some(glob), None) => glob.fmt(f),
            (None, Some(digest)) => digest.fmt(f),
            (None, None) => Ok(()),
        }
    }
}

impl FromStr for ImagePattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let invalid = |problem| InvalidPattern::new("images", text, problem);
        if text.starts_with("sha256:") {
            let digest = text.parse().map_err(|_| invalid(DIGEST))?;
            return Ok(Self {
                repository: None,
                digest: Some(digest),
            });
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse().map_err(|_| invalid(DIGEST))?)),
            None => (text, None),
        };
        if name
            .split('/')
            .next()
            .is_some_and(|host| host.contains('*'))
            && name.contains('/')
        {
            return Err(invalid(
                "a registry is a host, and whose it is has no wildcards: write the whole name",
            ));
        }
        // Each wildcard stands for a name, so that a pattern is one where names in its place make one.
        let named = name.replace("**", "x/x").replace('*', "x");
        let image = ImageRef::parse(&named).map_err(|_| {
            invalid("the parts of a name have lower-case letters and digits, with `.`, `_` or `-` only between them")
        })?;
        // A short name would be one image for a person and another one, or none, for a pattern.
        if image.repository() != named && image.to_string() != named {
            return Err(invalid(
                "write the whole name with its registry, such as `docker.io/library/debian`",
            ));
        }
        if image.repository() != named {
            return Err(invalid(
                "a tag can be moved to another image: name the repository alone, or a digest",
            ));
        }
        let glob = name
            .parse()
            .map_err(|_| invalid("`**` must be a whole part, between slashes"))?;
        Ok(Self {
            repository: Some(glob),
            digest,
        })
    }
}

/// The text names no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPattern {
    what: &'static str,
    text: String,
    problem: &'static str,
}

impl InvalidPattern {
    fn new(what: &'static str, text: &str, problem: &'static str) -> Self {
        Self {
            what,
            text: text.to_owned(),
            problem,
        }
    }
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            text,
            problem,
        } = self;
        write!(f, "{} does not name {what}: {problem}", quoted(text))
    }
}

impl std::error::Error for InvalidPattern {}

const DIGEST: &str = "a digest is `sha256:` and 64 lower-case hexadecimal digits";
