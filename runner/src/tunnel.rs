//! What the command connects to in place of a network: a port of the loopback interface whose connections end at the host.
//!
//! It is there as long as the command is, and goes with everything the command started: what one command left has nothing
//! to connect to when the next one runs. What is in a connection is between the command and the host.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;

use toolhatch_runner::protocol::{
    MAX_CONNECTIONS, Part, Refusal, Refused, Report, Segment, TUNNEL_WINDOW,
};

use crate::outbox::Outbox;
use crate::sys::{Ready, Watch};

/// The listener of a command, and the connections it has.
pub struct Tunnel {
    /// The id of the order that started the command.
    id: u32,
    listener: TcpListener,
    /// The system has no descriptor for another connection before one is over.
    is_full: bool,
    connections: Vec<Connection>,
    opened: u32,
    /// Which connection is served first, in turn, so that each comes to its share of the outbox.
    first: usize,
}

impl Tunnel {
    /// Listens for the command with this id, and says on which port.
    pub fn open(id: u32, port: u16, outbox: &mut Outbox) -> Result<Self, Refused> {
        let bound = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            Ok((listener, port))
        };
        let (listener, port) = bound().map_err(|error: io::Error| Refused {
            refusal: Refusal::Proxy,
            errno: error.raw_os_error().unwrap_or(0),
            text: format!("listening on 127.0.0.1:{port} for its connections: {error}"),
        })?;
        outbox.put(id, &Report::Listening(port));
        Ok(Self {
            id,
            listener,
            is_full: false,
            connections: Vec::new(),
            opened: 0,
            first: 0,
        })
    }

    /// What to wait for: the listener, and each connection.
    pub fn watches(&self, outbox: &Outbox) -> impl Iterator<Item = Watch<'_>> {
        let has_room = outbox.has_room();
        let accepts = has_room && !self.is_full && self.has_place();
        let listener = Watch::of(self.listener.as_fd(), accepts, false);
        let connections = self.connections.iter();
        std::iter::once(listener).chain(connections.map(move |connection| {
            Watch::of(
                connection.stream.as_fd(),
                connection.wants_to_read(has_room),
                !connection.pending.is_empty(),
            )
        }))
    }

    /// Serves those that are ready, in the order of [`Self::watches`].
    pub fn serve(&mut self, ready: &[Ready], outbox: &mut Outbox, scratch: &mut [u8]) {
        let Some((listener, connections)) = ready.split_first() else {
            return;
        };
        let count = self.connections.len();
        self.first = self.first.wrapping_add(1);
        for step in 0..count {
            let at = self.first.wrapping_add(step) % count;
            if connections.get(at).is_some_and(|ready| ready.any)
                && let Some(connection) = self.connections.get_mut(at)
            {
                connection.feed(self.id, outbox);
                connection.read(self.id, outbox, scratch);
            }
        }
        self.forget();
        if listener.any {
            self.accept(outbox);
        }
    }

    /// Takes what the host says of a connection. False where it may not say that: of one that never was, after its own end,
    /// or more than there is room for.
    pub fn take(&mut self, segment: Segment, outbox: &mut Outbox) -> bool {
        let Segment { connection, part } = segment;
        let found = self
            .connections
            .iter_mut()
            .find(|it| it.number == connection);
        let Some(found) = found else {
            // It was over before the host could know.
            return connection < self.opened;
        };
        let is_sound = found.take(part);
        found.feed(self.id, outbox);
        self.forget();
        is_sound
    }

    /// Whether another connection can be taken, perhaps in place of one that can be given up.
    fn has_place(&self) -> bool {
        self.connections.len() < MAX_CONNECTIONS || self.dispensable().is_some()
    }

    /// The connection that is given up for a new one where there is no place: one that only waits for its peer to go, else
    /// one that has sent its end. Its peer may wait for an answer, but most often it is gone, and the system cannot tell.
    fn dispensable(&self) -> Option<usize> {
        let all = || self.connections.iter();
        let lingers = all().position(Connection::only_lingers);
        lingers.or_else(|| all().position(|connection| connection.is_read))
    }

    fn accept(&mut self, outbox: &mut Outbox) {
        while outbox.has_room() && self.has_place() {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => continue,
                    io::ErrorKind::WouldBlock => return,
                    _ => {
                        self.is_full = true;
                        return;
                    }
                },
            };
            // One that cannot be set up is dropped, which its peer sees.
            if stream.set_nonblocking(true).is_err() || stream.set_nodelay(true).is_err() {
                continue;
            }
            if self.connections.len() >= MAX_CONNECTIONS
                && let Some(at) = self.dispensable()
            {
                self.connections.remove(at).break_off(self.id, outbox);
            }
            let number = self.opened;
            self.opened = self.opened.wrapping_add(1);
            self.connections.push(Connection::new(number, stream));
            outbox.put(self.id, &Report::Opened(number));
        }
    }

    fn forget(&mut self) {
        let before = self.connections.len();
        self.connections.retain(|connection| !connection.is_over());
        if self.connections.len() < before {
            self.is_full = false;
        }
    }
}

struct Connection {
    number: u32,
    stream: TcpStream,
    /// How much may be read before the host has taken more.
    credit: usize,
    /// The end of what the command writes was read.
    is_read: bool,
    /// What the command did not take yet, at most [`TUNNEL_WINDOW`].
    pending: Vec<u8>,
    /// Nothing more comes from the host.
    is_complete: bool,
    /// The end was passed on to the command.
    is_shut: bool,
    /// The host wants no more of it: what the command still writes is thrown away.
    is_closing: bool,
    /// The command has gone away in the middle.
    is_broken: bool,
}

impl Connection {
    fn new(number: u32, stream: TcpStream) -> Self {
        Self {
            number,
            stream,
            credit: TUNNEL_WINDOW,
            is_read: false,
            pending: Vec::new(),
            is_complete: false,
            is_shut: false,
            is_closing: false,
            is_broken: false,
        }
    }

    fn is_over(&self) -> bool {
        self.is_broken || (self.is_read && self.is_shut)
    }

    /// All was said, and only the end of its peer is missing. It is waited for, because closing a connection that was not
    /// read to its end can cost the peer what it has not read itself.
    fn only_lingers(&self) -> bool {
        self.is_closing && self.is_shut
    }

    fn wants_to_read(&self, has_room: bool) -> bool {
        !self.is_read && (self.is_closing || (self.credit > 0 && has_room))
    }

    /// False where the host may not say that.
    fn take(&mut self, part: Part) -> bool {
        match part {
            Part::Data(bytes) => {
                let fits = self.pending.len() + bytes.len() <= TUNNEL_WINDOW;
                if !fits || self.is_complete {
                    return false;
                }
                self.pending.extend_from_slice(&bytes);
            }
            Part::Taken(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                self.credit = self.credit.saturating_add(count);
                return self.credit <= TUNNEL_WINDOW;
            }
            Part::End => self.is_complete = true,
            Part::Close => {
                self.is_complete = true;
                self.is_closing = true;
            }
        }
        true
    }

    /// Writes what can be written, and tells the host how much that was.
    fn feed(&mut self, id: u32, outbox: &mut Outbox) {
        let mut taken = 0;
        while let Some(rest) = self.pending.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => taken += count,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => break,
                    _ => return self.break_off(id, outbox),
                },
            }
        }
        self.pending.drain(..taken);
        if taken > 0 {
            let count = u32::try_from(taken).unwrap_or(u32::MAX);
            self.tell(id, Part::Taken(count), outbox);
        }
        if self.is_complete && self.pending.is_empty() && !self.is_shut {
            self.is_shut = true;
            if self.stream.shutdown(Shutdown::Write).is_err() {
                self.break_off(id, outbox);
            }
        }
    }

    /// Passes on one piece of what the command wrote, as long as there are credit and room.
    fn read(&mut self, id: u32, outbox: &mut Outbox, scratch: &mut [u8]) {
        if self.is_broken || !self.wants_to_read(outbox.has_room()) {
            return;
        }
        let most = if self.is_closing {
            scratch.len()
        } else {
            scratch.len().min(self.credit)
        };
        match self
            .stream
            .read(scratch.get_mut(..most).unwrap_or_default())
        {
            Ok(0) => {
                self.is_read = true;
                self.tell(id, Part::End, outbox);
            }
            Ok(_) if self.is_closing => {}
            Ok(count) => {
                self.credit -= count;
                let bytes = scratch.get(..count).unwrap_or_default();
                self.tell(id, Part::Data(bytes.to_vec()), outbox);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                _ => self.break_off(id, outbox),
            },
        }
    }

    fn break_off(&mut self, id: u32, outbox: &mut Outbox) {
        self.is_broken = true;
        self.tell(id, Part::Close, outbox);
    }

    /// Once the host has closed it, it wants to hear nothing more.
    fn tell(&self, id: u32, part: Part, outbox: &mut Outbox) {
        if !self.is_closing {
            let connection = self.number;
            outbox.put(id, &Report::Tunnel(Segment { connection, part }));
        }
    }
}
