//! Options of TCP sockets that routers ask for: signatures (RFC 2385), a least TTL (RFC 5082), and patience on a full link.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Octets of a key at most (`TCP_MD5SIG_MAXKEYLEN`).
const KEY_MAX: usize = 80;
const TCP_MD5SIG: libc::c_int = 14;
const IP_MINTTL: libc::c_int = 21;
const IPV6_MINHOPCOUNT: libc::c_int = 73;
/// Since Linux 6.15.
const TCP_RTO_MAX_MS: libc::c_int = 44;
const TCP_THIN_LINEAR_TIMEOUTS: libc::c_int = 16;
/// The least that the kernel takes.
const RTO_MAX: libc::c_int = 1_000;

/// `struct tcp_md5sig` of `linux/tcp.h`, octet by octet: an address as `sockaddr_storage`, flags and prefix length, the
/// length of the key, an interface, the key.
fn signature(peer: SocketAddr, key: &[u8]) -> Option<[u8; 216]> {
    const KEY_LENGTH_AT: usize = 130;
    const KEY_AT: usize = 136;
    let mut out = [0; 216];
    let mut put = |at: usize, octets: &[u8]| {
        if let Some(place) = out.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    };
    // The port is not looked at.
    match peer {
        SocketAddr::V4(peer) => {
            put(0, &u16::try_from(libc::AF_INET).ok()?.to_ne_bytes());
            put(4, &peer.ip().octets());
        }
        SocketAddr::V6(peer) => {
            put(0, &u16::try_from(libc::AF_INET6).ok()?.to_ne_bytes());
            put(8, &peer.ip().octets());
            put(24, &peer.scope_id().to_ne_bytes());
        }
    }
    if key.len() > KEY_MAX {
        return None;
    }
    put(KEY_LENGTH_AT, &u16::try_from(key.len()).ok()?.to_ne_bytes());
    put(KEY_AT, key);
    Some(out)
}

fn set(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &[u8]) -> io::Result<()> {
    let size = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: the value is that many octets long, and the kernel only reads it.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), size) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Signs what goes to a peer, and drops what comes from it without this signature. Before connecting or listening.
///
/// # Errors
/// When the key has more than 80 octets, or the kernel has no TCP signatures.
pub fn sign_md5(socket: BorrowedFd<'_>, peer: SocketAddr, key: &[u8]) -> io::Result<()> {
    let signature = signature(peer, key)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a key has at most 80 octets"))?;
    set(socket, libc::IPPROTO_TCP, TCP_MD5SIG, &signature)
}

/// Drops what comes with a smaller TTL or hop limit: a peer beside us sends 255, and nobody else can.
///
/// # Errors
/// What the kernel says.
pub fn least_ttl(socket: BorrowedFd<'_>, ipv6: bool, ttl: u8) -> io::Result<()> {
    let value = libc::c_int::from(ttl).to_ne_bytes();
    match ipv6 {
        false => set(socket, libc::IPPROTO_IP, IP_MINTTL, &value),
        true => set(socket, libc::IPPROTO_IPV6, IPV6_MINHOPCOUNT, &value),
    }
}

/// Sends what was lost again each second at the latest, where the kernel can (6.15), else six times before the pauses
/// double. A link that drops most of what it carries shall not cost a session for two minutes' silence.
///
/// # Errors
/// What the kernel says to both.
pub fn stay_persistent(socket: BorrowedFd<'_>) -> io::Result<()> {
    let linear = set(socket, libc::IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &1i32.to_ne_bytes());
    set(socket, libc::IPPROTO_TCP, TCP_RTO_MAX_MS, &RTO_MAX.to_ne_bytes()).or(linear)
}

/// Octets that were sent and not acknowledged: what the other side cannot have read.
///
/// # Errors
/// What the kernel says.
pub fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut octets: libc::c_int = 0;
    // SAFETY: the kernel writes one integer, and it is alive.
    let told = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
    if told == 0 {
        usize::try_from(octets).map_err(io::Error::other)
    } else {
        Err(io::Error::last_os_error())
    }
}
