//! How large an attack is taken for: it is counted once a second, in samples, and most is decided while it is young.

use base::Timestamp;
use base::units::{BitRate, PacketRate};
use steer::ladder::{Step, Volume};

use super::Case;
use crate::routing::lookout::Sight;

/// An attack is taken for as large as it was in nine of ten seconds lately (knowledge of it is sampled) …
const QUANTILE: f64 = 0.9;
/// … once it was counted so often.
const SIZES_MIN: usize = 5;
/// While it is young, it is taken for this share of its busiest second at least.
const YOUNG: f64 = 0.75;
/// So long it is young in seconds: it may have begun before it was seen to, and what is sampled and told in bundles jumps.
const YOUNG_SECS: f64 = 2.0;
/// So long what is known of one that an earlier run found, or that was found late, is not taken for its size, in seconds: the few
/// counts since then jump, too.
const TAKEN_UP_SECS: f64 = 10.0;
/// Each count is over so many looks, a second each.
const COUNTED_MAX: usize = 5;
/// Less of a second says nothing of the whole.
const PART_MIN: f64 = 0.25;

impl Case {
    /// Counts how large it is.
    #[expect(clippy::cast_precision_loss, reason = "rates need no more than 53 bits")]
    pub(in crate::routing::auto) fn measure(&mut self, sight: &Sight) {
        let now = sight.now;
        let Some(attack) = self.attack.as_ref().filter(|_| self.attacked) else { return };
        let usual = attack.targets.iter().filter_map(|target| sight.usual.get(target));
        let (pps, bps) = usual.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        self.honest = Volume { bits: BitRate(bps), packets: PacketRate(pps) };
        let (packets, bytes) = (attack.packets, attack.bytes);
        if self.counted.is_empty() && now.since(attack.started_at).as_secs_f64() > YOUNG_SECS {
            self.taken_up = Some((now, packets, bytes));
        }
        let newest = self.counted.back().map_or(packets, |(_, before, _)| *before);
        self.counted.push_back((now, packets, bytes));
        if self.counted.len() > COUNTED_MAX {
            self.counted.pop_front();
        }
        // What nobody sees behind a measure has no size.
        self.is_sized = packets > newest || self.climb.at().is_none();
        // Of what was taken up, only whole spans say something: of the first ones, a bundle more or less is a half.
        let is_whole = self.taken_up.is_none() || self.counted.len() == COUNTED_MAX;
        let oldest = self.counted.front().filter(|(at, ..)| *at < now && self.is_sized && is_whole);
        let Some((at, before, bytes_before)) = oldest else { return };
        let seconds = now.since(*at).as_secs_f64();
        let more = (bytes.saturating_sub(*bytes_before), packets.saturating_sub(*before));
        self.sizes.see(self.target, "", more.0 as f64 * 8.0 / seconds, more.1 as f64 / seconds);
    }

    /// How large it is taken for: an upper quantile of what was seen lately; while that says little, what came since it began,
    /// or most of what came in its busiest second, for what is sampled jumps.
    #[expect(clippy::cast_precision_loss, reason = "rates need no more than 53 bits")]
    pub(in crate::routing::auto) fn volume(&self, now: Timestamp) -> Volume {
        let Some(attack) = &self.attack else { return Volume::default() };
        let peak = super::super::situation::peak(attack);
        // Of the first second only a part is there yet.
        let lasts = now.since(attack.started_at).as_secs_f64();
        let part = lasts.clamp(PART_MIN, 1.0);
        let (bps, pps) = (peak.bits.0 / part, peak.packets.0 / part);
        let known = self.sizes.seen(self.target, "") >= SIZES_MIN;
        let sizes = self.sizes.of(self.target, "", QUANTILE).filter(|_| known);
        let (bits, packets) = sizes.unwrap_or_else(|| {
            let mean = |sum: u64| sum as f64 / lasts.max(1.0);
            ((mean(attack.bytes) * 8.0).max(bps * YOUNG), mean(attack.packets).max(pps * YOUNG))
        });
        Volume { bits: BitRate(bits.min(bps)), packets: PacketRate(packets.min(pps)) }
    }

    /// What of it surely comes, while it is young, or was taken up lately, or not counted since, and is kept: all that came, over
    /// a second at least, or all since it was taken up. `None`: how large it is is known.
    #[expect(clippy::cast_precision_loss, reason = "rates need no more than 53 bits")]
    pub(in crate::routing::auto) fn least(&self, now: Timestamp) -> Option<Volume> {
        let attack = self.attack.as_ref()?;
        let mean = |bytes: u64, packets: u64, seconds: f64| Volume {
            bits: BitRate(bytes as f64 * 8.0 / seconds.max(1.0)),
            packets: PacketRate(packets as f64 / seconds.max(1.0)),
        };
        let lasts = now.since(attack.started_at).as_secs_f64();
        let whole = mean(attack.bytes, attack.packets, lasts);
        if lasts < YOUNG_SECS {
            return Some(whole);
        }
        let (at, packets, bytes) = self.taken_up.filter(|_| self.climb.at() != Some(Step::Blackhole))?;
        let known = now.since(at).as_secs_f64();
        let since = mean(attack.bytes.saturating_sub(bytes), attack.packets.saturating_sub(packets), known);
        let greater = Volume {
            bits: BitRate(whole.bits.0.max(since.bits.0)),
            packets: PacketRate(whole.packets.0.max(since.packets.0)),
        };
        let is_guess = self.sizes.seen(self.target, "") < SIZES_MIN;
        (known < TAKEN_UP_SECS || is_guess).then_some(greater)
    }
}
