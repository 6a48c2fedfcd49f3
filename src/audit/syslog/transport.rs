//! The way to a syslog.

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::config::SyslogAddress;

/// How long a connection may take, and how long a syslog may leave a message standing.
const CONNECT: Duration = Duration::from_secs(3);
const WRITE: Duration = Duration::from_secs(3);

/// Opened when there is something to send, and again when it broke.
pub(super) struct Transport {
    address: SyslogAddress,
    open: Option<Open>,
}

enum Open {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Transport {
    pub(super) fn new(address: SyslogAddress) -> Self {
        Self {
            address,
            open: None,
        }
    }

    pub(super) fn address(&self) -> &SyslogAddress {
        &self.address
    }

    /// Sends a message. Where a connection turns out to be broken, a new one is tried once.
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if let Some(open) = &mut self.open {
            match open.send(message) {
                Ok(()) => return Ok(()),
                Err(_) => self.open = None,
            }
        }
        let mut open = Open::new(&self.address)?;
        open.send(message)?;
        self.open = Some(open);
        Ok(())
    }
}

impl Open {
    fn new(address: &SyslogAddress) -> io::Result<Self> {
        match address {
            SyslogAddress::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(WRITE))?;
                Ok(Self::Unix(socket))
            }
            SyslogAddress::Udp(address) => first(address, |address| {
                let any = if address.is_ipv4() {
                    "0.0.0.0:0"
                } else {
                    "[::]:0"
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                Ok(Self::Udp(socket))
            }),
            SyslogAddress::Tcp(address) => first(address, |address| {
                let stream = TcpStream::connect_timeout(&address, CONNECT)?;
                stream.set_write_timeout(Some(WRITE))?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }),
        }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(message).map(drop),
            Self::Udp(socket) => socket.send(message).map(drop),
            Self::Tcp(stream) => {
                if is_closed(stream)? {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                let length = message.len().to_string();
                stream.write_all(&[length.as_bytes(), b" ", message].concat())
            }
        }
    }
}

/// Opens the first of the addresses of a name that can be.
fn first<T>(name: &str, open: impl Fn(std::net::SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in name.to_socket_addrs()? {
        match open(address) {
            Ok(open) => return Ok(open),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// True where the other side has hung up: what is written then vanishes without an error.
fn is_closed(stream: &TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let seen = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    match seen {
        Ok(read) => Ok(read == 0),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
