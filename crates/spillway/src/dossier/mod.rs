//! Who attacked: a folder per attack.

pub mod write;
