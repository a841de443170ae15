//! Floor 0: filter rules. What they mean, how they read, what they cost, and what other machines make of them.
//!
//! Does not know why a rule exists or who enforces it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod collateral;
pub mod compile;
mod component;
pub mod count;
pub mod eval;
mod family;
pub mod lease;
pub mod limit;
pub mod order;
pub mod overlap;
pub mod parse;
mod print;
pub mod rule;
pub mod set;
pub mod spare;

pub use count::EvalCounts;
pub use print::FLAG_NAMES;
pub use rule::{Action, Encapsulation, Flags, Fragments, Match, Numbers, Payload, Per, Range, Rule};
pub use set::RuleSet;
