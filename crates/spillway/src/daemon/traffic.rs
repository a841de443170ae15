//! What arrives, second by second: of it, what is counted to attacks, what rules drop, and what is usual.

use std::collections::{BTreeMap, VecDeque};

use api::{SECONDS_MAX, Second, Usual};
use base::Timestamp;
use engine::Received;

/// Seconds after which what was usual weighs e times less.
const MEMORY_SECS: f64 = 600.0;
/// So many calm seconds make something usual.
const CALM_MIN: u32 = 5;
/// A second that lies this far behind the one before it begins anew: the machine slept, or its clock was set.
const GAP_SECS: f64 = 10.0;

/// The last seconds, and the one that is being counted.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    seconds: VecDeque<Second>,
    /// When the open second began.
    since: Option<Timestamp>,
    open: Received,
    attack: Received,
    /// What each attack had at the last tick: packets and octets.
    sizes: BTreeMap<String, (u64, u64)>,
    /// What rules had dropped when the open second began; `None`: nobody counted.
    dropped: Option<u64>,
    pps: Average,
    bps: Average,
}

/// A mean and a variance that forget.
#[derive(Debug, Default)]
struct Average {
    seen: u32,
    mean: f64,
    variance: f64,
}

impl Average {
    fn add(&mut self, value: f64) {
        self.seen = self.seen.saturating_add(1);
        let weight = (1.0 / f64::from(self.seen)).max(1.0 / MEMORY_SECS);
        let off = value - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * weight.mul_add(off * off, self.variance);
    }
}

impl Traffic {
    /// Adds a tick that ended `until`: what arrived, what each attack has by now, what rules have dropped by now.
    pub(super) fn tick<'a>(
        &mut self,
        until: Timestamp,
        received: Received,
        sizes: impl Iterator<Item = (&'a str, u64, u64)>,
        dropped: Option<u64>,
    ) {
        let mut now = BTreeMap::new();
        for (id, packets, bytes) in sizes {
            let (had, had_bytes) = self.sizes.get(id).copied().unwrap_or((packets, bytes));
            self.attack.packets = self.attack.packets.saturating_add(packets.saturating_sub(had));
            self.attack.bytes = self.attack.bytes.saturating_add(bytes.saturating_sub(had_bytes));
            now.insert(id.to_owned(), (packets, bytes));
        }
        self.sizes = now;
        self.open.packets = self.open.packets.saturating_add(received.packets);
        self.open.bytes = self.open.bytes.saturating_add(received.bytes);
        let Some(since) = self.since else {
            self.begin(until, dropped);
            return;
        };
        let secs = until.since(since).as_secs_f64();
        if secs >= GAP_SECS {
            self.begin(until, dropped);
        } else if secs >= 1.0 {
            self.close(until, secs, dropped);
            self.begin(until, dropped);
        }
    }

    /// The last seconds, the oldest first.
    pub(super) fn seconds(&self) -> Vec<Second> {
        self.seconds.iter().cloned().collect()
    }

    fn begin(&mut self, at: Timestamp, dropped: Option<u64>) {
        self.since = Some(at);
        (self.open, self.attack) = (Received::default(), Received::default());
        self.dropped = dropped;
    }

    fn close(&mut self, until: Timestamp, secs: f64, dropped: Option<u64>) {
        let rate = |received: Received| (per(received.packets, secs), 8.0 * per(received.bytes, secs));
        let ((pps, bps), (attack_pps, attack_bps)) = (rate(self.open), rate(self.attack));
        if self.sizes.is_empty() {
            self.pps.add(pps);
            self.bps.add(bps);
        }
        let usual = (self.pps.seen >= CALM_MIN).then(|| Usual {
            pps: self.pps.mean,
            pps_deviation: self.pps.variance.sqrt(),
            bps: self.bps.mean,
            bps_deviation: self.bps.variance.sqrt(),
        });
        // counters begin anew with the rules that they belong to
        let dropped = dropped.zip(self.dropped).map(|(now, then)| per(now.saturating_sub(then), secs));
        if self.seconds.len() == SECONDS_MAX {
            self.seconds.pop_front();
        }
        self.seconds.push_back(Second {
            at: until.to_string(),
            pps,
            bps,
            attack_pps,
            attack_bps,
            dropped_pps: dropped,
            usual,
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate that is drawn")]
fn per(count: u64, secs: f64) -> f64 {
    count as f64 / secs
}

#[cfg(test)]
mod tests {
    use base::Span;

    use super::*;

    fn at(quarters: u64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000).plus(Span::from_millis(250 * quarters))
    }

    #[test]
    fn seconds_show_what_arrives_and_an_attack_does_not_become_usual() {
        let mut traffic = Traffic::default();
        let calm = Received { packets: 250, bytes: 25_000 };
        for quarter in 0..=40 {
            traffic.tick(at(quarter), calm, std::iter::empty(), None);
        }
        let last = traffic.seconds().pop().unwrap();
        assert_eq!((last.pps, last.bps, last.dropped_pps), (1_000.0, 800_000.0, None));
        assert_eq!(last.usual.unwrap().pps, 1_000.0);
        let flood = Received { packets: 25_250, bytes: 2_525_000 };
        for quarter in 41..=48 {
            let sizes = [("a", 25_000 * quarter, 2_500_000 * quarter)];
            traffic.tick(at(quarter), flood, sizes.into_iter(), Some(10_000 * quarter));
        }
        let last = traffic.seconds().pop().unwrap();
        assert_eq!((last.pps, last.attack_pps), (101_000.0, 100_000.0));
        assert_eq!(last.dropped_pps, Some(40_000.0));
        assert_eq!(last.usual.unwrap().pps, 1_000.0);
        // hours of sleep are no second, and the ring is bounded
        traffic.tick(at(100_000), calm, std::iter::empty(), None);
        let before = traffic.seconds().len();
        traffic.tick(at(100_001), calm, std::iter::empty(), None);
        assert_eq!(traffic.seconds().len(), before);
        for quarter in 0..8_000 {
            traffic.tick(at(200_000 + quarter), calm, std::iter::empty(), None);
        }
        assert_eq!(traffic.seconds().len(), SECONDS_MAX);
    }
}
