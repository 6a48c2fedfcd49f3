//! Who signs tokens in tests.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::Sha256;

/// A key with its name.
pub(super) struct Signer {
    pub(super) algorithm: &'static str,
    pub(super) id: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token that is signed with a secret.
pub(super) fn hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
    let text = format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a secret");
    mac.update(text.as_bytes());
    format!("{text}.{}", encode(mac.finalize().into_bytes()))
}

impl Signer {
    /// A new key; that of RSA is always the same.
    pub(super) fn new(algorithm: &'static str, id: &'static str) -> Self {
        let random = SystemRandom::new();
        let elliptic = |kind| {
            let document = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
            Pair::Ec(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).expect("a key"))
        };
        let pair = match algorithm {
            "ES256" => elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let document = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
                Pair::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key"))
            }
            _ => {
                let text = include_bytes!("../../../../../../tests/fixtures/oauth/rsa.pem");
                let document = PrivatePkcs8KeyDer::from_pem_slice(text).expect("a key");
                let pair = RsaKeyPair::from_pkcs8(document.secret_pkcs8_der());
                Pair::Rsa(pair.expect("a key"))
            }
        };
        Self {
            algorithm,
            id,
            pair,
        }
    }

    /// What the authorization server publishes of it.
    pub(super) fn jwk(&self) -> Value {
        let point = |curve: &str, bytes: &[u8]| {
            let (x, y) = bytes[1..].split_at(bytes.len() / 2);
            json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
        };
        let mut jwk = match (&self.pair, self.algorithm) {
            (Pair::Rsa(pair), _) => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
                json!({"kty": "RSA", "n": encode(&public.n), "e": encode(&public.e), "alg": self.algorithm})
            }
            (Pair::Ec(pair), "ES256") => point("P-256", pair.public_key().as_ref()),
            (Pair::Ec(pair), _) => point("P-384", pair.public_key().as_ref()),
            (Pair::Ed(pair), _) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())})
            }
        };
        jwk["kid"] = json!(self.id);
        jwk
    }

    /// Its public key, in the form that its family has.
    pub(super) fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// A token that says this.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.sign_text(&claims.to_string())
    }

    /// The same of a text that need not be JSON.
    pub(super) fn sign_text(&self, claims: &str) -> String {
        let header = json!({"alg": self.algorithm, "typ": "at+jwt", "kid": self.id});
        self.sign(&header, claims)
    }

    /// A token with this header, signed as the key does whatever the header says.
    pub(super) fn token_of(&self, header: &Value, claims: &Value) -> String {
        self.sign(header, &claims.to_string())
    }

    fn sign(&self, header: &Value, claims: &str) -> String {
        let text = format!("{}.{}", encode(header.to_string()), encode(claims));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let padding: &'static dyn ring::signature::RsaEncoding = match self.algorithm {
                    "PS256" => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let signed = pair.sign(padding, &random, text.as_bytes(), &mut signature);
                signed.expect("signed");
                signature
            }
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, text.as_bytes()).expect("signed");
                signature.as_ref().to_vec()
            }
            Pair::Ed(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", encode(signature))
    }
}
