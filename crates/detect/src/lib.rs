//! Floor 1: from counts to attacks.
//!
//! Counts per host and class ([`shard`], [`cell`]), compares with what is normal ([`baseline`], [`cusum`]), asks each vector
//! for its evidence ([`vector`]). Does not know that BGP, files or clocks exist.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod baseline;
pub mod cell;
pub mod class;
pub mod connections;
pub mod cusum;
pub mod evidence;
pub mod log;
pub mod measure;
pub mod pairs;
pub mod profile;
pub mod sample;
pub mod season;
pub mod shard;
pub mod signature;
pub mod usual;
pub mod vector;

pub use sample::Sample;
pub use shard::{Shard, ShardTick};
