//! Clients that an authorization server vouches for: this server as an OAuth 2.1 resource server.
//!
//! Access tokens are JSON Web Tokens (RFC 9068) that this server checks itself, by the keys of one issuer. Clients find out
//! which one by the metadata of the resource (RFC 9728).

mod issuer;
mod jwks;
mod keys;
mod signature;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use serde_json::{Value, json};

use self::issuer::Issuer;
use self::keys::{Keys, NoKey};
use self::token::{Expected, Refused};
use super::client::{Client, Stranger};
use crate::config::OAuthConfig;
use crate::error::{Code, Error, Result};
use crate::resilience::clock::{Clock, SystemClock};
use crate::web::Endpoint;

/// Where the metadata of a resource is (RFC 9728 §3).
const METADATA: &str = "/.well-known/oauth-protected-resource";

/// The resource that access tokens are for.
pub(super) struct ResourceServer {
    expected: Expected,
    profile: Option<String>,
    keys: Arc<Keys>,
    metadata_url: String,
    metadata_path: String,
}

impl ResourceServer {
    /// The one that is configured; nothing where no authorization server is.
    ///
    /// # Errors
    /// E3004 where what is configured does not suffice, E3000 where signatures cannot be checked in this process.
    pub(super) fn of(config: &OAuthConfig) -> Result<Option<Self>> {
        Self::with_clock(config, Arc::new(SystemClock::new()))
    }

    fn with_clock(config: &OAuthConfig, clock: Arc<dyn Clock>) -> Result<Option<Self>> {
        let OAuthConfig {
            issuer,
            resource,
            jwks,
            scopes,
            profile,
        } = config;
        let Some(issuer) = issuer else {
            let is_meant =
                resource.is_some() || jwks.is_some() || !scopes.is_empty() || profile.is_some();
            return if is_meant {
                // Whoever wrote the rest believes that tokens are asked for.
                Err(wrong(
                    "serve.oauth.issuer",
                    "it is missing, and `serve.oauth` says other things",
                )
                .hint("Set it to the issuer identifier of the authorization server."))
            } else {
                Ok(None)
            };
        };
        let Some(resource) = resource else {
            return Err(wrong("serve.oauth.resource", "it is missing")
                .hint("Set it to the URL that clients reach this server by, such as https://tools.example.com/mcp: tokens for other servers of the same issuer would be taken without it."));
        };
        let issuer_url = endpoint("serve.oauth.issuer", issuer)?;
        let resource_url = endpoint("serve.oauth.resource", resource)?;
        let jwks = jwks
            .as_ref()
            .map(|jwks| jwks.parse().map_err(|why| wrong("serve.oauth.jwks", why)))
            .transpose()?;
        if let Some(scope) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(wrong("serve.oauth.scopes", format!("{scope:?} is no scope"))
                .hint("A scope is one word of visible characters of ASCII without quotes and backslashes."));
        }
        signature::install()?;
        let (origin, service) = (resource_url.origin(), resource_url.service());
        let path = service.strip_prefix(&origin).unwrap_or_default();
        let metadata_path = format!("{METADATA}{}", path.trim_end_matches('/'));
        Ok(Some(Self {
            expected: Expected {
                issuer: issuer.clone(),
                resource: resource.clone(),
                scopes: scopes.clone(),
            },
            profile: profile.clone(),
            keys: Keys::new(Issuer::new(issuer, issuer_url, jwks), clock),
            metadata_url: format!("{origin}{metadata_path}"),
            metadata_path,
        }))
    }

    /// The client that a token speaks for.
    ///
    /// # Errors
    /// Where the token lets nobody in, or that cannot be found out now.
    pub(super) async fn client(&self, token: &str) -> std::result::Result<Client, Stranger> {
        let refused = |why| match why {
            Refused::Invalid(why) => Stranger::Unknown(why),
            Refused::Insufficient => Stranger::Insufficient,
        };
        let header = token::header(token).map_err(refused)?;
        let key = self.keys.find(header.kid.as_deref(), header.alg).await;
        let key = key.map_err(|none| match none {
            NoKey::Unknown => Stranger::Unknown("the token is signed with a key that is not known"),
            NoKey::Unavailable => Stranger::Unready,
        })?;
        let principal =
            token::principal(token, header.alg, &key, &self.expected).map_err(refused)?;
        Ok(Client {
            principal,
            profile: self.profile.clone(),
        })
    }

    /// True for a path that the metadata is served at.
    pub(super) fn is_metadata(&self, path: &str) -> bool {
        path.strip_prefix(METADATA)
            .is_some_and(|rest| ["", "/", super::door::PATH].contains(&rest))
            || path == self.metadata_path
    }

    /// What clients have to know to get a token (RFC 9728 §2).
    pub(super) fn metadata(&self) -> Value {
        let mut metadata = json!({
            "resource": self.expected.resource,
            "authorization_servers": [self.expected.issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "Toolhatch",
        });
        if let Value::Object(object) = &mut metadata
            && !self.expected.scopes.is_empty()
        {
            object.insert("scopes_supported".into(), json!(self.expected.scopes));
        }
        metadata
    }

    /// What a challenge says besides the error: where the metadata is, and which scopes are needed.
    pub(super) fn challenge(&self) -> Vec<(&'static str, String)> {
        let mut parameters = vec![("resource_metadata", self.metadata_url.clone())];
        if !self.expected.scopes.is_empty() {
            parameters.push(("scope", self.expected.scopes.join(" ")));
        }
        parameters
    }
}

/// An identifier that is the URL of something, without a query (RFC 8414 §2).
fn endpoint(key: &str, text: &str) -> Result<Endpoint> {
    if text.contains('?') {
        return Err(wrong(key, "it has a query"));
    }
    text.parse().map_err(|why| wrong(key, why))
}

fn wrong(key: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::E3004, format!("reading `{key}`: {why}"))
}

/// RFC 6749 §3.3.
fn is_scope(text: &str) -> bool {
    let is_character = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    !text.is_empty() && text.bytes().all(is_character)
}
