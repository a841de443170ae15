//! Floor 1: who attacks. From packets of an attack to shapes, a verdict per source, and documents for those who may have them.
//!
//! No socket, no file, no clock. It never asks a source anything, so it cannot: what it knows came with the attack, from
//! what the roof learned in peace, and from files the operator has.
#![forbid(unsafe_code)]

pub mod bag;
pub mod campaign;
mod conclude;
mod distinct;
pub mod dossier;
pub mod enrich;
pub mod export;
pub mod finding;
mod forgery;
mod hearsay;
pub mod minhash;
pub mod observe;
mod packet;
mod pattern;
pub mod peace;
pub mod pseudonym;
mod quic;
pub mod rules;
mod shape;
mod source;
mod special;
mod spread;
pub mod table;
mod tally;
mod vector;
mod verdict;

pub use conclude::{Nature, NatureClass};
pub use dossier::{Dossier, Incident, Ingress};
pub use enrich::{Enrich, Place};
pub use finding::{Class, Finding, Reason, Verified};
pub use observe::{Entry, Observer, Scope};
pub use packet::{Packet, quoted};
pub use peace::Peace;
pub use pseudonym::{Clear, Pseudonyms};
pub use rules::Rules;
pub use shape::shape_id;
pub use special::special;
