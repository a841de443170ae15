//! The log through its door: what it writes, what it proves, and what two other implementations say to that.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod disclosure;
mod disk;
mod entries;
mod log;
mod notes;
mod opening;
mod policy;
mod second;
mod verifier;
