//! Long flows poured out over about as long as they lasted.
//!
//! A cache tells of a flow when it ends, or each time its active timeout passes: minutes of traffic in one record. Counted in
//! one tick it would be a burst that never was (a 22-hour stream as 1.26 Gbit/s). So what a flow brought is poured out from
//! the tick in which it was told, at the rate it had: a flow told every minute fills the minute until it is told again.

use base::{Span, Timestamp};
use detect::cell::{Cell, CellKey, FINE, Lasting};

/// (host, class, duration) triples with something left; beyond it those with the least go, counted in `pours_evicted`.
const POURS_MAX: usize = 1 << 18;

/// What is left of the flows of one key.
#[derive(Clone, Copy, Debug)]
struct Pour {
    packets: u64,
    bytes: u64,
    packets_a_tick: u64,
    bytes_a_tick: u64,
    /// Flows of which something is left, at most.
    flows: u32,
    unscaled: bool,
    doubtful: u32,
    first: Timestamp,
    last: Timestamp,
}

/// All flows that are being poured out, by key.
#[derive(Debug, Default)]
pub(crate) struct Pours {
    all: Vec<((CellKey, Lasting), Pour)>,
    pub(crate) evicted: u64,
}

impl Pours {
    /// Takes in the long flows that a tick told of, and gives the cells of all that flows in it.
    pub(crate) fn tick(
        &mut self,
        until: Timestamp,
        tick: Span,
        told: &[((CellKey, Lasting), Cell)],
    ) -> Vec<(CellKey, Cell)> {
        if !told.is_empty() {
            self.take(told);
        }
        let mut cells: Vec<(CellKey, Cell)> = Vec::with_capacity(self.all.len());
        let begun = until.minus(tick);
        self.all.retain_mut(|((key, _), pour)| {
            let cell = pour.tick(begun);
            match cells.last_mut() {
                Some((last, sum)) if last == key => sum.merge(&cell),
                _ => cells.push((*key, cell)),
            }
            pour.packets > 0
        });
        cells
    }

    fn take(&mut self, told: &[((CellKey, Lasting), Cell)]) {
        let before = std::mem::take(&mut self.all);
        self.all.reserve_exact(before.len() + told.len());
        let (mut old, mut new) = (before.into_iter().peekable(), told.iter().copied().peekable());
        loop {
            let next = match (old.peek(), new.peek()) {
                (Some(a), Some(b)) if a.0 < b.0 => old.next(),
                (Some(a), Some(b)) if a.0 == b.0 => {
                    let (kept, fresh) = (old.next(), new.next());
                    kept.zip(fresh).map(|((key, pour), (_, cell))| (key, pour.with(key.1, &cell)))
                }
                (_, Some(_)) => new.next().map(|(key, cell)| (key, Pour::NONE.with(key.1, &cell))),
                (Some(_), None) => old.next(),
                (None, None) => break,
            };
            self.all.extend(next);
        }
        if self.all.len() > POURS_MAX {
            // A quarter goes at once, so that not each tick has to choose; equals by key.
            let keep = POURS_MAX / 4 * 3;
            self.evicted += u64::try_from(self.all.len() - keep).unwrap_or(0);
            self.all.sort_unstable_by(|a, b| b.1.packets_a_tick.cmp(&a.1.packets_a_tick).then(a.0.cmp(&b.0)));
            self.all.truncate(keep);
            self.all.sort_unstable_by_key(|(key, _)| *key);
        }
    }
}

impl Pour {
    const NONE: Self = Self {
        packets: 0,
        bytes: 0,
        packets_a_tick: 0,
        bytes_a_tick: 0,
        flows: 0,
        unscaled: false,
        doubtful: 0,
        first: Timestamp::ZERO,
        last: Timestamp::ZERO,
    };

    /// With flows that were just told. What is left of earlier ones is poured out with them.
    fn with(self, lasting: Lasting, cell: &Cell) -> Self {
        let (packets, bytes) = (self.packets + cell.packets, self.bytes + cell.bytes);
        Self {
            packets,
            bytes,
            packets_a_tick: packets.div_ceil(lasting.ticks()),
            bytes_a_tick: bytes.div_ceil(lasting.ticks()),
            flows: self.flows.saturating_add(cell.samples),
            unscaled: self.unscaled || cell.unscaled > 0,
            doubtful: self.doubtful.saturating_add(cell.doubtful),
            first: cell.first,
            last: self.last.max(cell.last),
        }
    }

    /// What flows in one tick.
    fn tick(&mut self, begun: Timestamp) -> Cell {
        let packets = self.packets_a_tick.min(self.packets);
        let bytes = if packets == self.packets { self.bytes } else { self.bytes_a_tick.min(self.bytes) };
        self.packets -= packets;
        self.bytes -= bytes;
        let mut cell = Cell {
            packets,
            bytes,
            samples: self.flows.max(1),
            unscaled: u32::from(self.unscaled),
            doubtful: self.doubtful,
            first: self.first,
            last: self.last,
            ..Cell::EMPTY
        };
        let mut rest = u32::try_from(packets).unwrap_or(u32::MAX);
        let part = rest / u32::try_from(FINE).unwrap_or(1);
        for slot in cell.fine_packets.iter_mut().skip(1) {
            *slot = part;
            rest -= part;
        }
        if let Some(slot) = cell.fine_packets.first_mut() {
            *slot = rest;
        }
        // From the next tick on it is no news when it began.
        self.first = self.first.max(begun);
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use detect::cell::Side;
    use detect::class::Class;

    const TICK: Span = Span::from_millis(250);

    fn told(packets: u64, lasted: Span) -> Vec<((CellKey, Lasting), Cell)> {
        let key = CellKey { host: 7, side: Side::Received, class: Class::UDP_OTHER };
        let cell = Cell { packets, bytes: packets * 100, samples: 1, ..Cell::EMPTY };
        vec![((key, Lasting::of(lasted, TICK)), cell)]
    }

    /// Packets of each tick while this much is told every so many ticks.
    fn poured(packets: u64, lasted: Span, every: u64, ticks: u64) -> Vec<u64> {
        let mut pours = Pours::default();
        let flows = |n: u64| {
            let now = Timestamp::from_secs(1_000).plus(TICK.times(n));
            let again = every > 0 && n.is_multiple_of(every);
            let news = if again || n == 0 { told(packets, lasted) } else { Vec::new() };
            (now, news)
        };
        (0..ticks)
            .map(flows)
            .map(|(now, news)| pours.tick(now, TICK, &news))
            .map(|cells| cells.iter().map(|(_, cell)| cell.packets).sum())
            .collect()
    }

    #[test]
    fn a_flow_keeps_its_rate_and_every_packet() {
        let minute = poured(240_000, Span::from_secs(60), 0, 400);
        assert_eq!(minute.iter().sum::<u64>(), 240_000);
        assert!(minute.iter().all(|n| *n <= 1_500), "{:?}", minute.iter().max());
        assert_eq!(minute.last(), Some(&0));
        let day = poured(79_200, Span::from_secs(22 * 3600), 0, 10);
        assert!(day.iter().all(|n| *n <= 1), "{day:?}");
    }

    #[test]
    fn a_flow_told_every_minute_flows_evenly() {
        let rates = poured(240_000, Span::from_secs(60), 240, 2_400);
        assert!(
            rates.iter().all(|n| (900..=1_100).contains(n)),
            "{:?} to {:?}",
            rates.iter().min(),
            rates.iter().max()
        );
    }
}
