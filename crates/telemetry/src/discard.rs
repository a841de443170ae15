//! Packets that a device tells it has dropped (sFlow format 5, "sFlow Dropped Packet Notification Structures").
//!
//! They are no traffic, so they reach no counter; those dropped by policy show what installed rules hit.

use alloc::vec::Vec;

use crate::record::Record;

/// Kept of one exporter between two looks; more are counted as the fault `discards_full`.
const DISCARDS_MAX: usize = 1024;

/// A packet that was dropped by policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discard {
    /// The packet; it stands for itself alone.
    pub record: Record,
    /// `drop_reason`.
    pub reason: u32,
}

/// Whether somebody wanted it: prohibited routes (9, 10), prohibited by administration (13), an access list (258), shaping
/// (261), a blackhole route (269). The rest is errors and full buffers.
pub const fn is_policy(reason: u32) -> bool {
    matches!(reason, 9 | 10 | 13 | 258 | 261 | 269)
}

/// What one exporter told since the last look.
#[derive(Debug, Default)]
pub(crate) struct Discards(Vec<Discard>);

impl Discards {
    /// False: there is no room.
    pub(crate) fn push(&mut self, discard: Discard) -> bool {
        let room = self.0.len() < DISCARDS_MAX;
        if room {
            self.0.push(discard);
        }
        room
    }

    pub(crate) fn take(&mut self) -> Vec<Discard> {
        core::mem::take(&mut self.0)
    }
}
