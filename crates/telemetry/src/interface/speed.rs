//! How fast interfaces are, and flows that are told to have been faster.
//!
//! A flow cannot have brought more than its interface passes while it lasted. Routers tell so nevertheless: counters that were
//! never reset, durations of zero, durations of another flow (FastNetMon's issues 615 and 635: 1.26 Gbit/s of radio, 1,200
//! Mbit/s through 900). What exceeds it is cut off and counted, and who does it again is not acted on.

use alloc::collections::BTreeMap;

use base::{Span, Timestamp};

use crate::record::Record;

/// Interfaces per exporter whose speed is kept; of further ones nothing is known.
const SPEEDS_MAX: usize = 1024;
/// Clocks of milliseconds and timeouts of seconds: a flow may seem this much faster, in hundredths.
const SLACK_PERCENT: u128 = 150;
/// Shorter flows are judged as if they had lasted so long.
const LASTED_MIN: Span = Span::from_secs(1);
/// An exporter that told of so many within a window is doubtful…
const FAST_MAX: u32 = 3;
/// …until it told of none in so many windows of this length.
const WINDOW: Span = Span::from_secs(300);
const CALM: u32 = 3;

/// Bits per second of one exporter's interfaces, and what was told beyond them.
#[derive(Clone, Debug, Default)]
pub struct Speeds {
    /// By ifIndex; true: the operator said so.
    by_index: BTreeMap<u32, (u64, bool)>,
    begun: Timestamp,
    fast: u32,
    calm: u32,
    doubtful: bool,
    /// Octets that too fast flows told of, and that their interfaces could have passed.
    told: u64,
    passed: u64,
    flows: u64,
}

impl Speeds {
    /// With what the operator says, by ifIndex.
    pub(crate) fn configured(speeds: impl Iterator<Item = (u32, u64)>) -> Self {
        let by_index = speeds.take(SPEEDS_MAX).map(|(index, bits)| (index, (bits, true))).collect();
        Self { by_index, ..Self::default() }
    }

    /// Takes in an ifSpeed in bits/s; what the operator says holds over it. 0 says nothing.
    pub(crate) fn learn(&mut self, index: u32, bits: u64) {
        let room = self.by_index.len() < SPEEDS_MAX || self.by_index.contains_key(&index);
        let fixed = self.by_index.get(&index).is_some_and(|(_, fixed)| *fixed);
        if bits > 0 && room && !fixed {
            self.by_index.insert(index, (bits, false));
        }
    }

    /// Bits/s of an interface, where known.
    pub fn of(&self, index: u32) -> Option<u64> {
        self.by_index.get(&index).map(|(bits, _)| *bits)
    }

    /// Flows that were told to be faster than their interface.
    pub const fn flows(&self) -> u64 {
        self.flows
    }

    /// How many times what it told of those its interfaces can have passed; `None` while it is believed.
    #[expect(clippy::cast_precision_loss, reason = "a factor")]
    pub fn doubt(&self) -> Option<f64> {
        self.doubtful.then(|| self.passed as f64 / self.told.max(1) as f64)
    }

    /// Cuts a flow down to what its interfaces pass in the time, and marks it where its exporter is not to be acted on.
    #[inline]
    pub(crate) fn judge(&mut self, record: &mut Record) {
        if !self.by_index.is_empty() {
            self.cut(record);
        }
        record.doubtful = self.doubtful;
    }

    fn cut(&mut self, record: &mut Record) {
        self.pass(record.at);
        let slower = [record.input_if, record.output_if].into_iter().flatten().filter_map(|at| self.of(at));
        let Some(bits) = slower.min() else { return };
        let lasted = record.end.since(record.start).max(LASTED_MIN).nanos();
        let rate = u128::from(record.sampling.rate.unwrap_or(1).max(1));
        let passed = u128::from(bits) * u128::from(lasted) / 8_000_000_000;
        // Behind a sampler, what at least so many packets stand for with 97.5 % confidence.
        let sure =
            if rate > 1 { record.packets.saturating_sub(2 * record.packets.isqrt()) } else { record.packets };
        let sure = u128::from(record.bytes) * rate * u128::from(sure) / u128::from(record.packets.max(1));
        if sure * 100 <= passed * SLACK_PERCENT {
            return;
        }
        let told = u128::from(record.bytes) * rate;
        self.told = self.told.saturating_add(u64::try_from(told).unwrap_or(u64::MAX));
        self.passed = self.passed.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        self.flows += 1;
        self.fast = self.fast.saturating_add(1);
        self.doubtful |= self.fast >= FAST_MAX;
        let kept = |of: u64| u64::try_from(u128::from(of) * passed / told.max(1)).unwrap_or(of).min(of);
        (record.packets, record.bytes) = (kept(record.packets).max(1), kept(record.bytes));
    }

    /// Lets windows end.
    fn pass(&mut self, at: Timestamp) {
        if at.since(self.begun) < WINDOW {
            return;
        }
        self.calm = if self.fast == 0 { self.calm.saturating_add(1) } else { 0 };
        if self.calm >= CALM {
            self.doubtful = false;
        }
        if !self.doubtful {
            (self.told, self.passed) = (0, 0);
        }
        (self.begun, self.fast) = (at, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RateSource, Sampling};

    /// A flow of so many bits/s over ten seconds.
    fn flow(at: u64, bits: u64, rate: u32, packets: u64) -> Record {
        let end = Timestamp::from_secs(at);
        Record {
            start: end.minus(Span::from_secs(10)),
            packets,
            bytes: bits * 10 / 8 / u64::from(rate),
            sampling: Sampling { rate: Some(rate), source: RateSource::Config },
            input_if: Some(1),
            output_if: Some(2),
            ..Record::blank(end, 0)
        }
    }

    fn known() -> Speeds {
        let mut speeds = Speeds::configured([(1, 1_000_000_000)].into_iter());
        speeds.learn(1, 10_000_000);
        speeds.learn(2, 100_000_000_000);
        speeds
    }

    #[test]
    fn a_flow_is_cut_to_what_its_slower_interface_passes() {
        let mut speeds = known();
        // (bits/s, N of 1:N, packets, cut)
        for (bits, rate, packets, cut) in [
            (900_000_000, 1, 100_000, false),
            (1_400_000_000, 1, 100_000, false),
            (5_000_000_000, 1, 1_000_000, true),
            // Five packets of 1:100,000 may have been few by chance.
            (5_000_000_000, 100_000, 5, false),
            (5_000_000_000, 1_000, 4_000, true),
        ] {
            let mut record = flow(1_000, bits, rate, packets);
            let before = record;
            speeds.judge(&mut record);
            let kept = record.bytes * u64::from(rate) * 8 / 10;
            if cut {
                assert!((900_000_000..=1_000_000_000).contains(&kept), "{bits} of 1:{rate}: {kept}");
                assert!(record.packets < before.packets / 4);
            } else {
                assert_eq!((record.bytes, record.packets), (before.bytes, before.packets));
            }
        }
        let mut elsewhere = Record { input_if: Some(7), output_if: None, ..flow(1_000, 1 << 40, 1, 9) };
        speeds.judge(&mut elsewhere);
        assert_eq!(elsewhere.packets, 9);
    }

    #[test]
    fn who_tells_of_too_fast_flows_is_doubtful_until_it_stops() {
        let mut speeds = known();
        let mut told = |at, bits| {
            let mut record = flow(at, bits, 1, 1_000);
            speeds.judge(&mut record);
            (record.doubtful, speeds.doubt().is_some(), speeds.flows())
        };
        assert_eq!(told(1_000, 50_000_000_000), (false, false, 1));
        assert_eq!(told(1_001, 50_000_000_000), (false, false, 2));
        assert_eq!(told(1_002, 50_000_000_000), (true, true, 3));
        assert_eq!(told(1_301, 1_000), (true, true, 3));
        assert_eq!(told(1_602, 1_000), (true, true, 3));
        assert_eq!(told(1_903, 1_000), (true, true, 3));
        assert_eq!(told(2_204, 1_000), (false, false, 3));
    }
}
