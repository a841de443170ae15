//! Packets kept as examples, chosen by a keyed hash so that the choice does not depend on who saw them first.

use alloc::vec::Vec;

use base::Timestamp;
use base::hash::Mixer;
use base::prefix::wide;
use telemetry::record::{Detail, Record, Snip};
use wire::Headers;

/// One packet or flow kept as an example.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it was seen.
    pub at: Timestamp,
    /// Its headers, as far as `detail` says.
    pub headers: Headers,
    /// Packet or flow.
    pub detail: Detail,
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
    Mixer::new(key)
        .with_wide(wide(h.src))
        .with_wide(wide(h.dst))
        .with(small | u64::from(h.protocol) << 8 | u64::from(h.fragment.offset & 0xff))
        .with(record.start.nanos())
        .finish()
}
