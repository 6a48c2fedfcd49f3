//! The system calls that the standard library has no safe function for. Every `unsafe` of the runner is in this room.
//!
//! Most of them cannot hurt memory at all; what each of them needs is said where it is called.

#![expect(
    unsafe_code,
    reason = "a supervisor forks, reaps, polls and asks the kernel for refusals, for which there is only libc"
)]

mod attempts;
mod files;
mod spawn;

use std::ffi::c_int;
#[cfg(not(test))]
use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub use attempts::{Attempt, attempts};
pub use files::{Dir, Limits, Mounted, can_write, mounted};
pub use spawn::{Failure, Process, Program, Step, spawn};

/// Where the program begins, called by libc: the start-up code of the standard library would be a tenth of the program, and
/// prepares for threads and panics that there are none of.
///
/// # Safety
///
/// `argv` points to `argc` C strings, which stay.
#[cfg(not(test))]
#[unsafe(no_mangle)]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    let arguments = (0..count)
        // SAFETY: there are `argc` pointers from `argv` on, each to a C string.
        .map(|at| unsafe { CStr::from_ptr(*argv.add(at)) }.to_owned())
        .collect::<Vec<CString>>();
    c_int::from(super::run(&arguments))
}

/// What a call that returns -1 for an error gave.
fn checked(result: c_int) -> io::Result<c_int> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// The effective user and group.
pub fn ids() -> (u32, u32) {
    // SAFETY: these two have no conditions.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Makes this process one that others of the same user cannot look into: neither its memory nor what it has open.
pub fn hide() -> io::Result<()> {
    // SAFETY: this option takes a number.
    checked(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) }).map(drop)
}

/// Closes what was left open beyond the three standard streams, so that no command gets it.
pub fn close_inherited() {
    let last: RawFd = 1024;
    // SAFETY: nothing was opened here yet, so nobody owns what is closed. An old kernel does not know the call.
    let is_done = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) } == 0;
    if !is_done {
        for fd in 3..last {
            // SAFETY: as above.
            unsafe { libc::close(fd) };
        }
    }
}

/// True where this is an open descriptor.
pub fn is_open(fd: RawFd) -> bool {
    // SAFETY: it only asks; a wrong descriptor is an error.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// Lets reading and writing return when there is nothing to do.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open, and these take and give numbers.
    let flags = checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })
        .map(drop)
}

/// What to wait for on a descriptor; nothing where there is none, not even its end.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    fd: Option<BorrowedFd<'a>>,
    events: i16,
}

impl<'a> Watch<'a> {
    /// That it can be read, or has ended.
    pub fn reading(fd: Option<BorrowedFd<'a>>) -> Self {
        let events = libc::POLLIN;
        Self { fd, events }
    }

    /// That it can be written to, or that nobody reads it any more.
    pub fn writing(fd: Option<BorrowedFd<'a>>) -> Self {
        let events = libc::POLLOUT;
        Self { fd, events }
    }

    /// Either or both of these; nothing where neither is wanted.
    pub fn of(fd: BorrowedFd<'a>, reading: bool, writing: bool) -> Self {
        let wanted = |is_wanted, event| if is_wanted { event } else { 0 };
        let events = wanted(reading, libc::POLLIN) | wanted(writing, libc::POLLOUT);
        let fd = Some(fd).filter(|_| events != 0);
        Self { fd, events }
    }

    /// That nobody reads it any more.
    pub fn end(fd: BorrowedFd<'a>) -> Self {
        Self {
            fd: Some(fd),
            events: 0,
        }
    }
}

/// What came of a [`Watch`].
#[derive(Clone, Copy, Default)]
pub struct Ready {
    /// Something: what was waited for, or an end or error.
    pub any: bool,
    /// Nobody reads it any more.
    pub broken: bool,
}

/// Waits until one of these is ready, a signal comes, or the time is over.
pub fn poll(watched: &[Watch<'_>], timeout: Option<Duration>) -> io::Result<Vec<Ready>> {
    let fds = watched.iter().map(|watch| libc::pollfd {
        fd: watch.fd.map_or(-1, |fd| fd.as_raw_fd()),
        events: watch.events,
        revents: 0,
    });
    let mut fds: Vec<_> = fds.collect();
    // Rounded up: waking before a deadline has passed would only mean to wait again.
    let milliseconds = timeout.map_or(-1, |timeout| {
        let rounded = timeout.as_micros().div_ceil(1000);
        c_int::try_from(rounded).unwrap_or(c_int::MAX)
    });
    let count = libc::nfds_t::try_from(fds.len()).unwrap_or(0);
    // SAFETY: there are `count` structures, and each descriptor is borrowed or -1.
    let result = checked(unsafe { libc::poll(fds.as_mut_ptr(), count, milliseconds) });
    match result {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            Ok(vec![Ready::default(); fds.len()])
        }
        Err(error) => Err(error),
        Ok(_) => Ok(fds
            .iter()
            .map(|fd| Ready {
                any: fd.revents != 0,
                broken: fd.revents & (libc::POLLERR | libc::POLLNVAL) != 0,
            })
            .collect()),
    }
}

/// A signal that came.
pub struct Signal {
    /// Its number.
    pub number: c_int,
    /// Whether it was sent from outside of this PID namespace; commands inside have no say.
    pub is_from_outside: bool,
}

/// The signals that mean something to a supervisor, as a stream.
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks them for this process and reads them from now on. A broken pipe is an error and no signal from now on.
    pub fn open() -> io::Result<Self> {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is initialised by the first call, before any other uses it; SIG_IGN is a valid disposition.
        let fd = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for number in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(set.as_mut_ptr(), number);
            }
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            checked(libc::sigprocmask(
                libc::SIG_SETMASK,
                set.as_ptr(),
                std::ptr::null_mut(),
            ))?;
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            checked(libc::signalfd(-1, set.as_ptr(), flags))?
        };
        // SAFETY: the descriptor was just made, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// To wait for the next.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }

    /// The next, if one has come.
    pub fn next(&self) -> Option<Signal> {
        let mut info = std::mem::MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: there is room for one structure, and the kernel writes whole ones or nothing.
        let read = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if usize::try_from(read) != Ok(size) {
            return None;
        }
        // SAFETY: it was read to its last byte.
        let info = unsafe { info.assume_init() };
        Some(Signal {
            number: c_int::try_from(info.ssi_signo).unwrap_or(0),
            is_from_outside: info.ssi_pid == 0,
        })
    }
}

/// A child that has ended.
pub struct Reaped {
    /// Its process id.
    pub pid: i32,
    /// The exit code, where it exited.
    pub code: Option<u8>,
    /// The signal, where one ended it.
    pub signal: Option<u8>,
    /// Its processor time in user mode and in the kernel, with that of the children it waited for, in microseconds.
    pub times_us: (u64, u64),
    /// Its largest resident set, or that of such a child, in bytes.
    pub max_rss_bytes: u64,
}

/// What there is to reap.
pub enum Children {
    /// This one, which is now reaped.
    Ended(Reaped),
    /// There are some, and none has ended.
    Alive,
    /// There are none.
    None,
}

/// Takes one child that has ended, without waiting for it.
pub fn reap() -> Children {
    let mut status: c_int = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers lead to room for what is written there; all zeroes are a valid rusage.
    let (pid, usage) = unsafe {
        let pid = libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr());
        (pid, usage.assume_init())
    };
    let microseconds = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    let byte = |number: c_int| u8::try_from(number).ok();
    match pid {
        0 => Children::Alive,
        -1 => Children::None,
        pid => Children::Ended(Reaped {
            pid,
            code: byte(libc::WEXITSTATUS(status)).filter(|_| libc::WIFEXITED(status)),
            signal: byte(libc::WTERMSIG(status)).filter(|_| libc::WIFSIGNALED(status)),
            times_us: (microseconds(usage.ru_utime), microseconds(usage.ru_stime)),
            max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        }),
    }
}

/// The process that owns a PID namespace, from within it. Whoever can show one may kill everybody else in there.
#[derive(Clone, Copy)]
pub struct First(());

impl First {
    /// `None` for any other process: there, [`First::kill_others`] would end the user's session, or the machine.
    pub fn new() -> Option<Self> {
        (std::process::id() == 1).then_some(Self(()))
    }

    /// Sends SIGKILL to every process of this namespace but this one. False where there was none.
    pub fn kill_others(self) -> bool {
        // SAFETY: no memory is touched; that the processes are ours to kill is what `First` stands for.
        let result = checked(unsafe { libc::kill(-1, libc::SIGKILL) });
        result.map_or_else(|error| error.raw_os_error() != Some(libc::ESRCH), |_| true)
    }
}

/// Has whatever loses its parent below this process become its child.
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: this option takes a number.
    checked(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }).map(drop)
}

/// Sends SIGKILL to one process that descends from this one. One that is gone, or is somebody else's by now, is left alone.
pub fn kill(process: i32) {
    if process > 1 {
        // SAFETY: no memory is touched.
        unsafe { libc::kill(process, libc::SIGKILL) };
    }
}

/// Sends a signal to the process group of a child that was not reaped yet; to the child alone, as long as it has none.
pub fn signal_group(child: i32, signal: c_int) -> io::Result<()> {
    // 0 and 1 would be this process's own group, and everything.
    if child < 2 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: no memory is touched.
    let sent = checked(unsafe { libc::kill(-child, signal) });
    // SAFETY: as above. The id is still that of the child, because it was not reaped.
    let sent = sent.or_else(|_| checked(unsafe { libc::kill(child, signal) }));
    sent.map(drop)
}
