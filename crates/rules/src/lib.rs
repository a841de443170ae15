//! Floor 0: filter rules. What they mean, how they read, what they cost, and what other machines make of them.
//!
//! Does not know why a rule exists or who enforces it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod rule;

pub use rule::{Action, Flags, Fragments, Match, Numbers, Payload, Range, Rule};
