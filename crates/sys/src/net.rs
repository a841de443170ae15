//! Interfaces by name.

use std::ffi::CString;
use std::io;

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
