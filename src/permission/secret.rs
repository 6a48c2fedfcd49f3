//! Secrets, by name: put by the host into requests to named hosts, or, much louder, shown to the guest.
//!
//! | written | means |
//! |---|---|
//! | `NAME` | the host may put it wherever the other side of a meet says: into any header of requests to any host |
//! | `NAME;host=HOST;header=HEADER;format=TEXT` | only there; `{}` in the format stands for the value; each part can be left out |
//! | `NAME;reveal` | the guest may see the value; does not include injection, and injection does not include it |
//!
//! `*` as the name means every secret; only requests that name none have it. In option values `%` and `;` are written
//! `%25` and `%3B`.

use std::fmt;
use std::str::FromStr;

use super::env::is_name;
use super::host::{Host, HostPattern};
use super::kind::Kind;
use super::meet::Meet;
use super::parse_error::{Form, ParseError};
use super::text;

const FORM: &Form = Kind::Secrets.form();

/// Where the host may put a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inject {
    /// The hosts of the requests.
    pub host: HostPattern,
    /// The header, in lower case; nothing means any.
    pub header: Option<String>,
    /// The header's value, with `{}` for the secret; nothing means any.
    pub format: Option<String>,
}

impl Inject {
    /// Into any header of any request.
    #[must_use]
    pub fn anywhere() -> Self {
        Self {
            host: HostPattern::Any,
            header: None,
            format: None,
        }
    }
}

/// What may be done with a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Usage {
    /// The host puts it into outgoing requests; the guest never holds it.
    Inject(Inject),
    /// The guest sees it.
    Reveal,
}

/// A secret and one way of using it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretScope {
    /// The name; nothing means every secret.
    name: Option<String>,
    usage: Usage,
}

impl SecretScope {
    /// A use of one secret, or of every secret.
    ///
    /// # Errors
    /// Where the name, the header or the format is not valid.
    pub fn new(name: Option<&str>, usage: Usage) -> Result<Self, ParseError> {
        let shown = name.unwrap_or("*");
        FORM.check_text(shown)?;
        if name.is_some_and(|name| !is_name(name)) {
            return Err(FORM.error(shown, "a name has no spaces, `=`, `;` or `*`"));
        }
        let mut usage = usage;
        if let Usage::Inject(Inject { header, format, .. }) = &mut usage {
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if let Some(header) = header {
                header.make_ascii_lowercase();
                if header.is_empty() || !header.chars().all(is_token) {
                    return Err(FORM.error(header, "that is not the name of a header"));
                }
            }
            if let Some(format) = format {
                FORM.check_text(format)?;
                if format.matches("{}").count() != 1 {
                    return Err(
                        FORM.error(format, "the format has `{}` once, where the secret goes")
                    );
                }
            }
        }
        Ok(Self {
            name: name.map(str::to_owned),
            usage,
        })
    }

    /// The scopes of a manifest entry: where it is injected, and whether it is revealed too. An entry that says neither
    /// asks for injection anywhere.
    ///
    /// # Errors
    /// As [`SecretScope::new`].
    pub fn entry(
        name: &str,
        inject: Option<Inject>,
        reveal: bool,
    ) -> Result<Vec<Self>, ParseError> {
        let mut scopes = Vec::new();
        if reveal {
            scopes.push(Self::new(Some(name), Usage::Reveal)?);
        }
        if inject.is_some() || !reveal {
            let inject = inject.unwrap_or_else(Inject::anywhere);
            scopes.push(Self::new(Some(name), Usage::Inject(inject))?);
        }
        Ok(scopes)
    }

    /// Both uses of every secret.
    #[must_use]
    pub fn everything() -> [Self; 2] {
        [Usage::Inject(Inject::anywhere()), Usage::Reveal].map(|usage| Self { name: None, usage })
    }

    /// The secret; nothing means every one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What may be done with it.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// True where the guest may see the secret.
    #[must_use]
    pub fn allows_reveal(&self, name: &str) -> bool {
        self.is_about(name) && self.usage == Usage::Reveal
    }

    /// True where the host may put the secret into this header, in this format, of a request to this host.
    #[must_use]
    pub fn allows_inject(&self, name: &str, host: &Host, header: &str, format: &str) -> bool {
        let Usage::Inject(inject) = &self.usage else {
            return false;
        };
        self.is_about(name)
            && inject.host.matches(host)
            && inject
                .header
                .as_ref()
                .is_none_or(|ours| ours.eq_ignore_ascii_case(header))
            && inject.format.as_ref().is_none_or(|ours| ours == format)
    }

    fn is_about(&self, name: &str) -> bool {
        match &self.name {
            Some(ours) => ours == name,
            None => is_name(name),
        }
    }
}

/// The narrower of two values where nothing stands for any; the outer nothing where they differ.
fn meet_values<T: Clone + PartialEq>(left: &Option<T>, right: &Option<T>) -> Option<Option<T>> {
    match (left, right) {
        (None, value) | (value, None) => Some(value.clone()),
        (Some(left), Some(right)) => (left == right).then(|| Some(left.clone())),
    }
}

impl Meet for SecretScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        let usage = match (&self.usage, &other.usage) {
            (Usage::Reveal, Usage::Reveal) => Usage::Reveal,
            (Usage::Inject(left), Usage::Inject(right)) => Usage::Inject(Inject {
                host: left.host.meet(&right.host)?,
                header: meet_values(&left.header, &right.header)?,
                format: meet_values(&left.format, &right.format)?,
            }),
            (Usage::Reveal, Usage::Inject(_)) | (Usage::Inject(_), Usage::Reveal) => return None,
        };
        Some(Self {
            name: meet_values(&self.name, &other.name)?,
            usage,
        })
    }
}

impl FromStr for SecretScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        FORM.check_text(text)?;
        let fail = |problem: &str| FORM.error(text, problem);
        let mut parts = text.split(';');
        let name = parts.next().filter(|name| *name != "*");
        let mut inject = Inject::anywhere();
        let (mut reveal, mut has_place) = (false, false);
        for option in parts {
            let value = |value: &str| {
                text::unescape_option(value)
                    .ok_or_else(|| fail("`%` and `;` in a value are written `%25` and `%3B`"))
            };
            match option.split_once('=') {
                None if option == "reveal" => reveal = true,
                Some(("host", host)) => {
                    inject.host = host.parse().map_err(|e: ParseError| fail(e.problem()))?;
                    has_place = true;
                }
                Some(("header", header)) => {
                    inject.header = Some(value(header)?);
                    has_place = true;
                }
                Some(("format", format)) => {
                    inject.format = Some(value(format)?);
                    has_place = true;
                }
                _ => {
                    return Err(fail(
                        "the options are `host=`, `header=`, `format=` and `reveal`",
                    ));
                }
            }
        }
        match (reveal, has_place) {
            (true, true) => Err(fail(
                "`reveal` and a place to inject are two grants; write them one by one",
            )),
            (true, false) => Self::new(name, Usage::Reveal),
            (false, _) => Self::new(name, Usage::Inject(inject)),
        }
    }
}

impl fmt::Display for SecretScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("*"))?;
        match &self.usage {
            Usage::Reveal => f.write_str(";reveal"),
            Usage::Inject(inject) => {
                if inject.host != HostPattern::Any {
                    write!(f, ";host={}", inject.host)?;
                }
                if let Some(header) = &inject.header {
                    write!(f, ";header={}", text::escape_option(header))?;
                }
                if let Some(format) = &inject.format {
                    write!(f, ";format={}", text::escape_option(format))?;
                }
                Ok(())
            }
        }
    }
}
