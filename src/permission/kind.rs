//! The names of the permissions: what a manifest, a flag and a denial call them.

use std::fmt;
use std::str::FromStr;

use super::parse_error::{Form, ParseError};
use super::text;

/// A permission by name. Each has its own form of scope, see [`super`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Reading files and listing folders.
    FileRead,
    /// Creating, changing, renaming and removing files and folders.
    FileWrite,
    /// Outgoing HTTP requests.
    NetworkHttp,
    /// Outgoing TCP connections.
    NetworkTcp,
    /// Outgoing UDP datagrams.
    NetworkUdp,
    /// Environment variables.
    Env,
    /// Secrets that the host injects, or reveals.
    Secrets,
    /// Commands run in containers.
    Subprocess,
    /// Calls of other tools.
    ToolInvoke,
    /// A small store of the tool's own, kept between calls.
    State,
    /// Documents the host keeps.
    Documents,
    /// Checkpoints of a session.
    Checkpoint,
}

impl Kind {
    /// Every permission, in the order in which they are listed to people.
    pub const ALL: [Self; 12] = [
        Self::FileRead,
        Self::FileWrite,
        Self::NetworkHttp,
        Self::NetworkTcp,
        Self::NetworkUdp,
        Self::Env,
        Self::Secrets,
        Self::Subprocess,
        Self::ToolInvoke,
        Self::State,
        Self::Documents,
        Self::Checkpoint,
    ];

    /// The name in manifests and flags, such as `file_read`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FileRead => "file_read",
            Self::FileWrite => "file_write",
            Self::NetworkHttp => "network_http",
            Self::NetworkTcp => "network_tcp",
            Self::NetworkUdp => "network_udp",
            Self::Env => "env",
            Self::Secrets => "secrets",
            Self::Subprocess => "subprocess",
            Self::ToolInvoke => "tool_invoke",
            Self::State => "state",
            Self::Documents => "documents",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// How a scope of this permission is written, such as `HOST:PORT or HOST:*`.
    #[must_use]
    pub const fn syntax(self) -> &'static str {
        self.form().write
    }

    /// A scope of this permission as an example.
    #[must_use]
    pub const fn example(self) -> &'static str {
        self.form().example
    }

    pub(crate) const fn form(self) -> &'static Form {
        match self {
            Self::FileRead => &Form {
                what: "file_read scope",
                write: "the absolute path of a file or folder",
                example: "/home/me/project",
            },
            Self::FileWrite => &Form {
                what: "file_write scope",
                write: "the absolute path of a file or folder",
                example: "/home/me/project/out",
            },
            Self::NetworkHttp => &Form {
                what: "network_http scope",
                write: "[http://|https://]HOST[:PORT][/PATH-GLOB][;methods=A,B][;private]",
                example: "https://api.github.com/repos/**;methods=GET",
            },
            Self::NetworkTcp => &Form {
                what: "network_tcp scope",
                write: "HOST:PORT or HOST:*, where HOST is a name, `*.NAME`, an address, a network or `*`",
                example: "db.example.com:5432",
            },
            Self::NetworkUdp => &Form {
                what: "network_udp scope",
                write: "HOST:PORT or HOST:*, where HOST is a name, `*.NAME`, an address, a network or `*`",
                example: "time.example.com:123",
            },
            Self::Env => &Form {
                what: "env scope",
                write: "the name of an environment variable",
                example: "LANG",
            },
            Self::Secrets => &Form {
                what: "secrets scope",
                write: "NAME[;host=HOST][;header=HEADER][;format=TEXT] or NAME;reveal",
                example: "GITHUB_TOKEN;host=api.github.com",
            },
            Self::Subprocess => &Form {
                what: "subprocess scope",
                write: "image:IMAGE, command:COMMAND or image:IMAGE;command:COMMAND",
                example: "image:alpine;command:grep",
            },
            Self::ToolInvoke => &Form {
                what: "tool_invoke scope",
                write: "SOURCE.TOOL, SOURCE.PREFIX* or SOURCE.*",
                example: "files.read",
            },
            Self::State => &Form {
                what: "state scope",
                write: "a size in bytes, KiB, MiB or GiB",
                example: "1MiB",
            },
            Self::Documents => &Form {
                what: "documents scope",
                write: "the id of a document, or the beginning of ids and a `*`",
                example: "notes/*",
            },
            Self::Checkpoint => &Form {
                what: "checkpoint scope",
                write: "the word `on`",
                example: "on",
            },
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = ParseError;

    /// Reads a name exactly as [`Kind::name`] prints it.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: Form = Form {
            what: "permission",
            write: "one of file_read, file_write, network_http, network_tcp, network_udp, env, secrets, \
                    subprocess, tool_invoke, state, documents and checkpoint",
            example: "file_read",
        };
        if let Some(kind) = Self::ALL.into_iter().find(|kind| kind.name() == text) {
            return Ok(kind);
        }
        let names = Self::ALL.map(Self::name);
        Err(match text::nearest(text, &names) {
            Some(name) => FORM.error(text, format!("did you mean `{name}`?")),
            None => FORM.error(text, "there is no permission of that name"),
        })
    }
}
