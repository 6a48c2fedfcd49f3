//! Calls of the kernel that nothing wraps safely, and the socket that processes of ours talk over.

use std::ffi::c_short;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;

/// `IFF_UP` and `IFF_RUNNING`.
const UP: c_short = 0x41;

/// The socket that a process of ours was given as its standard input, to talk to whoever started it. It is not passed on.
pub(super) fn control() -> io::Result<UnixStream> {
    let own = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    Ok(UnixStream::from(own))
}

/// Has every descriptor but the three standard ones closed in whatever this process becomes or starts.
pub(super) fn keep_descriptors() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    #[expect(unsafe_code, reason = "nothing wraps close_range(2)")]
    // SAFETY: it sets a flag of descriptors and closes none; nobody's idea of which are open becomes wrong.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    checked(done)
}

/// Gives up every capability. They cannot be had back once no new privileges can be gained.
pub(super) fn drop_capabilities() -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`: each set is two words.
    const VERSION: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION, 0];
    let none: [u32; 6] = [0; 6];
    #[expect(unsafe_code, reason = "nothing wraps capset(2) in what is built here")]
    // SAFETY: both point to as many words as this version of the call reads, which writes none of them.
    let done = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    checked(done)
}

/// Begins a network of its own for this process, the only thread of which this is, and for whatever it starts. `as_user`
/// for who may do that only in a user namespace.
pub(super) fn leave_network(as_user: bool) -> io::Result<()> {
    let user = if as_user { libc::CLONE_NEWUSER } else { 0 };
    #[expect(unsafe_code, reason = "nothing wraps unshare(2) in what is built here")]
    // SAFETY: it takes a number, and changes nothing that memory or descriptors depend on.
    let done = unsafe { libc::unshare(libc::CLONE_NEWNET | user) };
    checked(done.into())
}

/// Takes the loopback interface up.
pub(super) fn raise_loopback() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    #[expect(unsafe_code, reason = "nothing wraps this ioctl(2)")]
    // SAFETY: the request is plain numbers, for which zero is valid; it has the name of an interface, and flags, which this
    // call reads.
    let done = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
            *place = libc::c_char::try_from(*byte).unwrap_or_default();
        }
        request.ifr_ifru.ifru_flags = UP;
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)
    };
    checked(done.into())
}

/// What the children of this process took that have ended: microseconds as user, as kernel, and the largest in bytes.
pub(super) fn used_by_children() -> (u64, u64, u64) {
    #[expect(
        unsafe_code,
        reason = "nothing wraps getrusage(2) in what is built here"
    )]
    // SAFETY: the structure is plain numbers, for which zero is valid, and the call writes it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let micros = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or_default()
    };
    let largest = u64::try_from(usage.ru_maxrss).unwrap_or_default();
    (
        micros(usage.ru_utime),
        micros(usage.ru_stime),
        largest << 10,
    )
}

fn checked(done: libc::c_long) -> io::Result<()> {
    if done == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
