//! Long flows told late, tested as if they had been told on time.
//!
//! [`crate::pour`] lets a flow that was told late flow on from now, over about as long as it lasted: the volume of an attack is
//! counted there, and only there. Its test however has to wait for what is known already. So hosts with much of it keep a
//! second book: what they received and sent by the second in which it *was*, from each record once. When late flows come in,
//! the same test runs over these seconds anew, and a stream that stands above its threshold at the end is a candidate now: a
//! flood that a cache of 60/15 s tells after a minute is found, and dated, as soon as it is told.
//!
//! Seconds of which nothing more will be told, by how long the exporters were learned to hold a flow back ([`Hold`]), let the
//! test fall: what no longer stands then was a flood that is over, and opens nothing. For what is told later than a quiet
//! minute after that there is nobody left to warn; it is history, counted but not tested.

use std::collections::BTreeMap;

use base::prefix::{bits_of, narrow};
use base::{Span, Timestamp};
use detect::cell::{Cell, CellKey, Lasting, Side};
use detect::class::Class;
use detect::cusum::Cusum;
use detect::vector;

use crate::areas::Others;
use crate::report::Direction;
use crate::settings::Settings;
use crate::target::{Stream, TargetKey, TickCounts};
use crate::watch::{self, Candidate, Watch};

/// Seconds that late flows can still reach into; what was before is only poured.
const SECONDS: usize = 128;
/// Lines (host, side and class) at most, 3 KB each. Hosts beyond wait for their pours alone, counted in `late_refused`.
const LINES_MAX: usize = 2048;
/// A host keeps the book when it is poured this part of the floor.
const ENTERS: f64 = 0.25;

/// From the last packet of a flow to its arrival here, for 99 of 100 flows of the slowest exporter; `None` while nothing of it
/// is learned.
pub(crate) type Hold = Option<Span>;

/// One second of one line; empty where `second` is another.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    second: u64,
    packets: f32,
    bytes: f32,
    /// Observations: one for each flow and tick, as it is poured.
    samples: f32,
    /// First packet of a flow that began here.
    first: Option<Timestamp>,
}

#[derive(Debug)]
struct Line {
    side: Side,
    class: Class,
    bins: Vec<Bin>,
}

#[derive(Debug, Default)]
struct Host {
    lines: Vec<Line>,
    /// Second of the newest packet of late flows.
    newest: u64,
    /// Tick that told of late flows last.
    told: Timestamp,
    /// Volume of unknown scale never triggers.
    unscaled: bool,
}

/// The second book of all hosts that keep one.
#[derive(Debug, Default)]
pub(crate) struct Late {
    hosts: BTreeMap<u128, Host>,
    lines: usize,
    /// As learned so far.
    pub(crate) hold: Hold,
    pub(crate) refused: u64,
    /// Packets told when there was nobody left to warn.
    pub(crate) history: u64,
}

impl Late {
    /// Takes out what is history.
    pub(crate) fn drop_history<K>(&mut self, cells: &mut Vec<(K, Cell)>, until: Timestamp, quiet: Span) {
        let Some(hold) = self.hold else { return };
        let oldest = until.minus(hold).minus(quiet);
        cells.retain(|(_, cell)| {
            let told = cell.last >= oldest;
            self.history += if told { 0 } else { cell.packets };
            told
        });
    }

    /// Takes in what a tick told: of late flows, of all others of hosts that keep the book, and what is poured now.
    pub(crate) fn take(
        &mut self,
        (until, tick): (Timestamp, Span),
        floor: f64,
        told: &[((CellKey, Lasting), Cell)],
        cells: &[(CellKey, Cell)],
        poured: &[(CellKey, Cell)],
    ) {
        if told.is_empty() && self.hosts.is_empty() {
            return;
        }
        let least = ENTERS * floor * tick.as_secs_f64();
        for of_host in told.chunk_by(|a, b| a.0.0.host == b.0.0.host) {
            let Some(((CellKey { host, .. }, _), _)) = of_host.first().copied() else { continue };
            if !self.hosts.contains_key(&host) && poured_to(poured, host) < least {
                continue;
            }
            let entry = self.hosts.entry(host).or_default();
            entry.told = until;
            for ((key, _), cell) in of_host {
                entry.newest = entry.newest.max(cell.last.secs());
                entry.unscaled |= cell.unscaled > 0;
                entry.add((key.side, key.class), cell, tick, (&mut self.lines, &mut self.refused));
            }
        }
        for (host, entry) in &mut self.hosts {
            let from = cells.partition_point(|(key, _)| key.host < *host);
            for (key, cell) in cells.iter().skip(from).take_while(|(key, _)| key.host == *host) {
                entry.add((key.side, key.class), cell, tick, (&mut self.lines, &mut self.refused));
            }
        }
        let kept = Span::from_secs(SECONDS as u64);
        self.hosts.retain(|_, entry| until.since(entry.told) < kept && !entry.lines.is_empty());
        self.lines = self.hosts.values().map(|entry| entry.lines.len()).sum();
    }

    /// Streams that stand above their threshold by what was told up to `until`, where that tick told of late flows.
    pub(crate) fn test(&self, settings: &Settings, watch: &Watch, until: Timestamp) -> Vec<Candidate> {
        let told = self.hosts.iter().filter(|(_, entry)| entry.told == until);
        told.flat_map(|(host, entry)| entry.test(settings, watch, (*host, until), self.hold)).collect()
    }
}

/// Packets poured towards a host.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
fn poured_to(poured: &[(CellKey, Cell)], host: u128) -> f64 {
    let from = poured.partition_point(|(key, _)| key.host < host);
    let of_host = poured.iter().skip(from).take_while(|(key, _)| key.host == host);
    of_host.filter(|(key, _)| key.side == Side::Received).map(|(_, cell)| cell.packets as f64).sum()
}

impl Host {
    /// Spreads a cell evenly over the seconds in which it was.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a share of counts")]
    fn add(
        &mut self,
        (side, class): (Side, Class),
        cell: &Cell,
        tick: Span,
        (lines, refused): (&mut usize, &mut u64),
    ) {
        let at = match self.lines.iter().position(|line| (line.side, line.class) == (side, class)) {
            Some(at) => at,
            None if *lines >= LINES_MAX => {
                *refused += 1;
                return;
            }
            None => {
                *lines += 1;
                self.lines.push(Line { side, class, bins: vec![Bin::default(); SECONDS] });
                self.lines.len() - 1
            }
        };
        let Some(line) = self.lines.get_mut(at) else { return };
        let lasted = cell.last.since(cell.first).nanos();
        // One observation for each flow and tick, and one at least for each.
        let ticks = (lasted as f64 / tick.nanos().max(1) as f64).max(1.0);
        let samples = f64::from(cell.samples) * ticks;
        let (begin, end) = (cell.first.secs(), cell.last.secs());
        let earliest = begin.max(end.saturating_sub(SECONDS as u64 - 1));
        for second in earliest..=end {
            let from = cell.first.max(Timestamp::from_secs(second));
            let to = cell.last.min(Timestamp::from_secs(second + 1));
            let share = if lasted == 0 { 1.0 } else { to.since(from).nanos() as f64 / lasted as f64 };
            let Some(bin) =
                usize::try_from(second % SECONDS as u64).ok().and_then(|at| line.bins.get_mut(at))
            else {
                continue;
            };
            if bin.second > second {
                continue;
            }
            if bin.second < second {
                *bin = Bin { second, ..Bin::default() };
            }
            bin.packets += (share * cell.packets as f64) as f32;
            bin.bytes += (share * cell.bytes as f64) as f32;
            bin.samples += (share * samples) as f32;
            if second == earliest {
                bin.first = Some(bin.first.map_or(cell.first, |first| first.min(cell.first)));
            }
        }
    }

    fn test(
        &self,
        settings: &Settings,
        watch: &Watch,
        (host, until): (u128, Timestamp),
        hold: Hold,
    ) -> Vec<Candidate> {
        let key = TargetKey { addr: host, bits: bits_of(narrow(host)), direction: Direction::In };
        let (Some(target), Some(threshold)) = (watch.target(&key), watch.threshold_now(settings)) else {
            return Vec::new();
        };
        if self.unscaled {
            return Vec::new();
        }
        let kept = Span::from_secs(SECONDS as u64 - 1);
        let from = until.minus(kept).secs();
        let end = hold.map_or(0, |hold| until.minus(hold).secs()).max(self.newest).min(until.secs());
        let run = |stream| Run::new(stream, f64::from(target.lately(stream.class).sent));
        let mut runs: Vec<Run> = target.streams.iter().map(run).collect();
        let answered: f64 = runs.iter().map(|run| run.sent).sum();
        for second in from..=end {
            let counts = self.counts(second);
            let mut others = Others::of(&counts);
            // Answers may be told by short flows at another time: what is answered lately is granted to every second.
            others.all_sent = others.all_sent.max(answered);
            for run in &mut runs {
                let of_class = counts.iter().find(|c| c.class == run.stream.class);
                let counts = of_class.map(|c| TickCounts { sent: c.sent.max(run.sent), ..*c });
                run.step(settings, &key, threshold, counts.as_ref(), &others);
            }
        }
        runs.into_iter().filter_map(|run| run.candidate(settings, key, threshold)).collect()
    }

    /// What the host received and sent in one second, by class.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sums of counts, never negative"
    )]
    fn counts(&self, second: u64) -> Vec<TickCounts> {
        let mut counts: Vec<TickCounts> = Vec::new();
        for line in &self.lines {
            let at = usize::try_from(second % SECONDS as u64).unwrap_or(0);
            let Some(bin) = line.bins.get(at).filter(|bin| bin.second == second) else { continue };
            let at = counts.iter().position(|c| c.class == line.class).unwrap_or_else(|| {
                counts.push(TickCounts { class: line.class, received: Cell::EMPTY, sent: 0.0 });
                counts.len() - 1
            });
            let Some(of_class) = counts.get_mut(at) else { continue };
            match line.side {
                Side::Received => {
                    of_class.received = Cell {
                        packets: bin.packets as u64,
                        bytes: bin.bytes as u64,
                        samples: bin.samples as u32,
                        first: bin.first.unwrap_or_else(|| Timestamp::from_secs(second)),
                        ..Cell::EMPTY
                    };
                }
                Side::Sent => of_class.sent += f64::from(bin.packets),
                Side::ReceivedFromUs | Side::SentToUs => {}
            }
        }
        counts
    }
}

/// The tests of one stream, run over past seconds.
struct Run<'a> {
    stream: &'a Stream,
    /// Packets that the target sent lately.
    sent: f64,
    /// Of packets, and of octets.
    tests: [Cusum; 2],
    onset: Timestamp,
    /// Packets.
    suspect: f64,
    rates: [f64; 2],
    /// Packets behind one observation when last there was one.
    scale: f64,
}

impl<'a> Run<'a> {
    fn new(stream: &'a Stream, sent: f64) -> Self {
        Self {
            stream,
            sent,
            tests: Default::default(),
            onset: Timestamp::ZERO,
            suspect: 0.0,
            rates: [0.0; 2],
            scale: 1.0,
        }
    }

    fn is_calm(&self) -> bool {
        self.tests.iter().all(Cusum::is_zero)
    }

    fn step(
        &mut self,
        settings: &Settings,
        key: &TargetKey,
        threshold: f64,
        counts: Option<&TickCounts>,
        others: &Others,
    ) {
        let normal = Watch::normal(settings, key, self.stream);
        let Some(c) = counts.filter(|c| c.received.packets > 0) else {
            let tests = self.tests.iter_mut().zip(normal);
            return tests.for_each(|(test, normal)| test.idle(1.0, normal / self.scale));
        };
        let family = vector::family(c.class);
        let suspect = (family.suspect)(&others.counts(false, c));
        let length = watch::length(&c.received);
        let amounts = [suspect, suspect * length];
        self.scale = watch::scale(&c.received);
        let phis = watch::phis(family.excuses, self.stream, self.scale, length);
        let was_calm = self.is_calm();
        for (((test, amount), normal), phi) in self.tests.iter_mut().zip(amounts).zip(normal).zip(phis) {
            test.update(amount / self.scale, normal / self.scale, phi, 4.0 * threshold);
        }
        if self.is_calm() {
            (self.suspect, self.rates) = (0.0, [0.0; 2]);
            return;
        }
        if was_calm {
            self.onset = c.received.first;
        }
        self.suspect += suspect.max(0.0);
        self.rates.iter_mut().zip(amounts).for_each(|(rate, amount)| *rate = rate.max(amount));
    }

    fn candidate(self, settings: &Settings, key: TargetKey, threshold: f64) -> Option<Candidate> {
        let tests = self.tests.map(|test| test.value() / threshold);
        let normal = Watch::normal(settings, &key, self.stream);
        let (measure, test, rate, normal) = watch::stronger(tests, self.rates, normal);
        (test > 1.0).then_some(Candidate {
            key,
            class: self.stream.class,
            test,
            measure,
            rate,
            normal,
            onset: self.onset,
            risen: self.onset,
            suspect: self.suspect,
            limit: None,
        })
    }
}
