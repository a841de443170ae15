//! Numbers that nobody can guess.

use std::io;

/// So many random octets, at most 256.
///
/// # Errors
/// What the kernel says.
pub fn octets<const N: usize>() -> io::Result<[u8; N]> {
    let mut out = [0; N];
    // SAFETY: the kernel writes at most as many octets as the array has.
    let got = unsafe { libc::getrandom(out.as_mut_ptr().cast(), N, 0) };
    match usize::try_from(got) {
        Ok(got) if got == N => Ok(out),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}
