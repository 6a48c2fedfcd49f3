//! The vocabulary of permissions: what can be asked for, granted, narrowed, checked and denied. Pure: no I/O.
//!
//! Empty means deny. A permission that is not mentioned, and an empty list of scopes, allow nothing. A [`Scope`] is the
//! whole of what is allowed; the effective one of a call is the [`Scope::meet`] of what the manifest requests, what a
//! person granted, what the operator permits and what the call asks for, so every step only narrows.
//! [`Scope::check`] decides about an [`Action`] and gives a [`Denial`] that says which grant would allow it.
//!
//! | permission | a scope is written | module |
//! |---|---|---|
//! | `file_read`, `file_write` | an absolute path: that file, or that folder with everything below it | [`mod@file`] |
//! | `network_http` | `[http://\|https://]HOST[:PORT][/GLOB][;methods=A,B][;private]` | [`http`] |
//! | `network_tcp`, `network_udp` | `HOST:PORT`, `HOST:*`, `NETWORK:PORT`, with `;private` | [`socket`] |
//! | `env` | the name of a variable | [`mod@env`] |
//! | `secrets` | `NAME`, `NAME;host=…;header=…;format=…`, `NAME;reveal` | [`secret`] |
//! | `subprocess` | `image:IMAGE`, `command:COMMAND`, both with a `;` | [`subprocess`] |
//! | `tool_invoke` | `source.tool`, `source.prefix*`, `source.*` | [`tool_invoke`] |
//! | `state` | a quota, `1MiB` | [`state`] |
//! | `documents` | `id`, `prefix*` | [`document`] |
//! | `checkpoint` | `on` | [`checkpoint`] |
//!
//! Where a request names no scope it is broad; its scope is written `*`, or `*:*` and the like.

pub mod address;
pub mod checkpoint;
pub mod document;
pub mod env;
pub mod file;
pub mod glob;
pub mod host;
pub mod http;
pub mod network;
pub mod port;
pub mod secret;
pub mod socket;
pub mod state;
pub mod subprocess;
pub mod tool_invoke;

mod action;
mod capability;
mod check;
mod denial;
mod diff;
mod grant;
mod grants;
mod id_pattern;
mod kind;
mod meet;
mod parse_error;
mod request;
mod scope;
mod text;
pub(crate) mod wildcard;

#[cfg(test)]
mod tests;

pub use action::Action;
pub use address::{AddressClass, Reach, classify};
pub use capability::Capability;
pub use checkpoint::CheckpointScope;
pub use denial::{Denial, Meant, Reason};
pub use document::DocumentScope;
pub use env::EnvScope;
pub use file::sensitive::{Closed, Sensitive, Sensitivity, is_sensitive};
pub use file::{Access, FileScope};
pub use glob::{PathGlob, RequestPath};
pub use grant::{Allow, AllowValue};
pub use grants::{GrantedMount, Grants};
pub use host::{Host, HostName, HostPattern, NamePattern};
pub use http::{HttpEntry, HttpScope, Scheme};
pub use kind::Kind;
pub use meet::Meet;
pub use network::Network;
pub use parse_error::{MAX_SCOPE_TEXT, ParseError};
pub use port::Port;
pub use request::Request;
pub use scope::Scope;
pub use secret::{Inject, SecretScope, Usage};
pub use socket::SocketScope;
pub use state::StateScope;
pub use subprocess::{DIRECT, SSH, SubprocessScope, is_outside};
pub(crate) use text::{is_plain, shell_word, shown};
pub use tool_invoke::ToolInvokeScope;
