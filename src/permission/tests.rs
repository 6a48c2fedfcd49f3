//! Tables of cases for each permission, and properties over generated scopes and actions.

mod address;
mod denial;
mod file;
mod generate;
mod glob;
mod grant;
mod host;
mod http;
mod http_text;
mod laws;
mod remedy;
mod robust;
mod small;
mod socket;
mod words;

use super::{Action, Capability, Kind, Scope, Sensitive};

/// A scope of these capabilities, `NAME=SCOPE` each.
fn scope(entries: &[&str]) -> Scope {
    entries.iter().map(|entry| capability(entry)).collect()
}

/// The capability of `NAME=SCOPE`.
fn capability(entry: &str) -> Capability {
    let (name, text) = entry.split_once('=').expect("NAME=SCOPE");
    let kind: Kind = name.parse().expect("a permission");
    Capability::parse(kind, text).unwrap_or_else(|error| panic!("{error}"))
}

/// The sentence with which the scope denies the action.
fn denied(scope: &Scope, action: &Action) -> String {
    let denial = scope.check(action, &Sensitive::default());
    denial.expect_err("denied").to_string()
}

/// What is wrong with the text.
fn problem(kind: Kind, text: &str) -> String {
    match Capability::parse(kind, text) {
        Ok(capability) => panic!("{text:?} was read as {capability}"),
        Err(error) => error.problem().to_owned(),
    }
}
