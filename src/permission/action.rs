//! What a guest tries to do, as plain data.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::file::Access;
use super::kind::Kind;
use super::text::shown;

/// One thing that a guest tries. Texts are the guest's own and need not be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Touching a file or folder of the host, by its absolute and canonical path.
    File {
        /// The path.
        path: PathBuf,
        /// What is done to it.
        access: Access,
    },
    /// Sending an HTTP request, before the host is resolved.
    Http {
        /// `http` or `https`.
        scheme: String,
        /// The host of the URL, without the port.
        host: String,
        /// The port of the URL, or the scheme's default.
        port: u16,
        /// The method, with case.
        method: String,
        /// The path of the request target; a query is ignored.
        path: String,
    },
    /// Connecting to an address for an HTTP request. Carries the whole request: only a scope that allows the request can
    /// allow its address.
    HttpAddress {
        /// `http` or `https`.
        scheme: String,
        /// The host of the URL, without the port.
        host: String,
        /// The port of the URL, or the scheme's default.
        port: u16,
        /// The method, with case.
        method: String,
        /// The path of the request target; a query is ignored.
        path: String,
        /// The address that will be connected to.
        address: IpAddr,
    },
    /// Connecting a TCP socket.
    Tcp {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// The names that the host resolved to this address for the guest.
        names: Vec<String>,
    },
    /// Sending a datagram to, or receiving one from.
    Udp {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// The names that the host resolved to this address for the guest.
        names: Vec<String>,
    },
    /// Listening, or binding to a port of the guest's choice. No grant allows it.
    Listen {
        /// [`Kind::NetworkTcp`] or [`Kind::NetworkUdp`].
        kind: Kind,
        /// Where.
        address: SocketAddr,
    },
    /// Resolving a name through the sockets interface.
    Lookup {
        /// The name.
        name: String,
    },
    /// Reading an environment variable.
    Env {
        /// Its name.
        name: String,
    },
    /// Having a secret put into a request.
    SecretInject {
        /// The secret.
        name: String,
        /// The host of the request.
        host: String,
        /// The header.
        header: String,
        /// The header's value, with `{}` for the secret.
        format: String,
    },
    /// Seeing a secret.
    SecretReveal {
        /// The secret.
        name: String,
    },
    /// Running a command in a container.
    Subprocess {
        /// The image.
        image: String,
        /// The command.
        command: String,
    },
    /// Calling another tool.
    ToolInvoke {
        /// Its id, `source.tool`.
        tool_id: String,
    },
    /// Keeping so much state in all.
    State {
        /// In bytes.
        bytes: u64,
    },
    /// Using a document.
    Document {
        /// Its id.
        id: String,
    },
    /// Saving or restoring a checkpoint.
    Checkpoint,
}

impl Action {
    /// The permission that is needed. A lookup counts as TCP.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::File { access, .. } => access.kind(),
            Self::Http { .. } | Self::HttpAddress { .. } => Kind::NetworkHttp,
            Self::Tcp { .. } | Self::Lookup { .. } => Kind::NetworkTcp,
            Self::Udp { .. } => Kind::NetworkUdp,
            Self::Listen { kind, .. } => *kind,
            Self::Env { .. } => Kind::Env,
            Self::SecretInject { .. } | Self::SecretReveal { .. } => Kind::Secrets,
            Self::Subprocess { .. } => Kind::Subprocess,
            Self::ToolInvoke { .. } => Kind::ToolInvoke,
            Self::State { .. } => Kind::State,
            Self::Document { .. } => Kind::Documents,
            Self::Checkpoint => Kind::Checkpoint,
        }
    }
}

impl fmt::Display for Action {
    /// The subject of a sentence, such as `reading /etc/passwd`; safe to print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = |address: IpAddr, port: u16, names: &[String]| {
            let endpoint = SocketAddr::new(address, port);
            match names.first() {
                Some(name) => format!("{endpoint} ({})", shown(name)),
                None => endpoint.to_string(),
            }
        };
        match self {
            Self::File { path, access } => {
                let verb = match access {
                    Access::Read => "reading",
                    Access::Write => "writing",
                };
                write!(f, "{verb} {}", shown(&path.to_string_lossy()))
            }
            Self::Http {
                scheme,
                host,
                port,
                method,
                path,
            } => {
                let path = path.split('?').next().unwrap_or_default();
                let (method, scheme) = (shown(method), shown(scheme));
                write!(f, "{method} {scheme}://{}", shown(host))?;
                if !matches!((scheme.as_str(), port), ("http", 80) | ("https", 443)) {
                    write!(f, ":{port}")?;
                }
                f.write_str(&shown(path))
            }
            Self::HttpAddress {
                scheme,
                host,
                address,
                ..
            } => {
                let (scheme, host) = (shown(scheme), shown(host));
                write!(f, "a request to {scheme}://{host} at {address}")
            }
            Self::Tcp {
                address,
                port,
                names,
            } => write!(
                f,
                "a TCP connection to {}",
                endpoint(*address, *port, names)
            ),
            Self::Udp {
                address,
                port,
                names,
            } => write!(f, "UDP traffic with {}", endpoint(*address, *port, names)),
            Self::Listen { address, .. } => write!(f, "listening on {address}"),
            Self::Lookup { name } => write!(f, "looking up the name {}", shown(name)),
            Self::Env { name } => write!(f, "reading the environment variable {}", shown(name)),
            Self::SecretInject {
                name, host, header, ..
            } => {
                let (name, host, header) = (shown(name), shown(host), shown(header));
                write!(
                    f,
                    "putting the secret {name} into the header {header} of a request to {host}"
                )
            }
            Self::SecretReveal { name } => write!(f, "seeing the secret {}", shown(name)),
            Self::Subprocess { image, command } => {
                let (image, command) = (shown(image), shown(command));
                write!(f, "running {command} in the image {image}")
            }
            Self::ToolInvoke { tool_id } => write!(f, "calling the tool {}", shown(tool_id)),
            Self::State { bytes } => write!(f, "keeping {bytes} bytes of state"),
            Self::Document { id } => write!(f, "using the document {}", shown(id)),
            Self::Checkpoint => f.write_str("using checkpoints"),
        }
    }
}
