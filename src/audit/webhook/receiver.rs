//! Who gets the records, and how a delivery is signed.
//!
//! Signatures are those of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, so that any of its libraries checks
//! them, and an old delivery cannot be replayed as a new one.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::Sha256;

use super::batch::Batch;
use crate::audit::head::{hex, sha256};
use crate::config::{Credential, Environment, WebhookConfig};
use crate::error::{Code, Error, Result};
use crate::web::{Answer, Client, Endpoint, Options};

/// A webhook.
pub struct Receiver {
    client: Client,
    endpoint: Endpoint,
    /// Each signs every delivery: while a secret is changed there are two.
    keys: Vec<Vec<u8>>,
}

impl Receiver {
    /// The webhook of the configuration, if there is one. Its secret is read now.
    ///
    /// # Errors
    /// E3004 or E3101 where the secret or the file of certificates cannot be read, or the secret is not one of Standard
    /// Webhooks.
    pub fn configured(config: &WebhookConfig, environment: &Environment) -> Result<Option<Self>> {
        let Some(endpoint) = &config.url else {
            return Ok(None);
        };
        let doing = "reading the secret of the audit webhook";
        let secret = match &config.secret {
            Some(source) => Some(
                source
                    .read(environment)
                    .map_err(|error| error.while_doing(doing))?,
            ),
            None => None,
        };
        let options = Options::of_service(
            config.timeout,
            config.plain_http,
            config.proxy,
            config.ca_file.as_deref(),
        )?;
        Self::new(endpoint.clone(), secret.as_ref(), options).map(Some)
    }

    /// A webhook at this endpoint, its deliveries signed with each of the secrets in `secret`, which stand one after the
    /// other with white space between them.
    ///
    /// # Errors
    /// E3004 where one is not `whsec_` and 24 to 64 bytes in base64.
    pub fn new(endpoint: Endpoint, secret: Option<&Credential>, options: Options) -> Result<Self> {
        let secrets = secret.map(Credential::reveal).unwrap_or_default();
        let keys = secrets
            .split_whitespace()
            .map(key)
            .collect::<Option<Vec<_>>>();
        let keys = keys.ok_or_else(|| {
            Error::new(
                Code::E3004,
                "reading the secret of the audit webhook: it is not `whsec_` and 24 to 64 bytes in base64",
            )
            .hint("Make one with: echo whsec_$(head -c 32 /dev/urandom | base64 -w 0)")
        })?;
        Ok(Self {
            client: Client::new(options),
            endpoint,
            keys,
        })
    }

    /// What messages show of its address.
    #[must_use]
    pub fn origin(&self) -> String {
        self.endpoint.origin()
    }

    pub(super) fn check(&self) -> Result<()> {
        self.client.check(&self.endpoint)
    }

    /// Sends a batch; every status is an answer.
    pub(super) async fn post(&self, batch: &Batch) -> Result<Answer> {
        // The same batch has the same id, however often it is sent and by whom.
        let digest = hex(&sha256(&batch.body));
        let id = format!("msg_{}", digest.get(..32).unwrap_or_default());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let timestamp = now.as_secs().to_string();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (
                "content-type",
                "application/cloudevents-batch+json".to_owned(),
            ),
            ("toolhatch-audit-head", batch.head.to_string()),
            ("webhook-signature", self.sign(&id, &timestamp, &batch.body)),
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
        ] {
            // Digits, letters and base64: always a value of a header.
            if !value.is_empty()
                && let Ok(value) = HeaderValue::from_str(&value)
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let body = batch.body.clone();
        self.client
            .send(Method::POST, &self.endpoint, headers, body)
            .await
    }

    /// One signature for each secret, with spaces between; nothing without a secret.
    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let signatures: Vec<String> = self
            .keys
            .iter()
            .filter_map(|key| Hmac::<Sha256>::new_from_slice(key).ok())
            .map(|mut hmac| {
                for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                    hmac.update(part);
                }
                format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()))
            })
            .collect();
        signatures.join(" ")
    }
}

/// The bytes that a secret stands for.
fn key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("endpoint", &self.endpoint)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(secret: &str) -> Result<Receiver> {
        let endpoint = "http://127.0.0.1:9/".parse().expect("a URL");
        Receiver::new(endpoint, Some(&Credential::new(secret)), Options::default())
    }

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        // The test vector of the Standard Webhooks libraries.
        let receiver = receiver("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signature = receiver.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_make_two_signatures_and_none_makes_none() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let both = receiver(&format!("{secret}\n{secret}")).expect("secrets");
        let signature = both.sign("a", "1", b"");
        let (one, other) = signature.split_once(' ').expect("two");
        assert_eq!(one, other);
        assert_eq!(receiver("").expect("none").sign("a", "1", b""), "");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        for bad in ["S3CRET", "whsec_S3CRET", "whsec_S3CRET!!", "whsec_"] {
            let error = receiver(bad).expect_err(bad);
            assert_eq!(error.code(), Code::E3004);
            let told = format!("{error} {:?} {:?}", error.causes(), error.hints());
            assert!(!told.contains("S3CRET"), "{told}");
        }
    }
}
