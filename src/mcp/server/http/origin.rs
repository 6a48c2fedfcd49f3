//! Which names the server may be reached by, and which web pages may talk to it.
//!
//! A page that a person looks at can send requests to servers on their machine, and make a name of its own mean that
//! machine (DNS rebinding). So the name that a client used has to be one of ours, and an origin that a browser tells has to
//! be a known one.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;

use crate::config::HttpServeConfig;

/// How this machine is called by itself.
const HERE: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names and origins that are let in.
#[derive(Debug, Clone)]
pub(super) struct Known {
    hosts: Vec<Authority>,
    origins: Vec<String>,
}

impl Known {
    pub(super) fn of(config: &HttpServeConfig) -> Self {
        let named = config.hosts.iter().map(String::as_str);
        Self {
            hosts: HERE
                .into_iter()
                .chain(named)
                .filter_map(|host| host.parse().ok())
                .collect(),
            origins: config.origins.clone(),
        }
    }

    /// Why a request is not let in; nothing where it is.
    pub(super) fn objection(&self, headers: &HeaderMap) -> Option<&'static str> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts
            .next()
            .and_then(|host| host.to_str().ok())
            .and_then(|host| host.parse::<Authority>().ok());
        let Some(host) = host.filter(|host| hosts.next().is_none() && self.is_host(host)) else {
            return Some("this is not a name that the server goes by");
        };
        // A page that the server itself would have sent, by a name that was just looked at.
        let own = [format!("http://{host}"), format!("https://{host}")];
        let mut origins = headers.get_all(ORIGIN).iter();
        let is_known = origins.all(|origin| {
            origin.to_str().is_ok_and(|origin| {
                own.iter()
                    .chain(&self.origins)
                    .any(|known| is_same(known, origin))
            })
        });
        (!is_known).then_some("this origin may not talk to the server")
    }

    fn is_host(&self, host: &Authority) -> bool {
        // Somebody before an `@` is not a name.
        !host.as_str().contains('@')
            && self.hosts.iter().any(|known| {
                known.host().eq_ignore_ascii_case(host.host())
                    && known
                        .port_u16()
                        .is_none_or(|port| host.port_u16() == Some(port))
            })
    }
}

/// Without a port, that of the scheme is meant.
fn is_same(known: &str, origin: &str) -> bool {
    let whole = |text: &str| {
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        let port = match text.split_once("://") {
            Some(("https", rest)) if !has_port(rest) => ":443",
            Some(("http", rest)) if !has_port(rest) => ":80",
            _ => "",
        };
        format!("{text}{port}")
    };
    whole(known) == whole(origin)
}

fn has_port(authority: &str) -> bool {
    let after_brackets = authority.rsplit(']').next().unwrap_or(authority);
    after_brackets.contains(':')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn objects(host: &str, origin: Option<&str>) -> bool {
        let config = HttpServeConfig {
            hosts: vec!["tools.example.com".into(), "other.example.com:8443".into()],
            origins: vec![
                "https://app.example.com".into(),
                "http://localhost:3000".into(),
            ],
            ..HttpServeConfig::default()
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).expect("a value"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).expect("a value"));
        }
        Known::of(&config).objection(&headers).is_some()
    }

    #[test]
    fn names_and_origins_are_ours_or_are_refused() {
        for host in [
            "localhost:80",
            "127.0.0.1:9",
            "[::1]:1",
            "LOCALHOST",
            "tools.example.com:1",
            "other.example.com:8443",
        ] {
            assert!(!objects(host, None), "{host}");
        }
        for host in [
            "evil.example.com",
            "localhost.evil.com",
            "other.example.com",
            "x@localhost",
            "127.0.0.2",
            "localhost:80:80",
        ] {
            assert!(objects(host, None), "{host}");
        }
        for origin in [
            "https://app.example.com",
            "https://app.example.com:443",
            "http://localhost:3000",
            "http://localhost:9",
        ] {
            assert!(!objects("localhost:9", Some(origin)), "{origin}");
        }
        for origin in [
            "http://app.example.com",
            "https://app.example.com.evil.com",
            "null",
            "http://localhost:3001",
        ] {
            assert!(objects("localhost:9", Some(origin)), "{origin}");
        }
    }
}
