//! Rules in the languages of other machines.
//!
//! What a language cannot say is an error with its reason. No compiler says less than a rule asks: a rule that matches
//! more packets than it was written for is worse than none.

pub mod bpf;
pub mod exabgp;
pub mod flowspec;
pub mod nftables;
