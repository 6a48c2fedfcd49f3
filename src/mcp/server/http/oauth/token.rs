//! Whether an access token is good: a JSON Web Token (RFC 7519, RFC 9068) for this server by an issuer that is trusted.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::jwks::Key;

/// The longest token that is looked at. Those of servers that put groups and roles into them have a few kilobytes.
const MAX_TOKEN: usize = 16 << 10;
/// How far clocks may be apart, in seconds.
const LEEWAY: u64 = 60;
/// The longest name of a subject; that of OpenID Connect has 255 at most.
const MAX_SUBJECT: usize = 255;
/// What signatures are taken by: nothing whose key is also known to whoever checks it, nothing with SHA-1.
const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// What a token may say it is. Others, such as one that tells of a logout, are signed with the same keys.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// What tokens have to say.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) resource: String,
    pub(super) scopes: Vec<String>,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It lets nobody in; the text says why, in characters that a header may have between quotes.
    Invalid(&'static str),
    /// It is good, but for less than this.
    Insufficient,
}

use Refused::Invalid;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: Option<String>,
    client_id: Option<String>,
    scope: Option<Scopes>,
    /// The same by the name that some servers have for it.
    scp: Option<Scopes>,
    cnf: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scopes {
    Text(String),
    List(Vec<String>),
}

impl Scopes {
    fn has(&self, scope: &str) -> bool {
        match self {
            Self::Text(text) => text.split(' ').any(|word| word == scope),
            Self::List(words) => words.iter().any(|word| word == scope),
        }
    }
}

/// What a token says of how it was signed. Nothing of it is true before its signature was checked.
///
/// # Errors
/// Where it is no token that could be checked here.
pub(super) fn header(token: &str) -> Result<Header, Refused> {
    if token.len() > MAX_TOKEN {
        return Err(Invalid("the token is too long"));
    }
    let header = decode_header(token)
        .map_err(|_| Invalid("this is no token that is known, and no JSON Web Token"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Invalid(
            "the token is signed by an algorithm that is not accepted",
        ));
    }
    let is_known = header
        .typ
        .as_ref()
        .is_none_or(|typ| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ)));
    if !is_known {
        return Err(Invalid("this is a token for something else"));
    }
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(Invalid(
            "the token has to be understood in a way that is not known here",
        ));
    }
    Ok(header)
}

/// The principal that a token speaks for, once everything about it was checked.
///
/// # Errors
/// Where anything is wrong with it.
pub(super) fn principal(
    token: &str,
    algorithm: Algorithm,
    key: &Key,
    expected: &Expected,
) -> Result<String, Refused> {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[&expected.issuer]);
    validation.set_audience(&[&expected.resource]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let claims: Claims = decode(token, &key.decoding, &validation)
        .map_err(|error| Invalid(why(error.kind())))?
        .claims;
    // The library would also take a list of issuers that has the right one.
    if claims.iss != expected.issuer {
        return Err(Invalid(why(&ErrorKind::InvalidIssuer)));
    }
    if claims.cnf.is_some() {
        return Err(Invalid(
            "the token is bound to a key of its client, which is not checked here",
        ));
    }
    let name = match (&claims.sub, &claims.client_id) {
        (Some(subject), _) => plain(subject)?.to_owned(),
        (None, Some(client)) => format!("client {}", plain(client)?),
        (None, None) => return Err(Invalid("the token does not say whom it speaks for")),
    };
    let held = [&claims.scope, &claims.scp];
    let has = |scope: &String| held.into_iter().flatten().any(|held| held.has(scope));
    if !expected.scopes.iter().all(has) {
        return Err(Refused::Insufficient);
    }
    Ok(format!("oauth {} {name}", expected.issuer))
}

/// A name that stands in a principal, in the log and before a person's eyes as what it is.
fn plain(name: &str) -> Result<&str, Refused> {
    let is_plain = !name.is_empty()
        && name.len() <= MAX_SUBJECT
        && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_plain {
        Ok(name)
    } else {
        Err(Invalid(
            "the token speaks for a name that is empty, too long or not plain",
        ))
    }
}

fn why(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidAudience => "the token is for another resource",
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
            "a claim that the token has to have is missing or has the wrong form"
        }
        ErrorKind::Json(_) => "the claims of the token cannot be read",
        _ => "the signature of the token is wrong",
    }
}
