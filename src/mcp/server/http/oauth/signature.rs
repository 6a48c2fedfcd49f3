//! The cryptography that access tokens are checked with: the one that TLS uses too.
//!
//! The library for tokens takes it from the process as a whole, so it is installed once, and a process in which somebody
//! else's was installed first checks no tokens at all.

use std::sync::OnceLock;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as TokenError, ErrorKind, Result as TokenResult};
use jsonwebtoken::signature::{Error as Mismatch, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};

use crate::error::{Code, Error, Result};

static OURS: CryptoProvider = CryptoProvider {
    // Nothing is signed here.
    signer_factory: |_, _| Err(unsupported()),
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

/// Sees to it that tokens are checked with ours. May be called any number of times.
///
/// # Errors
/// E3000 where something else in this process had its own installed.
pub(super) fn install() -> Result<()> {
    static IS_OURS: OnceLock<bool> = OnceLock::new();
    if *IS_OURS.get_or_init(|| OURS.install_default().is_ok()) {
        return Ok(());
    }
    Err(Error::new(
        Code::E3000,
        "setting up the check of access tokens: something else in this process has installed its own cryptography for them",
    ))
}

fn unsupported() -> TokenError {
    ErrorKind::UnsupportedAlgorithm.into()
}

/// How signatures of one key are checked.
enum Check {
    Rsa {
        parameters: &'static RsaParameters,
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Other {
        algorithm: &'static dyn VerificationAlgorithm,
        key: Vec<u8>,
    },
}

struct RingVerifier {
    algorithm: Algorithm,
    check: Check,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> TokenResult<Box<dyn JwtVerifier>> {
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let check = match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            rsa(&RSA_PKCS1_2048_8192_SHA256, n, e)
        }
        (Algorithm::PS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            rsa(&RSA_PSS_2048_8192_SHA256, n, e)
        }
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(key)) => {
            other(&ECDSA_P256_SHA256_FIXED, key)
        }
        (Algorithm::ES384, DecodingKeyKind::SecretOrDer(key)) => {
            other(&ECDSA_P384_SHA384_FIXED, key)
        }
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => other(&ED25519, key),
        _ => return Err(unsupported()),
    };
    Ok(Box::new(RingVerifier {
        algorithm: *algorithm,
        check,
    }))
}

fn rsa(parameters: &'static RsaParameters, modulus: &[u8], exponent: &[u8]) -> Check {
    Check::Rsa {
        parameters,
        modulus: modulus.to_vec(),
        exponent: exponent.to_vec(),
    }
}

fn other(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Check {
    Check::Other {
        algorithm,
        key: key.to_vec(),
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Mismatch> {
        let checked = match &self.check {
            Check::Rsa {
                parameters,
                modulus,
                exponent,
            } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(parameters, message, signature),
            Check::Other { algorithm, key } => {
                UnparsedPublicKey::new(*algorithm, key).verify(message, signature)
            }
        };
        checked.map_err(|_| Mismatch::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
