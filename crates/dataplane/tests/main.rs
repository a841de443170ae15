//! The kernel's verdicts beside the reference evaluator's.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod agreement;
mod decap;
mod elsewhere;
mod lists;
#[path = "../../rules/tests/make.rs"]
mod make;
mod malformed;
mod near;
mod samples;
mod time;
