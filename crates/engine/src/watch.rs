//! Every tick, every touched target: is something more than it should be?

mod budget;
mod calm;
mod crowd;
mod habits;
mod peace;
mod ready;
mod step;
mod syns;
mod told;

use base::map::{Map, Seed};
use base::prefix::{bits_of, narrow};
use base::{Span, Timestamp};
use detect::baseline::Baseline;
use detect::cell::{Cell, CellKey, Side};
use detect::class::Class;
use detect::cusum::Cusum;
use detect::measure::Measure;
use detect::season::Week;
use detect::vector;

use crate::areas::{self, Area, Areas, Networks, Others};
use crate::frozen::Frozen;
use crate::limits::{Book, Exceeded};
use crate::peers::Peers;
use crate::report::Direction;
use crate::settings::{Profile, Settings};
use crate::sketch::Sketch;
use crate::target::{Stream, Target, TargetKey, TickCounts};
use crate::tick::{Tick, hosts, prefix};
use crate::weekly::Weekly;
use budget::Beginnings;
use crowd::Crowd;
use habits::Habits;
pub use ready::Ready;
use step::{Now, stands_out, step};
pub(crate) use step::{length, phis, scale, stronger};

/// Targets remembered. Beyond it the quiet ones go; counted in `targets_evicted`.
const TARGETS_MAX: usize = 1 << 18;
/// A captured burst has to be this large, in nats of the sequential test: twenty packets in one tick cross it.
const CAPTURE_THRESHOLD: f64 = 8.5;
/// A daemon that has just begun does not know yet who is always busy.
const WARM_UP: Span = Span::from_secs(8);
/// Until then whoever came in that time has shown what he is.
const SETTLED: Span = Span::from_secs(12);
/// Hosts whose streams stay below this part of the floor are not remembered.
const QUIET: f64 = 0.25;
/// From this part of the threshold on it is noted who sends.
const SIMMERS: f64 = 0.1;

/// A stream whose test has crossed its threshold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) key: TargetKey,
    pub(crate) class: Class,
    /// In units of the threshold.
    pub(crate) test: f64,
    /// What the rates are measured in.
    pub(crate) measure: Measure,
    /// Rate of suspect packets at most since the onset.
    pub(crate) rate: f64,
    /// Rate that is normal.
    pub(crate) normal: f64,
    /// First suspect packet.
    pub(crate) onset: Timestamp,
    /// First of them in the tick in which the test rose.
    pub(crate) risen: Timestamp,
    /// Suspect packets since the onset.
    pub(crate) suspect: f64,
    /// The fixed limit that was exceeded, if that is why.
    pub(crate) limit: Option<String>,
}

impl Candidate {
    /// What exceeds a fixed limit since `onset`.
    pub(crate) fn of_limit(key: TargetKey, onset: Timestamp, exceeded: Exceeded) -> Self {
        Self {
            key,
            class: exceeded.class,
            test: exceeded.times,
            measure: Measure::Packets,
            rate: exceeded.rate,
            normal: exceeded.limit,
            onset,
            risen: onset,
            suspect: exceeded.rate,
            limit: Some(exceeded.text),
        }
    }
}

/// All targets.
#[derive(Debug)]
pub(crate) struct Watch {
    targets: Map<TargetKey, Target>,
    /// End of the first tick that brought something.
    begun: Option<Timestamp>,
    /// For how long earlier runs had looked by then.
    before: Span,
    limits: Book,
    networks: Networks,
    weekly: Weekly,
    pub(crate) habits: Habits,
    pub(crate) peers: Peers,
    /// While nothing is learned yet: what all targets together get.
    crowd: Option<Crowd>,
    beginnings: Beginnings,
    pub(crate) evicted: u64,
}

impl Watch {
    pub(crate) fn new(settings: &Settings, seed: Seed) -> Self {
        Self {
            targets: Map::new(seed.clone()),
            begun: None,
            before: Span::ZERO,
            limits: Book::new(&settings.groups, Direction::In),
            networks: Networks::of(&settings.customers),
            weekly: Weekly::of(settings),
            habits: Habits::default(),
            peers: Peers::new(settings, seed),
            crowd: None,
            beginnings: Beginnings::default(),
            evicted: 0,
        }
    }

    /// Whether who is always busy is known by now.
    pub(crate) fn is_settled(&self, now: Timestamp) -> bool {
        self.begun.is_some_and(|begun| now.since(begun) >= SETTLED)
    }

    /// For how long it was looked, all runs together, up to what it takes to know who is always busy.
    pub(crate) fn looked(&self, now: Timestamp) -> Span {
        self.begun.map_or(self.before, |begun| now.since(begun)).min(SETTLED)
    }

    /// Earlier runs have looked for so long: what is left of the time in which the busy show themselves is less by that.
    pub(crate) fn has_looked(&mut self, before: Span) {
        self.before = before.min(SETTLED);
    }

    /// It was known to an earlier run as of then: what begins now is not taken for usual.
    pub(crate) fn settle(&mut self, then: Timestamp) {
        self.begun = Some(then.minus(SETTLED));
    }

    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Ticks in which a network's stream had no room for its week.
    pub(crate) const fn weeks_refused(&self) -> u64 {
        self.weekly.refused
    }

    pub(crate) fn target(&self, key: &TargetKey) -> Option<&Target> {
        self.targets.get(key)
    }

    /// Streams that at some hour stand above a tenth of the floor, by key and class.
    pub(crate) fn learned(&self, settings: &Settings) -> Vec<(TargetKey, &Stream)> {
        let least = 0.1 * settings.floor_least();
        self.targets
            .sorted()
            .into_iter()
            .flat_map(|(key, target)| target.streams.iter().map(move |stream| (*key, stream)))
            .filter(|(_, stream)| !stream.is_below(least))
            .collect()
    }

    /// Puts back what was learned by `at`.
    pub(crate) fn relearn(
        &mut self,
        settings: &Settings,
        (key, class): (TargetKey, Class),
        (baselines, week): ([Baseline; 2], Option<Box<[Week; 3]>>),
        at: Timestamp,
    ) -> &mut Stream {
        let stream = self.targets.get_or_insert_with(key, || Target::new(at)).stream_mut(class, 0.0);
        stream.baselines = baselines;
        stream.week = week.filter(|_| self.weekly.covers(&key));
        if settings.profile == Profile::Daemon && key.direction == Direction::In && prefix(&key).is_host() {
            stream.relevel(QUIET * settings.thresholds(narrow(key.addr)).0);
        }
        stream
    }

    /// Counts anew whose weeks are remembered, and who is busy among whose peers.
    pub(crate) fn recount(&mut self) {
        let all = self.targets.sorted();
        self.weekly.recount(all.iter().map(|(_, target)| target.weeks()).sum());
        self.habits.recount(all.iter().map(|(_, target)| *target));
        self.peers.forget_levels();
        for (key, target) in all {
            for stream in target.streams.iter().filter(|s| s.levels != [0; 2]) {
                self.peers.moved(key.addr, stream.class, [0; 2], stream.levels);
            }
        }
    }

    /// Lowest rates at which a class of a stream may alarm, of packets and of units of octets.
    pub(crate) fn normal(settings: &Settings, key: &TargetKey, stream: &Stream) -> [f64; 2] {
        let (floor, multiple) = settings.thresholds(narrow(key.addr));
        let floor = floor * vector::family(stream.class).floor_factor;
        // What harms one host harms a network of them only when several get it.
        let live = settings.profile == Profile::Daemon;
        let floor = if live { floor * areas::floor_factor(key) } else { floor };
        stream.expected().map(|expected| floor.max(multiple * expected))
    }

    /// Counts a tick and says which streams stand above their threshold, in order.
    pub(crate) fn tick(&mut self, settings: &Settings, tick: &Tick, frozen: &Frozen) -> Vec<Candidate> {
        // Nothing is learned before the first record.
        let begun = match self.begun {
            Some(begun) => begun,
            None if tick.counts.records == 0 => tick.until,
            None => *self.begun.insert(tick.until.minus(self.before)),
        };
        let live = settings.profile == Profile::Daemon;
        let warming = live && tick.until.since(begun) < WARM_UP;
        self.crowd = warming.then(|| Crowd::of(tick));
        let now = Now {
            settings,
            until: tick.until,
            secs: settings.tick.as_secs_f64(),
            live,
            settling: live && tick.until.since(begun) < SETTLED,
            exact: settings.profile.is_exact(),
            threshold: self.threshold(settings),
            frozen,
            tick,
        };
        let mut found = Vec::new();
        let mut counts: Vec<TickCounts> = Vec::new();
        let networks = std::mem::take(&mut self.networks);
        for direction in [Direction::In, Direction::Out] {
            let mut areas = Areas::new(direction, &networks, now.exact);
            let mut rest = tick.all_cells(direction);
            while let Some((first, _)) = rest.first() {
                let host = first.host;
                let end = rest.iter().position(|(key, _)| key.host != host).unwrap_or(rest.len());
                let (of_host, tail) = rest.split_at(end);
                rest = tail;
                pair_up(of_host, direction, &mut counts);
                if counts.is_empty() {
                    continue;
                }
                if live && direction == Direction::In {
                    self.peers.saw(host);
                }
                let others = Others::of(&counts);
                areas.add(host, &counts, &others, |area| self.area(&now, area, &mut found));
                let key = TargetKey { addr: host, bits: bits_of(narrow(host)), direction };
                self.update(&now, key, &counts, &others, &[], &mut found);
            }
            areas.finish(|area| self.area(&now, area, &mut found));
        }
        self.networks = networks;
        self.beginnings.tick(settings.tick);
        self.peers.seen_all();
        self.evict(tick.until);
        // Prefixes before their hosts; within a target the largest stream first, so that it opens the attack.
        found.sort_by(|a, b| {
            let by_target = a.key.bits.cmp(&b.key.bits).then(a.key.cmp(&b.key));
            by_target.then(b.suspect.total_cmp(&a.suspect)).then(a.class.cmp(&b.class))
        });
        found
    }

    /// The threshold of what lies in the past; `None` while nothing is known yet of who is always busy.
    pub(crate) fn threshold_now(&self, settings: &Settings) -> Option<f64> {
        self.crowd.is_none().then(|| self.threshold(settings))
    }

    fn threshold(&self, settings: &Settings) -> f64 {
        match settings.profile {
            Profile::Capture => CAPTURE_THRESHOLD,
            Profile::Daemon => self.beginnings.threshold(settings.budget),
        }
    }

    fn update(
        &mut self,
        now: &Now<'_>,
        key: TargetKey,
        counts: &[TickCounts],
        others: &Others,
        spread: &[f64],
        found: &mut Vec<Candidate>,
    ) {
        let host = prefix(&key).is_host();
        let limited = host && key.direction == Direction::In;
        let limits = if limited { self.limits.of(key.addr) } else { None };
        // Behind a sampler every packet looks like many: one alone begins nothing, and hosts that stay below a quarter of
        // the floor are not remembered, unless they have limits of their own.
        let begins = counts.iter().any(|c| {
            let all = !now.live || limits.is_some();
            if all { c.received.packets > 0 } else { stands_out(now.settings, &c.received) }
        });
        let Some(target) = (if begins {
            Some(self.targets.get_or_insert_with(key, || Target::new(now.until)))
        } else {
            self.targets.get_mut(&key)
        }) else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "a count of ticks")]
        let idle = (now.until.since(target.touched).nanos() / now.settings.tick.nanos().max(1))
            .saturating_sub(1) as f64;
        target.pass(now.until, idle, |stream| {
            Self::normal(now.settings, &key, stream).map(|rate| rate * now.secs)
        });
        if let Some(exceeded) =
            limits.and_then(|held| target.totals.get_or_insert_default().tick(held, counts))
        {
            let first = counts.iter().find(|c| c.class == exceeded.class).map(|c| c.received.first);
            found.push(Candidate::of_limit(key, first.unwrap_or(now.until), exceeded));
        }
        // Who was watched and not remembered was quiet; while everything is new nothing is known.
        let (floor, _) = now.settings.thresholds(narrow(key.addr));
        let quiet = if now.live && self.crowd.is_none() { QUIET * floor } else { 0.0 };
        let mut present = 0u64;
        let frozen = now.frozen.covers(&key);
        let social = now.live && host && key.direction == Direction::In;
        let shares = spread.iter().copied().chain(std::iter::repeat(1.0));
        for (c, share) in counts.iter().zip(shares) {
            let learning = self.crowd.as_ref().is_some_and(|crowd| !crowd.stands_out(c, share));
            // What an attack of an earlier run sends is not usual because everything is new here.
            let learning = learning && !frozen && (vector::family(c.class).needs_learning || !host);
            // A host that is new goes by its peers.
            let is_new = social && target.stream(c.class).is_none();
            let stream = target.stream_mut(c.class, quiet);
            if is_new {
                let idea = self.peers.idea(key.addr, c.class, floor);
                stream.baselines = idea.map(|rate| Baseline::quiet(rate.max(quiet)));
            }
            if c.received.packets > 0 {
                present |= 1 << c.class.0;
            }
            let calm = stream.tests.each_ref().map(Cusum::is_zero);
            found.extend(step(now, key, (c, share), others, (frozen, learning), stream));
            self.beginnings.add(calm, &stream.tests);
            if now.live && c.received.samples <= Sketch::TICK_MAX && stream.is_above(SIMMERS * now.threshold)
            {
                stream.senders.note(now.tick.samples(hosts(&prefix(&key))), c.class);
            }
            if social && let Some(before) = stream.relevel(QUIET * floor) {
                self.peers.moved(key.addr, c.class, before, stream.levels);
            }
            let calm = stream.is_calm();
            target.note(c.class, calm);
        }
        // In a tick that brought the target other things, a class that did not come falls like any other.
        target.each_risen(present, |stream| {
            let normal = Self::normal(now.settings, &key, stream).map(|rate| rate * now.secs);
            if now.live {
                let sent = counts.iter().find(|c| c.class == stream.class).map_or(0.0, |c| c.sent);
                let nothing = TickCounts { class: stream.class, received: Cell::EMPTY, sent };
                let family = vector::family(stream.class);
                let excused = -(family.suspect)(&others.counts(now.exact, &nothing));
                stream.absent(normal, excused.max(0.0), |s, scale, length| {
                    phis(family.excuses, s, scale, length)
                });
            } else {
                stream.idle(1.0, normal);
            }
        });
        if !host && now.live {
            self.weekly.begin(&key, &mut target.streams, QUIET * floor);
        }
        // Nor is anybody quiet who came when everything was new, and had no time yet to show what he is.
        let shown = |s: &Stream| !now.settling || !s.usual.is_waiting();
        let quiet = |s: &Stream| shown(s) && s.is_below(QUIET * floor);
        let calm = target.is_calm() && target.totals.as_ref().is_none_or(|totals| totals.is_quiet());
        if !begins && calm && target.streams.iter().all(quiet) {
            let gone = self.targets.remove(&key);
            self.weekly.forget(gone.as_ref().map_or(0, Target::weeks));
            self.habits.forget(gone.as_ref());
            for stream in gone.iter().flat_map(|target| &target.streams).filter(|s| s.levels != [0; 2]) {
                self.peers.moved(key.addr, stream.class, stream.levels, [0; 2]);
            }
        }
    }

    /// A prefix whose hosts are all counted.
    fn area(&mut self, now: &Now<'_>, area: &Area, found: &mut Vec<Candidate>) {
        let Some(key) = area.key else { return };
        if self.targets.contains_key(&key) || area.spread.iter().any(|share| *share > 0.0) {
            self.update(now, key, &area.counts, &area.others, &area.spread, found);
        }
    }

    fn evict(&mut self, now: Timestamp) {
        if self.targets.len() <= TARGETS_MAX {
            return;
        }
        let before = self.targets.len();
        self.targets.retain(|_, target| now.since(target.touched).secs() < 60);
        if self.targets.len() > TARGETS_MAX {
            self.targets.retain(|_, target| !target.is_calm());
        }
        self.evicted += u64::try_from(before - self.targets.len()).unwrap_or(0);
        self.recount();
    }
}

/// What a host received and sent in one tick, by class.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
fn pair_up(cells: &[(CellKey, Cell)], direction: Direction, counts: &mut Vec<TickCounts>) {
    let (received, sent) = match direction {
        Direction::In => (Side::Received, Side::Sent),
        Direction::Out => (Side::ReceivedFromUs, Side::SentToUs),
    };
    counts.clear();
    // By side, then class: the two runs are merged.
    let of = |side: Side| cells.iter().filter(move |(key, _)| key.side == side);
    let mut answers = of(sent).peekable();
    let empty = |class: Class, sent: f64| TickCounts { class, received: Cell::EMPTY, sent };
    for (key, cell) in of(received) {
        while let Some((other, answer)) = answers.next_if(|(other, _)| other.class < key.class) {
            counts.push(empty(other.class, answer.packets as f64));
        }
        let sent = answers.next_if(|(other, _)| other.class == key.class);
        let sent = sent.map_or(0.0, |(_, answer)| answer.packets as f64);
        counts.push(TickCounts { class: key.class, received: *cell, sent });
    }
    counts.extend(answers.map(|(other, answer)| empty(other.class, answer.packets as f64)));
}
