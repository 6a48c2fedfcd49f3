//! What the host and the runner inside a container say to each other, over the runner's standard input and output.
//!
//! Everything is a frame: a byte for its kind, four for the id of the request that it belongs to, four for the length of
//! what follows, and that many bytes, at most [`MAX_PAYLOAD`]. Numbers are big-endian; a text is its length in four bytes
//! and its bytes, which need not be UTF-8. The host sends [`Order`]s, the runner [`Report`]s; one command runs at a time,
//! and everything about it carries the id of its [`Order::Run`]. Kinds are letters, those of orders small, those of
//! reports capital.
//!
//! What a command reads flows by credit: the host may have [`STDIN_WINDOW`] bytes under way that no [`Report::Taken`]
//! has answered. So a command that does not read never stands in the way of [`Order::Kill`]. What a command writes needs
//! none: when the host does not read, the runner stops reading, and the command waits. Its connections to the proxy
//! ([`Run::proxy`]) have credit each for itself in both directions, so that none stands in the way of another.
//!
//! This file is part of two packages, the runner and Toolhatch. It depends on nothing but the standard library, does no
//! I/O, and what it is fed may be anything: it answers with [`Malformed`] and never takes more memory than a frame.

mod tunnel;

use std::fmt;

pub use tunnel::{MAX_CONNECTIONS, Part, Segment, TUNNEL_WINDOW};

/// The version of this protocol, which [`Report::Ready`] tells.
pub const VERSION: u32 = 2;

/// Length of what stands before the payload of each frame, in bytes.
pub const HEADER: usize = 9;

/// The longest payload of a frame, in bytes.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// How many bytes for a command's standard input may be under way and not answered by [`Report::Taken`].
pub const STDIN_WINDOW: usize = 256 << 10;

/// Host to runner: what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Start a command; answered by [`Report::Started`] or [`Report::Refused`].
    Run(Run),
    /// Bytes for the standard input of the command with this id, within [`STDIN_WINDOW`].
    Stdin(Vec<u8>),
    /// The end of the command's standard input, after what was sent before.
    StdinEnd,
    /// Send this signal to the process group of the command. 0 is none: it extends the lease, and nothing answers.
    Signal(u8),
    /// Kill the command and everything it started, at once.
    Kill,
    /// Answered by [`Report::Pong`] with the same id. Any order extends the lease; this one does nothing else.
    Ping,
    /// Look around, and at these paths; answered by [`Report::Probed`].
    Probe(Vec<Vec<u8>>),
    /// For a connection of the command with this id.
    Tunnel(Segment),
    /// Kill what runs and exit.
    Exit,
}

/// A command to run.
#[derive(Clone, PartialEq, Eq)]
pub struct Run {
    /// The program, looked up in the `PATH` of `env` where it has no `/`, and its arguments.
    pub argv: Vec<Vec<u8>>,
    /// All of its environment, as `NAME=value`. Where there is no `PATH` in it, the runner's own is added, or a usual one.
    pub env: Vec<Vec<u8>>,
    /// The folder it starts in; empty for that of the runner.
    pub cwd: Vec<u8>,
    /// After how many milliseconds its process group gets SIGTERM; 0 for never.
    pub deadline_ms: u32,
    /// How many milliseconds after that everything gets SIGKILL.
    pub grace_ms: u32,
    /// Its umask.
    pub umask: u32,
    /// Whether it gets a standard input at all; without, it reads the end at once.
    pub stdin: bool,
    /// Whether what earlier commands left in `/tmp` and `/dev/shm` is removed first.
    pub clean_tmp: bool,
    /// The port of the loopback interface on which its connections are taken and passed to the host, as long as it runs; 0
    /// for one that the system chooses. Answered by [`Report::Listening`] before the command begins.
    pub proxy: Option<u16>,
}

/// Runner to host: what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The first frame of all, with [`VERSION`].
    Ready(u32),
    /// The command runs, with this process id inside of the container.
    Started(u32),
    /// What the command wrote to its standard output.
    Stdout(Vec<u8>),
    /// What the command wrote to its standard error.
    Stderr(Vec<u8>),
    /// So many more bytes of standard input were taken by the command, or thrown away because it has closed it.
    Taken(u32),
    /// The command has ended, all it wrote was sent, and nothing that it started is left.
    Ended(Ended),
    /// The command was not started.
    Refused(Refused),
    /// Connections to this port of the loopback interface are taken.
    Listening(u16),
    /// The command has opened a connection, which has this number from now on. It comes after [`Self::Started`].
    Opened(u32),
    /// From a connection of the command.
    Tunnel(Segment),
    /// The answer to [`Order::Ping`].
    Pong,
    /// What the runner sees around itself: one line of JSON, as the command `probe` prints it.
    Probed(String),
    /// The runner ends, with all that runs in the container, for this reason.
    Error(String),
}

/// How a command has ended, and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How its first process ended.
    pub ending: Ending,
    /// Whether the deadline passed before it had ended.
    pub timed_out: bool,
    /// Processor time of it and of all it started, in user mode, in microseconds.
    pub user_us: u64,
    /// The same in the kernel.
    pub system_us: u64,
    /// The largest resident set that any one process of it had, in bytes.
    pub max_rss_bytes: u64,
    /// How many processes of the container were killed for want of memory meanwhile; `None` where it cannot be read.
    pub oom_kills: Option<u64>,
    /// How many processes were still there when it had ended, and had to be killed: at least so many, because a process
    /// may reap its child while both are being killed.
    pub leftovers: u32,
    /// From its start until its first process had ended, in microseconds.
    pub duration_us: u64,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Exited(u8),
    /// By this signal.
    Signalled(u8),
}

/// Why a command was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What to tell it by.
    pub refusal: Refusal,
    /// The number of the system's error, 0 where there was none.
    pub errno: i32,
    /// What was tried and why it failed: a lower-case fragment.
    pub text: String,
}

/// The ways in which a command is not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another command runs.
    Busy,
    /// The order itself cannot be carried out: no program, or a text with a zero byte.
    Invalid,
    /// There is no such program: exit code 127 of a shell.
    NotFound,
    /// There is such a file, and it cannot be executed, or what interprets it is missing: exit code 126 of a shell.
    NotExecutable,
    /// The working directory cannot be entered.
    Directory,
    /// Too many processes or files, or too little memory.
    Resources,
    /// What earlier commands left in `/tmp` could not be removed.
    Unclean,
    /// Its connections cannot be taken: there is no loopback interface that is up, or somebody else has the port.
    Proxy,
}

/// Bytes that are no frame, or not one of this protocol. What follows them cannot be understood either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The payload would be longer than [`MAX_PAYLOAD`]: so long.
    TooLong(usize),
    /// There is no kind of frame with this byte in this direction.
    Kind(u8),
    /// The payload of a frame of this kind is not what it should be.
    Payload(u8),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length) => {
                write!(f, "a frame of {length} bytes; {MAX_PAYLOAD} are the most")
            }
            Self::Kind(kind) => write!(f, "a frame of the unknown kind {kind}"),
            Self::Payload(kind) => write!(f, "a frame of kind {kind} that makes no sense"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Arguments and environment are where secrets are, so it says how many there are and not which.
impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("argv", &self.argv.len())
            .field("env", &self.env.len())
            .field("cwd", &String::from_utf8_lossy(&self.cwd))
            .field("deadline_ms", &self.deadline_ms)
            .field("grace_ms", &self.grace_ms)
            .field("umask", &self.umask)
            .field("stdin", &self.stdin)
            .field("clean_tmp", &self.clean_tmp)
            .field("proxy", &self.proxy)
            .finish()
    }
}

/// One frame as it came, its payload not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its kind: [`Order::parse`] and [`Report::parse`] know them.
    pub kind: u8,
    /// The id of the request it belongs to.
    pub id: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Makes frames of bytes that come in pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// How much of the buffer was given out as frames already.
    taken: usize,
}

impl Decoder {
    /// One that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// Takes in more bytes. They are kept until [`Self::next_frame`] has given them out, so feed it what one read gave.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` where more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`Malformed::TooLong`] as soon as a header says so, and ever after: nobody knows where the next frame begins.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let mut rest = Cursor(self.buffer.get(self.taken..).unwrap_or_default());
        let (Some(kind), Some(id), Some(length)) = (rest.u8(), rest.u32(), rest.length()) else {
            return Ok(None);
        };
        if length > MAX_PAYLOAD {
            return Err(Malformed::TooLong(length));
        }
        let Some(payload) = rest.bytes(length).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.taken += HEADER + length;
        Ok(Some(Frame { kind, id, payload }))
    }
}

impl Order {
    /// Appends the frame of this order to `out`.
    ///
    /// # Errors
    ///
    /// [`Malformed::TooLong`]; nothing is appended then.
    pub fn encode(&self, id: u32, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (kind, payload) = match self {
            Self::Run(run) => (b'r', run.payload()),
            Self::Stdin(bytes) => return put_frame(b'i', id, bytes, out),
            Self::StdinEnd => (b'e', Vec::new()),
            Self::Signal(signal) => (b's', vec![*signal]),
            Self::Kill => (b'k', Vec::new()),
            Self::Ping => (b'p', Vec::new()),
            Self::Probe(paths) => {
                let mut payload = Vec::new();
                put_texts(paths, &mut payload);
                (b'q', payload)
            }
            Self::Tunnel(segment) => return segment.encode(b't', id, out),
            Self::Exit => (b'x', Vec::new()),
        };
        put_frame(kind, id, &payload, out)
    }

    /// What a frame orders.
    ///
    /// # Errors
    ///
    /// [`Malformed::Kind`] and [`Malformed::Payload`].
    pub fn parse(frame: Frame) -> Result<Self, Malformed> {
        let Frame { kind, payload, .. } = frame;
        let mut rest = Cursor(&payload);
        let order = match kind {
            b'r' => Run::parse(&mut rest).map(Self::Run),
            b'i' => return Ok(Self::Stdin(payload)),
            b'e' => Some(Self::StdinEnd),
            b's' => rest.u8().map(Self::Signal),
            b'k' => Some(Self::Kill),
            b'p' => Some(Self::Ping),
            b'q' => rest.texts().map(Self::Probe),
            b't' => Segment::parse(&mut rest).map(Self::Tunnel),
            b'x' => Some(Self::Exit),
            _ => return Err(Malformed::Kind(kind)),
        };
        rest.finish(kind, order)
    }
}

impl Report {
    /// Appends the frame of this report to `out`.
    ///
    /// # Errors
    ///
    /// [`Malformed::TooLong`]; nothing is appended then.
    pub fn encode(&self, id: u32, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (kind, payload) = match self {
            Self::Ready(version) => (b'R', version.to_be_bytes().to_vec()),
            Self::Started(pid) => (b'S', pid.to_be_bytes().to_vec()),
            Self::Stdout(bytes) => return put_frame(b'O', id, bytes, out),
            Self::Stderr(bytes) => return put_frame(b'E', id, bytes, out),
            Self::Taken(count) => (b'T', count.to_be_bytes().to_vec()),
            Self::Ended(ended) => (b'D', ended.payload()),
            Self::Refused(refused) => (b'N', refused.payload()),
            Self::Listening(port) => (b'L', port.to_be_bytes().to_vec()),
            Self::Opened(connection) => (b'A', connection.to_be_bytes().to_vec()),
            Self::Tunnel(segment) => return segment.encode(b'C', id, out),
            Self::Pong => (b'P', Vec::new()),
            Self::Probed(text) => return put_frame(b'Q', id, text.as_bytes(), out),
            Self::Error(text) => return put_frame(b'X', id, text.as_bytes(), out),
        };
        put_frame(kind, id, &payload, out)
    }

    /// What a frame reports.
    ///
    /// # Errors
    ///
    /// [`Malformed::Kind`] and [`Malformed::Payload`].
    pub fn parse(frame: Frame) -> Result<Self, Malformed> {
        let Frame { kind, payload, .. } = frame;
        let mut rest = Cursor(&payload);
        let report = match kind {
            b'R' => rest.u32().map(Self::Ready),
            b'S' => rest.u32().map(Self::Started),
            b'O' => return Ok(Self::Stdout(payload)),
            b'E' => return Ok(Self::Stderr(payload)),
            b'T' => rest.u32().map(Self::Taken),
            b'D' => Ended::parse(&mut rest).map(Self::Ended),
            b'N' => Refused::parse(&mut rest).map(Self::Refused),
            b'L' => rest.u16().map(Self::Listening),
            b'A' => rest.u32().map(Self::Opened),
            b'C' => Segment::parse(&mut rest).map(Self::Tunnel),
            b'P' => Some(Self::Pong),
            b'Q' => return Ok(Self::Probed(String::from_utf8_lossy(&payload).into_owned())),
            b'X' => return Ok(Self::Error(String::from_utf8_lossy(&payload).into_owned())),
            _ => return Err(Malformed::Kind(kind)),
        };
        rest.finish(kind, report)
    }
}

/// Bits of a [`Run`]; behind them there is a port where the last one is set.
const STDIN: u8 = 1;
const CLEAN_TMP: u8 = 2;
const PROXY: u8 = 4;

impl Run {
    fn payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_texts(&self.argv, &mut out);
        put_texts(&self.env, &mut out);
        put_text(&self.cwd, &mut out);
        for number in [self.deadline_ms, self.grace_ms, self.umask] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        let bits = [
            u8::from(self.stdin) * STDIN,
            u8::from(self.clean_tmp) * CLEAN_TMP,
            u8::from(self.proxy.is_some()) * PROXY,
        ];
        out.push(bits.into_iter().sum());
        if let Some(port) = self.proxy {
            out.extend_from_slice(&port.to_be_bytes());
        }
        out
    }

    fn parse(rest: &mut Cursor<'_>) -> Option<Self> {
        let run = Self {
            argv: rest.texts()?,
            env: rest.texts()?,
            cwd: rest.text()?,
            deadline_ms: rest.u32()?,
            grace_ms: rest.u32()?,
            umask: rest.u32()?,
            stdin: false,
            clean_tmp: false,
            proxy: None,
        };
        // A bit that is not known may be one that protects; what is not understood is not run.
        let bits = rest.u8()?;
        if bits & !(STDIN | CLEAN_TMP | PROXY) != 0 {
            return None;
        }
        Some(Self {
            stdin: bits & STDIN != 0,
            clean_tmp: bits & CLEAN_TMP != 0,
            proxy: match bits & PROXY {
                0 => None,
                _ => Some(rest.u16()?),
            },
            ..run
        })
    }
}

impl Ended {
    fn payload(&self) -> Vec<u8> {
        let (way, value) = match self.ending {
            Ending::Exited(code) => (0, code),
            Ending::Signalled(signal) => (1, signal),
        };
        let mut out = vec![way, value, u8::from(self.timed_out)];
        out.push(u8::from(self.oom_kills.is_some()));
        for number in [
            self.oom_kills.unwrap_or(0),
            self.user_us,
            self.system_us,
            self.max_rss_bytes,
            self.duration_us,
        ] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.leftovers.to_be_bytes());
        out
    }

    fn parse(rest: &mut Cursor<'_>) -> Option<Self> {
        let ending = match (rest.u8()?, rest.u8()?) {
            (0, code) => Ending::Exited(code),
            (1, signal) => Ending::Signalled(signal),
            _ => return None,
        };
        let timed_out = rest.bool()?;
        let is_known = rest.bool()?;
        let oom_kills = rest.u64()?;
        Some(Self {
            ending,
            timed_out,
            oom_kills: is_known.then_some(oom_kills),
            user_us: rest.u64()?,
            system_us: rest.u64()?,
            max_rss_bytes: rest.u64()?,
            duration_us: rest.u64()?,
            leftovers: rest.u32()?,
        })
    }
}

impl Refusal {
    const ALL: [Self; 8] = [
        Self::Busy,
        Self::Invalid,
        Self::NotFound,
        Self::NotExecutable,
        Self::Directory,
        Self::Resources,
        Self::Unclean,
        Self::Proxy,
    ];
}

impl Refused {
    fn payload(&self) -> Vec<u8> {
        let mut out = vec![self.refusal as u8];
        out.extend_from_slice(&self.errno.to_be_bytes());
        put_text(self.text.as_bytes(), &mut out);
        out
    }

    fn parse(rest: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            refusal: *Refusal::ALL.get(usize::from(rest.u8()?))?,
            errno: rest.u32()?.cast_signed(),
            text: String::from_utf8_lossy(&rest.text()?).into_owned(),
        })
    }
}

fn put_frame(kind: u8, id: u32, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Malformed::TooLong(payload.len()));
    }
    out.push(kind);
    out.extend_from_slice(&id.to_be_bytes());
    put_text(payload, out);
    Ok(())
}

/// A length that does not fit is longer than any frame, and is refused with the frame it is in.
fn put_length(length: usize, out: &mut Vec<u8>) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    put_length(text.len(), out);
    out.extend_from_slice(text);
}

fn put_texts(texts: &[Vec<u8>], out: &mut Vec<u8>) {
    put_length(texts.len(), out);
    for text in texts {
        put_text(text, out);
    }
}

/// What is left of some bytes that are read from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let length = self.length()?;
        self.bytes(length).map(<[u8]>::to_vec)
    }

    /// Grows with what is there, not with the count that somebody wrote in front of it.
    fn texts(&mut self) -> Option<Vec<Vec<u8>>> {
        let count = self.length()?;
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.text()?);
        }
        Some(texts)
    }

    /// What was parsed, where it was all there and nothing follows it.
    fn finish<T>(&self, kind: u8, parsed: Option<T>) -> Result<T, Malformed> {
        parsed
            .filter(|_| self.0.is_empty())
            .ok_or(Malformed::Payload(kind))
    }
}
