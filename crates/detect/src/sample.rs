//! Packets kept as examples, chosen by a keyed hash so that the choice does not depend on who saw them first.

use alloc::vec::Vec;

use base::Timestamp;
use base::hash;
use base::prefix::wide;
use telemetry::record::{Detail, Record, Snip};
use wire::Headers;

use crate::cell::Lasting;
use crate::class::{COUNT, Class};

/// One packet or flow kept as an example.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it was told.
    pub at: Timestamp,
    /// When its last packet was: long before, where a flow cache tells of it.
    pub last: Timestamp,
    /// Its headers, as far as `detail` says.
    pub headers: Headers,
    /// Its class, as its receiver sees it.
    pub class: Class,
    /// Packet or flow.
    pub detail: Detail,
    /// A flow of more than one packet: its flags are those of all of them.
    pub several: bool,
    /// First payload octets.
    pub snip: Snip,
    /// Packets it stands for, scaled.
    pub packets: u64,
    /// Layer-3 octets it stands for, scaled.
    pub bytes: u64,
    /// Which exporter told of it, and the interface it came in by.
    pub entry: (u32, Option<u32>),
    /// Whether an own host sent it to a foreign one.
    pub outgoing: bool,
    /// Whether the receiver had not spoken to the sender before; always false where pairs are not watched.
    pub unsolicited: bool,
    /// How long a flow lasted, in ticks.
    pub lasting: Lasting,
    /// Whether nobody knows how many packets it stands for.
    pub unscaled: bool,
    /// Whether the counters of the exporter that told of it belie it.
    pub doubtful: bool,
}

/// The `K` samples with the smallest keyed hashes: a commutative, idempotent choice.
#[derive(Clone, Debug)]
pub struct BottomK {
    max: usize,
    limit: u64,
    kept: Vec<(u64, Sample)>,
}

impl BottomK {
    /// Keeps at most `max`.
    pub const fn new(max: usize) -> Self {
        Self { max, limit: u64::MAX, kept: Vec::new() }
    }

    /// Whether a sample with this hash could stay.
    #[inline]
    pub const fn wants(&self, hash: u64) -> bool {
        hash < self.limit
    }

    /// Offers a sample.
    #[inline]
    pub fn offer(&mut self, hash: u64, sample: Sample) {
        if hash < self.limit {
            self.kept.push((hash, sample));
            if self.kept.len() >= 2 * self.max {
                self.trim();
            }
        }
    }

    /// All of `other`'s samples offered to this one.
    pub fn merge(&mut self, other: Self) {
        for (hash, sample) in other.kept {
            self.offer(hash, sample);
        }
    }

    /// The kept ones, smallest hash first; leaves this empty and open again.
    pub fn take(&mut self) -> Vec<(u64, Sample)> {
        self.trim();
        self.limit = u64::MAX;
        core::mem::take(&mut self.kept)
    }

    /// Gives up those for which `keep` says no. What was pushed out for them does not come back; others may come in their place.
    pub fn retain(&mut self, mut keep: impl FnMut(&Sample) -> bool) {
        let before = self.kept.len();
        self.kept.retain(|(_, sample)| keep(sample));
        if self.kept.len() < before {
            self.limit = u64::MAX;
        }
    }

    /// The kept ones in no order, before the last trim: a few more than will stay.
    pub fn kept(&self) -> &[(u64, Sample)] {
        &self.kept
    }

    /// Number kept, before the last trim.
    pub const fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing is kept.
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn trim(&mut self) {
        self.kept.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| rank(&a.1).cmp(&rank(&b.1))));
        self.kept.truncate(self.max);
        if self.kept.len() == self.max
            && let Some((last, _)) = self.kept.last()
        {
            self.limit = last.saturating_add(1);
        }
    }
}

/// Groups among which examples are chosen apart, so that a flood of one kind or on one host leaves the others theirs: by
/// class in a capture; live by class and receiver, a few each, and a last bin for all together, where a flood fills most.
#[derive(Clone, Debug)]
pub struct Bins {
    exact: bool,
    /// Whether the tick before sets how small a hash has to be from the beginning.
    thinned: bool,
    bins: Vec<Bin>,
    /// The examples, where [`Bin`] says; what is free is in `free`.
    kept: Vec<Kept>,
    free: Vec<u32>,
    /// Records of which each bin's examples were chosen.
    offered: Vec<u64>,
}

/// An example and the number of bins that want it.
#[derive(Clone, Copy, Debug)]
struct Kept {
    sample: Sample,
    uses: u8,
}

/// The smallest hashes of a group, and where their examples are.
#[derive(Clone, Debug)]
struct Bin {
    limit: u64,
    chosen: Vec<(u64, u32)>,
}

/// What was chosen in a tick.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// Examples with their hashes, by receiver, then hash.
    pub samples: Vec<(u64, Sample)>,
    /// Records of which each bin's examples were chosen.
    pub offered: Vec<u64>,
}

/// Bins of a live feed by class and receiver.
const LIVE_BINS: usize = 64;
/// Examples in a bin of a capture, in one of a live feed, and in its last.
const BIN_MAX: (usize, usize, usize) = (1024, 8, 256);

impl Bins {
    /// Empty ones.
    pub fn new(exact: bool) -> Self {
        let count = if exact { COUNT } else { LIVE_BINS + 1 };
        Self {
            exact,
            thinned: false,
            bins: alloc::vec![Bin { limit: u64::MAX, chosen: Vec::new() }; count],
            kept: Vec::new(),
            free: Vec::new(),
            offered: alloc::vec![0; count],
        }
    }

    /// From now on a bin begins a tick with the limit that would have left it half as many again as it keeps, had the
    /// tick been like the one before: most of what would be pushed out again is never taken in. What is kept is as random
    /// as ever, but depends on who counted the tick before; for live feeds, where that is one worker.
    pub const fn thin(&mut self) {
        self.thinned = true;
    }

    /// The bin of a packet of this class to this host.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the bin")]
    pub const fn bin(exact: bool, class: Class, host: u128) -> usize {
        if exact {
            class.index()
        } else {
            hash::pair(0x6269_6e73, host, 0, class.0 as u64) as usize % LIVE_BINS
        }
    }

    /// Counts a record of a bin; tells whether an example with this hash could stay.
    #[inline]
    pub fn wants(&mut self, bin: usize, hash: u64) -> bool {
        if let Some(offered) = self.offered.get_mut(bin) {
            *offered += 1;
        }
        let open = |bin: usize| self.bins.get(bin).is_some_and(|bin| hash < bin.limit);
        open(bin) || (!self.exact && open(LIVE_BINS))
    }

    /// Offers an example.
    pub fn offer(&mut self, bin: usize, hash: u64, sample: Sample) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.kept.push(Kept { sample, uses: 0 });
                u32::try_from(self.kept.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(kept) = self.kept.get_mut(slot as usize) {
            *kept = Kept { sample, uses: 1 };
        }
        self.put(bin, hash, slot);
        if !self.exact {
            self.put(LIVE_BINS, hash, slot);
        }
        self.drop(slot);
    }

    /// One bin fewer wants the example of this slot.
    #[inline]
    fn drop(&mut self, slot: u32) {
        if let Some(kept) = self.kept.get_mut(slot as usize) {
            kept.uses -= 1;
            if kept.uses == 0 {
                self.free.push(slot);
            }
        }
    }

    #[inline]
    const fn bin_max(&self, bin: usize) -> usize {
        match (self.exact, bin) {
            (true, _) => BIN_MAX.0,
            (false, LIVE_BINS) => BIN_MAX.2,
            (false, _) => BIN_MAX.1,
        }
    }

    #[inline]
    fn put(&mut self, index: usize, hash: u64, slot: u32) {
        let max = self.bin_max(index);
        let Some(bin) = self.bins.get_mut(index).filter(|bin| hash < bin.limit) else { return };
        if let Some(kept) = self.kept.get_mut(slot as usize) {
            kept.uses += 1;
        }
        if max <= BIN_MAX.1 {
            // A few are kept in order; equal hashes by their packets' own order.
            let rank = |slot: u32| self.kept.get(slot as usize).map(|kept| rank(&kept.sample));
            let at = bin.chosen.partition_point(|(h, s)| *h < hash || (*h == hash && rank(*s) < rank(slot)));
            bin.chosen.insert(at, (hash, slot));
            if bin.chosen.len() > max {
                let gone = bin.chosen.pop();
                bin.limit = bin.chosen.last().map_or(u64::MAX, |(last, _)| last.saturating_add(1));
                if let Some((_, gone)) = gone {
                    self.drop(gone);
                }
            }
            return;
        }
        bin.chosen.push((hash, slot));
        if bin.chosen.len() >= 2 * max {
            bin.trim(max, &self.kept);
            let gone: Vec<(u64, u32)> = bin.chosen.drain(max..).collect();
            gone.into_iter().for_each(|(_, slot)| self.drop(slot));
        }
    }

    /// The chosen ones; the bins are empty and open again, their room stays.
    pub fn take(&mut self) -> Chosen {
        let mut order: Vec<(u128, u64, u32)> = Vec::with_capacity(self.kept.len());
        let kept = &self.kept;
        for index in 0..self.bins.len() {
            let max = self.bin_max(index);
            let Some(bin) = self.bins.get_mut(index) else { continue };
            if bin.chosen.len() > max {
                bin.trim(max, kept);
            }
            let receiver =
                |slot: u32| kept.get(slot as usize).map_or(0, |kept| wide(kept.sample.headers.dst));
            order.extend(bin.chosen.iter().take(max).map(|(hash, slot)| (receiver(*slot), *hash, *slot)));
            bin.chosen.clear();
            let offered = self.offered.get(index).copied().unwrap_or(0);
            bin.limit = if self.thinned { thinned_limit(max, offered) } else { u64::MAX };
        }
        let rank = |slot: u32| kept.get(slot as usize).map(|kept| rank(&kept.sample));
        order.sort_unstable_by(|a, b| {
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| (rank(a.2), a.2).cmp(&(rank(b.2), b.2)))
        });
        // What the last bin chose too is there twice.
        order.dedup_by_key(|(_, _, slot)| *slot);
        let found = order.into_iter();
        let samples =
            found.filter_map(|(_, hash, slot)| Some((hash, kept.get(slot as usize)?.sample))).collect();
        self.kept.clear();
        self.free.clear();
        let empty = alloc::vec![0; self.offered.len()];
        Chosen { samples, offered: core::mem::replace(&mut self.offered, empty) }
    }

    /// What one shard would have chosen, of what several chose.
    pub fn rechoose(exact: bool, chosen: Chosen) -> Chosen {
        let mut all = Self::new(exact);
        for (hash, sample) in chosen.samples {
            all.offer(Self::bin(exact, sample.class, wide(sample.headers.dst)), hash, sample);
        }
        Chosen { offered: chosen.offered, ..all.take() }
    }
}

impl Bin {
    /// In order, and no more than can stay; the rest is left behind `max`.
    fn trim(&mut self, max: usize, kept: &[Kept]) {
        let rank = |slot: u32| kept.get(slot as usize).map(|kept| rank(&kept.sample));
        self.chosen.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| rank(a.1).cmp(&rank(b.1))));
        if let Some((last, _)) = max.checked_sub(1).and_then(|at| self.chosen.get(at)) {
            self.limit = last.saturating_add(1);
        }
    }
}

impl Chosen {
    /// Adds what another shard chose, to be brought down by [`Bins::rechoose`].
    pub fn merge(&mut self, other: Self) {
        if self.offered.is_empty() {
            *self = other;
            return;
        }
        self.samples.extend(other.samples);
        self.offered.iter_mut().zip(other.offered).for_each(|(a, b)| *a += b);
    }
}

/// The hash below which about one and a half times `max` of `offered` records lie.
#[expect(clippy::cast_possible_truncation, reason = "less than 2^64 where it is not all")]
fn thinned_limit(max: usize, offered: u64) -> u64 {
    let wanted = max as u64 * 3 / 2;
    if offered <= wanted { u64::MAX } else { ((u128::from(wanted) << 64) / u128::from(offered)) as u64 }
}

/// A total order for samples whose hashes collide.
fn rank(s: &Sample) -> (Timestamp, u128, u128, u64) {
    (s.at, wide(s.headers.src), wide(s.headers.dst), s.bytes)
}

/// The keyed hash of a record, over what names it.
#[inline]
pub fn hash(key: u64, record: &Record) -> u64 {
    let h = &record.headers;
    let (src_port, dst_port) = h.ports.unwrap_or((0, 0));
    let small = u64::from(src_port) << 48 | u64::from(dst_port) << 32 | u64::from(h.length & 0xffff) << 16;
    let small = small | u64::from(h.protocol) << 8 | u64::from(h.fragment.offset & 0xff);
    let when = record.start.nanos().rotate_left(24).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash::pair(key, wide(h.src), wide(h.dst), small ^ when)
}
