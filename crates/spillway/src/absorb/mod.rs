//! Absorbers: machines that take what routers divert, filter it, and give back what is clean.
//!
//! `spillway absorb` is [`server`]; the brain's end is `routing::absorbers`. Both speak what `steer::absorb` says, through a
//! [`channel`] of TLS 1.3 whose ends know each other by the fingerprints of their keys ([`keys`]).

pub(crate) mod channel;
pub(crate) mod filter;
mod kept;
pub mod keys;
mod plant;
mod pulse;
pub mod server;
pub(crate) mod tls;
pub(crate) mod way;
