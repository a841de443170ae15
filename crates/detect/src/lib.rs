//! Floor 1: from counts to attacks.
//!
//! Counts per host and class ([`shard`]), compares with what is normal ([`baseline`], [`test`]), asks each vector for its
//! evidence ([`vector`]), follows incidents ([`incident`]). Does not know that BGP, files or clocks exist.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod baseline;
pub mod class;
pub mod cusum;
pub mod evidence;
pub mod pairs;
pub mod profile;
pub mod sample;
pub mod shard;
pub mod signature;
pub mod vector;

pub use sample::Sample;
pub use shard::{Shard, ShardTick};
