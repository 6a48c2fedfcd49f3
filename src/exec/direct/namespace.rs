//! A network with nothing in it but a loopback interface, and a socket there that others can be given.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};

use super::sys;
use crate::exec::egress::PORT;

/// Has this process, and whatever it starts, leave the network of the machine, and listens for who looks for the proxy in the
/// new one. Somebody who is not root gets one in a user namespace, in which they are who they were.
///
/// # Errors
/// Where the system does not let this user have one.
pub(super) fn enter() -> io::Result<TcpListener> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let is_entered = uid.is_root() && sys::leave_network(false).is_ok();
    if !is_entered {
        sys::leave_network(true)?;
        let write = |name: &str, text: &str| {
            let file = File::options()
                .write(true)
                .open(format!("/proc/self/{name}"));
            file.and_then(|mut file| file.write_all(text.as_bytes()))
        };
        write("setgroups", "deny")?;
        write("uid_map", &format!("{0} {0} 1", uid.as_raw()))?;
        write("gid_map", &format!("{0} {0} 1", gid.as_raw()))?;
    }
    sys::raise_loopback()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))
}
