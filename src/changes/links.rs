//! Where a symbolic link leads, without following it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux follows in one path.
const MAX_LINKS: usize = 40;

/// True where a link at `link`, relative to the workspace, could lead out of it. `look` gives the target of the link at a
/// path of the workspace, as it will be.
pub(super) fn leads_out(
    link: &Path,
    target: &Path,
    look: impl Fn(&Path) -> Option<PathBuf>,
) -> bool {
    let mut here: Vec<OsString> = link
        .parent()
        .into_iter()
        .flat_map(Path::components)
        .map(|component| component.as_os_str().to_owned())
        .collect();
    let mut pending = VecDeque::new();
    if !push(target, &mut pending) {
        return true;
    }
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            if here.pop().is_none() {
                return true;
            }
            continue;
        }
        here.push(name);
        let path: PathBuf = here.iter().collect();
        if let Some(target) = look(&path) {
            links += 1;
            here.pop();
            if links > MAX_LINKS || !push(&target, &mut pending) {
                return true;
            }
        }
    }
    false
}

/// Puts a target before what is left; false where it begins at the root of the machine.
fn push(target: &Path, pending: &mut VecDeque<OsString>) -> bool {
    for component in target.components().rev() {
        match component {
            Component::Normal(name) => pending.push_front(name.to_owned()),
            Component::ParentDir => pending.push_front("..".into()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}
