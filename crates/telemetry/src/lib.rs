//! Floor 1: from datagrams to normalised records.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod record;

pub use record::Record;
