//! The HTTP client of Toolhatch's own requests: to a webhook, to a model. Requests of tools never pass here.
//!
//! It does little on purpose: HTTP/1.1, one TLS stack with the system's trusted roots, no redirects, no cookies, no
//! compression, and no proxy unless asked. Every request has a time limit, every body that is read has a size limit, and
//! plain `http://` goes to this machine alone unless the configuration says otherwise. Errors name the origin of a URL and
//! never its path or query, which can hold secrets.

mod answer;
mod endpoint;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

pub use answer::Answer;
pub use endpoint::{Endpoint, InvalidEndpoint};

use crate::error::{Code, Error, Result};
use crate::fsx;

/// The largest file of extra certificates.
const MAX_ROOTS: u64 = 4 << 20;

/// How a client behaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// How long a connection may take, TLS included. Default 5 s.
    pub connect_timeout: Duration,
    /// How long a request may take in all, its answer read to the end. The longest there is means no limit, for streams.
    /// Default 30 s.
    pub timeout: Duration,
    /// Whether `http://` may go to other machines. Default false.
    pub plain_http: bool,
    /// Whether the proxy that the environment names is used (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), for
    /// other machines than this one. Default false.
    pub proxy: bool,
    /// Certificates in PEM form that are trusted beside the system's. Default none.
    pub roots: Vec<u8>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            plain_http: false,
            proxy: false,
            roots: Vec::new(),
        }
    }
}

impl Options {
    /// Those of a service that has a time limit of its own, and perhaps a file of certificates in PEM form.
    ///
    /// # Errors
    /// E3004 or E3101 where the file cannot be read.
    pub fn of_service(
        timeout: Duration,
        plain_http: bool,
        proxy: bool,
        ca_file: Option<&Path>,
    ) -> Result<Self> {
        Ok(Self {
            timeout,
            connect_timeout: timeout.min(Self::default().connect_timeout),
            plain_http,
            proxy,
            roots: match ca_file {
                Some(file) => fsx::read_capped(file, MAX_ROOTS)?,
                None => Vec::new(),
            },
        })
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("plain_http", &self.plain_http)
            .field("proxy", &self.proxy)
            .field("roots", &self.roots.len())
            .finish()
    }
}

/// What sends requests. Cheap to make: the trusted roots are read when TLS is first needed. Connections are kept for the
/// next request to the same origin; they belong to the tokio runtime that the first request was made in.
#[derive(Debug)]
pub struct Client {
    options: Options,
    /// One client of the library for each kind of connection that was needed so far.
    inner: Mutex<Vec<(Kind, reqwest::Client)>>,
}

/// What a connection needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    tls: bool,
    proxy: bool,
}

impl Client {
    /// A client that behaves like this.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            inner: Mutex::default(),
        }
    }

    /// Sends a request, and gives the answer as soon as its head is there; whatever status it has is an answer, and its
    /// body is still to be read. Redirects are answers too.
    ///
    /// # Errors
    /// E3004 where the endpoint is plain HTTP to another machine and that is not allowed, or an extra root is no
    /// certificate; E3506 where no connection could be made or the certificate is not trusted; E3503 where there was no
    /// answer in time; E3502 where the connection broke before it.
    pub async fn send(
        &self,
        method: Method,
        endpoint: &Endpoint,
        headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        self.check(endpoint)?;
        let sent = self
            .inner(endpoint)?
            .request(method, endpoint.url().clone())
            .headers(headers)
            .body(reqwest::Body::from(body.into()))
            .send()
            .await;
        match sent {
            Ok(response) => Ok(Answer::new(response, endpoint.origin())),
            Err(error) => Err(failed(&endpoint.origin(), error)),
        }
    }

    /// Refuses what would go over the network for everybody to read.
    ///
    /// # Errors
    /// E3004 where the endpoint is plain HTTP to another machine and that is not allowed.
    pub fn check(&self, endpoint: &Endpoint) -> Result<()> {
        if endpoint.is_tls() || endpoint.is_loopback() || self.options.plain_http {
            return Ok(());
        }
        Err(Error::new(
            Code::E3004,
            format!(
                "sending a request to {}: plain HTTP to another machine can be read and changed on its way",
                endpoint.origin()
            ),
        )
        .hint("Use `https://`. Where the network in between is trusted, set `plain_http = true` beside the URL."))
    }

    fn inner(&self, endpoint: &Endpoint) -> Result<reqwest::Client> {
        let kind = Kind {
            tls: endpoint.is_tls(),
            proxy: self.options.proxy && !endpoint.is_loopback(),
        };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = inner.iter().find(|(known, _)| *known == kind) {
            return Ok(client.clone());
        }
        let client = self.build(kind)?;
        inner.push((kind, client.clone()));
        Ok(client)
    }

    fn build(&self, kind: Kind) -> Result<reqwest::Client> {
        let unusable = |why: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Code::E3000, "setting up the HTTP client").caused_by(why)
        };
        // A proxy can itself be one that is reached over TLS.
        let roots = if kind.tls || kind.proxy {
            self.roots()?
        } else {
            RootCertStore::empty()
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("toolhatch/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.options.connect_timeout)
            .tcp_nodelay(true)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // The name stands for this machine, whatever a resolver says.
            .resolve_to_addrs(
                "localhost",
                &[
                    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                    SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
                ],
            );
        let builder = if self.options.timeout == Duration::MAX {
            builder
        } else {
            builder.timeout(self.options.timeout)
        };
        let builder = if kind.proxy {
            builder
        } else {
            builder.no_proxy()
        };
        builder.build().map_err(|error| unusable(error.into()))
    }

    /// The system's trusted roots and the extra ones.
    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "could not read some of the system's trusted certificates");
        }
        roots.add_parsable_certificates(found.certs);
        let unreadable = |why: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Code::E3004, "reading the extra trusted certificates")
                .hint("Give a file of certificates in PEM form.")
                .caused_by(why)
        };
        for certificate in CertificateDer::pem_slice_iter(&self.options.roots) {
            let certificate = certificate.map_err(|error| unreadable(error.to_string().into()))?;
            roots
                .add(certificate)
                .map_err(|error| unreadable(error.into()))?;
        }
        Ok(roots)
    }
}

/// What kept a request from being answered.
fn failed(origin: &str, error: reqwest::Error) -> Error {
    let (code, why) = if error.is_connect() {
        (Code::E3506, "no connection could be made")
    } else if error.is_timeout() {
        (Code::E3503, "there was no answer in time")
    } else if error.is_builder() {
        (Code::E3004, "it cannot be sent like this")
    } else {
        (Code::E3502, "the connection broke")
    };
    Error::new(code, format!("sending a request to {origin}: {why}")).caused_by(error.without_url())
}
