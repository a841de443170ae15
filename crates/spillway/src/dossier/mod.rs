//! Who attacked: a folder per attack of a recording, with a verdict on each of its sources.

pub mod aggregate;
mod batch;
pub mod belonging;
pub mod checked;
pub mod collect;
mod crew;
pub mod document;
pub mod folders;
pub mod lists;
pub mod places;
pub mod recorders;
pub mod ways;
mod whole;
pub mod write;

pub use collect::Collector;
pub use folders::{Folders, Seat};
