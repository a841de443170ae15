//! The log through its door: what it writes, what it proves, and what two other implementations say to that.

mod disk;
mod log;
mod notes;
mod policy;
mod second;
mod verifier;
