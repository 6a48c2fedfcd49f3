//! Starting a program: fork, and what happens in the child until it is another program.

use std::ffi::{CStr, CString, c_char, c_int};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::checked;

/// What to start.
pub struct Program {
    /// Where it may lie; the first that can be executed is.
    pub paths: Vec<CString>,
    /// Its arguments, with its name.
    pub argv: Vec<CString>,
    /// Its environment.
    pub env: Vec<CString>,
    /// The folder to start in.
    pub cwd: Option<CString>,
    /// Its umask.
    pub umask: u32,
    /// How willingly the kernel kills it for want of memory, from -1000 to 1000, as text.
    pub oom_score: Option<CString>,
}

/// A program that was started, in a session and process group of its own, and the other ends of its pipes.
pub struct Process {
    /// Its process id.
    pub pid: i32,
    /// Its standard input.
    pub stdin: OwnedFd,
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
    /// Ends when the program is executed; a [`Failure`] comes out of it where that cannot be done.
    pub start: File,
}

/// Why a program was not executed after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What could not be done.
    pub step: Step,
    /// The error.
    pub errno: i32,
}

/// What is done on the way to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Session, streams and signals.
    Prepare = 1,
    /// The working directory.
    Enter = 2,
    /// Executing it.
    Execute = 3,
    /// The same, where the file is there and what should interpret it is not.
    Interpret = 4,
}

impl Failure {
    /// What a child wrote into its end of [`Process::start`].
    fn parse(bytes: [u8; 5]) -> Self {
        let [step, errno @ ..] = bytes;
        let steps = [Step::Enter, Step::Execute, Step::Interpret];
        let known = steps.into_iter().find(|known| *known as u8 == step);
        Self {
            step: known.unwrap_or(Step::Prepare),
            errno: i32::from_ne_bytes(errno),
        }
    }
}

impl Process {
    /// Whether it was executed; `None` where that is not known yet.
    pub fn started(start: &mut File) -> Option<Result<(), Failure>> {
        let mut bytes = [0; 5];
        match start.read(&mut bytes) {
            Ok(0) => Some(Ok(())),
            Ok(_) => Some(Err(Failure::parse(bytes))),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => None,
                _ => Some(Ok(())),
            },
        }
    }
}

/// Starts a program. That it is executed is not waited for: a file system may take its time.
pub fn spawn(program: &Program) -> io::Result<Process> {
    let (stdin_theirs, stdin) = io::pipe()?;
    let (stdout, stdout_theirs) = io::pipe()?;
    let (stderr, stderr_theirs) = io::pipe()?;
    let (start, start_theirs) = io::pipe()?;
    let process = Process {
        pid: 0,
        stdin: stdin.into(),
        stdout: stdout.into(),
        stderr: stderr.into(),
        start: File::from(OwnedFd::from(start)),
    };
    for fd in [
        process.stdin.as_fd(),
        process.stdout.as_fd(),
        process.stderr.as_fd(),
        process.start.as_fd(),
    ] {
        super::set_nonblocking(fd)?;
    }
    // Everything that takes memory is made here: the child is a copy that had better call nothing but the kernel.
    let child = Child {
        argv: pointers(&program.argv),
        env: pointers(&program.env),
        program,
        streams: [
            stdin_theirs.as_raw_fd(),
            stdout_theirs.as_raw_fd(),
            stderr_theirs.as_raw_fd(),
        ],
        start: start_theirs.as_raw_fd(),
    };
    // SAFETY: there is one thread, and the child only calls `Child::become_program`, which never returns.
    match checked(unsafe { libc::fork() })? {
        // SAFETY: this is the child of a process with one thread.
        0 => unsafe { child.become_program() },
        pid => Ok(Process { pid, ..process }),
    }
}

/// The strings as `execve` wants them; they have to outlive this.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let all = strings.iter().map(|string| string.as_ptr());
    all.chain([std::ptr::null()]).collect()
}

struct Child<'a> {
    program: &'a Program,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    streams: [c_int; 3],
    start: c_int,
}

impl Child<'_> {
    /// # Safety
    ///
    /// Only in a process that was just forked: its streams, signals and session are changed, and it ends here.
    unsafe fn become_program(&self) -> ! {
        // SAFETY: as this function asks for.
        let Err((step, error)) = unsafe { self.try_all() };
        let [a, b, c, d] = error.to_ne_bytes();
        let failure = [step as u8, a, b, c, d];
        // SAFETY: the descriptor is ours and the array is there; `_exit` runs nothing of the parent's.
        unsafe {
            libc::write(self.start, failure.as_ptr().cast(), failure.len());
            libc::_exit(127)
        }
    }

    /// # Safety
    ///
    /// As [`Self::become_program`].
    unsafe fn try_all(&self) -> Result<std::convert::Infallible, (Step, c_int)> {
        let at = |step| move |error: io::Error| (step, error.raw_os_error().unwrap_or(0));
        // SAFETY: a process of its own may do all of this to itself; every pointer is to a string that is there.
        unsafe {
            checked(libc::setsid()).map_err(at(Step::Prepare))?;
            // Nobody would end it without the runner; in a container, the kernel does that anyway.
            checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))
                .map_err(at(Step::Prepare))?;
            for (to, from) in (0..).zip(self.streams) {
                checked(libc::dup2(from, to)).map_err(at(Step::Prepare))?;
            }
            // The runner ignores one signal, and whoever started it may have ignored others, also those two that the C
            // library keeps for itself. All zeroes are the default; what cannot be changed is the default.
            let default = [0_u64; 4];
            for signal in 1..=64 {
                let (action, old) = (default.as_ptr(), std::ptr::null_mut::<u64>());
                libc::syscall(
                    libc::SYS_rt_sigaction,
                    signal,
                    action,
                    old,
                    size_of::<u64>(),
                );
            }
            let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
            libc::umask(self.program.umask & 0o777);
            self.offer_to_oom_killer();
            if let Some(cwd) = &self.program.cwd {
                checked(libc::chdir(cwd.as_ptr())).map_err(at(Step::Enter))?;
            }
        }
        Err(self.execute())
    }

    /// Without memory it is the command that has to go and not its supervisor. Where it cannot be had, it is as before.
    fn offer_to_oom_killer(&self) {
        let Some(score) = &self.program.oom_score else {
            return;
        };
        let path: &CStr = c"/proc/self/oom_score_adj";
        // SAFETY: the strings are there, and the descriptor is one that was just opened. The child of a process that
        // cannot be looked into may not write its own files in /proc; nothing else runs that could look into this one.
        unsafe {
            libc::prctl(libc::PR_SET_DUMPABLE, 1);
            let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if fd != -1 {
                let bytes = score.as_bytes();
                libc::write(fd, bytes.as_ptr().cast(), bytes.len());
                libc::close(fd);
            }
        }
    }

    /// Tries one path after the other, as a shell does; returns why none of them could be executed.
    fn execute(&self) -> (Step, c_int) {
        let mut failure = (Step::Execute, libc::ENOENT);
        let is_only = self.program.paths.len() == 1;
        for path in &self.program.paths {
            // SAFETY: path, arguments and environment are C strings, the lists end with a null, and all outlive the calls.
            let (errno, exists) = unsafe {
                libc::execve(path.as_ptr(), self.argv.as_ptr(), self.env.as_ptr());
                let errno = *libc::__errno_location();
                (errno, libc::access(path.as_ptr(), libc::F_OK) == 0)
            };
            match errno {
                libc::ENOENT | libc::ENOTDIR if exists => return (Step::Interpret, errno),
                libc::ENOENT | libc::ENOTDIR => {}
                // A folder that may not be looked into is one without the program, where there are others.
                libc::EACCES if exists || is_only => failure = (Step::Execute, errno),
                libc::EACCES => {}
                _ => return (Step::Execute, errno),
            }
        }
        failure
    }
}
