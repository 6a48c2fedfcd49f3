//! Folders by descriptor, mounts, and the limits of this process.

use std::ffi::{CStr, CString, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::checked;

/// A folder that is open. What is done in it goes through its descriptor, and no symbolic link is followed.
pub struct Dir(OwnedFd);

/// What an entry of a folder is, and whose.
pub struct Kind {
    /// Whether it is a folder; a link to one is none.
    pub is_dir: bool,
    /// Its owner.
    pub uid: u32,
}

impl Dir {
    /// Opens the folder with this path.
    pub fn open(path: &CStr) -> io::Result<Self> {
        Self::open_below(libc::AT_FDCWD, path)
    }

    /// Opens a folder in this one.
    pub fn open_at(&self, name: &CStr) -> io::Result<Self> {
        Self::open_below(self.0.as_raw_fd(), name)
    }

    /// Makes a folder in this one, which is known to be no link, one that its owner can do everything in.
    pub fn open_up(&self, name: &CStr) -> io::Result<()> {
        let at = self.0.as_raw_fd();
        // SAFETY: the descriptor is open and the name is a C string.
        checked(unsafe { libc::fchmodat(at, name.as_ptr(), 0o700, 0) }).map(drop)
    }

    fn open_below(at: c_int, name: &CStr) -> io::Result<Self> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: the name is a C string.
        let fd = checked(unsafe { libc::openat(at, name.as_ptr(), flags) })?;
        // SAFETY: the descriptor was just made, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Some names of what is in it, at most `count`, without `.` and `..`. From its beginning each time.
    pub fn names(&self, count: usize) -> io::Result<Vec<CString>> {
        // A stream closes its descriptor, so it gets one of its own.
        let own = Self::open_below(self.0.as_raw_fd(), c".")?;
        // SAFETY: the descriptor is open, and given up to the stream.
        let stream = unsafe { libc::fdopendir(std::os::fd::IntoRawFd::into_raw_fd(own.0)) };
        if stream.is_null() {
            return Err(io::Error::last_os_error());
        }
        let mut names = Vec::new();
        while names.len() < count {
            // SAFETY: the stream is open; an entry stays until the next is read, and its name is a C string.
            let name = unsafe {
                let entry = libc::readdir64(stream);
                if entry.is_null() {
                    break;
                }
                CStr::from_ptr((&raw const (*entry).d_name).cast())
            };
            if name != c"." && name != c".." {
                names.push(name.to_owned());
            }
        }
        // SAFETY: it is closed once, and not used after that.
        unsafe { libc::closedir(stream) };
        Ok(names)
    }

    /// What the entry with this name is.
    pub fn kind(&self, name: &CStr) -> io::Result<Kind> {
        let mut stat = MaybeUninit::<libc::stat64>::zeroed();
        let (at, flags) = (self.0.as_raw_fd(), libc::AT_SYMLINK_NOFOLLOW);
        // SAFETY: there is room for the structure, and all zeroes are a valid one.
        let stat = unsafe {
            checked(libc::fstatat64(at, name.as_ptr(), stat.as_mut_ptr(), flags))?;
            stat.assume_init()
        };
        Ok(Kind {
            is_dir: stat.st_mode & libc::S_IFMT == libc::S_IFDIR,
            uid: stat.st_uid,
        })
    }

    /// Removes a file, a link, or an empty folder.
    pub fn remove(&self, name: &CStr, is_dir: bool) -> io::Result<()> {
        let flags = if is_dir { libc::AT_REMOVEDIR } else { 0 };
        // SAFETY: the descriptor is open and the name is a C string.
        checked(unsafe { libc::unlinkat(self.0.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
    }

    /// Moves an entry into another folder, where there must be nothing of that name but an empty folder.
    pub fn move_to(&self, name: &CStr, to: &Self, new_name: &CStr) -> io::Result<()> {
        let (from, into) = (self.0.as_raw_fd(), to.0.as_raw_fd());
        // SAFETY: the descriptors are open and the names are C strings.
        checked(unsafe { libc::renameat(from, name.as_ptr(), into, new_name.as_ptr()) }).map(drop)
    }
}

/// How a path is mounted.
#[derive(Debug, Clone, Copy)]
pub struct Mounted {
    /// Nothing can be written.
    pub is_read_only: bool,
    /// Nothing can be executed.
    pub noexec: bool,
    /// Programs run as whoever starts them.
    pub nosuid: bool,
    /// Devices are files.
    pub nodev: bool,
    /// The size of the file system in bytes.
    pub size: u64,
}

/// How this path is mounted.
pub fn mounted(path: &CStr) -> io::Result<Mounted> {
    let mut stat = MaybeUninit::<libc::statvfs64>::zeroed();
    // SAFETY: there is room for the structure, and all zeroes are a valid one.
    let stat = unsafe {
        checked(libc::statvfs64(path.as_ptr(), stat.as_mut_ptr()))?;
        stat.assume_init()
    };
    let has = |flag| stat.f_flag & flag != 0;
    Ok(Mounted {
        is_read_only: has(libc::ST_RDONLY),
        noexec: has(libc::ST_NOEXEC),
        nosuid: has(libc::ST_NOSUID),
        nodev: has(libc::ST_NODEV),
        size: stat.f_blocks.saturating_mul(stat.f_frsize),
    })
}

/// Whether this process could write there; `None` where there is nothing.
pub fn can_write(path: &CStr) -> Option<bool> {
    // SAFETY: the path is a C string.
    let result = checked(unsafe { libc::access(path.as_ptr(), libc::W_OK) });
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        result => Some(result.is_ok()),
    }
}

/// The resource limits of this process, each as its soft and its hard value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits(Vec<(u64, u64)>);

impl Limits {
    /// As they are now.
    pub fn now() -> Self {
        Self((0..16).map_while(limit).collect())
    }

    /// Open files, soft and hard.
    pub fn files(&self) -> Option<(u64, u64)> {
        self.0
            .get(usize::try_from(libc::RLIMIT_NOFILE).ok()?)
            .copied()
    }

    /// Size of a core dump, soft and hard.
    pub fn core(&self) -> Option<(u64, u64)> {
        self.0
            .get(usize::try_from(libc::RLIMIT_CORE).ok()?)
            .copied()
    }
}

/// The limit with this number, by the kernel's own call: the C libraries number with types of their own.
fn limit(number: u32) -> Option<(u64, u64)> {
    let mut limit = MaybeUninit::<libc::rlimit64>::zeroed();
    let nothing_new = std::ptr::null::<libc::rlimit64>();
    // SAFETY: there is room for the structure, which has the kernel's two numbers of 64 bits, and nothing is set.
    let limit = unsafe {
        let result = libc::syscall(
            libc::SYS_prlimit64,
            0,
            number,
            nothing_new,
            limit.as_mut_ptr(),
        );
        if result == -1 {
            return None;
        }
        limit.assume_init()
    };
    Some((limit.rlim_cur, limit.rlim_max))
}
