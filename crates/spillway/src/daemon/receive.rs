//! Datagrams in batches: one system call for up to [`BATCH`].

use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};

use super::listener::{Socket, sender};

/// Datagrams per system call.
pub(super) const BATCH: usize = 64;
/// No UDP datagram is longer. Only the pages that are used become resident.
const DATAGRAM_MAX: usize = 1 << 16;

/// The memory that a worker's datagrams lie in.
#[derive(Debug)]
pub(super) struct Buffers(Vec<u8>);

impl Buffers {
    /// Room for one batch.
    pub(super) fn new() -> Self {
        Self(vec![0; BATCH * DATAGRAM_MAX])
    }
}

/// What the kernel wants to know for a batch. One per socket: the kernel writes lengths of its address family into it.
pub(super) type Headers = MultiHeaders<SockaddrStorage>;

/// Headers for one batch.
pub(super) fn headers() -> Headers {
    MultiHeaders::preallocate(BATCH, None)
}

/// Takes what is there, at most one batch, and hands out sender and payload. Tells how many there were.
pub(super) fn batch(
    socket: &Socket,
    headers: &mut Headers,
    buffers: &mut Buffers,
    mut each: impl FnMut(IpAddr, &[u8]),
) -> Result<usize, Errno> {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> =
        buffers.0.chunks_mut(DATAGRAM_MAX).map(|chunk| [IoSliceMut::new(chunk)]).collect();
    let received = recvmmsg(socket.udp.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
    let messages = match received {
        Ok(messages) => messages,
        Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
        Err(other) => return Err(other),
    };
    let mut count = 0;
    for message in messages {
        count += 1;
        let from = message.address.as_ref().and_then(sender).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        each(from, message.iovs().next().unwrap_or(&[]));
    }
    Ok(count)
}
