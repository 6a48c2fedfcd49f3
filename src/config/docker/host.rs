//! Where a daemon listens, and which one is used.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::syslog::is_host_and_port;

/// Which daemon is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DaemonChoice {
    /// The one that is found: `DOCKER_HOST`, the context in use, Docker's own socket, Podman's.
    #[default]
    Found,
    /// The one that listens there (`docker.host`).
    Host(DockerHost),
    /// The one of this context of the `docker` command (`docker.context`).
    Context(String),
}

/// Where a daemon listens: `unix:///PATH`, `tcp://HOST:PORT` or `ssh://USER@HOST`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DockerHost {
    /// A socket of this machine, by its absolute path.
    Unix(PathBuf),
    /// `HOST:PORT`, the host of an IPv6 address in brackets.
    Tcp(String),
    /// The daemon of another machine, reached by logging in there.
    Ssh {
        /// Who to log in as; absent for whoever the SSH client would be.
        user: Option<String>,
        /// The machine, an IPv6 address in brackets.
        host: String,
        /// The port; absent for the one the SSH client would use.
        port: Option<u16>,
    },
}

/// The text does not say where a daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDockerHost(&'static str);

impl fmt::Display for InvalidDockerHost {
    // What was written is not repeated: there may be a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected `unix:///var/run/docker.sock`, `tcp://HOST:PORT` or `ssh://USER@HOST`: {}",
            self.0
        )
    }
}

impl std::error::Error for InvalidDockerHost {}

impl FromStr for DockerHost {
    type Err = InvalidDockerHost;

    fn from_str(text: &str) -> Result<Self, InvalidDockerHost> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or(InvalidDockerHost("there is no `://` in it"))?;
        match scheme {
            "unix" if is_absolute(rest) => Ok(Self::Unix(rest.into())),
            "unix" => Err(InvalidDockerHost("the path of a socket begins with `/`")),
            "tcp" if rest.contains('@') => Err(InvalidDockerHost(
                "a daemon is not told a user or password; it knows its clients by `docker.tls_cert`",
            )),
            "tcp" if is_host_and_port(rest) => Ok(Self::Tcp(rest.to_owned())),
            "tcp" => Err(InvalidDockerHost(
                "behind `tcp://` there is a host, a colon and a port, and nothing else",
            )),
            "ssh" => ssh(rest).ok_or(InvalidDockerHost(
                "behind `ssh://` there is a host, a user before it or a port behind it at most, and no password",
            )),
            "npipe" => Err(InvalidDockerHost("there are no named pipes of Windows here")),
            _ => Err(InvalidDockerHost("there is no other scheme")),
        }
    }
}

fn ssh(rest: &str) -> Option<DockerHost> {
    let (user, place) = match rest.split_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let is_bare_address = place.starts_with('[') && place.ends_with(']');
    let (host, port) = match place.rsplit_once(':').filter(|_| !is_bare_address) {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    };
    // A port of any kind, so that the check of the pair is that of the host.
    let with_port = format!("{host}:{}", port.unwrap_or("22"));
    let is_valid = user.is_none_or(is_login) && is_host_and_port(&with_port);
    if !is_valid || host.starts_with('-') {
        return None;
    }
    Some(DockerHost::Ssh {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port: port.and_then(|port| port.parse().ok()),
    })
}

/// True for a name that one logs in with; never something that a program could take for an option.
pub(in crate::config) fn is_login(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// True for a path from the root, without parts that lead back up.
pub(in crate::config) fn is_absolute(text: &str) -> bool {
    let up = std::path::Component::ParentDir;
    text.starts_with('/')
        && text.len() > 1
        && !text.chars().any(char::is_control)
        && !Path::new(text).components().any(|part| part == up)
}

impl DockerHost {
    /// True where the daemon is on another machine, or may be: what it mounts is then not what is here.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        !matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for DockerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Ssh { user, host, port } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                f.write_str(host)?;
                match port {
                    Some(port) => write!(f, ":{port}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_they_are_shown() {
        for text in [
            "unix:///var/run/docker.sock",
            "tcp://build.example:2376",
            "tcp://[::1]:2376",
            "ssh://build.example",
            "ssh://me@build.example:2222",
            "ssh://me@[::1]",
            "ssh://me@[::1]:22",
        ] {
            let host: DockerHost = text.parse().expect(text);
            assert_eq!(host.to_string(), text);
            assert_eq!(host.is_remote(), !text.starts_with("unix"), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_and_not_repeated() {
        for text in [
            "",
            "/var/run/docker.sock",
            "unix://run/S3CRET.sock",
            "unix:///run/../S3CRET",
            "tcp://build.example",
            "tcp://build.example:0",
            "tcp://build.example:2375/S3CRET",
            "tcp://me:S3CRET@build.example:2375",
            "ssh://",
            "ssh://me:S3CRET@build.example",
            "ssh://me@build.example/S3CRET",
            "ssh://-oProxyCommand=S3CRET",
            "ssh://-l@build.example",
            "ssh://me@a@b",
            "ssh://me@build.example:x",
            "npipe:////./pipe/docker_engine",
            "https://build.example:2376",
        ] {
            let error = text.parse::<DockerHost>().expect_err(text);
            assert!(!error.to_string().contains("S3CRET"), "{error}");
        }
    }
}
