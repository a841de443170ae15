//! The miner on recorded attacks, alone and among recorded honest traffic.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test fails by panicking"
)]

mod captures;
mod splice;
