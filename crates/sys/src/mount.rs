//! The file system of BPF, which holds what shall outlive its maker.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `BPF_FS_MAGIC`.
const MAGIC: libc::__fsword_t = 0xcafe_4a11;

/// Whether the BPF file system is mounted there.
///
/// # Errors
/// When the folder cannot be looked at.
pub fn is_bpf(folder: &Path) -> io::Result<bool> {
    let path = CString::new(folder.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let mut out = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the path ends with a zero, and the kernel fills the structure it is given.
    let out = unsafe {
        if libc::statfs(path.as_ptr(), out.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        out.assume_init()
    };
    Ok(out.f_type == MAGIC)
}

/// Mounts it there.
///
/// # Errors
/// What the kernel says.
pub fn bpf(folder: &Path) -> io::Result<()> {
    let path = CString::new(folder.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let kind = c"bpf";
    // SAFETY: all strings end with a zero and live through the call.
    let result = unsafe {
        libc::mount(
            kind.as_ptr(),
            path.as_ptr(),
            kind.as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV,
            std::ptr::null(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
