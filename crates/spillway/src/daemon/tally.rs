//! What a worker counted, published for whoever asks.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use api::model;
use base::Timestamp;
use base::map::{Map, Seed};
use telemetry::Format;
use telemetry::collector::EXPORTERS_MAX;

/// (listener, exporter, format) triples counted apart. Beyond it the exporter is `::`: a sender can write any address.
const COUNTS_MAX: usize = 4 * EXPORTERS_MAX;

/// Which datagrams are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// Index of the listener.
    pub(super) listener: usize,
    /// Who sent them.
    pub(super) exporter: IpAddr,
    /// What they were; `None`: nothing that we know.
    pub(super) format: Option<Format>,
}

/// How many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// Datagrams.
    pub(super) datagrams: u64,
    /// Flow records and packet samples in them.
    pub(super) flows: u64,
    /// Packets and layer-3 octets of their traffic, with the sampling applied.
    pub(super) traffic: (u64, u64),
}

/// A worker's own counters.
#[derive(Debug)]
pub(super) struct Tally {
    counts: Map<Key, Count>,
    /// Datagrams refused by the allow-list, by listener.
    pub(super) refused: Vec<u64>,
    /// Errors of sockets, by listener.
    pub(super) errors: Vec<u64>,
}

impl Tally {
    /// All zero.
    pub(super) fn new(listeners: usize, seed: Seed) -> Self {
        Self { counts: Map::new(seed), refused: vec![0; listeners], errors: vec![0; listeners] }
    }

    /// Counts a datagram and what was in it.
    pub(super) fn count(&mut self, mut key: Key, flows: u64, (packets, bytes): (u64, u64)) {
        if self.counts.len() >= COUNTS_MAX && !self.counts.contains_key(&key) {
            key.exporter = IpAddr::from([0u8; 16]);
        }
        let count = self.counts.get_or_insert_with(key, Count::default);
        count.datagrams += 1;
        count.flows += flows;
        count.traffic.0 = count.traffic.0.saturating_add(packets);
        count.traffic.1 = count.traffic.1.saturating_add(bytes);
    }

    /// Formats that this exporter spoke.
    pub(super) fn formats(&self, exporter: IpAddr) -> Vec<String> {
        let formats = [Format::Netflow5, Format::Netflow9, Format::Ipfix, Format::Sflow5];
        let spoke = |format: &Format| {
            (0..self.refused.len())
                .any(|listener| self.counts.contains_key(&Key { listener, exporter, format: Some(*format) }))
        };
        formats.into_iter().filter(spoke).map(|format| format.name().to_owned()).collect()
    }

    /// Everything, for publishing.
    pub(super) fn counts(&self) -> Vec<(Key, Count)> {
        self.counts.sorted().into_iter().map(|(key, count)| (*key, *count)).collect()
    }
}

/// One exporter as its worker knows it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Its address.
    pub(super) address: IpAddr,
    /// As the API shows it.
    pub(super) document: model::Exporter,
    /// When it was last heard.
    pub(super) last_seen: Timestamp,
}

/// The latest published state of a worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    /// Counts by listener, exporter and format.
    pub(super) counts: Vec<(Key, Count)>,
    /// By listener.
    pub(super) refused: Vec<u64>,
    /// By listener.
    pub(super) errors: Vec<u64>,
    /// Exporters of this worker.
    pub(super) exporters: Vec<Seen>,
}

/// Where a worker publishes.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Published>);

impl Board {
    /// The latest state. A poisoned lock holds a whole value all the same: it is replaced, never edited.
    pub(super) fn look(&self) -> MutexGuard<'_, Published> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces it.
    pub(super) fn publish(&self, state: Published) {
        *self.look() = state;
    }
}
