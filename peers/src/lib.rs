//! What one would use instead: the peers' daemons, started as their packages mean it, watched and stopped, and the pages
//! on which our figures stand beside theirs.
//!
//! Knows processes, files and this machine; nothing of traffic, and none of our own crates.
#![forbid(unsafe_code)]

pub mod fastnetmon;
pub mod machine;
pub mod namespace;
pub mod process;
pub mod sheet;

/// What went wrong, for the one who typed the command.
pub type Outcome<T = ()> = Result<T, String>;
