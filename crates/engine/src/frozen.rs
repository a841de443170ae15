//! Where an attack is under way: nothing is learned there.

use std::ops::RangeInclusive;

use base::Timestamp;

use crate::closed::Closed;
use crate::incident::Incident;
use crate::report::Direction;
use crate::target::TargetKey;
use crate::tick::{hosts, prefix};

/// The addresses of all attacks, as ranges that neither touch nor overlap, by direction.
#[derive(Debug, Default)]
pub(crate) struct Frozen {
    incoming: Vec<RangeInclusive<u128>>,
    outgoing: Vec<RangeInclusive<u128>>,
    /// Nothing is learned anywhere.
    all: bool,
}

impl Frozen {
    /// The places of these attacks; `all` where too much telemetry is missing to learn from the rest.
    /// What a person closed is still no peace to learn from, while it is left alone.
    pub(crate) fn of(incidents: &[Incident], closed: &[Closed], now: Timestamp, all: bool) -> Self {
        let areas = |direction: Direction| {
            // Where a host sends too much to everybody, everybody else is as usual.
            let of = incidents.iter().filter(move |i| i.key.direction == direction && !i.by_limit);
            let left_alone = closed.iter().flat_map(move |closed| closed.left_alone(now, direction));
            joined(of.flat_map(|i| &i.areas).chain(left_alone).map(hosts).collect())
        };
        Self { incoming: areas(Direction::In), outgoing: areas(Direction::Out), all }
    }

    /// Whether nothing is learned of a target: all of it lies in an attack.
    pub(crate) fn covers(&self, key: &TargetKey) -> bool {
        let ranges = match key.direction {
            Direction::In => &self.incoming,
            Direction::Out => &self.outgoing,
        };
        self.all
            || !ranges.is_empty() && {
                let own = hosts(&prefix(key));
                around(ranges, *own.start()).is_some_and(|range| range.contains(own.end()))
            }
    }

    /// Whether this address, as [`base::prefix::wide`], is under attack in either direction.
    pub(crate) fn touches(&self, host: u128) -> bool {
        around(&self.incoming, host).is_some() || around(&self.outgoing, host).is_some()
    }
}

fn around(ranges: &[RangeInclusive<u128>], host: u128) -> Option<&RangeInclusive<u128>> {
    let at = ranges.partition_point(|range| *range.end() < host);
    ranges.get(at).filter(|range| range.contains(&host))
}

fn joined(mut ranges: Vec<RangeInclusive<u128>>) -> Vec<RangeInclusive<u128>> {
    ranges.sort_unstable_by_key(|range| *range.start());
    let mut out: Vec<RangeInclusive<u128>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if *range.start() <= *last.end() => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => out.push(range),
        }
    }
    out
}
