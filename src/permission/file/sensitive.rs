//! Paths that stay closed inside a granted folder: credentials, what runs by itself later, the kernel, Toolhatch's state.
//!
//! * **Credentials** (`.ssh`, `.aws`, keyrings, browser profiles, …) are closed to reading and writing, and **what runs
//!   later** (`.git/hooks`, `.git/config`, shell start-up files, `.toolhatch`) is closed to writing, *unless a person named
//!   the path itself, or one inside it*: whoever types `--allow file_read=/home/me/.ssh/known_hosts` means it, whoever
//!   types `--allow file_read=/home/me` does not. What a manifest asks for never counts as naming.
//! * **`/proc`, `/sys`, `/dev` and Toolhatch's own state** are closed whatever was granted.
//!
//! An entry that only leads to such a path (`.config`, where `.config/gh` is closed) can be read and filled, but not
//! itself renamed, replaced or removed: under another name its content would be open. Names are compared without ASCII
//! case, because some file systems do.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Access, FileScope};
use crate::permission::scope::Scope;

/// Why a path is closed inside a granted folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sensitivity {
    /// It holds credentials.
    Credentials,
    /// Its content is run, or decides what is run, outside the sandbox.
    RunsLater,
    /// It leads to a path of one of the other kinds, which renaming it would open.
    LeadsThere,
    /// It is a window into the kernel or a device.
    Kernel,
    /// It is Toolhatch's own: grants, keys, the audit log.
    OwnState,
}

impl Sensitivity {
    /// True where a person can open it by naming it.
    #[must_use]
    pub const fn can_be_named(self) -> bool {
        match self {
            Self::Credentials | Self::RunsLater | Self::LeadsThere => true,
            Self::Kernel | Self::OwnState => false,
        }
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials => "holds credentials",
            Self::RunsLater => "is run, or decides what is run, outside the sandbox",
            Self::LeadsThere => "leads to credentials or to what is run outside the sandbox",
            Self::Kernel => "is a window into the kernel",
            Self::OwnState => "belongs to Toolhatch itself",
        })
    }
}

/// Components in a row, at any depth, that hold credentials.
const CREDENTIALS: &[&[&str]] = &[
    &[".ssh"],
    &[".gnupg"],
    &[".aws"],
    &[".azure"],
    &[".kube"],
    &[".docker", "config.json"],
    &[".netrc"],
    &["_netrc"],
    &[".authinfo"],
    &[".authinfo.gpg"],
    &[".git-credentials"],
    &[".pgpass"],
    &[".my.cnf"],
    &[".npmrc"],
    &[".pypirc"],
    &[".vault-token"],
    &[".password-store"],
    &[".cargo", "credentials"],
    &[".cargo", "credentials.toml"],
    &[".terraform.d", "credentials.tfrc.json"],
    &[".config", "gcloud"],
    &[".config", "gh"],
    &[".config", "hub"],
    &[".config", "op"],
    &[".config", "rclone"],
    &[".config", "git", "credentials"],
    &[".local", "share", "keyrings"],
    &[".local", "share", "kwalletd"],
    &[".mozilla"],
    &[".thunderbird"],
    &[".config", "google-chrome"],
    &[".config", "chromium"],
    &[".config", "microsoft-edge"],
    &[".config", "bravesoftware"],
    &[".var", "app", "org.mozilla.firefox"],
    &["snap", "firefox"],
    &["library", "keychains"],
    &["library", "cookies"],
    &["library", "application support", "google", "chrome"],
    &["library", "application support", "firefox"],
];

/// Components in a row, at any depth, whose content is run later, or points to what is.
const RUNS_LATER: &[&[&str]] = &[
    &[".git", "hooks"],
    &[".git", "config"],
    &[".git", "config.worktree"],
    &[".git", "modules"],
    &[".git", "worktrees"],
    &[".toolhatch"],
    &[".gitconfig"],
    &[".config", "git"],
    &[".bashrc"],
    &[".bash_profile"],
    &[".bash_login"],
    &[".bash_logout"],
    &[".profile"],
    &[".zshrc"],
    &[".zshenv"],
    &[".zprofile"],
    &[".zlogin"],
    &[".config", "fish"],
    &[".config", "autostart"],
    &[".config", "systemd"],
    &["library", "launchagents"],
];

/// Absolute paths that hold credentials.
const SYSTEM_CREDENTIALS: &[&str] = &[
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/run/secrets",
    "/run/user",
];

/// Absolute paths that are not files.
const KERNEL: &[&str] = &["/proc", "/sys", "/dev"];

/// A closed path on the way to the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The closed file or folder: the path that was asked for, or a folder above it.
    pub path: PathBuf,
    /// Why.
    pub why: Sensitivity,
}

/// The check that runs beside the scope: own state, and what a person named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sensitive {
    own_state: Vec<PathBuf>,
    named_for_reading: Vec<PathBuf>,
    named_for_writing: Vec<PathBuf>,
    /// What is closed besides.
    within: Option<Arc<Self>>,
}

impl Sensitive {
    /// Closes everything listed above and these folders of Toolhatch's own, absolute and canonical.
    #[must_use]
    pub fn new(own_state: Vec<PathBuf>) -> Self {
        Self {
            own_state,
            ..Self::default()
        }
    }

    /// Opens the paths that a person named in a grant. Pass what was granted, never what was requested and never a meet.
    #[must_use]
    pub fn naming(mut self, granted: &Scope) -> Self {
        let roots = |access| -> Vec<PathBuf> {
            let scopes = granted.files(access);
            scopes
                .filter_map(FileScope::root)
                .map(Path::to_path_buf)
                .collect()
        };
        self.named_for_reading.extend(roots(Access::Read));
        self.named_for_writing.extend(roots(Access::Write));
        self
    }

    /// Closes what the other closes, too.
    #[must_use]
    pub fn within(mut self, other: &Arc<Self>) -> Self {
        self.within = Some(Arc::clone(other));
        self
    }

    /// The closed path that stands in the way, if one does; the path is absolute and canonical.
    #[must_use]
    pub fn closed(&self, path: &Path, access: Access) -> Option<Closed> {
        if let Some(closed) = self.always_closed(path, access) {
            return Some(closed);
        }
        if let Some(closed) = self.within.as_ref().and_then(|it| it.closed(path, access)) {
            return Some(closed);
        }
        let named = match access {
            Access::Read => &self.named_for_reading,
            Access::Write => &self.named_for_writing,
        };
        let is_named = |closed: &Closed| {
            named
                .iter()
                .any(|root| path.starts_with(root) && root.starts_with(&closed.path))
        };
        sensitive_parts(path, access).find(|closed| !is_named(closed))
    }

    fn always_closed(&self, path: &Path, access: Access) -> Option<Closed> {
        for own in &self.own_state {
            let is_above = access == Access::Write && own.starts_with(path);
            if path.starts_with(own) || is_above {
                return Some(Closed {
                    path: if is_above { path.into() } else { own.clone() },
                    why: Sensitivity::OwnState,
                });
            }
        }
        let kernel = KERNEL.iter().find(|root| path.starts_with(root))?;
        Some(Closed {
            path: kernel.into(),
            why: Sensitivity::Kernel,
        })
    }
}

/// Why the path is one that a grant of a folder around it does not open, if it is; own state is not known here.
#[must_use]
pub fn is_sensitive(path: &Path, access: Access) -> Option<Sensitivity> {
    Sensitive::default()
        .closed(path, access)
        .map(|closed| closed.why)
}

/// Every closed file or folder on the way to the path, the path itself included.
fn sensitive_parts(path: &Path, access: Access) -> impl Iterator<Item = Closed> + '_ {
    let system = SYSTEM_CREDENTIALS
        .iter()
        .filter(|root| path.starts_with(root))
        .map(|root| Closed {
            path: root.into(),
            why: Sensitivity::Credentials,
        });
    let names: Vec<&[u8]> = path.iter().map(OsStr::as_encoded_bytes).collect();
    let credentials = CREDENTIALS
        .iter()
        .map(|rule| (*rule, Sensitivity::Credentials));
    let runs_later = RUNS_LATER
        .iter()
        .map(|rule| (*rule, Sensitivity::RunsLater))
        .filter(move |_| access == Access::Write);
    let by_name = credentials.chain(runs_later).flat_map(move |(rule, why)| {
        let found = find_rule(&names, rule, access);
        found.into_iter().map(move |(depth, is_whole)| Closed {
            path: path.iter().take(depth).collect(),
            why: if is_whole {
                why
            } else {
                Sensitivity::LeadsThere
            },
        })
    });
    system.chain(by_name)
}

/// The depths at which the path has come to the end of the rule's names in a row; for writing also its own depth, with
/// `false`, where it ends in the middle of them.
fn find_rule(names: &[&[u8]], rule: &[&str], access: Access) -> Vec<(usize, bool)> {
    let is_name = |name: &[u8], expected: &str| name.eq_ignore_ascii_case(expected.as_bytes());
    let is_hidden = rule.first().is_some_and(|first| first.starts_with('.'));
    let mut found = Vec::new();
    for depth in 0..names.len() {
        let rest = names.iter().skip(depth);
        let in_a_row = rest
            .zip(rule)
            .take_while(|(name, expected)| is_name(name, expected))
            .count();
        let end = depth + in_a_row;
        if in_a_row == rule.len() {
            found.push((end, true));
        } else if in_a_row > 0 && access == Access::Write && end == names.len() && is_hidden {
            found.push((end, false));
        }
    }
    found
}
