//! Who attacked: a folder per attack of a recording, with a verdict on each of its sources.

pub mod aggregate;
pub mod belonging;
pub mod collect;
pub mod document;
pub mod folders;
pub mod places;
pub mod recorders;
pub mod write;

pub use collect::Collector;
pub use folders::{Folders, Seat};
