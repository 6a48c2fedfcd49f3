//! TCP, UDP and names by calls of `wasi:sockets`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::wasi::wasi::clocks::monotonic_clock::subscribe_duration;
use crate::wasi::wasi::io::poll::poll;
use crate::wasi::wasi::io::streams::{InputStream, StreamError};
use crate::wasi::wasi::sockets::instance_network::instance_network;
use crate::wasi::wasi::sockets::ip_name_lookup::resolve_addresses;
use crate::wasi::wasi::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use crate::wasi::wasi::sockets::tcp::TcpSocket;
use crate::wasi::wasi::sockets::tcp_create_socket::create_tcp_socket;
use crate::wasi::wasi::sockets::udp::{IncomingDatagramStream, OutgoingDatagram, UdpSocket};
use crate::wasi::wasi::sockets::udp_create_socket::create_udp_socket;

/// How long an answer is waited for: longer than any on the same machine takes.
const PATIENCE: u64 = 20_000_000_000;

fn told(code: ErrorCode) -> String {
    code.name().to_owned()
}

/// Reads an address with its port.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("invalid-argument: {text} is no address with a port"))
}

fn to_wasi(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress {
                port: address.port(),
                address: (a, b, c, d),
            })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: 0,
                address: (a, b, c, d, e, f, g, h),
                scope_id: 0,
            })
        }
    }
}

fn family(address: SocketAddr) -> IpAddressFamily {
    match address {
        SocketAddr::V4(_) => IpAddressFamily::Ipv4,
        SocketAddr::V6(_) => IpAddressFamily::Ipv6,
    }
}

/// The address that stands for none, of the same family.
fn unspecified(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// The addresses of a name.
pub(crate) fn resolve(name: &str) -> Result<Vec<IpAddr>, String> {
    let stream = resolve_addresses(&instance_network(), name).map_err(told)?;
    let mut addresses = Vec::new();
    loop {
        match stream.resolve_next_address() {
            Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => addresses.push([a, b, c, d].into()),
            Ok(Some(IpAddress::Ipv6((a, b, c, d, e, f, g, h)))) => {
                addresses.push([a, b, c, d, e, f, g, h].into());
            }
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => stream.subscribe().block(),
            Err(code) => return Err(told(code)),
        }
    }
}

/// Repeats what is not ready until it is.
fn until_ready<T>(
    wait: impl Fn(),
    mut attempt: impl FnMut() -> Result<T, ErrorCode>,
) -> Result<T, String> {
    loop {
        match attempt() {
            Err(ErrorCode::WouldBlock) => wait(),
            other => return other.map_err(told),
        }
    }
}

/// Sends a line and returns the one that comes back.
pub(crate) fn tcp_ask(address: SocketAddr, line: &str) -> Result<String, String> {
    let socket = create_tcp_socket(family(address)).map_err(told)?;
    socket
        .start_connect(&instance_network(), to_wasi(address))
        .map_err(told)?;
    let wait = || socket.subscribe().block();
    let (input, output) = until_ready(wait, || socket.finish_connect())?;
    let sent = output.blocking_write_and_flush(format!("{line}\n").as_bytes());
    if sent.is_err() {
        return Err("nothing can be sent".to_owned());
    }
    read_line(&input)
}

fn read_line(input: &InputStream) -> Result<String, String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        match input.blocking_read(1024) {
            Ok(bytes) => line.extend(bytes),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Binds a UDP socket.
pub(crate) fn udp_bind(address: SocketAddr) -> Result<UdpSocket, String> {
    let socket = create_udp_socket(family(address)).map_err(told)?;
    socket
        .start_bind(&instance_network(), to_wasi(address))
        .map_err(told)?;
    until_ready(|| socket.subscribe().block(), || socket.finish_bind())?;
    Ok(socket)
}

/// Sends a datagram and returns the one that comes back.
pub(crate) fn udp_ask(address: SocketAddr, text: &str, connected: bool) -> Result<String, String> {
    let socket = udp_bind(unspecified(address))?;
    let remote = to_wasi(address);
    let (incoming, outgoing) = socket.stream(connected.then_some(remote)).map_err(told)?;
    let wait = || outgoing.subscribe().block();
    until_ready(wait, || match outgoing.check_send() {
        Ok(0) => Err(ErrorCode::WouldBlock),
        other => other,
    })?;
    let datagram = OutgoingDatagram {
        data: text.as_bytes().to_vec(),
        remote_address: (!connected).then_some(remote),
    };
    outgoing.send(&[datagram]).map_err(told)?;
    answer(&incoming)
}

fn answer(incoming: &IncomingDatagramStream) -> Result<String, String> {
    let patience = subscribe_duration(PATIENCE);
    loop {
        let datagrams = incoming.receive(1).map_err(told)?;
        if let Some(datagram) = datagrams.first() {
            return Ok(String::from_utf8_lossy(&datagram.data).into_owned());
        }
        let ready = incoming.subscribe();
        if poll(&[&patience, &ready]).contains(&0) {
            return Err("timeout".to_owned());
        }
    }
}

/// Binds a TCP socket and listens.
pub(crate) fn tcp_listen(address: SocketAddr) -> Result<(), String> {
    let socket: TcpSocket = create_tcp_socket(family(address)).map_err(told)?;
    socket
        .start_bind(&instance_network(), to_wasi(address))
        .map_err(told)?;
    until_ready(|| socket.subscribe().block(), || socket.finish_bind())?;
    socket.start_listen().map_err(told)?;
    until_ready(|| socket.subscribe().block(), || socket.finish_listen())
}
