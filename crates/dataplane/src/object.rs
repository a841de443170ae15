//! The fixed programs, as clang made them.

use crate::error::Error;

/// In how many buffers the driver may give a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffers {
    /// One: all drivers can, up to some 3,500 octets.
    One,
    /// Several, for longer frames (Linux 5.18, and the driver has to).
    Several,
}

/// The object file, aligned as its reader wants it.
#[cfg(not(without_kernel_programs))]
pub(crate) fn object(buffers: Buffers) -> Result<&'static [u8], Error> {
    static ONE: &[u8] = aya::include_bytes_aligned!(env!("SPILLWAY_BPF_OBJECT"));
    static SEVERAL: &[u8] = aya::include_bytes_aligned!(env!("SPILLWAY_BPF_FRAGS_OBJECT"));
    Ok(match buffers {
        Buffers::One => ONE,
        Buffers::Several => SEVERAL,
    })
}

#[cfg(without_kernel_programs)]
pub(crate) fn object(_: Buffers) -> Result<&'static [u8], Error> {
    Err(Error::NotBuilt)
}
