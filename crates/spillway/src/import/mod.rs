//! Configurations of other programs, carried over: what has an equivalent becomes a configuration of ours, the rest is told.

mod draft;
pub mod fastnetmon;
mod source;

use base::Prefix;

use crate::config::Problem;

/// What became of a foreign configuration.
#[derive(Debug)]
pub struct Imported {
    /// Ours, with a comment behind each value that says where it came from.
    pub text: String,
    /// What it protects.
    pub networks: Vec<Prefix>,
    /// What has no equivalent: where it stands, why, and what to do.
    pub left: Vec<Problem>,
}
