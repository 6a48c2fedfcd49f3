//! What a client asks of the proxy, read strictly: whom it means, and the request as that server gets it.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version};

use crate::permission::Host;

/// The port of `http://` without one.
const HTTP: u16 = 80;

/// What was asked cannot be done by a proxy; says why and what can.
pub(super) type Misfit = &'static str;

/// Whom a client wants to talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Anybody, through a connection of its own.
    Tunnel {
        /// The host as it was written; it need not be a valid one.
        host: String,
        port: u16,
    },
    /// A server that is sent this request.
    Request {
        /// As it was written, in lower case; it need not be a valid one.
        host: String,
        port: u16,
    },
}

impl Target {
    /// Reads it from the first line and the `Host` of a request.
    pub(super) fn of<B>(request: &Request<B>) -> Result<Self, Misfit> {
        let uri = request.uri();
        if request.method() == Method::CONNECT {
            let authority = uri.authority().ok_or("CONNECT needs HOST:PORT")?;
            let (host, port) = split(authority, None)?;
            return Ok(Self::Tunnel { host, port });
        }
        let authority = match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) if *scheme == Scheme::HTTP => authority,
            (Some(_), Some(_)) => {
                return Err(
                    "only http:// can be asked for in clear; everything else takes CONNECT",
                );
            }
            _ => {
                return Err(
                    "this is a proxy: ask it for http://HOST/PATH, or for CONNECT HOST:PORT",
                );
            }
        };
        let target = split(authority, Some(HTTP))?;
        if let Some(named) = only_host(request.headers())?
            && !is_same(&named, &target)
        {
            return Err("the header Host names another host than the request is for");
        }
        let (host, port) = target;
        Ok(Self::Request { host, port })
    }
}

/// Host and port of an authority. What only serves to mislead is refused.
fn split(authority: &Authority, default_port: Option<u16>) -> Result<(String, u16), Misfit> {
    if authority.as_str().contains('@') {
        return Err("a user name does not belong into the address");
    }
    let port = match authority.port_u16() {
        Some(port) => Some(port),
        // A port that is there but no number must not become the default one.
        None if authority.as_str().len() > authority.host().len() => None,
        None => default_port,
    };
    let port = port
        .filter(|port| *port > 0)
        .ok_or("the port is missing, or no port")?;
    let host = authority.host().to_ascii_lowercase();
    if host.is_empty() {
        return Err("the host is missing");
    }
    Ok((host, port))
}

/// The one `Host` header, if there is one.
fn only_host(headers: &HeaderMap) -> Result<Option<(String, u16)>, Misfit> {
    let mut all = headers.get_all(HOST).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return match headers.contains_key(HOST) {
            true => Err("the header Host is there more than once"),
            false => Ok(None),
        };
    };
    let authority = value.to_str().ok().and_then(|text| text.parse().ok());
    let authority: Authority = authority.ok_or("the header Host is not a host")?;
    split(&authority, Some(HTTP)).map(Some)
}

fn is_same((host, port): &(String, u16), (other, other_port): &(String, u16)) -> bool {
    let is_same_host = match (host.parse::<Host>(), other.parse::<Host>()) {
        (Ok(host), Ok(other)) => host == other,
        _ => host == other,
    };
    is_same_host && port == other_port
}

/// The request as its server gets it: the path alone, the name that was decided on in `Host`, and nothing that was meant for
/// the proxy.
pub(super) fn to_server<B>(
    request: Request<B>,
    host: &Host,
    port: u16,
) -> Result<Request<B>, Misfit> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let uri = Uri::builder().path_and_query(path).build();
    parts.uri = uri.map_err(|_| "the path is none")?;
    parts.version = Version::HTTP_11;
    strip(&mut parts.headers);
    // It was answered by the proxy already.
    parts.headers.remove(EXPECT);
    let authority = match port {
        HTTP => host.to_string(),
        port => format!("{host}:{port}"),
    };
    let authority = HeaderValue::try_from(authority).map_err(|_| "the host is none")?;
    parts.headers.insert(HOST, authority);
    Ok(Request::from_parts(parts, body))
}

/// Removes what is meant for the next hop alone. How long a body is and how it is sent is then decided anew.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    let of_proxies: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("proxy-"))
        .cloned()
        .collect();
    for name in of_proxies {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str, hosts: &[&str]) -> Result<Target, Misfit> {
        let mut request = Request::builder().method(method).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        Target::of(&request.body(()).expect("a request"))
    }

    #[test]
    fn clients_say_whom_they_mean_in_one_way() {
        let request = |host: &str, port| {
            let host = host.to_owned();
            Ok(Target::Request { host, port })
        };
        let tunnel = |host: &str, port| {
            let host = host.to_owned();
            Ok(Target::Tunnel { host, port })
        };
        assert_eq!(
            asked("GET", "http://Example.com/a", &["example.COM:80"]),
            request("example.com", 80)
        );
        assert_eq!(
            asked("GET", "http://example.com.:8080/", &["example.com:8080"]),
            request("example.com.", 8080)
        );
        assert_eq!(asked("PUT", "http://[::1]:81/", &[]), request("[::1]", 81));
        assert_eq!(asked("CONNECT", "db:5432", &["other"]), tunnel("db", 5432));
        assert_eq!(asked("CONNECT", "[::1]:443", &[]), tunnel("[::1]", 443));
        for (method, uri, hosts) in [
            ("GET", "/path", &["example.com"][..]),
            ("GET", "https://example.com/", &[]),
            ("GET", "ftp://example.com/", &[]),
            ("GET", "http://good.example@evil.example/", &[]),
            ("GET", "http://example.com/", &["evil.example"]),
            ("GET", "http://example.com/", &["example.com:81"]),
            (
                "GET",
                "http://example.com/",
                &["example.com", "example.com"],
            ),
            ("GET", "http://example.com/", &["user@example.com"]),
            ("GET", "http://example.com:0/", &[]),
            ("OPTIONS", "*", &[]),
            ("CONNECT", "example.com", &[]),
            ("CONNECT", "example.com:0", &[]),
            ("CONNECT", "user@example.com:443", &[]),
            ("CONNECT", "/path", &[]),
        ] {
            assert!(
                asked(method, uri, hosts).is_err(),
                "{method} {uri} {hosts:?}"
            );
        }
    }

    #[test]
    fn what_is_meant_for_the_proxy_does_not_reach_the_server() {
        let request = Request::builder()
            .uri("http://example.com:8080/a?b=c")
            .header("host", "EXAMPLE.com:8080")
            .header("connection", "close, x-hop, host")
            .header("x-hop", "1")
            .header("proxy-authorization", "Basic eA==")
            .header("proxy-connection", "keep-alive")
            .header("transfer-encoding", "chunked")
            .header("content-length", "3")
            .header("upgrade", "websocket")
            .header("expect", "100-continue")
            .header("x-kept", "1");
        let host: Host = "example.com".parse().expect("a host");
        let sent = to_server(request.body(()).expect("a request"), &host, 8080).expect("sent");
        assert_eq!(sent.uri(), "/a?b=c");
        assert_eq!(sent.headers()["host"], "example.com:8080");
        let mut names: Vec<&str> = sent.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["host", "x-kept"]);
    }
}
