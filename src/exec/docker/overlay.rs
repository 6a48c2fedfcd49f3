//! Workspaces that a command only seems to change: an overlay in the place of each mount that it may write to.
//!
//! The daemon mounts it, as a volume of its local driver: the folder of the host below, which is never written, and one of
//! ours above (`src/changes/draft.rs`), which then holds what changed. That takes a daemon of this machine that runs as root.
//! One that is elsewhere or rootless gets a copy instead (`copies.rs`). One in a virtual machine cannot mount it, and says so
//! when the container is started: then nothing runs (E3405).
//!
//! The kernel's notes about the overlay are kept in attributes that its owner can read (`userxattr`), and it makes no
//! redirections: a folder that is renamed is copied. So the upper folder says all there is to say, also to who is not root.
//!
//! A daemon follows paths, and a path may lead elsewhere than a moment ago. A mount is compared by its inode (`probe.rs`);
//! that of an overlay is the inode of the upper folder. So its lower one is recognised by what is in it, where the kernel
//! shows true inodes: where both are on one file system.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copies::Copied;
use super::posture;
use crate::changes::{self, Change, ChangeSet, Draft, Kept, Layer, LayerChanges, Rules, What};
use crate::error::{Code, Error, Result};
use crate::exec::places::{Bind, Places, mount_points};
use crate::exec::{CommandEnd, SandboxSpec};
use crate::ids::CallId;

/// So many entries of a workspace are enough to know it again.
const WITNESSES: usize = 16;
/// So many changes are in the result of a call; the others are looked up.
const MOST_TOLD: usize = 200;
/// So much text of differences is in the result of a call.
const MOST_DIFF: usize = 64 << 10;

/// What becomes of the changes of commands.
#[derive(Debug, Clone)]
pub struct Reviews {
    /// Where they are kept.
    pub kept: Kept,
    /// What they never reach.
    pub rules: Rules,
}

/// The mounts of one container, and what lies over them.
#[derive(Debug, Clone)]
pub(super) struct Laid {
    /// Files and folders of the host, and who the container runs as.
    pub(super) places: Places,
    /// By where they appear in the container.
    overlays: BTreeMap<String, Overlay>,
    /// Mounts that are none, but copies (`copies.rs`), in the same way.
    pub(super) copies: BTreeMap<String, Copied>,
}

impl Laid {
    /// Nothing over these places.
    pub(super) fn without(places: &Places) -> Self {
        Self {
            places: places.clone(),
            overlays: BTreeMap::new(),
            copies: BTreeMap::new(),
        }
    }

    /// What lies over a mount.
    pub(super) fn over(&self, bind: &Bind) -> Option<&Overlay> {
        self.overlays.get(&bind.container)
    }

    /// The volume that is mounted in the place of a folder of the host.
    pub(super) fn volume(&self, bind: &Bind) -> Option<&str> {
        let overlay = self.over(bind).map(|overlay| overlay.volume.as_str());
        let copied = self.copies.get(&bind.container);
        overlay.or(copied.map(|copied| copied.volume.as_str()))
    }

    /// Every mount that is a copy, in the order of their places.
    pub(super) fn copied(&self) -> impl Iterator<Item = (&Bind, &Copied)> {
        self.copies.iter().filter_map(|(container, copied)| {
            let mut binds = self.places.binds.iter();
            Some((binds.find(|bind| bind.container == *container)?, copied))
        })
    }

    /// Paths that are looked at from inside, to know again what is mounted.
    pub(super) fn witnesses(&self, bind: &Bind) -> Vec<String> {
        let overlay = self.over(bind).into_iter();
        let overlay = overlay.flat_map(|overlay| overlay.witnesses.iter().map(|(path, _)| path));
        let copied = self.copies.get(&bind.container).into_iter();
        let copied = copied.flat_map(|copied| &copied.witnesses);
        overlay.chain(copied).cloned().collect()
    }

    /// Every mount that something lies over.
    pub(super) fn overlays(&self) -> impl Iterator<Item = (&Bind, &Overlay)> {
        let binds = self.places.binds.iter();
        binds.filter_map(|bind| Some((bind, self.over(bind)?)))
    }
}

/// What lies over a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overlay {
    /// The volume that the daemon mounts.
    pub(super) volume: String,
    /// Its folders.
    pub(super) layer: Layer,
    /// Some of what is in the workspace: paths in the container, with their inodes.
    pub(super) witnesses: Vec<(String, u64)>,
}

impl Overlay {
    /// What the volume is made with.
    pub(super) fn options(&self, host: &Path) -> HashMap<String, String> {
        let options = format!(
            "lowerdir={},upperdir={},workdir={},userxattr,index=off,redirect_dir=nofollow",
            host.display(),
            self.layer.upper.display(),
            self.layer.work.display()
        );
        HashMap::from([
            ("type".to_owned(), "overlay".to_owned()),
            ("device".to_owned(), "overlay".to_owned()),
            ("o".to_owned(), options),
        ])
    }
}

/// Makes the folders of an overlay for every mount whose changes are reviewed. Not for an async thread.
///
/// # Errors
/// E3004 where there can be none over a mount.
pub(super) fn lay(
    draft: &Draft,
    call: &CallId,
    attempt: usize,
    spec: &SandboxSpec,
    laid: &mut Laid,
) -> Result<()> {
    let Laid {
        places, overlays, ..
    } = laid;
    let taken: Vec<String> = places
        .binds
        .iter()
        .map(|bind| bind.container.clone())
        .chain(places.hidden.iter().cloned())
        .collect();
    let mounted = mount_points()?;
    for (number, bind) in places.binds.iter().enumerate() {
        let is_reviewed = |mount: &&crate::exec::SandboxMount| {
            mount.is_reviewed() && mount.container == bind.container
        };
        if !spec.mounts.iter().any(|mount| is_reviewed(&mount)) {
            continue;
        }
        let name = format!("{attempt}-{number}");
        if !bind.host.is_dir() {
            return Err(CommandEnd::InvalidConfig
                .error(
                    Code::E3004,
                    format!(
                        "reviewing the changes of {}: it is a file, and only those of folders can be",
                        bind.host.display()
                    ),
                )
                .hint("Mount the folder that it lies in."));
        }
        refuse_submounts(&bind.host, &mounted)?;
        let layer = draft.layer(&name, &bind.host)?;
        for path in [&bind.host, &layer.upper] {
            check_path(path)?;
        }
        let overlay = Overlay {
            volume: format!(
                "toolhatch-changes-{}-{name}",
                call.to_string().to_lowercase()
            ),
            witnesses: witnesses(bind, &layer, &taken),
            layer,
        };
        overlays.insert(bind.container.clone(), overlay);
    }
    Ok(())
}

/// An overlay shows one file system: what is mounted below it would be an empty folder.
fn refuse_submounts(host: &Path, mounted: &[PathBuf]) -> Result<()> {
    let is_below = |point: &&PathBuf| point.starts_with(host) && *point != host;
    let Some(below) = mounted.iter().find(is_below) else {
        return Ok(());
    };
    Err(CommandEnd::InvalidConfig
        .error(
            Code::E3004,
            format!(
                "reviewing the changes of {}: {} is mounted below it, which an overlay does not show",
                host.display(),
                below.display()
            ),
        )
        .hint("Mount a folder beside it, or run the command without `--diff`."))
}

/// The daemon puts paths into one line of options, where these characters mean something.
fn check_path(path: &Path) -> Result<()> {
    let is_plain = path
        .to_str()
        .is_some_and(|text| !text.contains([',', ':', '\\', '"', '\n']));
    if is_plain {
        return Ok(());
    }
    Err(CommandEnd::InvalidConfig
        .error(
            Code::E3004,
            format!(
                "laying an overlay: there can be none with the path {:?}, which has a comma, a colon, a quotation mark, \
                 a backslash or no text in it",
                path.display().to_string()
            ),
        )
        .hint("Rename the folder, or run the command without `--diff`."))
}

fn witnesses(bind: &Bind, layer: &Layer, taken: &[String]) -> Vec<(String, u64)> {
    if !layer.is_of_one_file_system {
        return Vec::new();
    }
    let entries = std::fs::read_dir(&bind.host)
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| {
            let path = Path::new(&bind.container).join(entry.file_name());
            let path = path.to_str()?.to_owned();
            let kind = entry.file_type().ok()?;
            let is_own = !kind.is_symlink() && !taken.contains(&path);
            let found = entry.metadata().ok()?;
            (is_own && found.dev() == std::fs::symlink_metadata(&bind.host).ok()?.dev())
                .then(|| (path, found.ino()))
        })
        .take(WITNESSES)
        .collect()
}

/// Refuses where a workspace is another folder than the one that was looked at. Not for an async thread.
///
/// # Errors
/// E3405.
pub(super) fn check_again(laid: &Laid) -> Result<()> {
    let mut differences = Vec::new();
    for (bind, _) in laid.overlays() {
        let now = std::fs::symlink_metadata(&bind.host).ok();
        if now.map(|now| (now.dev(), now.ino())) != Some(bind.file) {
            differences.push(format!(
                "{} is another folder than it was",
                bind.host.display()
            ));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(posture::refusal(&differences))
}

/// What a container works on, until its command ended.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) draft: Arc<Draft>,
    pub(super) laid: Laid,
    /// What covers parts of the workspaces, by its path in the container.
    pub(super) covered: Vec<String>,
    /// When the command began.
    pub(super) since: i128,
    /// What became of copies, once it is read back.
    pub(super) returned: Vec<LayerChanges>,
}

impl Work {
    /// What the container of these places works on, which is started next.
    ///
    /// # Errors
    /// Those of [`Draft::mark`].
    pub(super) async fn begin(draft: Arc<Draft>, laid: &Laid) -> Result<Self> {
        let marking = Arc::clone(&draft);
        let marked = tokio::task::spawn_blocking(move || marking.mark()).await;
        let places = &laid.places;
        let covering = places.binds.iter().map(|bind| bind.container.clone());
        Ok(Self {
            draft,
            laid: laid.clone(),
            covered: covering.chain(places.hidden.iter().cloned()).collect(),
            since: marked.map_err(|error| {
                Error::new(Code::E3000, "looking at the clock").caused_by(error)
            })??,
            returned: Vec::new(),
        })
    }

    /// Compares what was written with what was there, and keeps it. Nothing, where nothing changed. Only when the container is
    /// gone, and not for an async thread.
    ///
    /// # Errors
    /// Those of [`changes::compare`] and of writing.
    pub(super) fn finish(&self, spec: &SandboxSpec) -> Result<Option<ChangeSet>> {
        let mut layers = self.returned.clone();
        for (bind, overlay) in self.laid.overlays() {
            let below = |place: &String| {
                let below = Path::new(place).strip_prefix(&bind.container).ok()?;
                (!below.as_os_str().is_empty()).then(|| below.to_owned())
            };
            let skip: BTreeSet<PathBuf> = self.covered.iter().filter_map(below).collect();
            let changes = changes::compare(&overlay.layer.upper, &bind.host, self.since, &skip)?;
            layers.push(LayerChanges {
                name: overlay.layer.name.clone(),
                host: bind.host.clone().into(),
                container: bind.container.clone(),
                changes,
            });
        }
        if layers.iter().all(|layer| layer.changes.is_empty()) {
            return Ok(None);
        }
        self.draft.keep(&spec.image, &spec.argv, layers).map(Some)
    }
}

/// Removes what killed processes left below the folder of all changes.
pub(super) fn sweep(kept: &Kept) -> Result<usize> {
    kept.sweep()
        .map_err(|error| error.while_doing("removing what commands wrote"))
}

/// The changes in the result of a call.
pub(super) fn in_result(set: &ChangeSet, rules: &Rules) -> serde_json::Value {
    let mut room = MOST_DIFF;
    let mut short = set.clone();
    let mut left = MOST_TOLD;
    for layer in &mut short.layers {
        layer.changes.truncate(left);
        left -= layer.changes.len();
        for change in &mut layer.changes {
            let length = change.diff.as_ref().map_or(0, String::len);
            if length > room {
                change.diff = None;
            } else {
                room -= length;
            }
        }
    }
    let mut value = short.to_json(rules);
    if let Some(object) = value.as_object_mut() {
        object.insert("count".to_owned(), set.count().into());
        let all = set.layers.iter().flat_map(|layer| {
            let refused = |change: &&Change| rules.refusal(layer, change).is_some();
            layer.changes.iter().filter(refused)
        });
        object.insert("refused".to_owned(), all.count().into());
    }
    value
}

/// One line about a set, for where there is no result.
pub(super) fn in_words(set: &ChangeSet) -> String {
    let of = |what: What| {
        let all = set.layers.iter().flat_map(|layer| &layer.changes);
        all.filter(|change| change.what == what).count()
    };
    format!(
        "what it changed is kept ({} added, {} modified, {} removed): `toolhatch sandbox changes {}`",
        of(What::Added),
        of(What::Modified) + of(What::TypeChanged),
        of(What::Removed),
        set.id
    )
}

/// The refusal of a daemon to mount an overlay.
pub(super) fn cannot_mount(error: Error) -> Error {
    CommandEnd::InvalidConfig
        .error(
            Code::E3405,
            "starting a container: the daemon cannot lay an overlay over the workspace, which a review of changes takes",
        )
        .hint(
            "It takes a daemon of this machine that runs as root, Linux 5.11, and TOOLHATCH_HOME on a file system that can be \
             written over another (ext4, xfs, btrfs; no overlay itself). A daemon that is addressed over TCP or SSH works on a copy. Without `--diff` the \
             command changes the workspace directly.",
        )
        .caused_by(error)
}

/// True where the daemon says that it could not mount a volume.
pub(super) fn is_of_mount(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("failed to mount local volume") || text.contains("error while mounting volume")
}

/// Makes room for what a command writes.
///
/// # Errors
/// Those of [`Draft::begin`].
pub(super) fn begin(kept: &Kept, call: CallId) -> Result<Arc<Draft>> {
    let begun = Draft::begin(kept, call);
    let begun =
        begun.map_err(|error| error.while_doing("making room for the changes of a command"));
    begun.map(Arc::new)
}
