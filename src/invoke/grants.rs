//! What a person allows one call.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::permission::Scope;

/// What a person allows one call, with every path made canonical by whoever read it from them.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// The scopes that were given.
    pub scope: Scope,
    /// Everything the source asks for is allowed too.
    pub all_requested: bool,
    /// Where granted files and folders appear.
    pub mounts: Vec<GrantedMount>,
    /// Values for environment variables that were given with the grant.
    pub environment: BTreeMap<String, String>,
}

/// A granted file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedMount {
    /// The canonical path on the host.
    pub host: PathBuf,
    /// Where the person wants it to appear, if they said so.
    pub guest: Option<String>,
    /// As it was typed: where it appears if they did not.
    pub typed: String,
}
