//! The socket to a supervisor, seen from Toolhatch: what it is told, and what it and its command say.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream as Pair;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::order::Order;
use super::{SUBCOMMAND, descriptor, unconfined};
use crate::error::{Code, Error, Result};
use toolhatch_runner::protocol::{Decoder, Order as Tell, Report};

/// How much is heard at once.
const PIECE: usize = 4096;

/// The supervisor of one command. Dropping it has it end everything: it hears that nobody is there any more.
pub(super) struct Control {
    socket: UnixStream,
    decoder: Decoder,
    /// The last descriptor that it handed over.
    handed: Option<OwnedFd>,
    /// Reaped in the background where nobody waits for it.
    _process: Child,
}

/// A supervisor that was started.
pub(super) struct Supervisor {
    pub(super) control: Control,
    /// What the command prints.
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// Starts a supervisor, the program `binary`, for this order, with what the command is to read.
///
/// # Errors
/// E3405 where none can be started; E3301 where the order is too long.
pub(super) async fn start(binary: &Path, order: &Order, input: OwnedFd) -> Result<Supervisor> {
    let (length, json) = order
        .frame()
        .map_err(|error| Error::new(Code::E3301, "passing on the command").caused_by(error))?;
    let mut started = spawn(binary, length, input)
        .map_err(|error| unconfined("starting a process for it").caused_by(error))?;
    // One that ended already has said why.
    if let Err(error) = started.control.socket.write_all(&json).await {
        tracing::debug!(%error, "a supervisor did not take its order");
    }
    Ok(started)
}

fn spawn(binary: &Path, length: [u8; 4], input: OwnedFd) -> io::Result<Supervisor> {
    let (ours, theirs) = Pair::pair()?;
    // The first that is sent: there is room for it.
    descriptor::send(ours.as_fd(), &length, input.as_fd())?;
    drop(input);
    ours.set_nonblocking(true)?;
    let mut process = Command::new(binary)
        .args([SUBCOMMAND, "supervise"])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (stdout, stderr) = process
        .stdout
        .take()
        .zip(process.stderr.take())
        .ok_or_else(|| {
            // It was asked for above.
            io::Error::other("its output cannot be read")
        })?;
    Ok(Supervisor {
        control: Control {
            socket: UnixStream::from_std(ours)?,
            decoder: Decoder::new(),
            handed: None,
            _process: process,
        },
        stdout,
        stderr,
    })
}

impl Control {
    /// Tells it something.
    pub(super) async fn tell(&mut self, order: &Tell) {
        let mut bytes = Vec::new();
        if order.encode(0, &mut bytes).is_ok() {
            // One that is gone is noticed by what it does not say.
            let _ = self.socket.write_all(&bytes).await;
        }
    }

    /// What it says next; nothing where it has ended. Nothing is lost where this is dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<Report> {
        loop {
            if let Ok(Some(frame)) = self.decoder.next_frame()
                && let Ok(report) = Report::parse(frame)
            {
                return Some(report);
            }
            let mut said = [0; PIECE];
            let (count, handed) = self.receive(&mut said).await.unwrap_or_default();
            if handed.is_some() {
                self.handed = handed;
            }
            match count {
                0 => return None,
                count => self.decoder.push(said.get(..count).unwrap_or_default()),
            }
        }
    }

    /// Takes the descriptor that came with what was said last.
    pub(super) fn take_handed(&mut self) -> Option<OwnedFd> {
        self.handed.take()
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        loop {
            self.socket.readable().await?;
            let received = self.socket.try_io(Interest::READABLE, || {
                descriptor::receive(self.socket.as_fd(), buffer)
            });
            match received {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                received => return received,
            }
        }
    }
}

/// A file without a name that has these bytes, to be read.
pub(super) fn file_of(bytes: &[u8]) -> io::Result<OwnedFd> {
    if bytes.is_empty() {
        return Ok(File::open("/dev/null")?.into());
    }
    #[cfg(target_os = "linux")]
    {
        use std::io::{Seek as _, Write as _};
        let file = rustix::fs::memfd_create("stdin", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut file = File::from(file);
        file.write_all(bytes)?;
        file.rewind()?;
        Ok(file.into())
    }
    #[cfg(not(target_os = "linux"))]
    Err(io::ErrorKind::Unsupported.into())
}
