//! The kernel's verdicts beside the reference evaluator's.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod agreement;
mod alive;
mod challenge;
mod decap;
mod declared;
mod dns;
mod elsewhere;
mod expired;
mod fits;
mod increments;
#[path = "../../rules/tests/kernel.rs"]
mod kernel;
mod lacking;
mod limits;
mod lists;
#[path = "../../rules/tests/make.rs"]
mod make;
mod malformed;
mod near;
mod nftables;
mod returning;
mod samples;
mod scopes;
mod segment;
mod spared;
mod time;
#[path = "../../rules/tests/tool.rs"]
mod tool;
mod turns;
