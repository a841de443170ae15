//! Floor 3: system calls that no library makes for us. The only crate with unsafe code.
#![expect(unsafe_code, reason = "system calls take pointers")]

pub mod bpf;
pub mod clock;
pub mod mount;
pub mod net;
pub mod random;
pub mod tcp;
