//! What a plugin asks for, in the words in which a person is asked.

use super::address::Reach;
use super::capability::Capability;
use super::env::EnvScope;
use super::file::sensitive::is_sensitive;
use super::file::{Access, FileScope};
use super::host::{HostPattern, NamePattern};
use super::http::{HttpScope, Scheme};
use super::kind::Kind;
use super::port::Port;
use super::scope::Scope;
use super::secret::{SecretScope, Usage};
use super::socket::SocketScope;
use super::subprocess::{DIRECT, SSH};
use super::text::{listed, shown};

/// One line of a manifest's permissions, or one import of a component without a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The permission.
    pub kind: Kind,
    /// What is asked for; several where the line names alternatives. All are of `kind`.
    pub capabilities: Vec<Capability>,
    /// Where a file or folder is to appear in the guest, if the manifest says.
    pub mount: Option<String>,
    /// Whether the plugin works without it.
    pub optional: bool,
    /// Whether it asks for the whole permission, because it names no scope.
    pub broad: bool,
}

impl Request {
    /// A request of one capability that the plugin needs.
    #[must_use]
    pub fn new(capability: Capability) -> Self {
        Self {
            kind: capability.kind(),
            capabilities: vec![capability],
            mount: None,
            optional: false,
            broad: false,
        }
    }

    /// A request that names a permission and no scope.
    #[must_use]
    pub fn broad(kind: Kind) -> Self {
        Self {
            kind,
            capabilities: Capability::broadest(kind),
            mount: None,
            optional: false,
            broad: true,
        }
    }

    /// Everything that is asked for.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.capabilities.iter().cloned().collect()
    }

    /// What a person would allow, as the rest of a sentence that begins with "it wants to"; safe to print.
    #[must_use]
    pub fn in_plain_words(&self) -> String {
        let all: Vec<String> = self
            .capabilities
            .iter()
            .map(Capability::in_plain_words)
            .collect();
        let mut words = listed(&all, usize::MAX);
        if let Some(mount) = &self.mount {
            words.push_str(&format!(", which it sees as {}", shown(mount)));
        }
        if self.optional {
            words.push_str(" (it works without)");
        }
        words
    }

    /// What a person should know before saying yes, if anything: that credentials lie there, or that it is everything.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let of_file = |scope: &FileScope, access| {
            let root = scope.root()?;
            let why = is_sensitive(root, access)?;
            Some(format!("{} {why}", shown(&root.to_string_lossy())))
        };
        let closer_look = self
            .capabilities
            .iter()
            .find_map(|capability| match capability {
                Capability::FileRead(scope) => of_file(scope, Access::Read),
                Capability::FileWrite(scope) => of_file(scope, Access::Write),
                Capability::Secrets(scope) if *scope.usage() == Usage::Reveal => Some(
                    "whoever sees a secret can send it wherever the tool may send anything"
                        .to_owned(),
                ),
                _ => None,
            });
        closer_look.or_else(|| {
            self.broad
                .then(|| format!("it asks for all of {} and names no scope", self.kind))
        })
    }
}

impl Capability {
    /// What it allows, as the rest of a sentence that begins with "it may"; safe to print.
    #[must_use]
    pub fn in_plain_words(&self) -> String {
        match self {
            Self::FileRead(FileScope::Any) => "read every file that you can read".to_owned(),
            Self::FileRead(FileScope::Under(root)) => {
                let root = shown(&root.to_string_lossy());
                format!("read {root} and everything below it")
            }
            Self::FileWrite(FileScope::Any) => {
                "create, change and remove every file that you can".to_owned()
            }
            Self::FileWrite(FileScope::Under(root)) => {
                let root = shown(&root.to_string_lossy());
                format!("create, change and remove {root} and everything below it")
            }
            Self::NetworkHttp(scope) => http_words(scope),
            Self::NetworkTcp(scope) => format!("open TCP connections to {}", socket_words(scope)),
            Self::NetworkUdp(scope) => {
                format!("exchange UDP datagrams with {}", socket_words(scope))
            }
            Self::Env(EnvScope::Any) => "read every environment variable".to_owned(),
            Self::Env(EnvScope::Name(name)) => {
                format!("read the environment variable {}", shown(name))
            }
            Self::Secrets(scope) => secret_words(scope),
            Self::Subprocess(scope) => {
                let command = match scope.command() {
                    Some(command) => format!("the command {}", shown(command)),
                    None => "any command".to_owned(),
                };
                let image = match scope.image() {
                    Some(DIRECT) => "as a process of this machine".to_owned(),
                    Some("ssh:*") => {
                        "on any other machine, with all that its account there may do".to_owned()
                    }
                    Some(image) if image.starts_with(SSH) => {
                        let host = image.strip_prefix(SSH).unwrap_or_default();
                        format!("on {}, with all that its account there may do", shown(host))
                    }
                    Some(image) => format!("in containers of the image {}", shown(image)),
                    None => "in containers of any image".to_owned(),
                };
                format!("run {command} {image}")
            }
            Self::ToolInvoke(scope) => match shown(&scope.to_string()).as_str() {
                "*" => "call every other tool, with its own permissions at most".to_owned(),
                pattern if pattern.ends_with('*') => format!("call the tools {pattern}"),
                id => format!("call the tool {id}"),
            },
            Self::State(scope) => match scope.to_string().as_str() {
                "*" => "keep any amount of data of its own between calls".to_owned(),
                quota => format!("keep up to {quota} of data of its own between calls"),
            },
            Self::Documents(scope) => match shown(&scope.to_string()).as_str() {
                "*" => "use every document".to_owned(),
                pattern if pattern.ends_with('*') => format!("use the documents {pattern}"),
                id => format!("use the document {id}"),
            },
            Self::Checkpoint(_) => "save and restore checkpoints of the session".to_owned(),
        }
    }
}

fn http_words(scope: &HttpScope) -> String {
    let ports = [Scheme::Http, Scheme::Https].map(|scheme| (scheme, scope.port(scheme)));
    let protocol = match (scope.port(Scheme::Http), scope.port(Scheme::Https)) {
        (None, _) => "HTTPS",
        (_, None) => "unencrypted HTTP",
        (Some(_), Some(_)) => "HTTP and HTTPS",
    };
    let methods = match scope.methods() {
        Some(methods) => {
            let methods: Vec<String> = methods.iter().map(|method| shown(method)).collect();
            format!(" {}", listed(&methods, usize::MAX))
        }
        None => String::new(),
    };
    let mut words = format!(
        "send {protocol}{methods} requests to {}",
        host_words(scope.host())
    );
    let unusual = ports
        .into_iter()
        .find(|(scheme, port)| port.is_some_and(|port| port != Port::Exact(scheme.default_port())));
    match unusual {
        Some((_, Some(Port::Any))) => words.push_str(", every port"),
        Some((_, Some(Port::Exact(port)))) => words.push_str(&format!(", port {port}")),
        Some((_, None)) | None => {}
    }
    if !scope.paths().is_empty() {
        let paths: Vec<String> = scope.paths().iter().map(ToString::to_string).collect();
        words.push_str(&format!(", paths {}", shown(&listed(&paths, usize::MAX))));
    }
    words.push_str(reach_words(scope.reach()));
    words
}

fn host_words(host: &HostPattern) -> String {
    match host {
        HostPattern::Any => "every host".to_owned(),
        HostPattern::Name(name) => name_words(name),
        HostPattern::Address(_) => host.to_string(),
    }
}

fn name_words(name: &NamePattern) -> String {
    match name {
        NamePattern::Exact(name) => name.to_string(),
        NamePattern::Below(parent) => format!("every host below {parent}"),
    }
}

fn socket_words(scope: &SocketScope) -> String {
    let mut words = match (scope.name(), scope.network()) {
        (None, None) => "every host".to_owned(),
        (Some(name), None) => name_words(name),
        (None, Some(network)) => network.to_string(),
        (Some(name), Some(network)) => format!("{} in {network}", name_words(name)),
    };
    match scope.port() {
        Port::Any => words.push_str(", every port"),
        Port::Exact(port) => words.push_str(&format!(", port {port}")),
    }
    words.push_str(reach_words(scope.reach()));
    words
}

fn reach_words(reach: Reach) -> &'static str {
    match reach {
        Reach::Public => "",
        Reach::Private => ", also on this machine and in private networks",
        Reach::Metadata => {
            ", also on this machine, in private networks and at cloud metadata services"
        }
    }
}

fn secret_words(scope: &SecretScope) -> String {
    let name = match scope.name() {
        Some(name) => format!("the secret {}", shown(name)),
        None => "every secret".to_owned(),
    };
    match scope.usage() {
        Usage::Reveal => format!("see the value of {name}"),
        Usage::Inject(inject) => {
            let header = match &inject.header {
                Some(header) => format!("the header {}", shown(header)),
                None => "any header".to_owned(),
            };
            let host = host_words(&inject.host);
            format!("have {name} put into {header} of requests to {host}, without seeing it")
        }
    }
}
