//! Our own host side of `wasi:filesystem`.
//!
//! wasmtime-wasi moves the bytes of files that are open; every *path* is resolved and decided here. A guest gets one
//! preopened directory for each mount, and a synthetic root for everything else: whatever a guest tries outside its mounts
//! reaches the host, is recorded, and is answered with `not-permitted` instead of dying as "no such file" in its libc.

mod convert;
mod operate;
mod p2;
mod p3;
mod walk;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use wasmtime::component::{HasData, Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::filesystem::{
    Descriptor, Dir, FsPerms, OpenMode, WasiFilesystemCtx, WasiFilesystemCtxView,
};

use self::operate::{Alias, Base, Entry, Opened};
use crate::exec::Mount;
use crate::host::guard::Guard;
use crate::permission::Access;

pub(in crate::host) use self::p2::add_to_linker as add_p2_to_linker;
pub(in crate::host) use self::p3::add_to_linker as add_p3_to_linker;

/// The file system one call sees.
pub(in crate::host) struct Files {
    guard: Arc<Guard>,
    mounts: Vec<OpenMount>,
    /// Where each descriptor of the resource table leads.
    places: HashMap<u32, Place>,
    /// wasmtime-wasi's own, without a single folder: every path goes through the mounts.
    pub(in crate::host) plain: WasiFilesystemCtx,
}

/// A mount whose folder is held open.
#[derive(Debug, Clone)]
struct OpenMount {
    guest: String,
    dir: Arc<File>,
    path: PathBuf,
    /// The one entry of the folder that was granted, where the grant is a file.
    only: Option<Arc<Alias>>,
}

/// Where a descriptor leads.
#[derive(Clone)]
enum Place {
    /// The synthetic root, or a folder that only exists because a mount lies below it, at this path.
    Synthetic(PathBuf),
    /// An open directory.
    Dir(Base),
    /// An open file.
    File,
}

/// What stands in the resource table for a synthetic folder.
struct SyntheticFolder;

/// Where a path given to a synthetic folder leads.
enum Route {
    /// To a synthetic folder.
    Synthetic(PathBuf),
    /// Into a mount, at this path.
    Mount(Base, String),
    /// Nowhere that was granted.
    Outside(PathBuf),
}

impl Files {
    /// Opens the mounts. A mount that is a single file opens its folder and shows only that file.
    ///
    /// # Errors
    /// The mount whose folder cannot be opened, and why.
    pub(in crate::host) fn open(
        guard: Arc<Guard>,
        mounts: &[Mount],
    ) -> Result<Self, (Mount, io::Error)> {
        let mut open = Vec::with_capacity(mounts.len());
        for mount in mounts {
            open.push(OpenMount::open(mount).map_err(|error| (mount.clone(), error))?);
        }
        Ok(Self {
            guard,
            mounts: open,
            places: HashMap::new(),
            plain: WasiFilesystemCtx::default(),
        })
    }

    /// Finds where a path given to the synthetic folder `from` leads: the longest mount that it lies in.
    fn route(&self, from: &Path, path: &str) -> Route {
        let wanted = operate::normalise(&from.join(path));
        let mut best: Option<(&OpenMount, &Path)> = None;
        let mut above = false;
        for mount in &self.mounts {
            let at = operate::normalise(Path::new(&mount.guest));
            let deeper = best.is_none_or(|(other, _)| {
                at.as_os_str().len()
                    > operate::normalise(Path::new(&other.guest))
                        .as_os_str()
                        .len()
            });
            if let Ok(below) = wanted.strip_prefix(&at) {
                if deeper {
                    best = Some((mount, below));
                }
            } else if at.starts_with(&wanted) {
                above = true;
            }
        }
        if let Some((mount, below)) = best {
            let below = below.to_string_lossy();
            let path = if below.is_empty() { "." } else { &below };
            return Route::Mount(mount.base(&self.guard), path.to_owned());
        }
        if above || wanted == Path::new("/") {
            return Route::Synthetic(wanted);
        }
        Route::Outside(wanted)
    }

    /// The names in the synthetic folder `here`, which all lead to mounts.
    fn synthetic_entries(&self, here: &Path) -> Vec<Entry> {
        let names: BTreeSet<String> = self
            .mounts
            .iter()
            .filter_map(|mount| {
                let at = operate::normalise(Path::new(&mount.guest));
                let below = at.strip_prefix(here).ok()?;
                let first = below.components().next()?;
                Some(first.as_os_str().to_string_lossy().into_owned())
            })
            .collect();
        names
            .into_iter()
            .map(|name| Entry {
                name,
                kind: FileType::Directory,
            })
            .collect()
    }
}

impl OpenMount {
    fn open(mount: &Mount) -> io::Result<Self> {
        let is_dir = std::fs::metadata(&mount.host)?.is_dir();
        let (path, only, guest) = if is_dir {
            (mount.host.clone(), None, mount.guest.clone())
        } else {
            let parent = mount.host.parent().unwrap_or(Path::new("/"));
            let name = mount
                .host
                .file_name()
                .and_then(|name| name.to_str())
                .ok_or(Errno::ILSEQ)?;
            let place = Path::new(&mount.guest);
            let shown = place
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or(name);
            let alias = Alias {
                guest: shown.to_owned(),
                host: name.to_owned(),
            };
            let guest = place
                .parent()
                .map_or_else(String::new, |folder| folder.to_string_lossy().into_owned());
            let guest = if guest.is_empty() {
                ".".to_owned()
            } else {
                guest
            };
            (parent.to_owned(), Some(Arc::new(alias)), guest)
        };
        let dir = open_canonical(&path)?;
        Ok(Self {
            guest,
            dir: Arc::new(File::from(dir)),
            path,
            only,
        })
    }

    fn base(&self, guard: &Arc<Guard>) -> Base {
        Base {
            dir: self.dir.clone(),
            path: self.path.clone(),
            guard: guard.clone(),
            alias: self.only.clone(),
        }
    }
}

/// Opens a folder by its canonical path. A symbolic link anywhere in it was put there since it was granted, and is refused.
fn open_canonical(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    match rustix::fs::openat2(
        rustix::fs::CWD,
        path,
        flags,
        Mode::empty(),
        rustix::fs::ResolveFlags::NO_SYMLINKS,
    ) {
        // Kernels before 5.6, and some sandboxes, do not have it: there only the last component is checked.
        Err(Errno::NOSYS | Errno::PERM) => {}
        opened => return Ok(opened?),
    }
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// What the implementations of the WASI traits borrow from the store.
pub(in crate::host) struct FilesView<'a> {
    pub(in crate::host) files: &'a mut Files,
    pub(in crate::host) table: &'a mut ResourceTable,
}

/// Names [`FilesView`] to wasmtime.
pub(in crate::host) struct GuardedFiles;

impl HasData for GuardedFiles {
    type Data<'a> = FilesView<'a>;
}

impl FilesView<'_> {
    /// wasmtime-wasi's own view, for what happens on descriptors that are open.
    fn plain(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView {
            ctx: &mut self.files.plain,
            table: self.table,
        }
    }

    fn place(&self, descriptor: &Resource<Descriptor>) -> wasmtime::Result<Place> {
        self.files
            .places
            .get(&descriptor.rep())
            .cloned()
            .ok_or_else(|| wasmtime::format_err!("unknown descriptor"))
    }

    fn is_synthetic(&self, descriptor: &Resource<Descriptor>) -> bool {
        matches!(
            self.files.places.get(&descriptor.rep()),
            Some(Place::Synthetic(_))
        )
    }

    /// The synthetic folder that a path leads to, where it leads to one.
    fn synthetic_at(&self, descriptor: &Resource<Descriptor>, path: &str) -> Option<PathBuf> {
        let Some(Place::Synthetic(from)) = self.files.places.get(&descriptor.rep()) else {
            return None;
        };
        match self.files.route(from, path) {
            Route::Synthetic(folder) => Some(folder),
            Route::Mount(..) | Route::Outside(_) => None,
        }
    }

    fn preopens(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut preopens = vec![(self.push_synthetic(PathBuf::from("/"))?, "/".to_owned())];
        for mount in self.files.mounts.clone() {
            let base = mount.base(&self.files.guard);
            let perms = if self.files.guard.may_write(&mount.path) || mount.only.is_some() {
                FsPerms::ReadWrite
            } else {
                FsPerms::ReadOnly
            };
            let mode = match perms {
                FsPerms::ReadOnly => OpenMode::READ,
                FsPerms::ReadWrite => OpenMode::READ | OpenMode::WRITE,
            };
            let dir = Dir::new(mount.dir.try_clone()?, perms, mode, false);
            let descriptor = self.table.push(Descriptor::Dir(dir))?;
            self.files.places.insert(descriptor.rep(), Place::Dir(base));
            preopens.push((descriptor, mount.guest));
        }
        Ok(preopens)
    }

    fn push_synthetic(
        &mut self,
        folder: PathBuf,
    ) -> Result<Resource<Descriptor>, ResourceTableError> {
        let entry = self.table.push(SyntheticFolder)?;
        self.files
            .places
            .insert(entry.rep(), Place::Synthetic(folder));
        Ok(Resource::new_own(entry.rep()))
    }

    /// The directory a path operation starts from and the path below it; for the root, the mount the path lies in.
    fn start(
        &self,
        descriptor: &Resource<Descriptor>,
        path: &str,
        access: Access,
    ) -> wasmtime::Result<io::Result<(Base, String)>> {
        Ok(match self.place(descriptor)? {
            Place::Dir(base) => Ok((base, path.to_owned())),
            Place::File => Err(Errno::NOTDIR.into()),
            Place::Synthetic(from) => match self.files.route(&from, path) {
                Route::Mount(base, below) => Ok((base, below)),
                Route::Synthetic(_) => Err(Errno::PERM.into()),
                Route::Outside(path) => {
                    self.files.guard.outside_mounts(&path, access);
                    Err(Errno::PERM.into())
                }
            },
        })
    }

    fn insert(&mut self, opened: Opened) -> wasmtime::Result<Resource<Descriptor>> {
        let place = match &opened.descriptor {
            Descriptor::File(_) => Place::File,
            Descriptor::Dir(dir) => Place::Dir(Base {
                dir: dir.dir.clone(),
                path: opened.path,
                guard: self.files.guard.clone(),
                alias: opened.alias,
            }),
        };
        let descriptor = self.table.push(opened.descriptor)?;
        self.files.places.insert(descriptor.rep(), place);
        Ok(descriptor)
    }

    fn remove(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        match self.files.places.remove(&descriptor.rep()) {
            Some(Place::Synthetic(_)) => {
                self.table
                    .delete(Resource::<SyntheticFolder>::new_own(descriptor.rep()))?;
            }
            _ => {
                self.table.delete(descriptor)?;
            }
        }
        Ok(())
    }
}

/// Runs a blocking file operation where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

/// A number that is the same for two handles of one object: its device and inode, and what tells versions apart.
fn identity(stat: &Stat) -> (u64, u64) {
    #[expect(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the widths and signs of these fields differ between systems, and only equality matters"
    )]
    let parts = (
        (stat.st_ino as u64).rotate_left(32) ^ stat.st_mtime as u64,
        (stat.st_dev as u64).rotate_left(32) ^ stat.st_mtime_nsec as u64 ^ stat.st_size as u64,
    );
    parts
}
