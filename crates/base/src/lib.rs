//! Floor 0: units, time, addresses, prefixes and ordered maps.
//!
//! Knows numbers and names, nothing else: no packets, no files, no clock. Time is a value that somebody hands in.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod day;
pub mod hash;
pub mod map;
pub mod prefix;
pub mod time;
pub mod units;

pub use day::Day;
pub use prefix::Prefix;
pub use time::{Span, Timestamp};
