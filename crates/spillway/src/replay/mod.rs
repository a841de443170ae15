//! Recordings through the engine, and rules over recordings.
//!
//! Two passes over the file: the first finds the attacks, the second counts what their rules do. Nothing is kept of the
//! packets in between, so memory does not depend on the recording's length.

pub mod feed;
pub mod findings;
pub mod search;
pub mod stats;
pub mod verdict;

pub use feed::{Datagram, Feed, Item};
pub use findings::Findings;
