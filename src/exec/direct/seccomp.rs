//! Which system calls a command may make.
//!
//! What files it reaches is Landlock's matter; this is about what Landlock has no say in: other processes, the machine as a
//! whole, sockets, and changing the owner, the rights or the times of files by their path, which Landlock lets everybody do
//! everywhere. Calls that are newer than this list are refused as if there were none, and so is every other way of making
//! calls: 32 bit ones, and on x86-64 those with numbers of their own.

use std::io;

use seccompiler::sock_filter;

use super::order::Reachable;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_003E);
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_00B7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: Option<u32> = None;

/// The last system call that was looked at: `mseal`.
const LAST: u32 = 462;
/// From 424 on the numbers are the same everywhere.
const FCHMODAT2: u32 = 452;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const NOT_PERMITTED: u32 = 0x0005_0000 | libc::EPERM.cast_unsigned();
const NOT_THERE: u32 = 0x0005_0000 | libc::ENOSYS.cast_unsigned();

/// Every flag of `clone` that makes a namespace.
const NAMESPACES: u32 = 0x7E02_0000;

/// Where things are in what a filter looks at.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// Never, whatever was granted.
const DENIED: &[libc::c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    // What is mounted where, and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // The kernel itself, and the machine.
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
    // Memory and queues that all processes of a user have in common.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // Files by their path, which Landlock does not decide on.
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_inotify_add_watch,
];

/// Those of them that only older architectures have.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[libc::c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[libc::c_long] = &[];

/// Filters this process for good, and has it gain no privileges.
///
/// # Errors
/// Where the kernel has no filters, or none for this architecture is known.
pub(super) fn apply(network: Reachable) -> io::Result<()> {
    let program = program(network)
        .ok_or_else(|| io::Error::other("system calls are not known on this architecture"))?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

fn program(network: Reachable) -> Option<Vec<sock_filter>> {
    let mut filter = Filter::default();
    filter.load(ARCH);
    filter.unless_equal(ARCHITECTURE?, KILL);
    filter.load(NUMBER);
    filter.above(LAST, NOT_THERE);
    for call in DENIED.iter().chain(DENIED_HERE) {
        filter.equal(number(*call)?, NOT_PERMITTED);
    }
    filter.equal(FCHMODAT2, NOT_PERMITTED);
    // Its flags are in memory, which a filter cannot look at; without it, everybody uses the older one.
    filter.equal(number(libc::SYS_clone3)?, NOT_THERE);
    filter.within(number(libc::SYS_clone)?, |filter| {
        filter.load(argument(0));
        filter.any_bit(NAMESPACES, NOT_PERMITTED);
    });
    filter.within(number(libc::SYS_socket)?, |filter| {
        if network != Reachable::Nobody {
            filter.load(argument(0));
            filter.unless_one_of(&[libc::AF_INET, libc::AF_INET6], NOT_PERMITTED);
            filter.load(argument(1));
            // Above that are flags, such as for closing it on exec.
            filter.and(0xf);
            filter.unless_one_of(&[libc::SOCK_STREAM, libc::SOCK_DGRAM], NOT_PERMITTED);
        } else {
            filter.end(NOT_PERMITTED);
        }
    });
    // Only of oneself: the limits of any process of the same user could be set.
    filter.within(number(libc::SYS_prlimit64)?, |filter| {
        filter.load(argument(0));
        filter.unless_equal(0, NOT_PERMITTED);
    });
    // Without a path it is about an open file.
    filter.within(number(libc::SYS_utimensat)?, |filter| {
        filter.load(argument(1));
        filter.unless_equal(0, NOT_PERMITTED);
        filter.load(argument(1) + 4);
        filter.unless_equal(0, NOT_PERMITTED);
    });
    // Typing for whoever sits at a terminal.
    filter.within(number(libc::SYS_ioctl)?, |filter| {
        filter.load(argument(1));
        filter.equal(
            u32::try_from(libc::TIOCSTI).unwrap_or(u32::MAX),
            NOT_PERMITTED,
        );
        filter.equal(
            u32::try_from(libc::TIOCLINUX).unwrap_or(u32::MAX),
            NOT_PERMITTED,
        );
    });
    filter.end(ALLOW);
    Some(filter.0)
}

fn number(call: libc::c_long) -> Option<u32> {
    u32::try_from(call).ok()
}

/// The lower half of an argument; both architectures have it in front.
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// A program for the kernel's filter, in which every step that decides ends it.
#[derive(Default)]
struct Filter(Vec<sock_filter>);

impl Filter {
    fn step(&mut self, code: u32, k: u32, jt: u8, jf: u8) {
        // The codes are those of classic BPF, all below 256.
        let code = u16::try_from(code).unwrap_or_default();
        self.0.push(sock_filter { code, jt, jf, k });
    }

    fn load(&mut self, offset: u32) {
        self.step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    }

    fn and(&mut self, mask: u32) {
        self.step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, mask, 0, 0);
    }

    fn end(&mut self, action: u32) {
        self.step(libc::BPF_RET | libc::BPF_K, action, 0, 0);
    }

    fn equal(&mut self, value: u32, action: u32) {
        self.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, 1);
        self.end(action);
    }

    fn unless_equal(&mut self, value: u32, action: u32) {
        self.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 1, 0);
        self.end(action);
    }

    fn unless_one_of(&mut self, values: &[libc::c_int], action: u32) {
        for (index, value) in values.iter().enumerate() {
            // Over the remaining comparisons, and over the end.
            let over = u8::try_from(values.len() - index).unwrap_or_default();
            let value = value.cast_unsigned();
            self.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, over, 0);
        }
        self.end(action);
    }

    fn any_bit(&mut self, mask: u32, action: u32) {
        self.step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, mask, 0, 1);
        self.end(action);
    }

    fn above(&mut self, value: u32, action: u32) {
        self.step(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, value, 0, 1);
        self.end(action);
    }

    /// Steps for one system call alone, after which it is allowed.
    fn within(&mut self, call: u32, steps: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        steps(&mut inner);
        inner.end(ALLOW);
        let over = u8::try_from(inner.0.len()).unwrap_or_default();
        self.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call, 0, over);
        self.0.append(&mut inner.0);
    }
}
