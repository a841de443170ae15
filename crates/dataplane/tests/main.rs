//! The kernel's verdicts beside the reference evaluator's.

mod agreement;
#[path = "../../rules/tests/make.rs"]
#[expect(dead_code, reason = "shared with the tests of `rules`, which use all of it")]
mod make;
