//! Each decoder under mutated input, on stable Rust and without anything to install.
//!
//! A [`Target`] is a plain function from octets to an [`Outcome`]. The fixed corpus (seeds, and every prefix-cut and
//! single-octet change of the short ones) runs in `make test`; `cargo xtask fuzz` mutates for a minute each. There is no
//! coverage instrumentation here: an input is kept for further mutation when its outcome — what was decoded, which
//! faults — was not seen before. A run is its seed: the same seed walks the same inputs.
//!
//! What every target asserts besides "no panic" is in [`measure`].

pub mod measure;
pub mod mutate;
pub mod rng;
pub mod seeds;
pub mod session;
pub mod targets;

pub use measure::Outcome;
pub use targets::{TARGETS, Target};
