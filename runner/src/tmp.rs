//! Removing what earlier commands left in the folders for temporary files.
//!
//! Only in a file system in memory that belongs to the container: never in a folder of somebody's machine that is mounted
//! there. Folders are emptied by moving those inside of them up, so neither depth nor number of files takes memory.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::mounts::{self, Mount};
use crate::sys::{Dir, can_write, ids};

/// Where commands may leave something.
const FOLDERS: [&CStr; 2] = [c"/tmp", c"/dev/shm"];

/// How many names are looked at together.
const BATCH: usize = 256;

/// Removes what this user owns in these folders. Nothing else may run in the container meanwhile.
///
/// # Errors
///
/// The folder and why something of it is still there.
pub fn clean() -> Result<(), (String, io::Error)> {
    let mounts = mounts::mounts();
    for path in FOLDERS {
        let name = Path::new(OsStr::from_bytes(path.to_bytes()));
        // What cannot be written to has nothing of a command in it.
        if can_write(path) == Some(true) {
            empty(path, name, mounts.as_deref())
                .map_err(|error| (name.display().to_string(), error))?;
        }
    }
    Ok(())
}

fn empty(path: &CStr, name: &Path, mounts: Option<&[Mount]>) -> io::Result<()> {
    let unsure = |text: &str| io::Error::other(text.to_owned());
    let mounts = mounts.ok_or_else(|| unsure("what is mounted cannot be read"))?;
    if !mounts::at(mounts, name).is_some_and(|mount| mount.is_whole_tmpfs) {
        return Err(unsure("it is no tmpfs of this container"));
    }
    let has_mount = |entry: &CStr| {
        let entry = name.join(OsStr::from_bytes(entry.to_bytes()));
        mounts::at(mounts, &entry).is_some() || mounts::below(mounts, &entry).next().is_some()
    };
    let mut sweep = Sweep {
        top: Dir::open(path)?,
        uid: ids().0,
        moved: 0,
    };
    let mut asked = BATCH;
    loop {
        let names = sweep.top.names(asked)?;
        let mut kept = 0;
        for entry in &names {
            if has_mount(entry) || !sweep.remove(entry)? {
                kept += 1;
            }
        }
        if kept == names.len() && kept < asked {
            return Ok(());
        }
        asked = BATCH + kept;
    }
}

struct Sweep {
    top: Dir,
    uid: u32,
    /// How many folders were moved up, for a name of the next.
    moved: u64,
}

impl Sweep {
    /// Removes an entry of the top; folders in it become entries of the top. False where it is not ours.
    fn remove(&mut self, name: &CStr) -> io::Result<bool> {
        let kind = self.top.kind(name)?;
        if kind.uid != self.uid {
            return Ok(false);
        }
        if kind.is_dir {
            self.top.open_up(name)?;
            self.hollow(&self.top.open_at(name)?)?;
        }
        self.top.remove(name, kind.is_dir)?;
        Ok(true)
    }

    fn hollow(&mut self, dir: &Dir) -> io::Result<()> {
        loop {
            let names = dir.names(BATCH)?;
            if names.is_empty() {
                return Ok(());
            }
            for name in &names {
                if dir.kind(name)?.is_dir {
                    dir.open_up(name)?;
                    self.move_up(dir, name)?;
                } else {
                    dir.remove(name, false)?;
                }
            }
        }
    }

    fn move_up(&mut self, dir: &Dir, name: &CStr) -> io::Result<()> {
        loop {
            self.moved += 1;
            let new_name = CString::new(format!(".toolhatch-{}", self.moved))?;
            match dir.move_to(name, &self.top, &new_name) {
                Err(error) if is_taken(&error) => {}
                result => return result,
            }
        }
    }
}

/// Whether there is something of that name already, which a command may have put there.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};

    [AlreadyExists, DirectoryNotEmpty, NotADirectory].contains(&error.kind())
}
