//! Sources by address, of which only so many are remembered.
//!
//! While they fit, all are. Then a keyed hash of the address draws lots: who is below the limit stays, whoever it is and
//! whatever it sends, so those that stay are a fair sample of all; who is above it stays if it is notable (a proof, a
//! tool's shape, many packets), and gets in when it comes a second time. What is dropped stays in the counts of the vectors and in [`Distinct`].

use core::hash::BuildHasher as _;

use base::hash::Mixer;
use base::map::Seed;
use hashbrown::HashTable;

use crate::source::{Proofs, Source};

/// Sources remembered of one attack: seven eighths of 2¹⁷ slots, so that table and findings together stay below 100 MB
/// (tests/main/memory.rs).
pub const SOURCES_MAX: usize = 114_688;

/// An address and what is remembered of it.
pub(crate) type Entry = (u128, Source);

#[derive(Clone, Debug)]
pub(crate) struct Sources {
    /// Places in `entries`. So small a table stays near; what is remembered is touched only of who is there.
    index: HashTable<u32>,
    /// In order of appearance: strangers lie beside each other.
    entries: Vec<Entry>,
    seed: Seed,
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
            index: HashTable::new(),
            entries: Vec::new(),
            seed,
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
        let more = sources.min(self.max).saturating_sub(self.entries.len());
        self.entries.reserve_exact(more);
        let Self { index, entries, seed, .. } = self;
        index.reserve(more, |place| place_of(entries, seed, *place));
    }

    /// What is remembered of a source, from now on. `None`: it is not of the sample, and came for the first time.
    #[inline]
    pub(crate) fn get(&mut self, address: u128) -> Option<&mut Source> {
        self.get_by(address, self.hash(address))
    }

    /// Likewise, where its [`Self::hash`] is known.
    #[inline]
    pub(crate) fn get_by(&mut self, address: u128, hash: u64) -> Option<&mut Source> {
        let place = match self.find(address) {
            Some(place) => place,
            None => self.welcome(address, hash)?,
        };
        self.entries.get_mut(place).map(|(_, source)| source)
    }

    /// Remembers a stranger, if it may come in; its place.
    fn welcome(&mut self, address: u128, hash: u64) -> Option<usize> {
        if self.entries.len() >= self.max {
            self.prune();
        }
        if !lets_in(&mut self.door, self.limit, hash) {
            self.dropped += 1;
            return None;
        }
        let Self { index, entries, seed, max, .. } = self;
        let place = entries.len();
        if place == entries.capacity() {
            // No more than will ever be there.
            entries.reserve_exact(place.max(64).min(max.saturating_sub(place)).max(1));
        }
        index.insert_unique(seed.hash_one(address), u32::try_from(place).ok()?, |place| {
            place_of(entries, seed, *place)
        });
        entries.push((address, Source::default()));
        Some(place)
    }

    #[inline]
    fn find(&self, address: u128) -> Option<usize> {
        let is = |place: &u32| self.entry(*place).is_some_and(|(known, _)| *known == address);
        let place = self.index.find(self.seed.hash_one(address), is)?;
        usize::try_from(*place).ok()
    }

    #[inline]
    fn entry(&self, place: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// Looks where [`Self::get_by`] will look, so that the memory is near by then; the number means nothing.
    #[inline]
    pub(crate) fn approach(&self, address: u128, hash: u64) -> u64 {
        let known = self.seen(address).map_or(0, |source| source.packets ^ u64::from(source.entry));
        known ^ self.door.get(door_bit(hash) / 64).copied().unwrap_or(0)
    }

    /// What is remembered of a source, if it is.
    pub(crate) fn known(&mut self, address: u128) -> Option<&mut Source> {
        let place = self.find(address)?;
        self.entries.get_mut(place).map(|(_, source)| source)
    }

    /// Likewise, to look at.
    #[inline]
    pub(crate) fn seen(&self, address: u128) -> Option<&Source> {
        self.entries.get(self.find(address)?).map(|(_, source)| source)
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

    /// All of them by address, copied: who walks over them more than once finds them one behind the other.
    pub(crate) fn sorted(&self) -> Vec<Entry> {
        let mut order: Vec<(u128, usize)> =
            self.entries.iter().enumerate().map(|(place, (address, _))| (*address, place)).collect();
        order.sort_unstable();
        order.into_iter().filter_map(|(_, place)| self.entries.get(place).copied()).collect()
    }

    /// The lot of an address.
    #[inline]
    pub(crate) const fn hash(&self, address: u128) -> u64 {
        Mixer::new(self.key).with_wide(address).finish()
    }

    /// Makes room for a quarter at least.
    #[cold]
    fn prune(&mut self) {
        let before = self.entries.len();
        while self.entries.len() > self.max / 4 * 3 {
            let below = |hash: u64, limit: u64| limit == u64::MAX || hash < limit;
            let (key, limit, notable) = (self.key, self.limit, self.notable);
            let hash = |address: u128| Mixer::new(key).with_wide(address).finish();
            let mut sampled = 0;
            self.entries.retain(|(address, source)| {
                let lot = below(hash(*address), limit);
                sampled += usize::from(lot);
                lot || is_notable(source, notable)
            });
            if self.entries.len() <= self.max / 4 * 3 {
                break;
            }
            if sampled > self.max / 4 {
                self.limit = self.limit / 2 + 1;
            } else {
                self.notable = self.notable.saturating_mul(2);
            }
        }
        self.index.clear();
        let Self { index, entries, seed, .. } = self;
        for (place, (address, _)) in (0u32..).zip(&*entries) {
            index.insert_unique(seed.hash_one(address), place, |place| place_of(entries, seed, *place));
        }
        self.dropped += u64::try_from(before - self.entries.len()).unwrap_or(0);
        self.door.clear();
        self.door.resize(DOOR_BITS / 64, 0);
    }
}

/// The hash by which the index finds an entry.
fn place_of(entries: &[Entry], seed: &Seed, place: u32) -> u64 {
    let entry = usize::try_from(place).ok().and_then(|place| entries.get(place));
    entry.map_or(0, |(address, _)| seed.hash_one(address))
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
        let bots = kept.iter().filter(|(address, _)| *address < 100).count();
        assert_eq!(bots, 100);
        assert!(kept.iter().all(|(address, source)| *address >= 100 || source.packets >= 80));
        let sampled = kept.iter().filter(|(a, _)| *a >= 100 && sources.sampled(*a)).count();
        let estimate = sampled as f64 / sources.sampling();
        assert!((estimate / 400_000.0 - 1.0).abs() < 0.15, "{estimate}");
        assert!(sources.dropped > 390_000);
    }

    #[test]
    fn whoever_stays_is_found_with_what_it_did() {
        let mut sources = Sources::new(1024, 1, Seed::default());
        sources.expect(100);
        for n in 0..50_000u128 {
            // Everybody comes twice, so that who is remembered has two packets, and regulars come all the time.
            for address in [1_000 + n / 2, n % 7] {
                sources.get(address).into_iter().for_each(|source| source.packets += 1);
            }
        }
        let kept = sources.sorted();
        assert!(kept.len() <= 1024 && kept.is_sorted_by(|(a, _), (b, _)| a < b));
        for (address, source) in &kept {
            let hash = sources.hash(*address);
            assert_eq!(sources.seen(*address).map(|found| found.packets), Some(source.packets));
            assert_eq!(
                sources.find(*address),
                sources.entries.iter().position(|(known, _)| known == address)
            );
            let _ = sources.approach(*address, hash);
        }
        assert_eq!(kept.iter().filter(|(address, _)| *address < 7).count(), 7);
        assert_eq!(sources.seen(u128::MAX).map(|source| source.packets), None);
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
