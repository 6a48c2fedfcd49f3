//! What a person allows: one call with `--allow`, or every call of a plugin with a grant that is kept.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Capability, Kind, Scope};

/// What a person allows, with every path made canonical by whoever read it from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The scopes that were named.
    pub scope: Scope,
    /// The scopes that were accepted because a manifest asks for them. They open nothing that is sensitive: for that it has
    /// to be named.
    pub accepted: Scope,
    /// Everything the source asks for is accepted.
    pub all_requested: bool,
    /// Where granted files and folders appear.
    pub mounts: Vec<GrantedMount>,
    /// Values for environment variables that were given with the grant.
    pub environment: BTreeMap<String, String>,
}

/// A granted file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantedMount {
    /// The canonical path on the host.
    pub host: PathBuf,
    /// Where the person wants it to appear, if they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// As it was typed: where it appears if they did not.
    pub typed: String,
}

/// The form in which grants are kept: each scope is the text that a person could type.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    allow: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accepted: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mounts: Vec<GrantedMount>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
}

impl Grants {
    /// True where nothing at all was allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scope.is_empty() && self.accepted.is_empty() && !self.all_requested
    }

    /// Everything that was named or accepted.
    #[must_use]
    pub fn whole(&self) -> Scope {
        let accepted = self.accepted.capabilities();
        let mut whole = self.scope.clone();
        for capability in accepted {
            whole.insert(capability);
        }
        whole
    }

    /// What these and the others allow together. A variable that both give has the value of `self`.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let mut both = self.clone();
        for capability in others.scope.capabilities() {
            both.scope.insert(capability);
        }
        for capability in others.accepted.capabilities() {
            both.accepted.insert(capability);
        }
        both.all_requested |= others.all_requested;
        for mount in &others.mounts {
            if !both.mounts.contains(mount) {
                both.mounts.push(mount.clone());
            }
        }
        for (name, value) in &others.environment {
            both.environment
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
        both
    }

    /// The form that is kept.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let kept = Kept {
            allow: texts(&self.scope),
            accepted: texts(&self.accepted),
            mounts: self.mounts.clone(),
            environment: self.environment.clone(),
        };
        serde_json::to_value(kept).unwrap_or_default()
    }

    /// Reads the form that is kept.
    ///
    /// # Errors
    /// A sentence on what does not fit.
    pub fn from_json(value: Value) -> Result<Self, String> {
        let kept: Kept = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(Self {
            scope: scope(&kept.allow)?,
            accepted: scope(&kept.accepted)?,
            all_requested: false,
            mounts: kept.mounts,
            environment: kept.environment,
        })
    }
}

fn texts(scope: &Scope) -> Vec<(String, String)> {
    scope
        .entries()
        .into_iter()
        .map(|(kind, text)| (kind.name().to_owned(), text))
        .collect()
}

fn scope(entries: &[(String, String)]) -> Result<Scope, String> {
    entries
        .iter()
        .map(|(kind, text)| {
            let kind: Kind = kind.parse().map_err(|error| format!("{error}"))?;
            Capability::parse(kind, text).map_err(|error| format!("{kind}={text}: {error}"))
        })
        .collect()
}
