//! Workspaces that a command has a copy of, on daemons that cannot see them.
//!
//! A daemon of another machine has none of our files, and one that runs without root cannot lay an overlay. There each mount is
//! a volume. An archive of the workspace is put into it, and where changes are reviewed an archive of what the command left is
//! read back (`porter.rs`).
//!
//! A copy is not known by an inode. What proves it is that the daemon says it mounted the volume of this call (`create.rs`,
//! [`differences`]), and that the runner finds there what was put into it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::models::ContainerInspectResponse;

use super::daemon::Daemon;
use super::overlay::Laid;
use crate::changes::{Apart, Draft, Packed};
use crate::config::DockerHost;
use crate::error::{Code, Result};
use crate::exec::places::{Bind, RUNNER_FOLDER};
use crate::exec::{CommandEnd, SandboxMount, SandboxSpec};
use crate::ids::CallId;

/// What a daemon can do with the files of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// It mounts them, and lays overlays over them.
    Everything,
    /// It mounts them, and lays no overlays.
    NoOverlays,
    /// It is taken to be another machine.
    Nothing,
}

impl Sight {
    /// That of a daemon. A socket of this machine leads to a daemon of this machine; of any other address nobody knows.
    pub(super) fn of(daemon: &Daemon) -> Self {
        let is_rootless = daemon.facts.security.iter().any(|it| it == "rootless");
        match daemon.address.host {
            DockerHost::Unix(_) if is_rootless => Self::NoOverlays,
            DockerHost::Unix(_) => Self::Everything,
            DockerHost::Tcp(_) | DockerHost::Ssh { .. } => Self::Nothing,
        }
    }

    /// Whether a mount becomes a copy.
    fn copies(self, mount: &SandboxMount) -> bool {
        match self {
            Self::Everything => false,
            Self::NoOverlays => mount.is_reviewed(),
            Self::Nothing => true,
        }
    }

    /// Whether a command has copies.
    pub(super) fn has_copies(self, spec: &SandboxSpec) -> bool {
        spec.mounts.iter().any(|mount| self.copies(mount))
    }
}

/// Refuses what cannot be had with copies.
///
/// # Errors
/// E3004.
pub(super) fn check(sight: Sight, spec: &SandboxSpec) -> Result<()> {
    let refused = |why: String, hint: &str| {
        let error = CommandEnd::InvalidConfig.error(Code::E3004, why);
        Err(error.hint(hint.to_owned()))
    };
    for mount in spec.mounts.iter().filter(|mount| sight.copies(mount)) {
        let shown = mount.host.display();
        if !mount.read_only && !mount.is_reviewed() {
            return refused(
                format!(
                    "mounting {shown} to be written to: the daemon is taken to be another machine, which does not have it"
                ),
                "With `--diff` (for an agent: `\"changes\": \"review\"`) the command works on a copy, and what it changed can be \
                 applied; or mount it read-only.",
            );
        }
        if mount.host.is_file() {
            return refused(
                format!("copying {shown} to the daemon: it is a file, and only folders can be"),
                "Mount the folder that it lies in.",
            );
        }
        if spec.keep.is_some() {
            return refused(
                format!(
                    "keeping a container with {shown}: it would keep a copy, which nobody brings up to date"
                ),
                "Leave out `keep`, or use a daemon of this machine.",
            );
        }
    }
    Ok(())
}

/// A mount that is a copy.
#[derive(Debug, Clone)]
pub(super) struct Copied {
    /// The volume that it lies in.
    pub(super) volume: String,
    /// Its folder in the porter and in the archive.
    pub(super) base: String,
    /// What is not copied, or never changed.
    pub(super) apart: Apart,
    /// The layer of a draft and its folder, where changes are reviewed.
    pub(super) layer: Option<(String, PathBuf)>,
    /// What is in it, once it is there.
    pub(super) packed: Option<Arc<Packed>>,
    /// Some of what is in it, as paths in the container.
    pub(super) witnesses: Vec<String>,
}

impl Copied {
    /// Where the porter has it.
    pub(super) fn place(&self) -> PathBuf {
        Path::new(RUNNER_FOLDER).join("copies").join(&self.base)
    }
}

/// Decides which mounts are copies, and makes the folders for what comes back of them. What would cover parts of them is left
/// out of the copies instead. Not for an async thread.
///
/// # Errors
/// Those of making folders.
pub(super) fn lay(
    sight: Sight,
    draft: Option<&Draft>,
    call: &CallId,
    attempt: usize,
    spec: &SandboxSpec,
    laid: &mut Laid,
) -> Result<()> {
    let (mounts, covers) = {
        let all = std::mem::take(&mut laid.places.binds);
        let (mounts, covers) = all.split_at(spec.mounts.len().min(all.len()));
        (mounts.to_vec(), covers.to_vec())
    };
    for (number, (mount, bind)) in spec.mounts.iter().zip(&mounts).enumerate() {
        if !sight.copies(mount) {
            continue;
        }
        let name = format!("{attempt}-{number}");
        let layer = match draft {
            Some(draft) if mount.is_reviewed() => Some((name.clone(), draft.upper(&name)?)),
            _ => None,
        };
        let copied = Copied {
            volume: format!("toolhatch-copy-{}-{name}", call.to_string().to_lowercase()),
            base: number.to_string(),
            apart: apart(bind, &mounts, &covers, &laid.places.hidden),
            layer,
            packed: None,
            witnesses: Vec::new(),
        };
        laid.copies.insert(bind.container.clone(), copied);
    }
    // What covers a part of a copy is not there to be covered.
    let is_in_copy = |container: &str| {
        let inside = mounts
            .iter()
            .filter(|mount| Path::new(container).starts_with(&mount.container));
        let innermost = inside.max_by_key(|mount| mount.container.len());
        innermost.is_some_and(|mount| laid.copies.contains_key(&mount.container))
    };
    let kept = covers
        .into_iter()
        .filter(|cover| !is_in_copy(&cover.container));
    laid.places.binds = mounts.iter().cloned().chain(kept).collect();
    laid.places.hidden.retain(|folder| !is_in_copy(folder));
    Ok(())
}

/// What is special about some paths of a mount.
fn apart(bind: &Bind, mounts: &[Bind], covers: &[Bind], hidden: &[String]) -> Apart {
    let below = |place: &str| {
        let below = Path::new(place).strip_prefix(&bind.container).ok()?;
        (!below.as_os_str().is_empty()).then(|| below.to_owned())
    };
    // A file that is only read is mounted over itself, one that is hidden under an empty one.
    let (closed, left_out): (Vec<&Bind>, Vec<&Bind>) = covers.iter().partition(|cover| {
        below(&cover.container).is_some_and(|path| bind.host.join(path) == cover.host)
    });
    let of = |binds: Vec<&Bind>| -> BTreeSet<PathBuf> {
        binds
            .into_iter()
            .filter_map(|it| below(&it.container))
            .collect()
    };
    let mut left_out = of(left_out);
    left_out.extend(hidden.iter().filter_map(|folder| below(folder)));
    Apart {
        left_out,
        closed: of(closed),
        elsewhere: mounts
            .iter()
            .filter_map(|mount| below(&mount.container))
            .collect(),
    }
}

/// What the daemon says of the copies, where that is not what was asked for.
pub(super) fn differences(laid: &Laid, found: &ContainerInspectResponse) -> Vec<String> {
    let mounted = found.mounts.as_deref().unwrap_or_default();
    let copied = laid.copied().filter(|(bind, copied)| {
        let is_it = mounted.iter().any(|mount| {
            mount.destination.as_deref() == Some(&bind.container)
                && mount.name.as_deref() == Some(&copied.volume)
                && mount.driver.as_deref() == Some(super::volumes::DRIVER)
                && mount.rw == Some(!bind.read_only)
        });
        !is_it
    });
    copied
        .map(|(bind, copied)| format!("{} is not the volume {}", bind.container, copied.volume))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::places::{Ids, Places};
    use crate::exec::{Changes, Reading};
    use crate::manifest::container::{Network, User};

    fn bind(host: &str, container: &str, read_only: bool) -> Bind {
        Bind {
            host: host.into(),
            container: container.to_owned(),
            read_only,
            file: (1, 2),
        }
    }

    fn spec(mounts: &[(&Bind, Changes)]) -> SandboxSpec {
        let mounts = mounts.iter().map(|(bind, changes)| SandboxMount {
            host: bind.host.clone(),
            container: bind.container.clone(),
            read_only: bind.read_only,
            changes: *changes,
        });
        SandboxSpec {
            image: "image".to_owned(),
            argv: vec!["true".to_owned()],
            env: Vec::new(),
            workdir: None,
            stdin: bytes::Bytes::new(),
            mounts: mounts.collect(),
            network: Network::None,
            user: User::Nobody,
            resources: crate::config::ContainerResources::default(),
            grace: std::time::Duration::ZERO,
            keep: None,
            reading: Reading::Raw,
            reach: Vec::new(),
        }
    }

    /// A workspace that is reviewed, with another folder mounted in it, and covers of both.
    #[test]
    fn what_would_cover_a_copy_is_left_out_of_it() {
        let mounts = [bind("/ws", "/w", false), bind("/side", "/w/side", true)];
        let covers = [
            bind("/ws/.git/hooks", "/w/.git/hooks", true),
            bind("/dev/null", "/w/key", true),
            bind("/dev/null", "/w/side/key", true),
        ];
        let places = Places {
            binds: mounts.iter().chain(&covers).cloned().collect(),
            hidden: vec!["/w/.ssh".to_owned(), "/w/side/.ssh".to_owned()],
            user: Ids { uid: 1, gid: 1 },
            warnings: Vec::new(),
        };
        let spec = spec(&[
            (&mounts[0], Changes::Reviewed),
            (&mounts[1], Changes::Direct),
        ]);
        let home = tempfile::tempdir().expect("a folder");
        let kept = crate::changes::Kept::new(home.path().join("changes"));
        let draft = Draft::begin(&kept, CallId::generate()).expect("begun");
        let laid = |sight| {
            let mut laid = Laid::without(&places);
            let call = CallId::generate();
            lay(sight, Some(&draft), &call, 0, &spec, &mut laid).expect("laid");
            let binds = laid.places.binds.iter().map(|it| it.container.clone());
            (binds.collect::<Vec<_>>(), laid)
        };
        let paths = |paths: &BTreeSet<PathBuf>| {
            let paths = paths.iter().map(|path| path.display().to_string());
            paths.collect::<Vec<_>>()
        };

        let (binds, rootless) = laid(Sight::NoOverlays);
        assert_eq!(binds, ["/w", "/w/side", "/w/side/key"]);
        assert_eq!(rootless.places.hidden, ["/w/side/.ssh"]);
        assert_eq!(rootless.copies.keys().collect::<Vec<_>>(), ["/w"]);
        let apart = &rootless.copies["/w"].apart;
        assert_eq!(
            paths(&apart.left_out),
            [".ssh", "key", "side/.ssh", "side/key"]
        );
        assert_eq!(paths(&apart.closed), [".git/hooks"]);
        assert_eq!(paths(&apart.elsewhere), ["side"]);

        let (binds, far) = laid(Sight::Nothing);
        assert_eq!(binds, ["/w", "/w/side"]);
        assert_eq!(far.places.hidden, Vec::<String>::new());
        assert!(far.copies["/w"].layer.is_some() && far.copies["/w/side"].layer.is_none());
        assert_eq!(
            paths(&far.copies["/w/side"].apart.left_out),
            [".ssh", "key"]
        );
        assert!(laid(Sight::Everything).1.copies.is_empty());
    }
}
