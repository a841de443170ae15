//! The collector through its door: real exporters' datagrams, every quirk by name, and noise.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod ground_truth;
mod limits;
mod manifest;
mod netgauze;
mod oracles;
mod quirks_packets;
mod quirks_sampling;
mod quirks_templates;
mod quirks_times;
mod support;
