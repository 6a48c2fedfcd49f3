//! What is said about an action that was denied: one sentence, a code, and what would allow it.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use super::action::Action;
use super::address::{AddressClass, Reach, classify};
use super::capability::Capability;
use super::check::HttpParts;
use super::file::sensitive::{Closed, Sensitivity, is_sensitive};
use super::file::{Access, FileScope};
use super::host::Host;
use super::kind::Kind;
use super::scope::Scope;
use super::state::StateScope;
use super::text::{self, escape_option, listed, shown};
use crate::error::{Code, Error};

/// Why an action was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No grant covers it.
    NotGranted,
    /// It is closed inside the granted folder.
    Closed(Closed),
    /// The path led out of the granted folder it began in; through a link, or by its own words.
    LeftGrant {
        /// Through a link.
        by_link: bool,
    },
    /// No granted folder appears in the guest under this path.
    OutsideMounts,
    /// It is a FIFO, a socket or a device.
    SpecialFile,
    /// The path is relative or has dot components; the host should have resolved it.
    NotCanonical,
    /// The address is beyond the reach of what is granted.
    Address(AddressClass),
    /// Servers could understand the path differently; says why.
    AmbiguousPath(&'static str),
    /// The host is not a valid name or address.
    InvalidHost,
    /// The scheme is neither http nor https.
    UnknownScheme,
    /// No grant allows listening.
    Listening,
    /// It is more than the granted quota, in bytes.
    OverQuota(u64),
    /// A policy forbids it; says which.
    Policy(String),
    /// A rule of the host that nobody can lift forbids it; says which.
    Rule(String),
}

/// An action that was denied. `Display` is one plain sentence without a final stop, safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    kind: Kind,
    what: String,
    reason: Reason,
    /// The scopes of the same permission that were granted.
    granted: Vec<String>,
    /// What would allow it.
    remedy: Option<Box<Capability>>,
    /// A better path than the remedy's own, where the caller knows what was meant.
    meant: Option<Box<Meant>>,
    /// The manifest asks for it already.
    asked: bool,
}

/// The file or folder that a guest most likely meant by a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// As a person would type it here.
    pub typed: String,
    /// Where it has to appear, if that is somewhere else.
    pub guest: Option<String>,
}

impl Meant {
    /// The flag that grants it; nothing where it could be read as another one.
    fn flag(&self, kind: Kind) -> Option<String> {
        let place = self
            .guest
            .as_ref()
            .map(|guest| format!(":{guest}"))
            .unwrap_or_default();
        let is_plain =
            text::is_plain(&self.typed) && text::is_plain(&place) && !self.typed.contains(":/");
        let word = text::shell_word(&format!("{kind}={}{place}", self.typed));
        is_plain.then(|| format!("--allow {word}"))
    }
}

impl Denial {
    pub(super) fn new(action: &Action, reason: Reason, scope: &Scope) -> Self {
        let entries = scope.entries().into_iter();
        let granted = entries
            .filter(|(kind, _)| *kind == action.kind())
            .map(|(_, scope)| shown(&scope))
            .collect();
        Self {
            kind: action.kind(),
            what: action.to_string(),
            remedy: remedy(action, &reason).map(Box::new),
            meant: None,
            asked: false,
            reason,
            granted,
        }
    }

    /// A path that led out of the granted folder it began in, through a link or by its own words; `target` is where it
    /// led, absolute.
    #[must_use]
    pub fn left_grant(target: &Path, access: Access, by_link: bool) -> Self {
        Self::of_file(target, access, Reason::LeftGrant { by_link })
    }

    /// A path of the guest's that no granted folder appears under.
    #[must_use]
    pub fn outside_mounts(path: &Path, access: Access) -> Self {
        Self::of_file(path, access, Reason::OutsideMounts)
    }

    /// Something that a policy forbids, whatever was granted.
    #[must_use]
    pub fn policy(action: &Action, why: String) -> Self {
        Self::new(action, Reason::Policy(why), &Scope::nothing())
    }

    /// Something that a rule of the host forbids, whatever was granted and whoever asks.
    #[must_use]
    pub fn rule(action: &Action, why: String) -> Self {
        Self::new(action, Reason::Rule(why), &Scope::nothing())
    }

    /// A FIFO, socket or device, which no grant opens: opening one can block the host for ever.
    #[must_use]
    pub fn special_file(path: &Path, access: Access) -> Self {
        Self::of_file(path, access, Reason::SpecialFile)
    }

    fn of_file(path: &Path, access: Access, reason: Reason) -> Self {
        let path = path.to_path_buf();
        Self::new(&Action::File { path, access }, reason, &Scope::nothing())
    }

    /// Suggests granting what the guest most likely meant by its path: this file or folder, as a person would type it, and
    /// where it has to appear if that is somewhere else.
    #[must_use]
    pub fn meaning(mut self, typed: &str, guest: Option<&str>) -> Self {
        self.meant = Some(Box::new(Meant {
            typed: typed.to_owned(),
            guest: guest.map(str::to_owned),
        }));
        self
    }

    /// What the guest most likely meant by its path, where that is known.
    #[must_use]
    pub fn meant(&self) -> Option<&Meant> {
        self.meant.as_deref()
    }

    /// Suggests the one port that a name was looked up for, in place of all of them.
    #[must_use]
    pub fn on_port(mut self, port: u16) -> Self {
        if let Some(Capability::NetworkTcp(scope)) = self.remedy.as_deref()
            && let Some(name) = scope.name()
            && let Ok(narrower) = Capability::parse(self.kind, &format!("{name}:{port}"))
        {
            self.remedy = Some(Box::new(narrower));
        }
        self
    }

    /// Says that the manifest asks for it already, so that a grant is all that is missing.
    #[must_use]
    pub fn already_asked_for(mut self) -> Self {
        self.asked = true;
        self
    }

    /// The permission that was missing.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What was denied, as the subject of a sentence: `reading /etc/passwd`.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The number of the error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self.kind {
            Kind::FileRead | Kind::FileWrite => Code::E3210,
            Kind::NetworkHttp | Kind::NetworkTcp | Kind::NetworkUdp => Code::E3211,
            Kind::Secrets => Code::E3212,
            Kind::Env
            | Kind::Subprocess
            | Kind::ToolInvoke
            | Kind::State
            | Kind::Documents
            | Kind::Checkpoint => Code::E3206,
        }
    }

    /// A scope that would allow it, if it were both requested and granted; nothing where none can.
    #[must_use]
    pub fn remedy(&self) -> Option<&Capability> {
        self.remedy.as_deref()
    }

    /// The line of `[permissions]` in the manifest that would request it, such as
    /// `file_read = [{ path = "/etc/passwd" }]`; nothing where no grant can allow it.
    #[must_use]
    pub fn manifest_line(&self) -> Option<String> {
        self.remedy.as_ref()?.manifest_line()
    }

    /// The flag that would grant it, quoted for a shell, such as `--allow file_read=/etc/passwd`; nothing where no grant
    /// can allow it.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        let own = || self.remedy.as_ref()?.flag();
        let meant = self.meant.as_ref().and_then(|meant| meant.flag(self.kind));
        meant.or_else(own)
    }

    /// The denial as the error a call ends in.
    #[must_use]
    pub fn to_error(&self) -> Error {
        let mut error =
            Error::new(self.code(), self.to_string()).detail("permission", self.kind.name());
        if let Some(flag) = self.flag() {
            error = error
                .hint(format!("If you trust the tool with it, add `{flag}`."))
                .detail("flag", flag);
        }
        if self.asked {
            error =
                error.hint("The plugin's manifest asks for it; a grant is all that is missing.");
        } else if let Some(line) = self.manifest_line() {
            error = error
                .hint(format!(
                    "The plugin's manifest must ask for it too: `{line}`."
                ))
                .detail("manifest_line", line);
        }
        if matches!(self.reason, Reason::Policy(_)) {
            error = error.hint("`toolhatch policy explain` says what would change the answer.");
        } else if self.remedy.is_none() {
            error = error.hint("No grant can allow it.");
        }
        error
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was denied: ", self.what)?;
        match &self.reason {
            Reason::NotGranted if self.granted.is_empty() => {
                write!(f, "no {} was granted", self.kind)
            }
            Reason::NotGranted => {
                write!(f, "{} covers only {}", self.kind, listed(&self.granted, 3))
            }
            Reason::Closed(closed) => {
                let path = shown(&closed.path.to_string_lossy());
                write!(f, "{path} {}", closed.why)?;
                if closed.why.can_be_named() {
                    f.write_str(" and was not itself named in a grant")?;
                }
                Ok(())
            }
            Reason::LeftGrant { by_link: true } => {
                f.write_str("a link led there, out of the granted folder")
            }
            Reason::LeftGrant { by_link: false } => {
                f.write_str("the path leads out of the granted folder")
            }
            Reason::OutsideMounts => f.write_str("no granted file or folder appears there"),
            Reason::SpecialFile => f.write_str("it is a pipe, a socket or a device"),
            Reason::NotCanonical => f.write_str("the path is not absolute and canonical"),
            Reason::Address(class) if class.reach().is_none() => {
                write!(f, "it is {class}, to which nobody connects")
            }
            Reason::Address(class) => {
                write!(f, "it is {class}, and {} reaches less far", self.kind)
            }
            Reason::AmbiguousPath(why) => write!(
                f,
                "{why}, so that the path cannot be compared with the granted ones"
            ),
            Reason::InvalidHost => f.write_str("the host is not a valid name or address"),
            Reason::UnknownScheme => f.write_str("the scheme is neither http nor https"),
            Reason::Listening => f.write_str("tools open connections, they do not accept them"),
            Reason::OverQuota(quota) => write!(f, "the quota is {quota} bytes"),
            Reason::Policy(why) | Reason::Rule(why) => f.write_str(why),
        }
    }
}

/// The narrowest scope that a person would want to grant for the action. For HTTP that is the host and the method: a
/// grant of the very path would have to be repeated for the next one.
fn remedy(action: &Action, reason: &Reason) -> Option<Capability> {
    match reason {
        Reason::Closed(closed) if !closed.why.can_be_named() => return None,
        Reason::SpecialFile
        | Reason::NotCanonical
        | Reason::InvalidHost
        | Reason::Policy(_)
        | Reason::Rule(_)
        | Reason::UnknownScheme
        | Reason::Listening => return None,
        Reason::Address(class) if class.reach().is_none() => return None,
        Reason::NotGranted
        | Reason::Closed(_)
        | Reason::LeftGrant { .. }
        | Reason::OutsideMounts
        | Reason::Address(_)
        | Reason::AmbiguousPath(_)
        | Reason::OverQuota(_) => {}
    }
    let (kind, scope) = match action {
        Action::File { path, access } => {
            let never =
                is_sensitive(path, *access).is_some_and(|why| !Sensitivity::can_be_named(why));
            let scope = FileScope::under(path, *access).ok().filter(|_| !never)?;
            return Some(match access {
                Access::Read => Capability::FileRead(scope),
                Access::Write => Capability::FileWrite(scope),
            });
        }
        Action::Http { .. } | Action::HttpAddress { .. } => {
            (Kind::NetworkHttp, http_remedy(action)?)
        }
        Action::Tcp {
            address,
            port,
            names,
        }
        | Action::Udp {
            address,
            port,
            names,
        } => (action.kind(), socket_remedy(*address, *port, names)?),
        Action::Lookup { name } => (Kind::NetworkTcp, format!("{name}:*")),
        Action::Listen { .. } => return None,
        Action::Env { name } => (Kind::Env, name.clone()),
        Action::SecretInject {
            name, host, header, ..
        } => {
            let header = escape_option(header);
            (Kind::Secrets, format!("{name};host={host};header={header}"))
        }
        Action::SecretReveal { name } => (Kind::Secrets, format!("{name};reveal")),
        Action::Subprocess { image, command } => {
            let (image, command) = (escape_option(image), escape_option(command));
            (Kind::Subprocess, format!("image:{image};command:{command}"))
        }
        Action::ToolInvoke { tool_id } => (Kind::ToolInvoke, tool_id.clone()),
        Action::State { bytes } => return StateScope::new(*bytes).map(Capability::State),
        Action::Document { id } => (Kind::Documents, id.clone()),
        Action::Checkpoint => (Kind::Checkpoint, "on".to_owned()),
    };
    // A text of the guest's may be no scope at all, or a wider one than what was tried: then nothing is suggested.
    let capability = Capability::parse(kind, &scope).ok()?;
    let granted = Scope::from_iter([capability.clone()]);
    (granted.allows(action) && !is_pattern(action)).then_some(capability)
}

/// True where a text of the guest's would be read as a pattern.
fn is_pattern(action: &Action) -> bool {
    match action {
        Action::ToolInvoke { tool_id: text }
        | Action::Document { id: text }
        | Action::Env { name: text }
        | Action::SecretReveal { name: text }
        | Action::SecretInject { name: text, .. }
        | Action::Lookup { name: text } => text.contains('*'),
        _ => false,
    }
}

fn http_remedy(action: &Action) -> Option<String> {
    let parts = HttpParts::of(action)?;
    let class = match (&parts.host, parts.address) {
        (Host::Name(name), _) if name.is_localhost() => AddressClass::Public,
        (Host::Name(_), Some(address)) => classify(address),
        (Host::Name(_), None) | (Host::Address(_), _) => AddressClass::Public,
    };
    let reach = reach_option(class)?;
    let HttpParts {
        scheme,
        host,
        port,
        method,
        ..
    } = parts;
    // A scope has methods in upper case; one that is not is covered by scopes without methods only.
    let methods = if method.bytes().all(|b| b.is_ascii_uppercase()) {
        format!(";methods={method}")
    } else {
        String::new()
    };
    Some(format!("{scheme}://{host}:{port}{methods}{reach}"))
}

fn socket_remedy(address: IpAddr, port: u16, names: &[String]) -> Option<String> {
    let name = names.iter().find_map(|name| match name.parse() {
        Ok(Host::Name(name)) => Some(name),
        _ => None,
    });
    Some(match name {
        Some(name) if name.is_localhost() => format!("{name}:{port}"),
        Some(name) => format!("{name}:{port}{}", reach_option(classify(address))?),
        None => format!("{}:{port}", Host::Address(address.to_canonical())),
    })
}

/// The option a name needs for an address of this class. A name that leads to a metadata service is an attack, and no
/// reason to suggest anything.
fn reach_option(class: AddressClass) -> Option<&'static str> {
    match class.reach()? {
        Reach::Public => Some(""),
        Reach::Private => Some(";private"),
        Reach::Metadata => None,
    }
}
