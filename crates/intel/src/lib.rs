//! Floor 1: who attacks. From packets of an attack to shapes, a verdict per source, and documents for those who may have them.
//!
//! No socket, no file, no clock. It never asks a source anything, so it cannot: what it knows came with the attack, from
//! what the roof learned in peace, and from files the operator has.
#![forbid(unsafe_code)]

pub mod bag;
pub mod dossier;
pub mod export;
pub mod finding;

pub use dossier::{Dossier, Incident, Ingress};
pub use finding::{Class, Finding, Reason, Verified};
