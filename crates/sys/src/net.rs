//! Interfaces by name.

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
