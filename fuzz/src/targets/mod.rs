//! One file per decoder, one line in the list.

mod absorb;
mod bgp;
mod capture;
mod dns;
mod evidence;
mod export;
mod filter;
mod ledger;
mod monitoring;
mod packet;
mod places;
mod rules;

use crate::measure::Outcome;

/// A decoder to knock at.
#[derive(Debug)]
pub struct Target {
    /// What one types.
    pub name: &'static str,
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Decodes and asserts.
    pub run: fn(&[u8]) -> Outcome,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    packet::TARGET,
    export::SFLOW,
    export::NETFLOW5,
    export::NETFLOW9,
    export::IPFIX,
    export::COLLECTOR,
    capture::TARGET,
    rules::TARGET,
    filter::TARGET,
    absorb::TARGET,
    bgp::TARGET,
    monitoring::BMP,
    monitoring::RTR,
    dns::TARGET,
    ledger::PROOF,
    ledger::NOTE,
    ledger::POLICY,
    ledger::ENTRY,
    evidence::BAG,
    evidence::FINGERPRINT,
    evidence::STAMP,
    places::MMDB,
    places::MRT,
    places::SHAPES,
];
