//! What is written is found again: by every question, whatever was pruned, merged, torn or cut off.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod agreement;
mod disk;
mod facts;
mod python;
mod questions;
mod rollups;
