//! The certificate that the server shows its clients.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::HttpServeConfig;
use crate::error::{Code, Error, Result};
use crate::fsx;

/// The largest file of certificates or of a key.
const MAX_FILE: u64 = 1 << 20;

/// What shakes hands with clients; nothing where no certificate is configured.
///
/// # Errors
/// E3004 where only one of the two is configured or they do not fit; E3101 where one is not there.
pub(super) fn acceptor(config: &HttpServeConfig) -> Result<Option<TlsAcceptor>> {
    let (certificate, key) = match (&config.certificate, &config.key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => {
            return Err(Error::new(
                Code::E3004,
                "`serve.http.certificate` and `serve.http.key` go together, and only one of them is set",
            ));
        }
    };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&fsx::read_capped(certificate, MAX_FILE)?)
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| unusable(certificate).caused_by(error))?;
    let key_text = fsx::read_capped(key, MAX_FILE)?;
    let private =
        PrivateKeyDer::from_pem_slice(&key_text).map_err(|error| unusable(key).caused_by(error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(certificate).caused_by(error))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| unusable(certificate).caused_by(error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn unusable(path: &Path) -> Error {
    Error::new(
        Code::E3004,
        format!("reading {}: it cannot be used for TLS", path.display()),
    )
    .hint("The certificate chain and its private key have to be in PEM form.")
}
