//! The kernel's verdicts beside the reference evaluator's.

mod agreement;
mod lists;
#[path = "../../rules/tests/make.rs"]
mod make;
mod malformed;
mod time;
