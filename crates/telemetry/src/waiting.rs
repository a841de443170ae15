//! Data sets that came before their template.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use base::{Span, Timestamp};

use crate::sets::Message;
use crate::stats::Stats;

/// Octets that wait per exporter, with their book-keeping. The oldest sets are given up first; counted in
/// `undecodable_bytes` and the fault `waiting_full`.
pub const WAITING_MAX: usize = 64 * 1024;
/// Sets that waited longer are given up; counted in `undecodable_bytes` and the fault `waiting_expired`.
pub const WAITING_LIFE: Span = Span::from_secs(30);
/// What a waiting set costs besides its octets.
const OVERHEAD: usize = 200;

/// A set that waits.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) message: Message,
    pub(crate) id: u16,
    pub(crate) body: Box<[u8]>,
}

/// Sets of one exporter that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    sets: VecDeque<Parked>,
    /// How many wait for which template.
    wanted: BTreeMap<(Key, u16), u32>,
    cost: usize,
}

/// Format and domain.
type Key = (crate::told::Format, u32);

impl Waiting {
    /// Parks a set.
    pub(crate) fn park(&mut self, message: Message, id: u16, body: &[u8], stats: &mut Stats) {
        let cost = body.len() + OVERHEAD;
        if cost > WAITING_MAX {
            stats.undecodable_bytes += body.len() as u64;
            return stats.faults.count("waiting_full");
        }
        while self.cost + cost > WAITING_MAX {
            self.give_up(stats, "waiting_full");
        }
        self.cost += cost;
        stats.buffered_bytes += body.len() as u64;
        stats.work += body.len() as u64;
        *self.wanted.entry((message.key(), id)).or_insert(0) += 1;
        self.sets.push_back(Parked { message, id, body: body.into() });
    }

    /// Gives up what waited too long.
    pub(crate) fn expire(&mut self, now: Timestamp, stats: &mut Stats) {
        while self.sets.front().is_some_and(|parked| now.since(parked.message.at) > WAITING_LIFE) {
            self.give_up(stats, "waiting_expired");
        }
    }

    /// Takes out what waited for this template, in the order of arrival.
    pub(crate) fn claim(&mut self, key: Key, id: u16, stats: &mut Stats) -> VecDeque<Parked> {
        let mut claimed = VecDeque::new();
        if self.wanted.remove(&(key, id)).is_none() {
            return claimed;
        }
        stats.work += self.sets.len() as u64;
        for parked in core::mem::take(&mut self.sets) {
            if parked.message.key() == key && parked.id == id {
                self.cost -= parked.body.len() + OVERHEAD;
                stats.buffered_bytes -= parked.body.len() as u64;
                claimed.push_back(parked);
            } else {
                self.sets.push_back(parked);
            }
        }
        claimed
    }

    fn give_up(&mut self, stats: &mut Stats, why: &'static str) {
        let Some(parked) = self.sets.pop_front() else { return };
        self.cost -= parked.body.len() + OVERHEAD;
        stats.buffered_bytes -= parked.body.len() as u64;
        stats.undecodable_bytes += parked.body.len() as u64;
        stats.faults.count(why);
        let key = (parked.message.key(), parked.id);
        if let Some(n) = self.wanted.get_mut(&key) {
            *n -= 1;
            if *n == 0 {
                self.wanted.remove(&key);
            }
        }
    }
}
