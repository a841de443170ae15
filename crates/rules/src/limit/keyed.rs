//! Rates for each source or destination by itself, counted exactly.

use core::net::IpAddr;

use base::map::{Map, Seed};
use base::{Prefix, Span, Timestamp};
use wire::packet::Parsed;

use super::Bucket;
use crate::rule::{Per, Rule};

/// Buckets kept at once. When they are all busy, packets of other sources pass, and are counted.
pub const BUCKETS_MAX: usize = 1 << 20;

/// Time between two looks for those that need no bucket any more.
const SWEEP: Span = Span::from_millis(100);

/// What is counted of an IPv6 source: the length of its prefix, and how many times the rate that may send. A host has a
/// /64 to choose addresses from, a household a /56 and a site a /48: who turns through those meets their limits.
pub const SOURCE_LEVELS: [(u8, u8); 3] = [(64, 1), (56, 4), (48, 16)];

/// The prefixes that a source is counted under, and how many times the rate each may send: an IPv4 source under its
/// address, an IPv6 source under all of [`SOURCE_LEVELS`]. A packet passes when all let it.
pub fn source_prefixes(source: IpAddr) -> impl Iterator<Item = (Prefix, u8)> {
    let host = source.is_ipv4().then(|| (Prefix::host(source), 1));
    let levels = SOURCE_LEVELS.into_iter().filter(move |_| !source.is_ipv4());
    host.into_iter().chain(levels.map(move |(bits, times)| (Prefix::of(source, bits), times)))
}

/// Buckets by rule and by source or destination.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    buckets: Map<(usize, Prefix), Bucket>,
    pub(super) uncounted: u64,
    /// When room was last made.
    swept: Option<Timestamp>,
}

impl Default for Keyed {
    fn default() -> Self {
        Self { buckets: Map::new(Seed::default()), uncounted: 0, swept: None }
    }
}

impl Keyed {
    /// Whether a rule lets a packet pass now. Only what passes is charged, and then under all its prefixes.
    pub(super) fn admit(&mut self, index: usize, rule: &Rule, now: Timestamp, packet: &Parsed<'_>) -> bool {
        let h = &packet.headers;
        match rule.per {
            Per::Source => self.all(index, rule, now, h.length, || source_prefixes(h.src)),
            _ => self.all(index, rule, now, h.length, || core::iter::once((Prefix::host(h.dst), 1))),
        }
    }

    fn all<I: Iterator<Item = (Prefix, u8)>>(
        &mut self,
        index: usize,
        rule: &Rule,
        now: Timestamp,
        bytes: u32,
        prefixes: impl Fn() -> I,
    ) -> bool {
        for (prefix, times) in prefixes() {
            let key = (index, prefix);
            if !self.buckets.contains_key(&key) && !self.room(now) {
                self.uncounted += 1;
                return true;
            }
            let Some(full) = Bucket::new(rule.action, f64::from(times)) else { return true };
            if !self.buckets.get_or_insert_with(key, || full).has(now) {
                return false;
            }
        }
        for (prefix, _) in prefixes() {
            if let Some(bucket) = self.buckets.get_mut(&(index, prefix)) {
                bucket.charge(bytes);
            }
        }
        true
    }

    /// Whether there is room for one more; who could send a whole burst again is forgotten for it.
    fn room(&mut self, now: Timestamp) -> bool {
        let may_sweep = self.swept.is_none_or(|last| now.since(last) >= SWEEP);
        if self.buckets.len() >= BUCKETS_MAX && may_sweep {
            self.swept = Some(now);
            self.buckets.retain(|_, bucket| {
                bucket.has(now);
                bucket.level < bucket.depth
            });
        }
        self.buckets.len() < BUCKETS_MAX
    }
}
