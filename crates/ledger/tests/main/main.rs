//! The log through its door: what it writes, what it proves, and what two other implementations say to that.

mod disclosure;
mod disk;
mod entries;
mod log;
mod notes;
mod opening;
mod policy;
mod second;
mod verifier;
