//! Where an authorization server has its keys, and fetching them.

use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;

use super::jwks::KeySet;
use crate::error::{Code, Error, Result};
use crate::web::{Client, Endpoint, Options};

/// How long a request may take: a client waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest document that is read. Sets of keys have a few kilobytes.
const MAX_DOCUMENT: usize = 256 << 10;

/// An authorization server.
#[derive(Debug)]
pub(super) struct Issuer {
    /// Its identifier, letter by letter.
    identifier: String,
    endpoint: Endpoint,
    /// The URL of its keys, where it is known without asking.
    jwks: Option<Endpoint>,
    client: Client,
}

/// What is wanted of its metadata (RFC 8414).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    pub(super) fn new(identifier: &str, endpoint: Endpoint, jwks: Option<Endpoint>) -> Self {
        Self {
            identifier: identifier.to_owned(),
            endpoint,
            jwks,
            client: Client::new(Options {
                connect_timeout: TIMEOUT,
                timeout: TIMEOUT,
                ..Options::default()
            }),
        }
    }

    /// Its keys as they are now; there may be none that tokens can be checked with.
    ///
    /// # Errors
    /// Those of the HTTP client, where it cannot be reached; E3508 where what it answers is not what was asked for, among
    /// them redirects, which are never followed.
    pub(super) async fn keys(&self) -> Result<KeySet> {
        let url = match &self.jwks {
            Some(jwks) => jwks.clone(),
            None => self.discovered().await?,
        };
        let document = self.get(&url).await?.ok_or_else(|| {
            malformed(&url, "there are no keys at this URL")
                .hint("Set `serve.oauth.jwks` to the URL of the keys.")
        })?;
        KeySet::read(&document)
            .map_err(|error| malformed(&url, "this is no set of keys").caused_by(error))
    }

    /// The URL of the keys, by the metadata.
    async fn discovered(&self) -> Result<Endpoint> {
        for url in self.places() {
            let Some(document) = self.get(&url).await? else {
                continue;
            };
            let metadata: Metadata = serde_json::from_slice(&document).map_err(|error| {
                malformed(&url, "this is no metadata with a URL of keys").caused_by(error)
            })?;
            // Or one issuer could speak for another that is on the same server (RFC 8414 §3.3).
            if metadata.issuer != self.identifier {
                return Err(malformed(&url, "the metadata is of another issuer")
                    .hint("Set `serve.oauth.issuer` to the letter as the server calls itself.")
                    .detail("issuer", metadata.issuer));
            }
            let keys: Endpoint = metadata
                .jwks_uri
                .parse()
                .map_err(|error| malformed(&url, "the URL of the keys is none").caused_by(error))?;
            // What is fetched over the network does not choose an address of this machine.
            if self.endpoint.is_tls() && !keys.is_tls() {
                return Err(malformed(
                    &url,
                    "the URL of the keys does not begin with https://",
                ));
            }
            return Ok(keys);
        }
        Err(malformed(
            &self.endpoint,
            "it has no metadata where RFC 8414 and OpenID Connect have it",
        )
        .hint("Set `serve.oauth.jwks` to the URL of its keys."))
    }

    /// Where metadata can be, in the order in which it is looked for.
    fn places(&self) -> Vec<Endpoint> {
        let (origin, service) = (self.endpoint.origin(), self.endpoint.service());
        let path = service.strip_prefix(&origin).unwrap_or_default();
        let path = path.trim_matches('/');
        let well_known = |name: &str| {
            let root = self.endpoint.join(&format!("/.well-known/{name}"))?;
            Some(if path.is_empty() {
                root
            } else {
                root.below(path)
            })
        };
        let mut places: Vec<Endpoint> = ["oauth-authorization-server", "openid-configuration"]
            .into_iter()
            .filter_map(well_known)
            .collect();
        if !path.is_empty() {
            places.push(self.endpoint.below(".well-known/openid-configuration"));
        }
        places
    }

    /// A document; nothing where the server says that there is none.
    async fn get(&self, url: &Endpoint) -> Result<Option<Vec<u8>>> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.client.send(Method::GET, url, headers, "").await?;
        if matches!(answer.status(), 404 | 405 | 410) {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(answer.into_refusal().await);
        }
        answer.read(MAX_DOCUMENT).await.map(Some)
    }
}

fn malformed(url: &Endpoint, why: &str) -> Error {
    Error::new(Code::E3508, format!("asking {}: {why}", url.service()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_it_can_be() {
        let places = |text: &str| -> Vec<String> {
            let issuer = Issuer::new(text, text.parse().expect(text), None);
            issuer.places().iter().map(ToString::to_string).collect()
        };
        for root in ["https://a.example", "https://a.example/"] {
            assert_eq!(
                places(root),
                [
                    "https://a.example/.well-known/oauth-authorization-server",
                    "https://a.example/.well-known/openid-configuration",
                ]
            );
        }
        assert_eq!(
            places("https://a.example/realms/x"),
            [
                "https://a.example/.well-known/oauth-authorization-server/realms/x",
                "https://a.example/.well-known/openid-configuration/realms/x",
                "https://a.example/realms/x/.well-known/openid-configuration",
            ]
        );
    }
}
