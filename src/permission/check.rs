//! The decision: whether a scope allows an action. An exhaustive match, without a case for everything else.

use std::net::IpAddr;
use std::path::Path;

use super::action::Action;
use super::address::{AddressClass, classify};
use super::denial::{Denial, Reason};
use super::file::sensitive::Sensitive;
use super::file::{Access, is_canonical};
use super::glob::RequestPath;
use super::host::{Host, HostName};
use super::http::{HttpRequest, Scheme};
use super::kind::Kind;
use super::meet::ScopeSet;
use super::scope::Scope;
use super::socket::SocketScope;

impl Scope {
    /// Decides on an action.
    ///
    /// # Errors
    /// The denial, with its reason and with the grant that would allow the action where one can.
    pub fn check(&self, action: &Action, sensitive: &Sensitive) -> Result<(), Denial> {
        if let Action::File { path, access } = action {
            return self.check_file(path, *access, sensitive);
        }
        if self.allows(action) {
            return Ok(());
        }
        Err(Denial::new(action, self.reason(action), self))
    }

    /// Decides on touching a file or folder, by its absolute and canonical path.
    ///
    /// # Errors
    /// As [`Scope::check`].
    pub fn check_file(
        &self,
        path: &Path,
        access: Access,
        sensitive: &Sensitive,
    ) -> Result<(), Denial> {
        let deny = |reason| {
            let action = Action::File {
                path: path.to_path_buf(),
                access,
            };
            Err(Denial::new(&action, reason, self))
        };
        if !is_canonical(path) {
            return deny(Reason::NotCanonical);
        }
        let closed = sensitive.closed(path, access);
        let never = closed.clone().filter(|closed| !closed.why.can_be_named());
        if let Some(closed) = never {
            return deny(Reason::Closed(closed));
        }
        if !self.files(access).any(|scope| scope.allows(path)) {
            return deny(Reason::NotGranted);
        }
        match closed {
            Some(closed) => deny(Reason::Closed(closed)),
            None => Ok(()),
        }
    }

    /// True where the scope alone allows the action. For files [`Scope::check`] also asks what is sensitive.
    #[must_use]
    pub fn allows(&self, action: &Action) -> bool {
        match action {
            Action::File { path, access } => self.files(*access).any(|scope| scope.allows(path)),
            Action::Http { .. } | Action::HttpAddress { .. } => self.allows_http(action),
            Action::Tcp {
                address,
                port,
                names,
            } => allows_socket(&self.tcp, *address, *port, names),
            Action::Udp {
                address,
                port,
                names,
            } => allows_socket(&self.udp, *address, *port, names),
            Action::Listen { .. } => false,
            Action::Lookup { name } => self.allows_lookup(name),
            Action::Env { name } => self.env.iter().any(|scope| scope.allows(name)),
            Action::SecretInject {
                name,
                host,
                header,
                format,
            } => host.parse::<Host>().is_ok_and(|host| {
                self.secrets
                    .iter()
                    .any(|scope| scope.allows_inject(name, &host, header, format))
            }),
            Action::SecretReveal { name } => {
                self.secrets.iter().any(|scope| scope.allows_reveal(name))
            }
            Action::Subprocess { image, command } => self
                .subprocess
                .iter()
                .any(|scope| scope.allows(image, command)),
            Action::ToolInvoke { tool_id } => {
                self.tool_invoke.iter().any(|scope| scope.allows(tool_id))
            }
            Action::State { bytes } => self.state.iter().any(|scope| scope.allows(*bytes)),
            Action::Document { id } => self.documents.iter().any(|scope| scope.allows(id)),
            Action::Checkpoint => self.checkpoint.iter().next().is_some(),
        }
    }

    /// True where a TCP or UDP socket may reach this port of this address; `names` are those that the host resolved to it.
    #[must_use]
    pub fn allows_connect(&self, kind: Kind, address: IpAddr, port: u16, names: &[String]) -> bool {
        match kind {
            Kind::NetworkTcp => allows_socket(&self.tcp, address, port, names),
            Kind::NetworkUdp => allows_socket(&self.udp, address, port, names),
            _ => false,
        }
    }

    fn allows_http(&self, action: &Action) -> bool {
        let Some(parts) = HttpParts::of(action) else {
            return false;
        };
        let path = RequestPath::parse(parts.path).ok();
        let request = parts.request(path.as_ref());
        self.http.iter().any(|scope| scope.allows(&request))
    }

    /// Why an action that is not allowed is not.
    fn reason(&self, action: &Action) -> Reason {
        match action {
            Action::Http { host, .. } | Action::HttpAddress { host, .. } => {
                self.http_reason(action, host)
            }
            Action::Tcp {
                address,
                port,
                names,
            } => socket_reason(&self.tcp, *address, *port, names),
            Action::Udp {
                address,
                port,
                names,
            } => socket_reason(&self.udp, *address, *port, names),
            Action::Listen { .. } => Reason::Listening,
            Action::Lookup { name } => match name.parse::<HostName>() {
                Ok(_) => Reason::NotGranted,
                Err(_) => Reason::InvalidHost,
            },
            Action::State { .. } if self.state_quota() > 0 => Reason::OverQuota(self.state_quota()),
            Action::File { .. }
            | Action::Env { .. }
            | Action::SecretInject { .. }
            | Action::SecretReveal { .. }
            | Action::Subprocess { .. }
            | Action::ToolInvoke { .. }
            | Action::State { .. }
            | Action::Document { .. }
            | Action::Checkpoint => Reason::NotGranted,
        }
    }

    fn http_reason(&self, action: &Action, host: &str) -> Reason {
        if host.parse::<Host>().is_err() {
            return Reason::InvalidHost;
        }
        let Some(parts) = HttpParts::of(action) else {
            return Reason::UnknownScheme;
        };
        let class = match parts.address {
            Some(address) => Some(classify(address)),
            None => parts.host.class(),
        };
        let path = RequestPath::parse(parts.path);
        let request = parts.request(path.as_ref().ok());
        if let Some(class) = class.filter(|class| *class != AddressClass::Public) {
            let is_out_of_reach = self
                .http
                .iter()
                .any(|scope| scope.allows_but_for_reach(&request));
            if is_out_of_reach || class.reach().is_none() {
                return Reason::Address(class);
            }
        }
        match path {
            Err(why)
                if self
                    .http
                    .iter()
                    .any(|scope| scope.allows_but_for_path(&request)) =>
            {
                Reason::AmbiguousPath(why)
            }
            _ => Reason::NotGranted,
        }
    }
}

/// An HTTP action whose scheme and host are valid.
pub(super) struct HttpParts<'a> {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) address: Option<IpAddr>,
}

impl<'a> HttpParts<'a> {
    /// Reads the action; nothing where it is another one, or its scheme or host is not valid.
    pub(super) fn of(action: &'a Action) -> Option<Self> {
        let (scheme, host, port, method, path, address) = match action {
            Action::Http {
                scheme,
                host,
                port,
                method,
                path,
            } => (scheme, host, port, method, path, None),
            Action::HttpAddress {
                scheme,
                host,
                port,
                method,
                path,
                address,
            } => (scheme, host, port, method, path, Some(*address)),
            _ => return None,
        };
        Some(Self {
            scheme: Scheme::named(scheme)?,
            host: host.parse().ok()?,
            port: *port,
            method,
            path,
            address,
        })
    }

    fn request<'r>(&'r self, path: Option<&'r RequestPath>) -> HttpRequest<'r> {
        HttpRequest {
            scheme: self.scheme,
            host: &self.host,
            port: self.port,
            method: self.method,
            path,
            address: self.address,
        }
    }
}

fn allows_socket(
    scopes: &ScopeSet<SocketScope>,
    address: IpAddr,
    port: u16,
    names: &[String],
) -> bool {
    let names: Vec<HostName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    scopes.iter().any(|scope| {
        scope.allows(None, address, port)
            || names
                .iter()
                .any(|name| scope.allows(Some(name), address, port))
    })
}

fn socket_reason(
    scopes: &ScopeSet<SocketScope>,
    address: IpAddr,
    port: u16,
    names: &[String],
) -> Reason {
    let class = classify(address);
    let is_out_of_reach = scopes
        .iter()
        .any(|scope| scope.names_endpoint(names, address, port) && !scope.allows_address(address));
    if is_out_of_reach || class.reach().is_none() {
        Reason::Address(class)
    } else {
        Reason::NotGranted
    }
}
