//! The engine through its door, with worlds whose truth is known.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod capture;
mod customers;
mod delay;
mod determinism;
mod doubt;
mod habits;
mod halves;
mod late;
mod limits;
mod octets;
mod outcome;
mod peers;
mod provider;
mod quiet;
mod resumed;
mod rules;
mod season;
mod service;
mod siblings;
mod silence;
mod world;
