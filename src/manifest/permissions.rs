//! What a manifest asks for, checked, with `${workspace}` and `${home}` still to be filled in.

use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::permission::{
    Access, Capability, FileScope, HttpEntry, Inject, Kind, ParseError, Request, Scheme,
    SecretScope,
};

/// Everything a manifest asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The entries in the order of [`Kind::ALL`], the needed ones before the optional ones.
    pub entries: Vec<PermissionEntry>,
    /// Clocks and random numbers are frozen.
    pub deterministic: bool,
}

/// One entry of `[permissions]` or `[permissions.optional]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionEntry {
    /// What is asked for.
    pub ask: Ask,
    /// Whether the plugin works without it.
    pub optional: bool,
}

/// What one entry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A file or folder, or `*` for all of them.
    File {
        /// What is done with it.
        access: Access,
        /// The path as written, with its variable.
        path: String,
        /// Where it appears in the guest.
        mount: Option<String>,
    },
    /// HTTP requests, as a table.
    Http(HttpAsk),
    /// A secret, as a table.
    Secret(SecretAsk),
    /// Everything whose text says it all.
    Scope(Capability),
}

/// HTTP requests as a table writes them; see [`HttpEntry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAsk {
    /// The host.
    pub host: String,
    /// The scheme; both where it is absent.
    pub scheme: Option<Scheme>,
    /// The port; that of the scheme where it is absent.
    pub port: Option<u16>,
    /// The methods; all where it is absent.
    pub methods: Option<Vec<String>>,
    /// Globs of paths; all where it is absent.
    pub paths: Option<Vec<String>>,
    /// Also addresses in private networks.
    pub private: bool,
}

/// A secret as a table writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretAsk {
    /// Its name.
    pub name: String,
    /// Where the host puts it.
    pub inject: Option<InjectAsk>,
    /// The guest sees it.
    pub reveal: bool,
}

/// Where a secret is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectAsk {
    /// Requests to this host carry it.
    pub host: String,
    /// The header; any where it is absent.
    pub header: Option<String>,
    /// The header's value with `{}` for the secret; any where it is absent.
    pub format: Option<String>,
}

/// What the variables in paths stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    /// `${workspace}`: the absolute, canonical path of the project.
    pub workspace: PathBuf,
    /// `${home}`: the absolute, canonical path of the home folder, if there is one.
    pub home: Option<PathBuf>,
}

/// The variables there are.
const VARIABLES: [&str; 2] = ["workspace", "home"];

/// The text that stands for a whole permission.
#[must_use]
pub fn everything(kind: Kind) -> &'static str {
    match kind {
        Kind::NetworkTcp | Kind::NetworkUdp => "*:*",
        Kind::Checkpoint => "on",
        _ => "*",
    }
}

impl Permissions {
    /// The requests with variables filled in, in the order of the entries.
    ///
    /// Paths are put together from their text; whoever grants them makes them canonical first.
    ///
    /// # Errors
    /// E3105 where a path cannot be written as a scope; E3004 where it needs a variable that stands for nothing here.
    pub fn requests(&self, variables: &Variables) -> Result<Vec<Request>> {
        self.entries
            .iter()
            .map(|entry| {
                Ok(Request {
                    kind: entry.ask.kind(),
                    capabilities: entry.ask.capabilities(variables)?,
                    mount: entry.ask.mount().map(str::to_owned),
                    optional: entry.optional,
                    broad: entry.ask.is_broad(),
                })
            })
            .collect()
    }
}

impl Ask {
    /// The permission it is about.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::File { access, .. } => access.kind(),
            Self::Http(_) => Kind::NetworkHttp,
            Self::Secret(_) => Kind::Secrets,
            Self::Scope(capability) => capability.kind(),
        }
    }

    /// True where it asks for the whole permission.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        match self {
            Self::File { path, .. } => path == "*",
            Self::Http(_) | Self::Secret(_) => false,
            Self::Scope(Capability::Checkpoint(_)) => false,
            Self::Scope(capability) => capability.to_string() == everything(capability.kind()),
        }
    }

    fn mount(&self) -> Option<&str> {
        match self {
            Self::File { mount, .. } => mount.as_deref(),
            _ => None,
        }
    }

    fn capabilities(&self, variables: &Variables) -> Result<Vec<Capability>> {
        let invalid = |error: ParseError| error.into_error(Code::E3105);
        match self {
            Self::File { access, path, .. } => {
                let scope = expand(path, variables)?
                    .map_or(Ok(FileScope::Any), |path| FileScope::under(path, *access))
                    .map_err(invalid)?;
                Ok(vec![match access {
                    Access::Read => Capability::FileRead(scope),
                    Access::Write => Capability::FileWrite(scope),
                }])
            }
            Self::Http(ask) => ask.capabilities().map_err(invalid),
            Self::Secret(ask) => ask.capabilities().map_err(invalid),
            Self::Scope(capability) => Ok(vec![capability.clone()]),
        }
    }
}

impl HttpAsk {
    /// The capabilities: one for each path glob.
    ///
    /// # Errors
    /// Where a part is not valid.
    pub fn capabilities(&self) -> std::result::Result<Vec<Capability>, ParseError> {
        let entry = HttpEntry {
            host: &self.host,
            scheme: self.scheme.map(Scheme::name),
            port: self.port,
            methods: self.methods.as_deref(),
            paths: self.paths.as_deref(),
            private: self.private,
        };
        let scopes = entry.scopes()?;
        Ok(scopes.into_iter().map(Capability::NetworkHttp).collect())
    }
}

impl SecretAsk {
    /// The capabilities: one for injecting, one for revealing.
    ///
    /// # Errors
    /// Where a part is not valid.
    pub fn capabilities(&self) -> std::result::Result<Vec<Capability>, ParseError> {
        let inject = match &self.inject {
            Some(inject) => Some(Inject {
                host: inject.host.parse()?,
                header: inject.header.clone(),
                format: inject.format.clone(),
            }),
            None => None,
        };
        let scopes = SecretScope::entry(&self.name, inject, self.reveal)?;
        Ok(scopes.into_iter().map(Capability::Secrets).collect())
    }
}

/// What is wrong with the path of a file permission, if anything is.
pub(super) fn path_problem(path: &str) -> Option<String> {
    if path == "*" {
        return None;
    }
    if path.chars().any(char::is_control) {
        return Some("the path has a control character".to_owned());
    }
    let rest = match variable(path) {
        Ok(Some((_, rest))) => {
            if !rest.is_empty() && !rest.starts_with('/') {
                return Some("after a variable comes a `/`".to_owned());
            }
            rest
        }
        Ok(None) if path.starts_with('/') => path,
        Ok(None) if path.starts_with('~') => {
            return Some("`~` is not understood here; write `${home}`".to_owned());
        }
        Ok(None) => {
            return Some(format!(
                "the path is neither absolute nor begins with a variable; write `${{workspace}}/{}`",
                path.trim_start_matches("./")
            ));
        }
        Err(problem) => return Some(problem),
    };
    if rest.contains("${") {
        return Some("a variable stands only at the beginning".to_owned());
    }
    if Path::new(rest)
        .components()
        .any(|part| part.as_os_str() == "..")
    {
        return Some("the path has `..` in it".to_owned());
    }
    None
}

/// What is wrong with the place where a file appears in the guest, if anything is.
pub(super) fn mount_problem(mount: &str) -> Option<&'static str> {
    if !mount.starts_with('/') {
        return Some("expected an absolute path such as \"/workspace\"");
    }
    let odd = |part: &str| part == "." || part == "..";
    if mount.split('/').any(odd) || mount.chars().any(char::is_control) {
        return Some("expected a path without `.`, `..` and control characters");
    }
    None
}

/// The variable a path begins with, and what follows it.
fn variable(path: &str) -> std::result::Result<Option<(&'static str, &str)>, String> {
    let Some(inner) = path.strip_prefix("${") else {
        return Ok(None);
    };
    let (name, rest) = inner
        .split_once('}')
        .ok_or_else(|| "the variable is not closed with `}`".to_owned())?;
    match VARIABLES.into_iter().find(|known| *known == name) {
        Some(known) => Ok(Some((known, rest))),
        None => Err(match super::problem::nearest(name, VARIABLES) {
            Some(near) => {
                format!("there is no variable `${{{name}}}`; did you mean `${{{near}}}`?")
            }
            None => format!(
                "there is no variable `${{{name}}}`; there are `${{workspace}}` and `${{home}}`"
            ),
        }),
    }
}

/// The path with its variable filled in; nothing for `*`.
fn expand(path: &str, variables: &Variables) -> Result<Option<PathBuf>> {
    if path == "*" {
        return Ok(None);
    }
    let invalid = |problem: String| {
        Error::new(
            Code::E3105,
            format!("filling in the path `{}`: {problem}", path.escape_debug()),
        )
    };
    let Some((name, rest)) = variable(path).map_err(invalid)? else {
        return Ok(Some(PathBuf::from(path)));
    };
    let base = match name {
        "home" => variables.home.as_deref().ok_or_else(|| {
            Error::new(
                Code::E3004,
                format!(
                    "filling in the path `{}`: there is no home folder here",
                    path.escape_debug()
                ),
            )
            .hint("Set the environment variable `HOME`.")
        })?,
        _ => &variables.workspace,
    };
    Ok(Some(base.join(rest.trim_start_matches('/'))))
}
