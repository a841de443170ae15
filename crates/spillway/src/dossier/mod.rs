//! Who attacked: a folder per attack.

pub mod recorders;
pub mod write;
