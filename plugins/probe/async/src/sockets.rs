//! TCP, UDP and names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::bindings::wasi::sockets::ip_name_lookup::resolve_addresses;
use crate::bindings::wasi::sockets::types::{
    IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, TcpSocket,
    UdpSocket,
};
use crate::bindings::wit_stream;
use crate::name_of;

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
pub(crate) async fn resolve(name: String) -> Result<Vec<String>, String> {
    let addresses = resolve_addresses(name)
        .await
        .map_err(|code| name_of(&code))?;
    let texts = addresses.into_iter().map(|address| match address {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]).to_string(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => {
            IpAddr::from([a, b, c, d, e, f, g, h]).to_string()
        }
    });
    Ok(texts.collect())
}

/// Sends a line and returns the one that comes back.
pub(crate) async fn tcp_ask(address: SocketAddr, line: &str) -> Result<String, String> {
    let socket = TcpSocket::create(family(address)).map_err(|code| name_of(&code))?;
    let connected = socket.connect(to_wasi(address)).await;
    connected.map_err(|code| name_of(&code))?;
    let (mut writer, reader) = wit_stream::new();
    let sent = socket.send(reader);
    writer.write_all(format!("{line}\n").into_bytes()).await;
    drop(writer);
    sent.await.map_err(|code| name_of(&code))?;
    let (answer, ended) = socket.receive();
    let answer = answer.collect().await;
    ended.await.map_err(|code| name_of(&code))?;
    Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
}

/// Binds a UDP socket.
pub(crate) fn udp_bind(address: SocketAddr) -> Result<UdpSocket, String> {
    let socket = UdpSocket::create(family(address)).map_err(|code| name_of(&code))?;
    socket
        .bind(to_wasi(address))
        .map_err(|code| name_of(&code))?;
    Ok(socket)
}

/// Sends a datagram and returns the one that comes back.
pub(crate) async fn udp_ask(
    address: SocketAddr,
    text: &str,
    connected: bool,
) -> Result<String, String> {
    let socket = udp_bind(unspecified(address))?;
    let remote = to_wasi(address);
    if connected {
        socket.connect(remote).map_err(|code| name_of(&code))?;
    }
    let to = (!connected).then_some(remote);
    let sent = socket.send(text.as_bytes().to_vec(), to).await;
    sent.map_err(|code| name_of(&code))?;
    let (bytes, _) = socket.receive().await.map_err(|code| name_of(&code))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Binds a TCP socket and listens.
pub(crate) fn tcp_listen(address: SocketAddr) -> Result<(), String> {
    let socket = TcpSocket::create(family(address)).map_err(|code| name_of(&code))?;
    socket
        .bind(to_wasi(address))
        .map_err(|code| name_of(&code))?;
    socket.listen().map(drop).map_err(|code| name_of(&code))
}
