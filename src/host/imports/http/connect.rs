//! From a URI to a connection: who is meant, which addresses that is, and a stream to exactly one of them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::io::TokioIo;

use super::default_port;
use crate::host::guard::{Guard, HttpRequest};

/// Whom a request is for.
#[derive(Debug, Clone)]
pub(super) struct Target {
    scheme: Scheme,
    /// The name or address, lower-case, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    /// Reads it from an absolute URI; user names in URIs are refused, they only serve to mislead.
    pub(super) fn of(uri: &Uri) -> Result<Self, Error> {
        let scheme = uri.scheme().cloned().unwrap_or(Scheme::HTTPS);
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        if authority.as_str().contains('@') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        let port = match authority.port_u16() {
            Some(port) => port,
            // A port that is there but no number must not become the default one.
            None if authority.as_str().len() > authority.host().len() => {
                return Err(Error::HttpRequestUriInvalid);
            }
            None => default_port(&scheme).ok_or(Error::HttpProtocolError)?,
        };
        if host.is_empty() {
            return Err(Error::HttpRequestUriInvalid);
        }
        Ok(Self { scheme, host, port })
    }

    pub(super) fn scheme(&self) -> &str {
        self.scheme.as_str()
    }

    /// `host`, `host:port` or `[v6]:port`, as it stands in the `Host` header.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if default_port(&self.scheme) == Some(self.port) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

/// Resolves the target and gives the first address that may be connected to.
///
/// All addresses are decided on, and one that is denied denies the request: a name that points at a public and at a private
/// address is not trusted to mean the public one.
pub(super) async fn resolve(guard: &Guard, request: &HttpRequest<'_>) -> Result<SocketAddr, Error> {
    let addresses: Vec<SocketAddr> = match request.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, request.port)],
        Err(_) => tokio::net::lookup_host((request.host, request.port))
            .await
            .map_err(|_| Error::DnsError {
                rcode: Some("NXDOMAIN".to_owned()),
                info_code: None,
            })?
            .collect(),
    };
    for address in &addresses {
        guard
            .http_address(request, address.ip())
            .await
            .map_err(|_| Error::DestinationIpProhibited)?;
    }
    addresses
        .first()
        .map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()))
        .ok_or(Error::DestinationNotFound)
}

/// Connects to the address, and speaks TLS with the *name* where the scheme asks for it.
pub(super) async fn open(
    tls: &Tls,
    target: &Target,
    address: SocketAddr,
) -> Result<TokioIo<Stream>, Error> {
    let tcp = TcpStream::connect(address).await.map_err(Error::Connect)?;
    // Small requests must not wait for more to come.
    tcp.set_nodelay(true).map_err(Error::Connect)?;
    if target.scheme != Scheme::HTTPS {
        return Ok(TokioIo::new(Stream::Plain(tcp)));
    }
    let name =
        ServerName::try_from(target.host.clone()).map_err(|_| Error::HttpRequestUriInvalid)?;
    let stream = tls
        .connector()?
        .connect(name, tcp)
        .await
        .map_err(Error::Tls)?;
    Ok(TokioIo::new(Stream::Tls(Box::new(stream))))
}

/// The TLS settings, read from the system's trusted roots the first time a guest needs them.
#[derive(Clone, Default)]
pub(in crate::host) struct Tls(Arc<OnceLock<Option<TlsConnector>>>);

impl Tls {
    fn connector(&self) -> Result<TlsConnector, Error> {
        self.0
            .get_or_init(|| {
                let mut roots = RootCertStore::empty();
                let found = rustls_native_certs::load_native_certs();
                for error in &found.errors {
                    tracing::warn!(%error, "could not read some of the system's trusted certificates");
                }
                roots.add_parsable_certificates(found.certs);
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let config = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .ok()?
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                Some(TlsConnector::from(Arc::new(config)))
            })
            .clone()
            .ok_or(Error::TlsProtocolError)
    }
}

/// A connection with or without TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl tokio::io::AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl tokio::io::AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Result<Target, Error> {
        Target::of(&uri.parse().expect("a URI"))
    }

    #[test]
    fn targets_are_read_with_their_implied_port() {
        for (uri, host, port, authority) in [
            ("https://Example.COM/x", "example.com", 443, "example.com"),
            (
                "http://example.com:443/",
                "example.com",
                443,
                "example.com:443",
            ),
            ("http://[::1]:8080/", "::1", 8080, "[::1]:8080"),
        ] {
            let target = target(uri).expect(uri);
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!(target.authority(), authority);
        }
    }

    #[test]
    fn misleading_authorities_are_refused() {
        assert!(target("http://good.example@evil.example/").is_err());
        assert!(target("ftp://example.com/").is_err());
        assert!(target("/relative").is_err());
    }
}
