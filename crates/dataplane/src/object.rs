//! The fixed programs, as clang made them.

use crate::error::Error;

/// The object file, aligned as its reader wants it.
#[cfg(not(without_kernel_programs))]
pub(crate) fn object() -> Result<&'static [u8], Error> {
    static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("SPILLWAY_BPF_OBJECT"));
    Ok(OBJECT)
}

#[cfg(without_kernel_programs)]
pub(crate) fn object() -> Result<&'static [u8], Error> {
    Err(Error::NotBuilt)
}
