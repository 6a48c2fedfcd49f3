//! Descriptors that are handed from one process to another over a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Nobody who is started meanwhile gets what is received.
#[cfg(target_os = "linux")]
const RECEIVED: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const RECEIVED: RecvFlags = RecvFlags::empty();

/// Sends bytes, few enough to be taken at once, and with the first of them a descriptor.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptor: BorrowedFd<'_>,
) -> io::Result<()> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let bytes = [IoSlice::new(bytes)];
    let sent = sendmsg(socket, &bytes, &mut ancillary, SendFlags::empty())?;
    if sent == bytes.iter().map(|bytes| bytes.len()).sum::<usize>() {
        return Ok(());
    }
    Err(io::ErrorKind::WriteZero.into())
}

/// Receives bytes, none at the end, and the descriptor that came with them.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(buffer)];
    let received = recvmsg(socket, &mut buffers, &mut ancillary, RECEIVED)?;
    let mut descriptor = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut passed) = message {
            descriptor = passed.next();
        }
    }
    Ok((received.bytes, descriptor))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_comes_with_its_bytes() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (mut reader, writer) = io::pipe().expect("a pipe");
        send(ours.as_fd(), b"abcd", writer.as_fd()).expect("sent");
        drop(writer);
        let mut buffer = [0; 16];
        let (count, passed) = receive(theirs.as_fd(), &mut buffer).expect("received");
        assert_eq!(&buffer[..count], b"abcd");
        let mut passed = std::fs::File::from(passed.expect("a descriptor"));
        passed.write_all(b"through it").expect("written");
        drop(passed);
        let mut read = String::new();
        reader.read_to_string(&mut read).expect("read");
        assert_eq!(read, "through it");
        drop(ours);
        let (count, passed) = receive(theirs.as_fd(), &mut buffer).expect("the end");
        assert!(count == 0 && passed.is_none());
    }
}
