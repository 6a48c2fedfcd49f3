//! A set of public keys as an authorization server publishes it (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// A key, with the algorithms that it may be used by: what a token says about its own algorithm only chooses among them.
#[derive(Debug, Clone)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
}

/// The keys of a set that access tokens can be signed with.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set. Keys that are not for this, or of a kind that is not known here, are left out.
    ///
    /// # Errors
    /// Where it is no set of keys.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_slice(bytes)?;
        let keys = document.keys.into_iter().filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key).ok()?;
            Key::of(&jwk)
        });
        Ok(Self(keys.collect()))
    }

    /// True where no token could be checked with it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of this id that may be used by this algorithm. A token that names none gets the only one there is.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm))
            .filter(|key| id.is_none() || key.id.as_deref() == id);
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(first)
    }
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let is_for_signatures = match &common.public_key_use {
            None => true,
            Some(purpose) => *purpose == PublicKeyUse::Signature,
        };
        let may_verify = match &common.key_operations {
            None => true,
            Some(operations) => operations.contains(&KeyOperations::Verify),
        };
        if !is_for_signatures || !may_verify {
            return None;
        }
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let (mut algorithms, decoding) = match &jwk.algorithm {
            AlgorithmParameters::RSA(key) => {
                let (modulus, exponent) = (bytes(&key.n)?, bytes(&key.e)?);
                (
                    vec![Algorithm::RS256, Algorithm::PS256],
                    // Some servers write the zero in front that ASN.1 has.
                    DecodingKey::from_rsa_raw_components(
                        without_zeros(&modulus),
                        without_zeros(&exponent),
                    ),
                )
            }
            AlgorithmParameters::EllipticCurve(key) => {
                let (algorithm, length) = match key.curve {
                    EllipticCurve::P256 => (Algorithm::ES256, 32),
                    EllipticCurve::P384 => (Algorithm::ES384, 48),
                    _ => return None,
                };
                let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
                if x.len() != length || y.len() != length {
                    return None;
                }
                let decoding = DecodingKey::from_ec_components(&key.x, &key.y).ok()?;
                (vec![algorithm], decoding)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                let decoding = DecodingKey::from_ed_components(&key.x).ok()?;
                (vec![Algorithm::EdDSA], decoding)
            }
            // A secret that is shared is none once it is published.
            _ => return None,
        };
        if let Some(only) = common.key_algorithm {
            algorithms.retain(|algorithm| is_same(*algorithm, only));
        }
        (!algorithms.is_empty()).then(|| Self {
            id: common.key_id.clone(),
            algorithms,
            decoding,
        })
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn is_same(algorithm: Algorithm, named: KeyAlgorithm) -> bool {
    matches!(
        (algorithm, named),
        (Algorithm::RS256, KeyAlgorithm::RS256)
            | (Algorithm::PS256, KeyAlgorithm::PS256)
            | (Algorithm::ES256, KeyAlgorithm::ES256)
            | (Algorithm::ES384, KeyAlgorithm::ES384)
            | (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
    )
}
