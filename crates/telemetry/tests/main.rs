//! The collector through its door: real exporters' datagrams, every quirk by name, and noise.
#![expect(clippy::unwrap_used, reason = "tests")]

mod ground_truth;
mod manifest;
mod netgauze;
mod support;
