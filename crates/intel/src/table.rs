//! Sources by address, of which only so many are remembered.
//!
//! While they fit, all are. Then a keyed hash of the address draws lots: who is below the limit stays, whoever it is and
//! whatever it sends, so those that stay are a fair sample of all; who is above it stays if it is notable (a proof, a
//! tool's shape, many packets), and gets in when it comes a second time. What is dropped stays in the counts of the vectors and in [`Distinct`].

use base::hash::Mixer;
use base::map::{Map, Seed};

use crate::source::{Proofs, Source};

/// Sources remembered of one attack: seven eighths of 2¹⁷ slots, so that table and findings together stay below 100 MB
/// (tests/main/memory.rs).
pub const SOURCES_MAX: usize = 114_688;

#[derive(Clone, Debug)]
pub(crate) struct Sources {
    map: Map<u128, Source>,
    max: usize,
    key: u64,
    /// Hashes below it belong to the sample.
    limit: u64,
    /// Packets that make a source notable.
    notable: u64,
    /// Sources dropped or not let in, counted each time.
    pub(crate) dropped: u64,
    /// Who came once since the last time that room was made: bits by hash.
    door: Vec<u64>,
}

/// Bits of the door: some million forged sources come before strangers that share a bit have filled the table again, and in that
/// time who sends much has sent enough to stay.
const DOOR_BITS: usize = 1 << 23;

/// Packets that make a source notable at first.
const NOTABLE: u64 = 4;

impl Sources {
    pub(crate) fn new(max: usize, key: u64, seed: Seed) -> Self {
        Self {
            map: Map::new(seed),
            max: max.max(16),
            key,
            limit: u64::MAX,
            notable: NOTABLE,
            dropped: 0,
            door: Vec::new(),
        }
    }

    /// Makes room for so many, as far as so many are remembered.
    pub(crate) fn expect(&mut self, sources: usize) {
        self.map.reserve(sources.min(self.max));
    }

    /// What is remembered of a source, from now on. `None`: it is not of the sample, and came for the first time.
    #[inline]
    pub(crate) fn get(&mut self, address: u128) -> Option<&mut Source> {
        self.get_by(address, self.hash(address))
    }

    /// Likewise, where its [`Self::hash`] is known.
    #[inline]
    pub(crate) fn get_by(&mut self, address: u128, hash: u64) -> Option<&mut Source> {
        if self.map.len() >= self.max && !self.map.contains_key(&address) {
            self.prune();
        }
        let Self { map, door, limit, dropped, .. } = self;
        map.get_or_try_insert_with(address, || {
            let inside = lets_in(door, *limit, hash);
            *dropped += u64::from(!inside);
            inside.then(Source::default)
        })
    }

    /// Looks where [`Self::get_by`] will look, so that the memory is near by then; the number means nothing.
    #[inline]
    pub(crate) fn approach(&self, address: u128, hash: u64) -> u64 {
        let known = self.map.get(&address).map_or(0, |source| source.packets);
        known ^ self.door.get(door_bit(hash) / 64).copied().unwrap_or(0)
    }

    /// What is remembered of a source, if it is.
    pub(crate) fn known(&mut self, address: u128) -> Option<&mut Source> {
        self.map.get_mut(&address)
    }

    /// Likewise, to look at.
    pub(crate) fn seen(&self, address: u128) -> Option<&Source> {
        self.map.get(&address)
    }

    /// Whether sources had to be dropped.
    pub(crate) const fn overflows(&self) -> bool {
        self.limit != u64::MAX || self.dropped > 0
    }

    /// Whether all sources are there, and the rest whether this one is of the fair sample.
    pub(crate) fn sampled(&self, address: u128) -> bool {
        self.limit == u64::MAX || self.hash(address) < self.limit
    }

    /// Share of all sources that is of the sample.
    #[cfg(test)]
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(crate) const fn sampling(&self) -> f64 {
        if self.limit == u64::MAX { 1.0 } else { self.limit as f64 / 18_446_744_073_709_551_616.0 }
    }

    pub(crate) fn sorted(&self) -> Vec<(&u128, &Source)> {
        self.map.sorted()
    }

    /// The lot of an address.
    #[inline]
    pub(crate) const fn hash(&self, address: u128) -> u64 {
        Mixer::new(self.key).with_wide(address).finish()
    }

    /// Makes room for a quarter at least.
    #[cold]
    fn prune(&mut self) {
        let before = self.map.len();
        while self.map.len() > self.max / 4 * 3 {
            let below = |hash: u64, limit: u64| limit == u64::MAX || hash < limit;
            let (key, limit, notable) = (self.key, self.limit, self.notable);
            let hash = |address: u128| Mixer::new(key).with_wide(address).finish();
            let mut sampled = 0;
            self.map.retain(|address, source| {
                let lot = below(hash(*address), limit);
                sampled += usize::from(lot);
                lot || is_notable(source, notable)
            });
            if self.map.len() <= self.max / 4 * 3 {
                break;
            }
            if sampled > self.max / 4 {
                self.limit = self.limit / 2 + 1;
            } else {
                self.notable = self.notable.saturating_mul(2);
            }
        }
        self.dropped += u64::try_from(before - self.map.len()).unwrap_or(0);
        self.door.clear();
        self.door.resize(DOOR_BITS / 64, 0);
    }
}

/// Whether a stranger is remembered: it is of the sample, or came before.
#[inline]
fn lets_in(door: &mut [u64], limit: u64, hash: u64) -> bool {
    if limit == u64::MAX || hash < limit {
        return true;
    }
    let bit = door_bit(hash);
    let Some(word) = door.get_mut(bit / 64) else { return true };
    let before = *word;
    *word |= 1 << (bit % 64);
    before == *word
}

#[inline]
fn door_bit(hash: u64) -> usize {
    usize::try_from(hash).unwrap_or(0) % DOOR_BITS
}

/// A proof is worth as much as so many doublings of packets.
const PROOF: u32 = 12;

/// Who sends much, or has a proof.
const fn is_notable(source: &Source, packets: u64) -> bool {
    let proof = source.proof;
    let proven = proof.has(Proofs::HANDSHAKE | Proofs::QUIC | Proofs::ANSWER | Proofs::ASKED);
    source.packets >= packets || (proven && source.packets >= packets >> PROOF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_keeps_a_fair_sample_and_who_sends_much() {
        let mut sources = Sources::new(4096, 1, Seed::default());
        for round in 0..20u128 {
            for n in 0..20_000u128 {
                if let Some(source) = sources.get((1 << 64) + round * 20_000 + n) {
                    source.packets += 1;
                }
            }
            for bot in 0..100u128 {
                if let Some(source) = sources.get(bot) {
                    source.packets += 5;
                }
            }
        }
        let kept = sources.sorted();
        assert!(kept.len() <= 4096);
        let bots = kept.iter().filter(|(address, _)| **address < 100).count();
        assert_eq!(bots, 100);
        assert!(kept.iter().all(|(address, source)| **address >= 100 || source.packets >= 80));
        let sampled = kept.iter().filter(|(a, _)| **a >= 100 && sources.sampled(**a)).count();
        let estimate = sampled as f64 / sources.sampling();
        assert!((estimate / 400_000.0 - 1.0).abs() < 0.15, "{estimate}");
        assert!(sources.dropped > 390_000);
    }

    #[test]
    fn proofs_alone_cannot_fill_it_for_ever() {
        let mut sources = Sources::new(256, 1, Seed::default());
        for n in 0..100_000u128 {
            if let Some(source) = sources.get(n) {
                source.packets = 1;
                source.proof.set(Proofs::HANDSHAKE);
            }
        }
        assert!(sources.sorted().len() <= 256);
    }
}
