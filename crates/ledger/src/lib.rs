//! Floor 0: a transparency log after the C2SP formats, what stands in it, and the receipts without which nothing leaves.
//!
//! A log can only grow: its operator signs heads ([`Checkpoint`]), and whoever kept one can check that every later one continues
//! it ([`tree::is_consistent`]). Whoever has a [`Proof`] and a [`Policy`] can check, without a network, that an entry stands in it.
//!
//! Knows no socket, file, clock or randomness: the roof brings octets, times and salts. It does not know what an attack is.
#![forbid(unsafe_code)]

pub mod canonical;
pub mod checkpoint;
pub mod commitment;
mod compact;
pub mod disclosure;
pub mod entry;
pub mod hash;
pub mod log;
pub mod note;
pub mod opening;
pub mod policy;
pub mod proof;
pub mod receipt;
pub mod report;
pub mod text;
pub mod tile;
pub mod tree;

pub use checkpoint::Checkpoint;
pub use commitment::{CustomerTag, Salt};
pub use entry::Entry;
pub use hash::Hash;
pub use log::{Growth, Log};
pub use note::{Signer, VerifierKey};
pub use policy::Policy;
pub use proof::Proof;
pub use receipt::Receipt;
pub use report::Report;
