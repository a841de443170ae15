//! Interfaces by name.

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The index of an interface.
///
/// # Errors
/// When there is none of that name.
pub fn index(interface: &str) -> io::Result<u32> {
    let name = CString::new(interface).map_err(io::Error::other)?;
    // SAFETY: the name ends with a zero.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// The addresses of all interfaces of this network namespace, each once, in rising order.
///
/// # Errors
/// What the kernel says.
pub fn addresses() -> io::Result<Vec<IpAddr>> {
    let mut first: *mut libc::ifaddrs = core::ptr::null_mut();
    // SAFETY: the C library fills in the pointer; the list is given back below.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut at = first;
    // SAFETY: elements of the list live until it is given back; the last one points nowhere.
    while let Some(interface) = unsafe { at.as_ref() } {
        let address = interface.ifa_addr;
        // SAFETY: where there is an address, it is as long as its family says, and aligned for it.
        let family = unsafe { address.as_ref() }.map_or(0, |address| i32::from(address.sa_family));
        if family == libc::AF_INET {
            // SAFETY: likewise.
            let address = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            found.push(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()).into());
        } else if family == libc::AF_INET6 {
            // SAFETY: likewise.
            let address = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            found.push(Ipv6Addr::from(address.sin6_addr.s6_addr).into());
        }
        at = interface.ifa_next;
    }
    // SAFETY: this is the list that we were given, and nothing of it is kept.
    unsafe { libc::freeifaddrs(first) };
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Octets of an answer about one interface: its attributes take some kilobytes at most.
const ANSWER: usize = 1 << 15;
const IFLA_MTU: u16 = 4;
const IFLA_XDP: u16 = 43;
/// Behind `struct nlmsghdr` and `struct ifinfomsg`.
const ATTRIBUTES_AT: usize = 32;

/// What the kernel knows of an interface. (/sys shows those of the namespace in which it was mounted.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Octets of the longest packet.
    pub mtu: Option<u32>,
    /// The id of the XDP program that is attached, by whomever.
    pub program: Option<u32>,
    /// Where it runs.
    pub xdp: Option<Xdp>,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Xdp {
    /// In the driver.
    Native,
    /// Behind the driver, on packets that the kernel has made buffers for already.
    Generic,
    /// On the card.
    Offloaded,
}

/// Asks for an interface (`RTM_GETLINK`).
///
/// # Errors
/// What the kernel says.
pub fn link(index: u32) -> io::Result<Link> {
    // SAFETY: no pointers; the descriptor is checked before it is owned.
    let fd =
        unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut ask = [0u8; ATTRIBUTES_AT];
    let number = |n: usize| u32::try_from(n).unwrap_or(0).to_ne_bytes();
    for (at, octets) in [
        (0, &number(ATTRIBUTES_AT)[..]),
        (4, &libc::RTM_GETLINK.to_ne_bytes()),
        (6, &1u16.to_ne_bytes()),
        (20, &index.to_ne_bytes()),
    ] {
        if let Some(place) = ask.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    }
    // SAFETY: the octets live through the call.
    if unsafe { libc::send(socket.as_raw_fd(), ask.as_ptr().cast(), ask.len(), 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = vec![0u8; ANSWER];
    // SAFETY: the kernel writes no more octets than it is told there are.
    let length = unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let attributes = answer.get(ATTRIBUTES_AT..length).unwrap_or(&[]);
    let number = |octets: &[u8]| octets.get(..4)?.try_into().ok().map(u32::from_ne_bytes);
    let xdp = attribute(attributes, |kind| kind == IFLA_XDP);
    // IFLA_XDP_PROG_ID, or one of those of a mode: driver, generic, hardware.
    let program = xdp.and_then(|xdp| attribute(xdp, |kind| (4..=7).contains(&kind)));
    // IFLA_XDP_ATTACHED; 0 and 4 (several at once) say no single place.
    let place = xdp.and_then(|xdp| attribute(xdp, |kind| kind == 2)).and_then(|octets| octets.first());
    let xdp = place.and_then(|place| match place {
        1 => Some(Xdp::Native),
        2 => Some(Xdp::Generic),
        3 => Some(Xdp::Offloaded),
        _ => None,
    });
    let mtu = attribute(attributes, |kind| kind == IFLA_MTU);
    Ok(Link { mtu: mtu.and_then(number), program: program.and_then(number), xdp })
}

/// `ETHTOOL_GFLAGS` and its bit for LRO, `ETHTOOL_GGRO`, `SIOCETHTOOL`: of <linux/ethtool.h> and <linux/sockios.h>.
const GFLAGS: u32 = 0x25;
const FLAG_LRO: u32 = 1 << 15;
const GGRO: u32 = 0x2b;
const ETHTOOL: libc::c_ulong = 0x8946;

/// What a card or the kernel joins before anybody looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joins {
    /// Large receive offload: the card joins packets, and what they were is lost.
    pub lro: bool,
    /// Generic receive offload: the kernel joins packets, in a way that can be undone.
    pub gro: bool,
}

/// What is joined on an interface.
///
/// # Errors
/// What the kernel says; some drivers do not know the question.
pub fn joins(interface: &str) -> io::Result<Joins> {
    // SAFETY: no pointers; the descriptor is checked before it is owned.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let ask = |command: u32| -> io::Result<u32> {
        // `struct ethtool_value`: the command, and room for its answer.
        let mut value = [command, 0u32];
        // SAFETY: a structure of plain numbers may be all zero.
        let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
        // The last octet stays zero.
        let room = request.ifr_name.len().saturating_sub(1);
        if interface.len() > room {
            return Err(io::Error::other("this name is too long for an interface"));
        }
        for (place, octet) in request.ifr_name.iter_mut().zip(interface.bytes()) {
            *place = libc::c_char::from_ne_bytes([octet]);
        }
        request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
        // SAFETY: the name ends with a zero, and the kernel writes one number into the value that lives through the call.
        if unsafe { libc::ioctl(socket.as_raw_fd(), ETHTOOL, &mut request) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let [_, answer] = value;
        Ok(answer)
    };
    Ok(Joins { lro: ask(GFLAGS)? & FLAG_LRO != 0, gro: ask(GGRO)? != 0 })
}

/// The value of the first attribute of a kind (`struct rtattr`).
fn attribute(mut all: &[u8], wanted: impl Fn(u16) -> bool) -> Option<&[u8]> {
    loop {
        let half = |at: usize| all.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes);
        let (length, kind) = (usize::from(half(0)?), half(2)? & 0x3fff);
        if length < 4 {
            return None;
        }
        if wanted(kind) {
            return all.get(4..length);
        }
        all = all.get(length.next_multiple_of(4)..)?;
    }
}
