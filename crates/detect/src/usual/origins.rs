//! Networks from which a target's packets usually come, and how usual it is that they come from new ones.
//!
//! A bitmap of /16 (IPv4) and /32 (IPv6) networks in two generations: whatever shares a bit with a known one is taken for
//! known, which the comparison allows for. Where visitors are always new, new ones say nothing; where the bitmap is full,
//! nothing says anything.

use base::hash;
use base::prefix::wide;
use base::{Prefix, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Once, SOURCES_MIN, by_sender, sure, window};
use crate::evidence::source_key;
use crate::sample::Sample;

const WORDS: usize = 8;
/// Bits of a bitmap.
const BITS: u32 = 512;
/// A generation with so many networks is followed by the next, and one that is a week old, in tens of seconds.
const FULL: u32 = BITS * 2 / 5;
const WEEK: u32 = 7 * 86_400 / 10;
/// Sources that have to be learned before anything is compared with them.
const LEARNED_MIN: u16 = 100;
/// Counts are halved here, so that later ones weigh more: a good hour of a busy target.
const SEEN_MAX: u16 = 1 << 14;
/// What of an attack's sources lies in networks of which nothing came before: it may be launched from familiar ones, too.
const STRANGERS: f64 = 0.9;

/// Networks that a target's sources belong to.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Origins {
    current: [u64; WORDS],
    before: [u64; WORDS],
    /// When the current generation began, in tens of seconds.
    begun: u32,
    /// Sources counted, and those of networks that were new.
    seen: u16,
    new: u16,
    #[serde(skip)]
    once: Once,
}

/// How new the networks are from which something comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Novelty {
    /// Distinct sources looked at.
    pub sources: usize,
    /// Share of them in networks that are not known.
    pub share: f64,
    /// What that share usually is.
    pub usual: f64,
    /// Nats a source that speak for strangers rather than for usual visitors, weighed by how many there are.
    pub evidence: f64,
}

impl Origins {
    /// Takes an example of peaceful traffic.
    pub fn learn(&mut self, now: Timestamp, sample: &Sample) {
        let source = sample.headers.src;
        let (word, bit) = place(sample);
        let known = self.knows(sample);
        if self.once.is_first(now, source_key(source)) {
            self.seen += 1;
            self.new += u16::from(!known);
            if self.seen >= SEEN_MAX {
                self.seen /= 2;
                self.new /= 2;
            }
        }
        let now = window(now);
        if self.begun == 0 {
            self.begun = now;
        }
        let networks: u32 = self.current.iter().map(|word| word.count_ones()).sum();
        if networks >= FULL || now.saturating_sub(self.begun) >= WEEK {
            self.before = core::mem::take(&mut self.current);
            self.begun = now;
        }
        if let Some(word) = self.current.get_mut(word) {
            *word |= bit;
        }
    }

    /// Holds examples against what was learned; `None` while that is little, or there are few sources.
    pub fn compare<'s>(&self, samples: impl Iterator<Item = &'s Sample>) -> Option<Novelty> {
        if self.seen < LEARNED_MIN {
            return None;
        }
        let (mut sources, mut new) = (0usize, 0usize);
        for sample in by_sender(samples) {
            sources += 1;
            new += usize::from(!self.knows(sample));
        }
        if sources < SOURCES_MIN {
            return None;
        }
        let free: u32 = self.current.iter().zip(&self.before).map(|(a, b)| (a | b).count_zeros()).sum();
        let stranger = STRANGERS * f64::from(free) / f64::from(BITS);
        let usual = (f64::from(self.new) + 1.0) / (f64::from(self.seen) + 2.0);
        #[expect(clippy::cast_precision_loss, reason = "at most thousands")]
        let (n, share) = (sources as f64, new as f64 / sources as f64);
        // Where visitors are as new as strangers would be, novelty says nothing.
        let evidence = if stranger > usual {
            share * libm::log(stranger / usual) + (1.0 - share) * libm::log((1.0 - stranger) / (1.0 - usual))
        } else {
            0.0
        };
        Some(Novelty { sources, share, usual, evidence: evidence * sure(n) })
    }

    fn knows(&self, sample: &Sample) -> bool {
        let (word, bit) = place(sample);
        [self.current, self.before]
            .iter()
            .any(|generation| generation.get(word).is_some_and(|w| w & bit != 0))
    }
}

/// Word and bit of a source's network.
fn place(sample: &Sample) -> (usize, u64) {
    let source = sample.headers.src;
    let network = Prefix::of(source, if source.is_ipv4() { 16 } else { 32 });
    let hash = hash::pair(0x6f72_6967, wide(network.addr()), 0, 0);
    ((hash >> 6) as usize % WORDS, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::super::packets::tests::{DAY, example, from};
    use super::*;

    /// `count` visitors, one a second, from this many networks.
    fn regular(networks: u32, count: u32) -> Origins {
        let mut origins = Origins::default();
        for n in 0..count {
            origins.learn(
                DAY.plus(base::Span::from_secs(u64::from(n))),
                &example(from(n % networks, n), 60, 57),
            );
        }
        origins
    }

    fn strangers(count: u32) -> alloc::vec::Vec<Sample> {
        (0..count).map(|n| example(from(1000 + 7 * n, n), 60, 57)).collect()
    }

    fn familiar(count: u32) -> alloc::vec::Vec<Sample> {
        (0..count).map(|n| example(from(n % 20, 90_000 + n), 60, 57)).collect()
    }

    #[test]
    fn strangers_are_told_from_those_who_come_from_where_all_come_from() {
        let origins = regular(20, 1000);
        let new = origins.compare(strangers(100).iter()).unwrap();
        assert!(new.share > 0.9 && new.usual < 0.05 && new.evidence > 1.5, "{new:?}");
        let old = origins.compare(familiar(100).iter()).unwrap();
        assert!(old.share == 0.0 && old.evidence < -1.0, "{old:?}");
    }

    #[test]
    fn where_visitors_are_always_new_strangers_say_little() {
        let new = regular(30_000, 5000).compare(strangers(100).iter()).unwrap();
        assert!(new.usual > 0.3 && new.evidence.abs() < 0.5, "{new:?}");
    }

    #[test]
    fn nothing_is_said_before_enough_is_learned_or_seen() {
        assert_eq!(regular(20, 50).compare(strangers(100).iter()), None);
        assert_eq!(regular(20, 1000).compare(strangers(5).iter()), None);
    }

    #[test]
    fn what_was_not_seen_for_two_weeks_is_forgotten() {
        let mut origins = regular(20, 1000);
        for week in 1..3u64 {
            let at = DAY.plus(base::Span::from_secs(week * 8 * 86_400));
            origins.learn(at, &example(from(500, 1), 60, 57));
        }
        assert!(origins.compare(familiar(100).iter()).unwrap().share > 0.9);
    }
}
