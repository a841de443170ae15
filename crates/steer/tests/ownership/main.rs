//! What the RPKI lets us announce: the rail, the protocol, and a real cache.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod cache;
mod rail;
mod stayrtr;

use base::{Prefix, Timestamp};
use wire::rtr::Vrp;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn vrp(text: &str, max_length: u8, asn: u32) -> Vrp {
    Vrp { prefix: prefix(text), max_length, asn }
}
