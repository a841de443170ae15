//! What a search may cost. There is no clock down here, and one would make the answer depend on the machine: what is counted is
//! what takes the time, in units of about a nanosecond of the machine it was calibrated on.
//!
//! Calibrated with `cargo run --profile quick -p engine --example signature`, which prints units beside wall time for windows of
//! 4,096 packets of each vector and as many honest ones: the weights are set so that a unit is about a nanosecond there.
//! The facts of a shape that were begun are read to the end, at most 4 million units more.

use core::cell::Cell;

/// Units that one search may use, bootstrap included: 7 ms, so that 10 ms hold with room.
pub const WORK_MAX: u64 = 7_000_000;
/// Of these, in parts of ten, what is kept for the bootstrap.
pub(super) const BOOTSTRAP_TENTHS: u64 = 1;

/// To take in a row: read it, sort it by time, find its shape.
pub(super) const ROW: usize = 80;
/// To read the facts off a row: each of its values is sorted with the others'.
pub(super) const HARVEST: usize = 80;
/// To give a row's values their places.
pub(super) const INDEX: usize = 45;
/// To begin with a cell, however few rows it has.
pub(super) const CELL: usize = 8_000;
/// To make a set of rows of a fact.
pub(super) const ITEM: usize = 200;
/// To gather a row for an excerpt.
pub(super) const GATHER: usize = 10;
/// To compare one row with one range.
pub(super) const ASK: usize = 1;
/// To ask one row a whole question.
pub(super) const HOLDS: usize = 16;
/// To look at one conjunction, besides [`WORD`] for each word of its sets.
pub(super) const LOOK: usize = 25;
/// To count 64 rows.
pub(super) const WORD: usize = 2;
/// To look whose peer an honest row is.
pub(super) const PEER: usize = 3;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Work {
    left: Cell<u64>,
    cut: Cell<bool>,
}

impl Work {
    pub(super) const fn of(units: u64) -> Self {
        Self { left: Cell::new(units), cut: Cell::new(false) }
    }

    /// Counts `times` of something.
    pub(super) fn spend(&self, times: usize, each: usize) {
        let units = u64::try_from(times.saturating_mul(each)).unwrap_or(u64::MAX);
        self.left.set(self.left.get().saturating_sub(units));
    }

    /// Whether nothing is left; whoever asks gives up something then.
    pub(super) fn is_spent(&self) -> bool {
        let spent = self.left.get() == 0;
        self.cut.set(self.cut.get() || spent);
        spent
    }

    /// Whether somebody gave up something.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    pub(super) fn left(&self) -> u64 {
        self.left.get()
    }

    pub(super) fn set_left(&self, units: u64) {
        self.left.set(units);
    }
}
