//! Every tick, every touched target: is something more than it should be?

use base::map::{Map, Seed};
use base::prefix::{bits_of, narrow};
use base::{Span, Timestamp};
use detect::baseline::Baseline;
use detect::cell::{Cell, CellKey, Side};
use detect::class::{COUNT, Class};
use detect::cusum;
use detect::measure::{Measure, OCTETS_PHI, OCTETS_UNIT};
use detect::season::Week;
use detect::vector;

use crate::areas::{self, Area, Areas, Networks, Others};
use crate::frozen::Frozen;
use crate::incident::by_pairs;
use crate::limits::{Book, Exceeded};
use crate::peers::Peers;
use crate::report::Direction;
use crate::settings::{Profile, Settings};
use crate::target::{Stream, Target, TargetKey, TickCounts};
use crate::tick::{Tick, prefix};
use crate::weekly::Weekly;

/// Targets remembered. Beyond it the quiet ones go; counted in `targets_evicted`.
const TARGETS_MAX: usize = 1 << 18;
/// A captured burst has to be this large, in nats of the sequential test: twenty packets in one tick cross it.
const CAPTURE_THRESHOLD: f64 = 8.5;
/// A daemon that has just begun does not know yet who is always busy.
const WARM_UP: Span = Span::from_secs(8);
/// Suspect packets further apart than this do not belong to one run.
const RUN_GAP: Span = Span::from_secs(1);
/// Packets of a run that may have come before its test rose.
const RUN_HEAD: f64 = 10.0;
/// Hosts whose streams stay below this part of the floor are not remembered.
const QUIET: f64 = 0.25;
/// Bursts make a stream at most so many times noisier than chance, lest an attacker teach it.
const BURSTS_MAX: f64 = 15.0;

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
    limits: Book,
    networks: Networks,
    weekly: Weekly,
    pub(crate) peers: Peers,
    /// While nothing is learned yet: what all targets together get.
    crowd: Option<Crowd>,
    pub(crate) evicted: u64,
}

/// What everybody receives, by class: the only measure of a daemon that has just begun.
#[derive(Debug)]
struct Crowd {
    packets: [u64; COUNT],
    hosts: [u32; COUNT],
}

impl Crowd {
    /// Hosts that make a crowd.
    const HOSTS_MIN: u32 = 64;

    fn of(tick: &Tick) -> Self {
        let mut crowd = Self { packets: [0; COUNT], hosts: [0; COUNT] };
        for (key, cell) in tick.counts.cells.iter().filter(|(key, _)| key.side == Side::Received) {
            if let (Some(packets), Some(hosts)) =
                (crowd.packets.get_mut(key.class.index()), crowd.hosts.get_mut(key.class.index()))
            {
                *packets += cell.packets;
                *hosts += 1;
            }
        }
        crowd
    }

    /// Whether one target gets more of a class than all others together.
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    fn stands_out(&self, counts: &TickCounts, share: f64) -> bool {
        let at = counts.class.index();
        let all = self.packets.get(at).copied().unwrap_or(0);
        let hosts = self.hosts.get(at).copied().unwrap_or(0);
        hosts >= Self::HOSTS_MIN && share * counts.received.packets as f64 > all as f64 / 2.0
    }
}

impl Watch {
    pub(crate) fn new(settings: &Settings, seed: Seed) -> Self {
        Self {
            targets: Map::new(seed.clone()),
            begun: None,
            limits: Book::new(&settings.groups, Direction::In),
            networks: Networks::of(&settings.customers),
            weekly: Weekly::of(settings),
            peers: Peers::new(settings, seed),
            crowd: None,
            evicted: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    pub(crate) fn target(&self, key: &TargetKey) -> Option<&Target> {
        self.targets.get(key)
    }

    /// Streams that at some hour stand above a tenth of the floor, by key and class.
    pub(crate) fn learned(&self, settings: &Settings) -> Vec<(TargetKey, &Stream)> {
        let least = 0.1 * settings.profile.floor_pps(settings.floor);
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
    ) {
        let stream = self.targets.get_or_insert_with(key, || Target::new(at)).stream_mut(class, 0.0);
        stream.baselines = baselines;
        stream.week = week.filter(|_| self.weekly.covers(&key));
        if settings.profile == Profile::Daemon && key.direction == Direction::In && prefix(&key).is_host() {
            stream.relevel(QUIET * settings.profile.floor_pps(settings.floor));
        }
    }

    /// Counts anew whose weeks are remembered, and who is busy among whose peers.
    pub(crate) fn recount(&mut self) {
        let all = self.targets.sorted();
        self.weekly.recount(all.iter().map(|(_, target)| target.weeks()).sum());
        self.peers.forget_levels();
        for (key, target) in all {
            for stream in target.streams.iter().filter(|s| s.levels != [0; 2]) {
                self.peers.moved(key.addr, stream.class, [0; 2], stream.levels);
            }
        }
    }

    /// Lowest rates at which a class of a stream may alarm, of packets and of units of octets.
    pub(crate) fn normal(settings: &Settings, key: &TargetKey, stream: &Stream) -> [f64; 2] {
        let floor = settings.profile.floor_pps(settings.floor) * vector::family(stream.class).floor_factor;
        // What harms one host harms a network of them only when several get it.
        let live = settings.profile == Profile::Daemon;
        let floor = if live { floor * areas::floor_factor(key) } else { floor };
        stream.expected().map(|expected| floor.max(1.5 * expected))
    }

    /// Counts a tick and says which streams stand above their threshold, in order.
    pub(crate) fn tick(&mut self, settings: &Settings, tick: &Tick, frozen: &Frozen) -> Vec<Candidate> {
        // Nothing is learned before the first record.
        let begun = match self.begun {
            Some(begun) => begun,
            None if tick.counts.records == 0 => tick.until,
            None => *self.begun.insert(tick.until),
        };
        let warming = settings.profile == Profile::Daemon && tick.until.since(begun) < WARM_UP;
        self.crowd = warming.then(|| Crowd::of(tick));
        let now = Now {
            settings,
            until: tick.until,
            secs: settings.tick.as_secs_f64(),
            live: settings.profile == Profile::Daemon,
            exact: settings.profile.is_exact(),
            threshold: self.threshold(settings),
            frozen,
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
                if now.live && direction == Direction::In {
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
            Profile::Daemon => {
                #[expect(clippy::cast_precision_loss, reason = "a logarithm of a count")]
                // Each with two tests.
                let streams = self.targets.len().max(1000) as f64 * 8.0 * 2.0;
                cusum::threshold(streams, 1.0 / settings.tick.as_secs_f64(), settings.budget.as_secs_f64())
            }
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
        let floor = now.settings.profile.floor_pps(now.settings.floor);
        let quiet = if now.live && self.crowd.is_none() { QUIET * floor } else { 0.0 };
        let mut present = 0u64;
        let frozen = now.frozen.covers(&key);
        let social = now.live && host && key.direction == Direction::In;
        let shares = spread.iter().copied().chain(std::iter::repeat(1.0));
        for (c, share) in counts.iter().zip(shares) {
            let learning = self.crowd.as_ref().is_some_and(|crowd| !crowd.stands_out(c, share));
            let learning = learning && (vector::family(c.class).needs_learning || !host);
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
            if let Some(candidate) = step(now, key, (c, share), others, (frozen, learning), stream) {
                found.push(candidate);
            }
            if social && let Some(before) = stream.relevel(QUIET * floor) {
                self.peers.moved(key.addr, c.class, before, stream.levels);
            }
        }
        // In a tick that brought the target other things, a class that did not come falls like any other.
        for stream in target.streams.iter_mut().filter(|s| present & 1 << s.class.0 == 0) {
            if !stream.is_calm() {
                stream.idle(1.0, Self::normal(now.settings, &key, stream).map(|rate| rate * now.secs));
            }
        }
        if !host && now.live {
            self.weekly.begin(&key, &mut target.streams, QUIET * floor);
        }
        // Nor is anybody quiet who had no time yet to show what he is.
        let shown = |s: &Stream| !now.live || !s.usual.is_waiting();
        let quiet = |s: &Stream| s.is_calm() && shown(s) && s.is_below(QUIET * floor);
        let calm = target.totals.as_ref().is_none_or(|totals| totals.is_quiet());
        if !begins && calm && target.streams.iter().all(quiet) {
            let gone = self.targets.remove(&key);
            self.weekly.forget(gone.as_ref().map_or(0, Target::weeks));
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
            self.targets.retain(|_, target| target.streams.iter().any(|s| !s.is_calm()));
        }
        self.evicted += u64::try_from(before - self.targets.len()).unwrap_or(0);
        self.recount();
    }
}

/// What holds for all targets of a tick.
struct Now<'a> {
    settings: &'a Settings,
    until: Timestamp,
    /// Length of the tick.
    secs: f64,
    live: bool,
    exact: bool,
    threshold: f64,
    frozen: &'a Frozen,
}

/// One class of one target takes its tick.
#[expect(clippy::cast_possible_truncation, reason = "a stream keeps single precision")]
fn step(
    now: &Now<'_>,
    key: TargetKey,
    (c, share): (&TickCounts, f64),
    others: &Others,
    (frozen, learning): (bool, bool),
    stream: &mut Stream,
) -> Option<Candidate> {
    let seen = others.counts(now.exact, c);
    stream.lately.received += seen.received as f32;
    stream.lately.unsolicited += seen.unsolicited as f32;
    stream.lately.sent += seen.sent as f32;
    if c.received.packets == 0 {
        return None;
    }
    let family = vector::family(c.class);
    let suspect = (family.suspect)(&seen);
    let suspect = if suspect > 0.0 { share * suspect } else { suspect };
    let known = now.exact && c.received.unsolicited > 0 && seen.unsolicited < seen.received;
    let first = if known { c.received.first_unsolicited } else { c.received.first };
    if suspect > 0.0 {
        if first.since(stream.last) > RUN_GAP {
            (stream.run_begun, stream.run) = (first, 0.0);
        }
        stream.run += suspect as f32;
        stream.last = c.received.last;
    }
    let length = length(&c.received);
    let amounts = [suspect, suspect * length];
    let mut normal = Watch::normal(now.settings, &key, stream);
    if now.live && !prefix(&key).is_host() {
        // Many hosts together are never as steady as their mean: what is harmless grows with what is usual.
        let usual = [stream.usual.expected(), stream.usual_octets()];
        normal.iter_mut().zip(usual).for_each(|(normal, usual)| *normal = normal.max(0.5 * usual));
    }
    let scale = scale(&c.received);
    let was_calm = stream.is_calm();
    stream.excused.0 += seen.received as f32;
    stream.excused.1 += (seen.received - suspect).clamp(0.0, seen.received) as f32;
    let phis = if now.exact { [1.0; 2] } else { phis(family.excuses, stream, scale, length) };
    for (((test, amount), normal), phi) in stream.tests.iter_mut().zip(amounts).zip(normal).zip(phis) {
        test.update(amount / scale, normal * now.secs / scale, phi, 4.0 * now.threshold);
    }
    let [of_packets, of_octets] = stream.tests.each_ref().map(|test| test.value() / now.threshold);
    let freeze = !learning && (frozen || of_packets.max(of_octets) > 0.5);
    stream.learn(now.until, now.settings.tick, (amounts, seen.received), freeze);
    if learning {
        stream.tests = Default::default();
    }
    if stream.is_calm() {
        stream.suspect = [0.0; 2];
        stream.rates_max = [0.0; 2];
        return None;
    }
    if was_calm {
        // The first few packets of a flood may not move the test yet; a steady trickle before it is not of it.
        let fresh = (now.exact && by_pairs(c.class)) || f64::from(stream.run) <= suspect + RUN_HEAD;
        stream.onset = if fresh { stream.run_begun } else { first };
        stream.risen = first;
    }
    // Over the time since the onset, but no less than a tenth of a second: a burst is judged as a burst.
    let elapsed = now.until.since(stream.onset).as_secs_f64().max(0.1);
    let counted = suspect / scale;
    for ((sum, rate_max), amount) in stream.suspect.iter_mut().zip(&mut stream.rates_max).zip(amounts) {
        *sum += amount.max(0.0) as f32;
        let burst = if counted >= 20.0 { amount / now.secs } else { 0.0 };
        *rate_max = rate_max.max(burst as f32).max((f64::from(*sum) / elapsed) as f32);
    }
    let [packets, _] = stream.suspect;
    #[expect(clippy::cast_precision_loss, reason = "compared with twenty")]
    let enough = now.live || packets >= now.settings.profile.packets_min() as f32;
    let tests = [of_packets, of_octets];
    let (measure, test, rate, normal) = stronger(tests, stream.rates_max.map(f64::from), normal);
    // Volume of unknown scale never triggers.
    (test > 1.0 && enough && c.received.unscaled == 0).then(|| Candidate {
        key,
        class: c.class,
        test,
        measure,
        rate,
        normal,
        onset: stream.onset,
        risen: stream.risen,
        suspect: packets.into(),
        limit: None,
    })
}

/// The test that stands higher, of packets or of octets, with its rate and what is normal.
pub(crate) fn stronger(tests: [f64; 2], rates: [f64; 2], normal: [f64; 2]) -> (Measure, f64, f64, f64) {
    let ([packets, octets], [of_packets, of_octets], [some, many]) = (tests, rates, normal);
    if octets > packets {
        (Measure::Octets, octets, of_octets, many)
    } else {
        (Measure::Packets, packets, of_packets, some)
    }
}

/// Whether a tick shows enough of a class for a host to be remembered.
fn stands_out(settings: &Settings, cell: &Cell) -> bool {
    let least = 0.5 * settings.profile.floor_pps(settings.floor) * settings.tick.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    let packets = cell.packets as f64;
    cell.samples >= 2 && packets.max(packets * length(cell)) >= least
}

/// How much noisier than a count of samples the suspect packets of a stream are, and their octets: as differences, by what is
/// subtracted, for one packet of the other direction excuses several; and as bursts, by what was learned.
pub(crate) fn phis(excuses: f64, stream: &Stream, scale: f64, length: f64) -> [f64; 2] {
    let (received, excused) = (f64::from(stream.excused.0), f64::from(stream.excused.1));
    let difference = excuses * excused / received.max(1.0);
    let [packets, octets] = &stream.baselines;
    // The least that chance makes of each sample.
    [(packets, 1.0), (octets, OCTETS_PHI.max(length))].map(|(baseline, least)| {
        let bursts = (baseline.noise() / (scale * least) - 1.0).clamp(0.0, BURSTS_MAX);
        least * (1.0 + difference.max(bursts))
    })
}

/// Packets behind one sample.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
pub(crate) fn scale(cell: &Cell) -> f64 {
    (cell.packets as f64 / f64::from(cell.samples.max(1))).max(1.0)
}

/// Mean length of its packets, in units of octets.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
pub(crate) fn length(cell: &Cell) -> f64 {
    cell.bytes as f64 / cell.packets.max(1) as f64 / OCTETS_UNIT
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
