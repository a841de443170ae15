//! The collector through its door: real exporters' datagrams, every quirk by name, and noise.
#![expect(clippy::unwrap_used, reason = "tests")]

mod manifest;
mod support;
