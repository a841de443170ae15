//! Floor 0: bytes ↔ values.
//!
//! Every function here is total: any input gives a value or a [`Fault`], never a panic, never an allocation by a length
//! that came from the wire. Knows formats; does not know exporters, sampling or time.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bgp;
pub mod bmp;
pub mod dns;
pub mod emit;
pub mod ipfix;
pub mod mrt;
pub mod netflow5;
pub mod netflow9;
pub mod packet;
pub mod reader;
pub mod rtr;
pub mod sflow;

pub use packet::Headers;
pub use reader::{Fault, Reader};
