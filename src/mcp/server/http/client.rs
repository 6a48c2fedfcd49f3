//! Who a client of the HTTP server is: the bearer of a token that is known.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};

use crate::config::TokenConfig;

/// A client that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Client {
    /// What its calls are recorded and limited under.
    pub(super) principal: String,
    /// What it is served; nothing for what everybody is.
    pub(super) profile: Option<String>,
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    /// It shows no token.
    Silent,
    /// Its token is not a known one; the text says why, in characters that a header may have between quotes.
    Unknown(&'static str),
    /// Its token is good for less than what is served.
    Insufficient,
    /// Whether its token is good cannot be found out now.
    Unready,
}

/// What is wrong with a token about which there is nothing more to say.
pub(super) const STRANGE: &str = "this is no token that is known";

/// A client that is known by a token.
#[derive(Debug, Clone)]
pub(super) struct Bearer {
    digest: Vec<u8>,
    client: Client,
}

impl Bearer {
    pub(super) fn of(name: &str, token: &TokenConfig) -> Self {
        Self {
            digest: unhex(&token.sha256),
            client: Client {
                principal: format!("token {name}"),
                profile: token.profile.clone(),
            },
        }
    }
}

/// The token that a request shows.
///
/// # Errors
/// Where there is none, or several.
pub(super) fn shown(headers: &HeaderMap) -> Result<&str, Stranger> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Stranger::Silent)?;
    if values.next().is_some() {
        return Err(Stranger::Unknown("there is more than one token"));
    }
    let strange = || Stranger::Unknown("this is no bearer token");
    let text = value.to_str().map_err(|_| strange())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(strange)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(strange());
    }
    Ok(token.trim())
}

/// The client that this token is known of.
pub(super) fn known<'a>(token: &str, bearers: &'a [Bearer]) -> Option<&'a Client> {
    let digest = Sha256::digest(token.as_bytes());
    // Digests are compared, so how long it takes says nothing about a token.
    bearers
        .iter()
        .find(|bearer| bearer.digest == digest.as_slice())
        .map(|bearer| &bearer.client)
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
