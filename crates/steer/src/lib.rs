//! Floor 1: where traffic goes. A BGP speaker that announces and withdraws; no socket, no clock, no file.
#![forbid(unsafe_code)]

pub mod absorb;
pub mod allot;
pub mod bgp;
pub mod book;
pub mod confirm;
pub mod dnsdiversion;
pub mod drill;
pub mod effect;
pub mod hold;
pub mod ladder;
pub mod learn;
pub mod outcome;
pub mod ownership;
pub mod planner;
pub mod rails;
