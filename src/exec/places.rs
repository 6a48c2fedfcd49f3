//! What of the host a command gets: looked at before it is mounted or opened to it, because a daemon looks at nothing.
//!
//! A mount is a whole tree. What a grant of a folder does not open (`permission::Sensitive`) is therefore covered: folders
//! with credentials by empty ones, files by an empty file, and what is run later by itself, read-only. Sockets are covered
//! too: through one of a daemon, a container would be the host. Where the tree cannot be looked at, nothing is mounted.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::{CommandEnd, SandboxMount, SandboxSpec};
use crate::config::Narrowed;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::manifest::container::User;
use crate::permission::{Access, Sensitive, Sensitivity};

/// A tree with more entries than this is not looked through; it is refused.
const MOST_ENTRIES: usize = 2_000_000;
/// So many covers are as many mounts.
const MOST_COVERS: usize = 200;
/// The folder of the runner in every container.
pub(super) const RUNNER_FOLDER: &str = "/.toolhatch";
/// User and group `nobody`.
pub(super) const NOBODY: u32 = 65534;

/// Who a command runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    /// The user.
    pub(super) uid: u32,
    /// The group.
    pub(super) gid: u32,
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// A mount that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bind {
    /// The canonical path on the host.
    pub(super) host: PathBuf,
    /// Where it appears.
    pub(super) container: String,
    /// Nothing can be changed through it.
    pub(super) read_only: bool,
    /// Which file it was that was looked at: device and inode.
    pub(super) file: (u64, u64),
}

/// Everything that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// Files and folders of the host: what was granted, then what covers parts of it.
    pub(super) binds: Vec<Bind>,
    /// Folders that are covered by empty ones.
    pub(super) hidden: Vec<String>,
    /// Who the container runs as.
    pub(super) user: Ids,
    /// What the caller should know.
    pub(super) warnings: Vec<String>,
}

impl Places {
    /// True where something is mounted there already.
    pub(super) fn is_taken(&self, container: &str) -> bool {
        let trimmed = container.trim_end_matches('/');
        self.binds.iter().any(|bind| bind.container == trimmed)
    }
}

/// What the operator says of mounts and users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRules {
    /// Everything that is mounted lies in one of the folders of each of these lists.
    pub roots: Narrowed<PathBuf>,
    /// A command may run as root.
    pub allow_root: bool,
}

/// Looks at what is to be mounted. Walks whole trees: not for an async thread.
///
/// # Errors
/// E3004 where a place in the container cannot be one; E3210 where something must not be mounted; E3101 where it is not
/// there any more.
pub(super) fn look(
    spec: &SandboxSpec,
    sensitive: &Sensitive,
    rules: &PlaceRules,
    recursive_read_only: bool,
) -> Result<Places> {
    let mounted = mount_points()?;
    let mut places = Places {
        binds: Vec::new(),
        hidden: Vec::new(),
        user: Ids {
            uid: NOBODY,
            gid: NOBODY,
        },
        warnings: Vec::new(),
    };
    let mut owner: Option<(Ids, bool)> = None;
    let mut covers = Vec::new();
    for mount in &spec.mounts {
        check_target(&mount.container)?;
        let bind = check_source(mount, sensitive, rules)?;
        if mount.read_only && !recursive_read_only {
            refuse_submounts(&mount.host, &mounted)?;
        }
        if owner.is_none() || (!mount.read_only && owner.is_some_and(|(_, writable)| !writable)) {
            let metadata = stat(&mount.host)?;
            let ids = Ids {
                uid: metadata.uid(),
                gid: metadata.gid(),
            };
            owner = Some((ids, !mount.read_only));
        }
        places.binds.push(bind);
        covers.extend(cover(mount, sensitive, &mut places.hidden)?);
    }
    places.binds.append(&mut covers);
    if let (User::Workspace, Some((ids, writable))) = (spec.user, owner) {
        if ids.uid != 0 || rules.allow_root {
            places.user = ids;
        } else if writable {
            places.warnings.push(
                "the folder belongs to root, and nothing runs as root in a container: it can be written only where everybody \
                 may. Give it to a user of its own, or set `docker.allow_root`"
                    .to_owned(),
            );
        }
    }
    Ok(places)
}

fn denied(message: String) -> Error {
    CommandEnd::PolicyDenied.error(Code::E3210, message)
}

fn stat(path: &Path) -> Result<fs::Metadata> {
    fs::symlink_metadata(path).map_err(|error| {
        Error::new(
            Code::E3101,
            format!("mounting {}: it cannot be looked at", path.display()),
        )
        .caused_by(error)
    })
}

/// A place in the container: absolute, without `..`, and none of those that make a container what it is.
fn check_target(target: &str) -> Result<()> {
    let is_plain = target.starts_with('/')
        && target != "/"
        && !target
            .split('/')
            .skip(1)
            .any(|part| part.is_empty() || part == "." || part == "..")
        && !target
            .chars()
            .any(|c| c.is_control() || c == ':' || c == ',');
    let is_own = ["/proc", "/sys", "/dev", RUNNER_FOLDER]
        .iter()
        .any(|own| Path::new(target).starts_with(own));
    if is_plain && !is_own {
        return Ok(());
    }
    Err(CommandEnd::InvalidConfig
        .error(
            Code::E3004,
            format!("mounting at {target:?}: nothing can be mounted there"),
        )
        .hint("Name an absolute path such as `/workspace`: `--mount FOLDER:/workspace`."))
}

fn check_source(mount: &SandboxMount, sensitive: &Sensitive, rules: &PlaceRules) -> Result<Bind> {
    let host = &mount.host;
    let shown = host.display();
    let canonical = host.canonicalize().map_err(|error| {
        Error::new(Code::E3101, format!("mounting {shown}: it is not there")).caused_by(error)
    })?;
    // What was granted is canonical; if it is not any more, somebody put a link in its place.
    if canonical != *host {
        return Err(denied(format!(
            "mounting {shown}: a link leads to {} now",
            canonical.display()
        )));
    }
    let metadata = stat(host)?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(denied(format!(
            "mounting {shown}: it is a pipe, a socket or a device"
        )));
    }
    let access = if mount.read_only {
        Access::Read
    } else {
        Access::Write
    };
    if let Some(closed) = sensitive.closed(host, access) {
        return Err(denied(format!(
            "mounting {shown}: {} {}",
            closed.path.display(),
            closed.why
        )));
    }
    if host == Path::new("/") {
        return Err(denied(
            "mounting /: a container with the whole machine in it is none".to_owned(),
        ));
    }
    // A root that is not there has nothing below it.
    let is_below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| host.starts_with(root));
    if !rules.roots.admits(is_below) {
        return Err(denied(format!(
            "mounting {shown}: it is in none of the folders of `docker.volume_roots`"
        )));
    }
    Ok(Bind {
        host: host.clone(),
        container: mount.container.clone(),
        read_only: mount.read_only,
        file: (metadata.dev(), metadata.ino()),
    })
}

/// Where file systems are mounted on this machine.
pub(super) fn mount_points() -> Result<Vec<PathBuf>> {
    let path = Path::new("/proc/self/mountinfo");
    let table = fs::read_to_string(path).map_err(|error| fsx::io_error("reading", path, error))?;
    let field = |line: &str| line.split(' ').nth(4).map(unescape);
    Ok(table.lines().filter_map(field).collect())
}

/// Blanks and backslashes are written as octal numbers there.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'\\'
            && let Some((digits, after)) = tail.split_at_checked(3)
            && let Ok(digits) = std::str::from_utf8(digits)
            && let Ok(byte) = u8::from_str_radix(digits, 8)
        {
            bytes.push(byte);
            rest = after;
            continue;
        }
        bytes.push(*first);
        rest = tail;
    }
    use std::os::unix::ffi::OsStringExt as _;
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

fn refuse_submounts(host: &Path, mounted: &[PathBuf]) -> Result<()> {
    let Some(below) = mounted
        .iter()
        .find(|point| point.starts_with(host) && *point != host)
    else {
        return Ok(());
    };
    Err(denied(format!(
        "mounting {} read-only: {} is mounted below it, and this daemon would leave that writable",
        host.display(),
        below.display()
    ))
    .hint("Docker 25 and later can mount such folders; or grant a folder beside it."))
}

/// Walks the tree and covers what is closed in it: folders by empty ones, the rest by what is returned.
fn cover(
    mount: &SandboxMount,
    sensitive: &Sensitive,
    hidden: &mut Vec<String>,
) -> Result<Vec<Bind>> {
    if !stat(&mount.host)?.is_dir() {
        return Ok(Vec::new());
    }
    let mut binds = Vec::new();
    let mut seen = 0_usize;
    let mut open = vec![mount.host.clone()];
    let mut covered = BTreeSet::new();
    while let Some(folder) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // What cannot be looked through is not shown; a container may run as somebody who could.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                covered.insert((folder, true, Cover::Hidden));
                continue;
            }
            // Somebody removed it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(fsx::io_error("looking through", &folder, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| fsx::io_error("looking through", &folder, error))?;
            seen += 1;
            if seen > MOST_ENTRIES {
                return Err(denied(format!(
                    "mounting {}: it has more than {MOST_ENTRIES} entries, too many to look through",
                    mount.host.display()
                ))
                .hint("Grant a smaller folder."));
            }
            let path = entry.path();
            let kind = entry
                .file_type()
                .map_err(|error| fsx::io_error("looking at", &path, error))?;
            let is_dir = kind.is_dir();
            match cover_of(&path, kind.is_socket(), mount.read_only, sensitive) {
                Some(cover) => {
                    covered.insert((path.clone(), is_dir, cover));
                    if cover == Cover::ReadOnly && is_dir {
                        open.push(path);
                    }
                }
                None if is_dir => open.push(path),
                None => {}
            }
        }
    }
    if covered.len() > MOST_COVERS {
        return Err(denied(format!(
            "mounting {}: {} things in it would have to be covered",
            mount.host.display(),
            covered.len()
        ))
        .hint("Grant a smaller folder."));
    }
    for (path, is_dir, cover) in covered {
        let Ok(below) = path.strip_prefix(&mount.host) else {
            continue;
        };
        let container = Path::new(&mount.container).join(below);
        let container = container.to_string_lossy().into_owned();
        match cover {
            Cover::Hidden if is_dir => hidden.push(container),
            Cover::Hidden => binds.push(Bind {
                host: "/dev/null".into(),
                container,
                read_only: true,
                file: identity(Path::new("/dev/null"))?,
            }),
            Cover::ReadOnly => binds.push(Bind {
                file: identity(&path)?,
                host: path,
                container,
                read_only: true,
            }),
        }
    }
    Ok(binds)
}

fn identity(path: &Path) -> Result<(u64, u64)> {
    let metadata = stat(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// How something in a tree is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cover {
    /// Nothing of it can be seen.
    Hidden,
    /// It can be read.
    ReadOnly,
}

fn cover_of(path: &Path, is_socket: bool, read_only: bool, sensitive: &Sensitive) -> Option<Cover> {
    if is_socket || sensitive.closed(path, Access::Read).is_some() {
        return Some(Cover::Hidden);
    }
    if read_only {
        return None;
    }
    match sensitive.closed(path, Access::Write)?.why {
        // What only leads there can be filled; what it leads to has a cover of its own, which stays where it is.
        Sensitivity::LeadsThere => None,
        _ => Some(Cover::ReadOnly),
    }
}
