//! What targets are used to: learned from ticks that have left the ring, when it is known whether an attack followed.

use base::Prefix;
use base::prefix::{bits_of, narrow, wide};
use detect::sample::Sample;
use detect::usual::Origins;

use super::{QUIET, Watch};
use crate::areas;
use crate::frozen::Frozen;
use crate::incident::by_pairs;
use crate::report::Direction;
use crate::settings::Settings;
use crate::target::{Target, TargetKey};
use crate::tick::{Tick, prefix};

/// Streams whose packets are remembered, 80 octets each, and targets whose visitors are, 160 each. What finds no room is not
/// learned, counted in `habits_refused` for each example of it.
const STREAMS_MAX: usize = 1 << 15;
const TARGETS_MAX: usize = 1 << 14;
/// Examples of a live tick that are learned from, about: a busy feed has more of them, a quiet one needs them all.
const LIVE_MAX: usize = 256;
/// Nothing is learned of a target while one of its tests stands above this part of the threshold.
const CALM: f64 = 0.5;

/// How many habits are remembered.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    streams: usize,
    targets: usize,
    pub(crate) refused: u64,
}

impl Habits {
    /// So many are remembered now.
    pub(crate) fn recount<'t>(&mut self, targets: impl Iterator<Item = &'t Target>) {
        (self.streams, self.targets) = (0, 0);
        for (streams, targets) in targets.map(kept) {
            self.streams += streams;
            self.targets += targets;
        }
    }

    /// Those of a target are no longer.
    pub(crate) fn forget(&mut self, target: Option<&Target>) {
        let (streams, targets) = target.map_or((0, 0), kept);
        self.streams = self.streams.saturating_sub(streams);
        self.targets = self.targets.saturating_sub(targets);
    }

    /// Room for another one of `kept`.
    fn admit<'t, T: Default>(
        place: &'t mut Option<Box<T>>,
        (kept, max): (&mut usize, usize),
        refused: &mut u64,
    ) -> Option<&'t mut T> {
        if place.is_none() {
            if *kept >= max {
                *refused += 1;
                return None;
            }
            *kept += 1;
        }
        Some(place.get_or_insert_default())
    }
}

/// Habits of a target: streams whose packets are remembered, and whether its visitors are.
fn kept(target: &Target) -> (usize, usize) {
    let streams = target.streams.iter().filter(|stream| stream.packets.is_some()).count();
    (streams, target.origins.is_some().into())
}

impl Watch {
    /// Learns from the examples of a tick what hosts are used to that matter, and the prefixes around them.
    pub(crate) fn accustom(&mut self, settings: &Settings, tick: &Tick, frozen: &Frozen) {
        let max = if settings.profile.is_exact() { usize::MAX } else { LIVE_MAX };
        let incoming = tick.some(max).map(|(_, sample)| sample).filter(|sample| !sample.outgoing);
        let samples: Vec<&Sample> = incoming.collect();
        for of_host in samples.chunk_by(|a, b| a.headers.dst == b.headers.dst) {
            let Some(first) = of_host.first() else { continue };
            let host = wide(first.headers.dst);
            let key = TargetKey { addr: host, bits: bits_of(narrow(host)), direction: Direction::In };
            if frozen.covers(&key) || frozen.touches(host) {
                continue;
            }
            self.accustom_one(settings, tick, &key, of_host);
            let around: Vec<TargetKey> = areas::around(&self.networks, host).collect();
            for key in around {
                self.accustom_one(settings, tick, &key, of_host);
            }
        }
    }

    fn accustom_one(&mut self, settings: &Settings, tick: &Tick, key: &TargetKey, samples: &[&Sample]) {
        let least = QUIET * settings.profile.floor_pps(settings.floor);
        let (exact, calm) = (settings.profile.is_exact(), CALM * self.threshold(settings));
        let Some(target) = self.targets.get_mut(key) else { return };
        if !target.is_calm() && target.streams.iter().any(|stream| stream.is_above(calm)) {
            return;
        }
        let Habits { streams, targets, refused } = &mut self.habits;
        let mut matters = target.origins.is_some();
        for sample in samples {
            // What is compared later is what nobody asked for, where that is known.
            if exact && by_pairs(sample.class) && !sample.unsolicited {
                continue;
            }
            if let Some(stream) = target.held(sample.class)
                && (stream.packets.is_some() || stream.usual.expected() > least)
            {
                matters = true;
                if let Some(packets) =
                    Habits::admit(&mut stream.packets, (&mut *streams, STREAMS_MAX), refused)
                {
                    packets.learn(tick.until, sample);
                }
            }
            if matters
                && let Some(origins) =
                    Habits::admit(&mut target.origins, (&mut *targets, TARGETS_MAX), refused)
            {
                origins.learn(tick.until, sample);
            }
        }
    }

    /// Where the packets of targets come from, by target.
    pub(crate) fn origins(&self) -> Vec<(Prefix, Origins)> {
        let all = self.targets.sorted().into_iter();
        all.filter_map(|(key, target)| Some((prefix(key), **target.origins.as_ref()?))).collect()
    }

    /// Puts back where the packets of a target come from, if anything else is known of it.
    pub(crate) fn come_from(&mut self, key: &TargetKey, origins: Origins) {
        if let Some(target) = self.targets.get_mut(key) {
            target.origins = Some(Box::new(origins));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_have_room_for_so_many() {
        let (mut first, mut second): (Option<Box<u8>>, Option<Box<u8>>) = (None, None);
        let (mut kept, mut refused) = (0, 0);
        assert!(Habits::admit(&mut first, (&mut kept, 1), &mut refused).is_some());
        assert!(Habits::admit(&mut second, (&mut kept, 1), &mut refused).is_none());
        // Who has one keeps it.
        assert!(Habits::admit(&mut first, (&mut kept, 1), &mut refused).is_some());
        assert_eq!((kept, refused), (1, 1));
    }
}
