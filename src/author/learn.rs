//! What a call that was denied things teaches about the permissions it takes, as a change of its manifest.

use std::path::{Path, PathBuf};

use toml_edit::InlineTable;

use super::amend::amend;
use crate::error::Result;
use crate::manifest::Variables;
use crate::permission::{Access, Capability, Denial, Kind, Request};

/// One thing that a call could not do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The permission that it takes.
    pub kind: Kind,
    /// What was tried, as the subject of a sentence: `reading /data/a.csv`.
    pub what: String,
    /// What would allow it, in the words of a question: `read /data/a.csv and everything below it`.
    pub words: String,
    /// The text after `--allow` that grants it.
    pub allow: String,
    /// The line of a manifest that asks for it.
    line: String,
}

/// What some calls of a tool taught.
#[derive(Debug, Clone, Default)]
pub struct Lessons {
    needs: Vec<Need>,
    /// What no grant can allow, as sentences.
    hopeless: Vec<String>,
}

impl Lessons {
    /// Takes up what a call was denied. Relative paths are of `current`.
    pub fn learn(&mut self, denials: &[Denial], current: &Path, variables: &Variables) {
        for denial in denials {
            let Some(need) = need(denial, current, variables) else {
                let sentence = denial.to_string();
                if !self.hopeless.contains(&sentence) {
                    self.hopeless.push(sentence);
                }
                continue;
            };
            if !self.needs.iter().any(|known| known.allow == need.allow) {
                self.needs.push(need);
            }
        }
    }

    /// What was needed, each thing once, in the order in which it was tried.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// What was tried and no grant can allow, as sentences.
    #[must_use]
    pub fn hopeless(&self) -> &[String] {
        &self.hopeless
    }

    /// The `[permissions]` of a manifest that asks for all of it and nothing else, as TOML; empty where nothing was needed.
    ///
    /// # Errors
    /// E3000 where a line that was made here cannot be read.
    pub fn permissions(&self) -> Result<String> {
        amend("", self.lines())
    }

    /// The manifest with all of it asked for besides what it asks for already; everything else stays as it was written.
    ///
    /// # Errors
    /// E3105 where the text is not TOML, or has something else where its permissions belong.
    pub fn amend(&self, manifest: &str) -> Result<String> {
        amend(manifest, self.lines())
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.needs.iter().map(|need| need.line.as_str())
    }
}

fn need(denial: &Denial, current: &Path, variables: &Variables) -> Option<Need> {
    let capability = denial.remedy()?;
    let kind = denial.kind();
    let (allow, line) = match capability {
        Capability::FileRead(scope) | Capability::FileWrite(scope) => {
            let (host, guest) = match denial.meant() {
                Some(meant) => {
                    let host = current.join(&meant.typed);
                    // Guests have no current folder: what is typed without a leading slash is tried with one.
                    let guest = meant
                        .guest
                        .clone()
                        .unwrap_or_else(|| format!("/{}", meant.typed));
                    (host.canonicalize().unwrap_or(host), guest)
                }
                None => {
                    let path = scope.root()?;
                    let here = (kind == Access::Write.kind()).then(|| made_here(current, path));
                    let host = here.flatten().unwrap_or_else(|| path.to_owned());
                    (host, path.to_str()?.to_owned())
                }
            };
            file(kind, &host, &guest, variables)?
        }
        other => (format!("{kind}={other}"), other.manifest_line()?),
    };
    let request = Request {
        kind,
        capabilities: vec![capability.clone()],
        mount: None,
        optional: false,
        broad: false,
    };
    Some(Need {
        kind,
        what: denial.what().to_owned(),
        words: request.in_plain_words(),
        allow,
        line,
    })
}

/// Where a file is to be made that a guest asked for by a relative path: guests have no current folder, and it arrives below
/// `/`. It is meant so where only the current folder has the place for it.
fn made_here(current: &Path, path: &Path) -> Option<PathBuf> {
    let here = current.join(path.strip_prefix("/").ok()?);
    let has_place = |path: &Path| {
        path.parent()
            .is_some_and(|folder| folder != Path::new("/") && folder.is_dir())
    };
    (!has_place(path) && has_place(&here)).then_some(here)
}

/// What grants a file or folder and what asks for it, with the variables of manifests in the place of this machine's paths.
fn file(kind: Kind, host: &Path, guest: &str, variables: &Variables) -> Option<(String, String)> {
    // What is to be made does not exist yet; its folder has to be granted.
    let granted: PathBuf = match kind == Access::Write.kind() && !host.exists() {
        true => host.parent()?.to_owned(),
        false => host.to_owned(),
    };
    let guest = match granted == *host {
        true => guest.to_owned(),
        false => Path::new(guest).parent()?.to_str()?.to_owned(),
    };
    let text = granted.to_str()?;
    let below = |folder: &Path, variable: &str| {
        let rest = granted.strip_prefix(folder).ok()?.to_str()?;
        Some(if rest.is_empty() {
            variable.to_owned()
        } else {
            format!("{variable}/{rest}")
        })
    };
    let written = below(&variables.workspace, "${workspace}")
        .or_else(|| below(variables.home.as_deref()?, "${home}"))
        .unwrap_or_else(|| text.to_owned());
    let mut entry = InlineTable::new();
    entry.insert("path", written.into());
    let allow = if guest == text {
        format!("{kind}={text}")
    } else {
        entry.insert("mount", guest.as_str().into());
        format!("{kind}={text}:{guest}")
    };
    entry.fmt();
    Some((allow, format!("{kind} = [{entry}]")))
}

#[cfg(test)]
mod tests;
