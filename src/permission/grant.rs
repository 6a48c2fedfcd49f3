//! What a person types after `--allow`: `NAME=SCOPE`.
//!
//! | written | grants |
//! |---|---|
//! | `file_read=HOST[:GUEST]`, `file_write=…` | a file or folder, and where it appears in the guest |
//! | `env=NAME`, `env=NAME=VALUE` | a variable with its value of now, or with this value |
//! | `state=1MiB` | state up to that quota |
//! | any other `NAME=SCOPE` | the scope, in the text form of the permission |
//!
//! HOST is left as it was typed: it is relative to where the person is, and only the caller can canonicalise it. GUEST is
//! an absolute path; the text is split at the last `:/`, so that host paths may have colons.

use std::str::FromStr;

use super::capability::Capability;
use super::env::{EnvScope, is_name};
use super::kind::Kind;
use super::parse_error::{Form, ParseError};

const FORM: Form = Form {
    what: "grant",
    write: "NAME=SCOPE",
    example: "file_read=src",
};

/// A parsed `--allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The permission.
    pub kind: Kind,
    /// Its scope.
    pub value: AllowValue,
}

/// The scope of an `--allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowValue {
    /// A file or folder.
    File {
        /// As it was typed; canonicalise it and make a [`super::FileScope`] of it.
        host: String,
        /// The absolute path under which the guest sees it, if one was given.
        guest: Option<String>,
    },
    /// An environment variable.
    Env {
        /// Its name.
        name: String,
        /// Its value, if one was given instead of the caller's own.
        value: Option<String>,
    },
    /// A scope of any other permission.
    Scope(Capability),
}

impl Allow {
    /// Reads `NAME=SCOPE`.
    ///
    /// # Errors
    /// Where there is no permission of that name, or the rest is not a scope that a person can grant.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        FORM.check_text(text)?;
        let Some((name, scope)) = text.split_once('=') else {
            let kind: Kind = text.parse()?;
            let form = kind.form();
            let example = format!("{kind}={}", form.example);
            return Err(FORM.error(text, format!("the scope is missing, as in `{example}`")));
        };
        let kind: Kind = name.parse()?;
        kind.form().check_text(scope)?;
        let value = match kind {
            Kind::FileRead | Kind::FileWrite => parse_file(scope),
            Kind::Env => parse_env(scope)?,
            Kind::NetworkHttp
            | Kind::NetworkTcp
            | Kind::NetworkUdp
            | Kind::Secrets
            | Kind::Subprocess
            | Kind::ToolInvoke
            | Kind::State
            | Kind::Documents
            | Kind::Checkpoint => AllowValue::Scope(Capability::parse(kind, scope)?),
        };
        Ok(Self { kind, value })
    }

    /// What is granted; nothing for files, whose host path the caller must canonicalise first.
    #[must_use]
    pub fn capability(&self) -> Option<Capability> {
        match &self.value {
            AllowValue::File { .. } => None,
            AllowValue::Env { name, .. } => Some(Capability::Env(EnvScope::Name(name.clone()))),
            AllowValue::Scope(capability) => Some(capability.clone()),
        }
    }
}

impl FromStr for Allow {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

fn parse_file(scope: &str) -> AllowValue {
    let guest_at = scope.rfind(":/").filter(|at| *at > 0);
    let (host, guest) = match guest_at {
        Some(at) => {
            let (host, guest) = scope.split_at(at);
            (host, guest.strip_prefix(':'))
        }
        None => (scope, None),
    };
    AllowValue::File {
        host: host.to_owned(),
        guest: guest.map(str::to_owned),
    }
}

fn parse_env(scope: &str) -> Result<AllowValue, ParseError> {
    let (name, value) = match scope.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (scope, None),
    };
    if !is_name(name) {
        let problem = if name == "*" {
            "variables are granted one by one"
        } else {
            "that is not the name of a variable"
        };
        return Err(Kind::Env.form().error(scope, problem));
    }
    Ok(AllowValue::Env {
        name: name.to_owned(),
        value,
    })
}
