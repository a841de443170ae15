//! Packets that a device tells it has dropped (sFlow format 5, "sFlow Dropped Packet Notification Structures").
//!
//! They are no traffic, so they reach no counter; those dropped by policy show what installed rules hit.

use alloc::vec::Vec;

use crate::record::Record;
use crate::told::Raw;

/// Kept of one exporter between two looks; more are counted as the fault `discards_full`.
const DISCARDS_MAX: usize = 1024;

/// A packet that was dropped by policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discard {
    /// The packet; it stands for itself alone.
    pub record: Record,
    /// `drop_reason`.
    pub reason: u32,
    /// Where the front of the packet stands in its datagram, where it does.
    pub raw: Option<Raw>,
}

/// Whether somebody wanted it: prohibited routes (9, 10), prohibited by administration (13), an access list (258), shaping
/// (261), a blackhole route (269). The rest is errors and full buffers.
pub const fn is_policy(reason: u32) -> bool {
    matches!(reason, 9 | 10 | 13 | 258 | 261 | 269)
}

/// What one exporter told since the last look.
#[derive(Debug, Default)]
pub(crate) struct Discards {
    kept: Vec<Discard>,
    /// Of them, those that came before the latest datagram.
    before: usize,
}

impl Discards {
    /// Another datagram comes.
    pub(crate) fn begin(&mut self) {
        self.before = self.kept.len();
    }

    /// False: there is no room.
    pub(crate) fn push(&mut self, discard: Discard) -> bool {
        let room = self.kept.len() < DISCARDS_MAX;
        if room {
            self.kept.push(discard);
        }
        room
    }

    /// What the latest datagram told.
    pub(crate) fn latest(&self) -> &[Discard] {
        self.kept.get(self.before..).unwrap_or_default()
    }

    pub(crate) fn take(&mut self) -> Vec<Discard> {
        self.before = 0;
        core::mem::take(&mut self.kept)
    }
}
