//! The fixed programs of a plane, and what the kernel's verifier saw of them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::increments::Sets;
use crate::maps::Maps;
use crate::plane::{Clock, Plane};
use crate::way::has_long_jumps;

/// The fixed programs behind the entry that are put into slots later.
pub(crate) const FIXED: [&str; 3] = ["verdict", "engine", "increment"];

/// What the kernel's verifier saw of a fixed program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// As in the object file.
    pub name: &'static str,
    /// Instructions.
    pub instructions: u32,
    /// Instructions that the verifier walked: at most a million.
    pub verified: u32,
}

impl Plane {
    /// A plane of programs and maps that are there.
    pub(crate) fn with(entry: OwnedFd, fixed: [OwnedFd; FIXED.len()], maps: Maps, clock: Clock) -> Self {
        Self {
            entry,
            fixed,
            maps,
            clock,
            programs: Vec::new(),
            lacking: Vec::new(),
            long_jumps: has_long_jumps(),
            sets: Sets::default(),
        }
    }

    /// One of [`FIXED`].
    pub(crate) fn fixed(&self, name: &str) -> Result<BorrowedFd<'_>, Error> {
        let mut named = FIXED.iter().zip(&self.fixed).filter(|(known, _)| **known == name);
        let missing = || Error::Fixed(format!("no program {name}"));
        named.next().map(|(_, fd)| fd.as_fd()).ok_or_else(missing)
    }

    /// The fixed programs, of a plane that loaded them.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// As on kernels before 6.6, where no jump of a program goes farther than 32,767 instructions.
    #[must_use]
    pub fn without_long_jumps(self) -> Self {
        Self { long_jumps: false, ..self }
    }
}
