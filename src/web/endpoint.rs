//! An address that requests go to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;

/// An absolute `http://` or `https://` URL without user name, password or fragment.
///
/// Its text form is the whole URL; [`Endpoint::origin`] is what messages show.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint(Url);

/// The text is not the URL of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidEndpoint(&'static str);

impl fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a URL such as `https://collector.example/audit`: {}",
            self.0
        )
    }
}

impl std::error::Error for InvalidEndpoint {}

impl Endpoint {
    /// Scheme, host and, where it is not the scheme's own, port: what can be shown.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The origin and the path: which service it is, without the query, where people put what is secret.
    #[must_use]
    pub fn service(&self) -> String {
        format!("{}{}", self.origin(), self.0.path())
    }

    /// The TCP port, written or implied by the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        let implied = if self.is_tls() { 443 } else { 80 };
        self.0.port().unwrap_or(implied)
    }

    /// True where it is reached over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// True where it is on this machine: a loopback address, or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// The endpoint with more path behind it: `…/v1` and `embeddings` give `…/v1/embeddings`. The query stays.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        let whole = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&whole);
        Self(url)
    }

    /// What a reference means that stands at this endpoint; nothing where it is none that requests can go to.
    #[must_use]
    pub fn join(&self, reference: &str) -> Option<Self> {
        self.0.join(reference).ok()?.as_str().parse().ok()
    }

    /// The path, which begins with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The first parameter of this name in the query, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        let mut pairs = self.0.query_pairs();
        let found = pairs.find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let url = Url::parse(text).map_err(|_| InvalidEndpoint("this is no URL"))?;
        let wrong = if !matches!(url.scheme(), "http" | "https") {
            "its scheme must be `https` or `http`"
        } else if !url.username().is_empty() || url.password().is_some() {
            "a user name or password must not stand in it"
        } else if url.fragment().is_some() {
            "it must not have a `#` part"
        } else {
            return Ok(Self(url));
        };
        Err(InvalidEndpoint(wrong))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The origin alone: what is behind it can be secret.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().expect(text)
    }

    #[test]
    fn only_urls_that_requests_can_go_to_are_read() {
        for (text, why) in [
            ("", "no URL"),
            ("collector.example/x", "no URL"),
            ("https://", "no URL"),
            ("ftp://a/", "scheme"),
            ("unix:/run/x", "scheme"),
            ("https://me@a/", "user name"),
            ("https://:secret@a/", "user name"),
            ("https://a/#x", "`#`"),
        ] {
            let error = text.parse::<Endpoint>().expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for here in [
            "http://127.0.0.1:1/",
            "http://127.1/",
            "http://[::1]/",
            "http://LOCALHOST:80",
        ] {
            assert!(endpoint(here).is_loopback(), "{here}");
        }
        for there in [
            "http://0.0.0.0/",
            "http://localhost.example/",
            "http://127.0.0.1.example/",
            "http://10.0.0.1/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert!(!endpoint(there).is_loopback(), "{there}");
        }
    }

    #[test]
    fn what_is_shown_ends_with_the_origin() {
        let hook = endpoint("https://Hooks.example:443/services/T0K3N?key=T0K3N");
        assert_eq!(hook.origin(), "https://hooks.example");
        assert!(!format!("{hook:?}").contains("T0K3N"));
        let local = endpoint("http://[::1]:81/x");
        assert_eq!(
            (local.origin().as_str(), local.port()),
            ("http://[::1]:81", 81)
        );
        assert_eq!((hook.port(), endpoint("http://a").port()), (443, 80));
    }

    #[test]
    fn paths_are_put_behind_the_base() {
        for (base, whole) in [
            ("http://a", "http://a/embeddings"),
            ("http://a/v1", "http://a/v1/embeddings"),
            ("http://a/v1/", "http://a/v1/embeddings"),
            ("http://a/v1?x=1", "http://a/v1/embeddings?x=1"),
        ] {
            assert_eq!(endpoint(base).below("embeddings").to_string(), whole);
        }
    }
}
