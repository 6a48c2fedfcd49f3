//! Logins at registries, as `docker login` keeps them: in Docker's own configuration, or with a program that it names.
//!
//! They are for pulls alone. The daemon is told them with the request for the pull; nothing else ever sees them, and none is
//! sent where somebody on the way could read it.

use std::io;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use docker_credential::{CredentialRetrievalError, DockerCredential};

use super::address::{self, Address};
use crate::config::{DockerHost, Environment, TlsFiles};
use crate::exec::{EventSink, LogLevel};
use crate::fsx;

/// Docker's own configuration is a small file.
const MOST_CONFIG: u64 = 4 << 20;
/// A program that keeps logins may ask a person first.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// The registry that names without one are of, and how Docker calls it here.
const HUB: (&str, &str) = ("docker.io", "https://index.docker.io/v1/");

/// The login at this registry, where there is one. What is wrong with it is told, and the pull goes on without: most images
/// take none.
pub(super) async fn find(
    registry: &str,
    address: &Address,
    environment: &Environment,
    events: &EventSink,
) -> Option<DockerCredentials> {
    let config = address::folder(environment)?.join("config.json");
    if !config.exists() {
        return None;
    }
    let server = if registry == HUB.0 { HUB.1 } else { registry }.to_owned();
    let asked = server.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let bytes = fsx::read_capped(&config, MOST_CONFIG).map_err(|error| error.to_string())?;
        match docker_credential::get_credential_from_reader(io::Cursor::new(bytes), &asked) {
            Ok(found) => Ok(Some(found)),
            Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
            // What a program printed may be the secret itself.
            Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
                Err(format!("{helper} gives none"))
            }
            Err(other) => Err(other.to_string()),
        }
    });
    let found = match tokio::time::timeout(ANSWERS_WITHIN, looked).await {
        Ok(Ok(Ok(found))) => found?,
        Ok(Ok(Err(why))) => {
            tell(events, registry, &why);
            return None;
        }
        Ok(Err(error)) => {
            tell(events, registry, &error.to_string());
            return None;
        }
        Err(_) => {
            tell(
                events,
                registry,
                "the program that keeps it does not answer",
            );
            return None;
        }
    };
    if !is_private(address) {
        tell(
            events,
            registry,
            "it would go to the daemon over a connection that is not encrypted",
        );
        return None;
    }
    let serveraddress = Some(server);
    Some(match found {
        DockerCredential::IdentityToken(token) => DockerCredentials {
            identitytoken: Some(token),
            serveraddress,
            ..DockerCredentials::default()
        },
        DockerCredential::UsernamePassword(username, password) => DockerCredentials {
            username: Some(username),
            password: Some(password),
            serveraddress,
            ..DockerCredentials::default()
        },
    })
}

fn tell(events: &EventSink, registry: &str, why: &str) {
    events.log(
        LogLevel::Warn,
        &format!("pulling without the login at {registry}: {why}"),
    );
}

/// True where nobody but the daemon can read what is sent to it.
fn is_private(address: &Address) -> bool {
    match &address.host {
        DockerHost::Unix(_) | DockerHost::Ssh { .. } => true,
        DockerHost::Tcp(host) => {
            let name = host
                .rsplit_once(':')
                .map_or(host.as_str(), |(name, _)| name);
            let name = name.trim_start_matches('[').trim_end_matches(']');
            let is_here = name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
            is_here || address.tls != TlsFiles::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_sent_where_nobody_listens() {
        let tls = TlsFiles {
            ca: Some("ca.pem".into()),
            ..TlsFiles::default()
        };
        for (host, tls, expected) in [
            ("unix:///var/run/docker.sock", None, true),
            ("ssh://me@example.org", None, true),
            ("tcp://127.0.0.1:2375", None, true),
            ("tcp://[::1]:2375", None, true),
            ("tcp://localhost:2375", None, true),
            ("tcp://10.0.0.1:2375", None, false),
            ("tcp://localhost.example.org:2375", None, false),
            ("tcp://10.0.0.1:2376", Some(tls), true),
        ] {
            let address = Address {
                host: host.parse().expect("an address"),
                tls: tls.unwrap_or_default(),
                origin: String::new(),
            };
            assert_eq!(is_private(&address), expected, "{host}");
        }
    }
}
