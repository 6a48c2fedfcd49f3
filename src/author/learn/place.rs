//! The file or folder that a guest could not do without: where it lies, and what of it can be granted.

use std::path::{Path, PathBuf};

use toml_edit::InlineTable;

use crate::manifest::Variables;
use crate::permission::{
    Access, Capability, Denial, FileScope, Kind, Sensitivity, is_plain, is_sensitive, shown,
};

/// Where guides and templates have the workspace appear.
const WORKSPACE: &str = "/workspace";

/// A file or folder that would have to be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    access: Access,
    /// The absolute path on the host of what would be granted; canonical where it is there.
    pub(super) host: PathBuf,
    /// Where the guest expects it.
    pub(super) guest: String,
    /// What is to be made in it, where that is why the whole folder has to be granted.
    made: Option<PathBuf>,
    /// Whether it is a file or folder now.
    is_there: bool,
    /// Why what was tried stays closed unless a person names it.
    closed: Option<Sensitivity>,
    /// Whether all files of the person lie in it.
    holds_home: bool,
}

impl Place {
    /// Of what was denied; `tried` is its path, and relative ones are of `current`.
    pub(super) fn of(
        denial: &Denial,
        tried: &Path,
        current: &Path,
        variables: &Variables,
    ) -> Option<Self> {
        let access = match denial.kind() == Access::Write.kind() {
            true => Access::Write,
            false => Access::Read,
        };
        let in_workspace = in_workspace(tried, current, variables);
        let (host, guest) = match (denial.meant(), in_workspace) {
            (Some(meant), _) => {
                // Guests have no current folder: what is typed without a leading slash is tried with one.
                let guest = meant.guest.clone();
                let guest = guest.unwrap_or_else(|| format!("/{}", meant.typed));
                (current.join(&meant.typed), guest)
            }
            (None, Some(host)) => (host, tried.to_str()?.to_owned()),
            (None, None) => {
                let here = (access == Access::Write).then(|| made_here(current, tried));
                let host = here.flatten().unwrap_or_else(|| tried.to_owned());
                (host, tried.to_str()?.to_owned())
            }
        };
        // What is to be made does not exist yet; its folder has to be granted.
        let is_made = access == Access::Write && host.symlink_metadata().is_err();
        let (host, guest, made) = if is_made {
            let folder = host.parent()?;
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            let above = Path::new(&guest).parent()?.to_str()?.to_owned();
            let made = folder.join(host.file_name()?);
            (folder, above, Some(made))
        } else {
            (host.canonicalize().unwrap_or(host), guest, None)
        };
        let is_there = match made {
            Some(_) => host.is_dir(),
            None => host.is_dir() || host.is_file(),
        };
        let holds_home = variables.home.as_deref();
        Some(Self {
            access,
            is_there,
            closed: is_sensitive(made.as_ref().unwrap_or(&host), access),
            holds_home: holds_home.is_some_and(|home| home.starts_with(&host)),
            host,
            guest,
            made,
        })
    }

    pub(super) fn capability(&self) -> Option<Capability> {
        let scope = FileScope::under(&self.host, self.access).ok()?;
        Some(match self.access {
            Access::Read => Capability::FileRead(scope),
            Access::Write => Capability::FileWrite(scope),
        })
    }

    /// True where the guest expects it under another path than the host's.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.host.as_os_str() != self.guest.as_str()
    }

    pub(super) fn warning(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(made) = self.made.as_ref().and_then(|made| made.file_name()) {
            parts.push(format!(
                "{} is not there yet, so that this is the whole folder that it would be made in",
                shown(&made.to_string_lossy())
            ));
        }
        if self.host.parent().is_none() {
            parts.push("everything on this machine is in it".to_owned());
        } else if self.holds_home {
            parts.push("everything in your home folder is in it".to_owned());
        }
        (!parts.is_empty()).then(|| parts.join(", and "))
    }

    pub(super) fn obstacle(&self) -> Option<String> {
        if let Some(why) = self.closed {
            let path = self.made.as_ref().unwrap_or(&self.host);
            let path = shown(&path.to_string_lossy());
            return Some(format!("{path} {why}: it has to be named with --allow"));
        }
        let text = match self.made {
            Some(_) => "there is no folder to make it in",
            None => "there is no such file or folder",
        };
        (!self.is_there).then(|| text.to_owned())
    }

    pub(super) fn allow(&self, kind: Kind) -> Option<String> {
        let host = self.host.to_str()?;
        // `:/` would be read as the place where the guest's path begins.
        let is_plain = |text: &str| is_plain(text) && !text.contains(":/");
        if !is_plain(host) || !is_plain(&self.guest) {
            return None;
        }
        Some(match self.is_elsewhere() {
            true => format!("{kind}={host}:{}", self.guest),
            false => format!("{kind}={host}"),
        })
    }

    /// The line of a manifest that asks for it, with the variables of manifests in the place of this machine's paths; nothing
    /// where no manifest can say it.
    pub(super) fn manifest_line(&self, variables: &Variables) -> Option<String> {
        let text = self.host.to_str()?;
        let below = |folder: &Path, variable: &str| {
            let rest = self.host.strip_prefix(folder).ok()?.to_str()?;
            Some(match rest {
                "" => variable.to_owned(),
                rest => format!("{variable}/{rest}"),
            })
        };
        // A variable stands only at the beginning, and nothing else may look like one.
        let is_sayable = |text: &str| is_plain(text) && !text.contains("${");
        if !is_sayable(text) || !is_plain(&self.guest) {
            return None;
        }
        let written = below(&variables.workspace, "${workspace}")
            .or_else(|| below(variables.home.as_deref()?, "${home}"))
            .unwrap_or_else(|| text.to_owned());
        let mut entry = InlineTable::new();
        entry.insert("path", written.into());
        if self.is_elsewhere() {
            entry.insert("mount", self.guest.as_str().into());
        }
        entry.fmt();
        Some(format!("{} = [{entry}]", self.access.kind()))
    }
}

/// The path on the host of what a guest looks for where guides and templates have the workspace appear; nothing where there
/// is such a path on the host itself, or nothing of the kind in the workspace.
fn in_workspace(path: &Path, current: &Path, variables: &Variables) -> Option<PathBuf> {
    let rest = path.strip_prefix(WORKSPACE).ok()?;
    if path.symlink_metadata().is_ok() {
        return None;
    }
    // Without a `/` at the end where it is the workspace itself.
    let below = |folder: &Path| folder.join(rest).components().collect::<PathBuf>();
    let places = [below(&variables.workspace), below(current)];
    let is_there = places.iter().find(|place| place.exists());
    let has_folder = |place: &&PathBuf| place.parent().is_some_and(Path::is_dir);
    is_there.or_else(|| places.iter().find(has_folder)).cloned()
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
