//! Trying what a sandbox has to refuse. Each attempt is made so that it changes nothing where it succeeds.

use std::ffi::{CStr, CString, c_int, c_long};

use super::ids;

/// What came of trying something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The kernel refused, or ended the process that tried.
    Refused,
    /// It can be done here.
    Done,
    /// It could not be tried.
    Unknown,
}

/// Everything that is tried, by name.
pub fn attempts() -> Vec<(&'static str, Attempt)> {
    let tried: [(&str, Try); 9] = [
        ("unshare_user", || unshare(libc::CLONE_NEWUSER)),
        ("unshare_mount", || unshare(libc::CLONE_NEWNS)),
        ("mount", mount),
        ("chroot", chroot),
        ("mknod", mknod),
        ("chown", chown),
        ("setuid", setuid),
        ("keyctl", keyctl),
        ("bpf", bpf),
    ];
    let in_child = |(name, attempt): (&'static str, Try)| (name, apart(attempt));
    tried.into_iter().map(in_child).collect()
}

/// One attempt; its result is the exit code of the child that makes it.
type Try = fn() -> c_int;

const DONE: c_int = 0;
const REFUSED: c_int = 1;
const UNKNOWN: c_int = 2;

/// Makes the attempt in a child, so that nothing of it stays and a filter may kill it.
fn apart(attempt: Try) -> Attempt {
    // SAFETY: there is one thread, so the child can do what its parent can; it ends without running the parent's ends.
    unsafe {
        match libc::fork() {
            -1 => Attempt::Unknown,
            0 => libc::_exit(attempt()),
            pid => {
                let mut status: c_int = 0;
                while libc::waitpid(pid, &raw mut status, 0) == -1 {
                    if *libc::__errno_location() != libc::EINTR {
                        return Attempt::Unknown;
                    }
                }
                match libc::WEXITSTATUS(status) {
                    DONE if libc::WIFEXITED(status) => Attempt::Done,
                    UNKNOWN if libc::WIFEXITED(status) => Attempt::Unknown,
                    _ => Attempt::Refused,
                }
            }
        }
    }
}

fn refused_if(result: c_long) -> c_int {
    if result == -1 { REFUSED } else { DONE }
}

/// Whether the last call was turned down for what it is, and not for how it was made.
fn refused_if_not_permitted(result: c_long) -> c_int {
    // SAFETY: the address of this thread's error number is always valid.
    let errno = unsafe { *libc::__errno_location() };
    if result == -1 && [libc::EPERM, libc::EACCES, libc::ENOSYS].contains(&errno) {
        REFUSED
    } else {
        DONE
    }
}

fn unshare(flags: c_int) -> c_int {
    // SAFETY: it changes nothing but this child.
    refused_if(unsafe { libc::unshare(flags) }.into())
}

/// A file system that does not exist: whoever may mount is told that, anybody else that they may not.
fn mount() -> c_int {
    let (none, root) = (c"none", c"/");
    let kind = c"toolhatch-no-such-file-system";
    // SAFETY: the strings are there, and there is no data.
    let result = unsafe {
        libc::mount(
            none.as_ptr(),
            root.as_ptr(),
            kind.as_ptr(),
            0,
            std::ptr::null(),
        )
    };
    refused_if_not_permitted(result.into())
}

fn chroot() -> c_int {
    // SAFETY: the string is there; the root stays where it is.
    refused_if(unsafe { libc::chroot(c"/".as_ptr()) }.into())
}

/// Folders that may be there to be written to.
const FOLDERS: [&CStr; 3] = [c"/tmp", c"/dev/shm", c"/"];

/// A name in such a folder that nothing else has.
fn name_in(folder: &CStr) -> Option<CString> {
    let mut path = folder.to_bytes().to_vec();
    path.extend_from_slice(format!("/.toolhatch-probe-{}", std::process::id()).as_bytes());
    CString::new(path).ok()
}

/// The device that /dev/null is, wherever one can be made.
fn mknod() -> c_int {
    for path in FOLDERS.into_iter().filter_map(name_in) {
        let device = libc::makedev(1, 3);
        // SAFETY: the path is a C string.
        let is_made = unsafe { libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o600, device) } == 0;
        if is_made {
            // SAFETY: as above.
            unsafe { libc::unlink(path.as_ptr()) };
            return DONE;
        }
    }
    REFUSED
}

/// Gives a file of its own away.
fn chown() -> c_int {
    for path in FOLDERS.into_iter().filter_map(name_in) {
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
        // SAFETY: the path is a C string, and the descriptor that comes back is closed with the child.
        unsafe {
            let fd = libc::open(path.as_ptr(), flags, 0o600);
            if fd == -1 {
                continue;
            }
            let result = libc::fchown(fd, ids().0 ^ 1, u32::MAX);
            libc::unlink(path.as_ptr());
            return refused_if(result.into());
        }
    }
    UNKNOWN
}

/// Becomes root; whoever is that already becomes somebody else.
fn setuid() -> c_int {
    let other = if ids().0 == 0 { 65534 } else { 0 };
    // SAFETY: it changes nothing but this child.
    refused_if(unsafe { libc::setuid(other) }.into())
}

/// Asks for the session's keyring, which is shared with the host where no filter stands before it.
fn keyctl() -> c_int {
    const GET_KEYRING_ID: c_long = 0;
    const SESSION_KEYRING: c_long = -3;
    // SAFETY: this operation takes numbers, and makes nothing where the last is 0.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, GET_KEYRING_ID, SESSION_KEYRING, 0) };
    refused_if_not_permitted(result)
}

/// Asks for an operation that there is not.
fn bpf() -> c_int {
    // SAFETY: no structure is given, so none is read.
    let result = unsafe { libc::syscall(libc::SYS_bpf, c_int::MAX, 0, 0) };
    refused_if_not_permitted(result)
}
