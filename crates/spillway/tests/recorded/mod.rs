//! Recorded attacks and ordinary traffic through the engine.
//!
//! [`truth`] says what each recording holds. One generic claim is tested over all of them: the result only moves with the
//! input ([`moves`]). What the derived filters do to attack and ordinary packets is measured in [`filters`].

mod detection;
mod filters;
pub(crate) mod frames;
mod judge;
mod moves;
mod packet_edit;
mod transform;
mod truth;
