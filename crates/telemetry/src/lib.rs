//! Floor 1: from datagrams to normalised records.
//!
//! Knows exporters, templates, sampling and interfaces. Does not know sockets, clocks, files, victims or attacks: a
//! datagram comes in with its time and sender, records go out. Bad input is counted, never an error; a damaged set
//! or sample costs only itself.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod collector;
mod data;
pub mod delay;
pub mod discard;
mod element;
pub mod exporter;
mod flow;
mod frame;
pub mod interface;
mod netflow5;
mod options;
pub mod persist;
mod plan;
pub mod record;
mod sampling;
mod sequence;
mod sets;
mod sflow;
pub mod stats;
pub mod store;
mod times;
pub mod told;
pub mod truth;
pub mod verdict;
pub mod waiting;

pub use collector::Collector;
pub use record::Record;
pub use told::{Format, Told};
