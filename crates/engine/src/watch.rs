//! Every tick, every touched target: is something more than it should be?

use base::map::{Map, Seed};
use base::prefix::{bits_of, narrow};
use base::{Span, Timestamp};
use detect::baseline::Baseline;
use detect::cell::{Cell, CellKey, Side};
use detect::class::{COUNT, Class};
use detect::cusum::{self, Cusum};
use detect::vector;

use crate::areas::{self, Area, Areas, Networks, Others};
use crate::frozen::Frozen;
use crate::incident::by_pairs;
use crate::limits::Book;
use crate::report::Direction;
use crate::senders::Senders;
use crate::settings::{Profile, Settings};
use crate::target::{Stream, Target, TargetKey, TickCounts};
use crate::tick::{Tick, hosts, prefix};

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
/// From this part of the threshold on it is noted who sends.
const SIMMERS: f64 = 0.1;
/// Samples of a stream that are believed to be of a dialogue until it has shown more, and the packets that one sent excuses
/// in one.
const DIALOGUE: (f64, f64) = (1.0, 4.0);
/// Packets of this many octets count one; larger ones more, for attacks on bandwidth.
const OCTETS_UNIT: f64 = 1000.0;

/// A stream whose test has crossed its threshold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) key: TargetKey,
    pub(crate) class: Class,
    /// In units of the threshold.
    pub(crate) test: f64,
    /// Packets/s of suspect packets at most since the onset.
    pub(crate) rate: f64,
    /// Packets/s that are normal.
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

/// All targets.
#[derive(Debug)]
pub(crate) struct Watch {
    targets: Map<TargetKey, Target>,
    /// End of the first tick that brought something.
    begun: Option<Timestamp>,
    limits: Book,
    networks: Networks,
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
            targets: Map::new(seed),
            begun: None,
            limits: Book::new(&settings.groups),
            networks: Networks::of(&settings.customers),
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

    /// Baselines that stand above a tenth of the floor, by key and class.
    pub(crate) fn learned(&self, settings: &Settings) -> Vec<(TargetKey, Class, Baseline)> {
        let least = 0.1 * settings.profile.floor_pps(settings.floor);
        self.targets
            .sorted()
            .into_iter()
            .flat_map(|(key, target)| target.streams.iter().map(move |s| (*key, s.class, s.baseline)))
            .filter(|(_, _, baseline)| baseline.expected() > least)
            .collect()
    }

    /// Puts a baseline back.
    pub(crate) fn relearn(&mut self, key: TargetKey, class: Class, baseline: Baseline, at: Timestamp) {
        self.targets.get_or_insert_with(key, || Target::new(at)).stream_mut(class, 0.0).baseline = baseline;
    }

    /// Lowest rate at which a class of a stream may alarm.
    pub(crate) fn normal(settings: &Settings, key: &TargetKey, stream: &Stream) -> f64 {
        let floor = settings.profile.floor_pps(settings.floor) * vector::family(stream.class).floor_factor;
        // What harms one host harms a network of them only when several get it.
        let live = settings.profile == Profile::Daemon;
        let floor = if live { floor * areas::floor_factor(key) } else { floor };
        floor.max(1.5 * stream.baseline.expected())
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
                let others = Others::of(&counts);
                areas.add(host, &counts, &others, |area| self.area(&now, area, &mut found));
                let key = TargetKey { addr: host, bits: bits_of(narrow(host)), direction };
                self.update(&now, key, &counts, &others, &[], &mut found);
            }
            areas.finish(|area| self.area(&now, area, &mut found));
        }
        self.networks = networks;
        self.evict(tick.until);
        // Prefixes before their hosts; within a target the largest stream first, so that it opens the attack.
        found.sort_by(|a, b| {
            let by_target = a.key.bits.cmp(&b.key.bits).then(a.key.cmp(&b.key));
            by_target.then(b.suspect.total_cmp(&a.suspect)).then(a.class.cmp(&b.class))
        });
        found
    }

    fn threshold(&self, settings: &Settings) -> f64 {
        match settings.profile {
            Profile::Capture => CAPTURE_THRESHOLD,
            Profile::Daemon => {
                #[expect(clippy::cast_precision_loss, reason = "a logarithm of a count")]
                let streams = self.targets.len().max(1000) as f64 * 8.0;
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
        let group = if host { self.limits.of(key.addr, key.direction) } else { None };
        // Behind a sampler every packet looks like many: one alone begins nothing, and hosts that stay below a quarter of
        // the floor are not remembered, unless they have limits of their own.
        let begins = counts.iter().any(|c| {
            let all = !now.live || group.is_some();
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
        target.pass(now.until, idle, |stream| Self::normal(now.settings, &key, stream) * now.secs);
        if let Some(exceeded) =
            group.and_then(|group| target.totals.get_or_insert_default().tick(group, counts))
        {
            let first = counts.iter().find(|c| c.class == exceeded.class).map(|c| c.received.first);
            found.push(Candidate {
                key,
                class: exceeded.class,
                test: exceeded.times,
                rate: exceeded.rate,
                normal: exceeded.limit,
                onset: first.unwrap_or(now.until),
                risen: first.unwrap_or(now.until),
                suspect: exceeded.rate,
                limit: Some(exceeded.text),
            });
        }
        // Who was watched and not remembered was quiet; while everything is new nothing is known.
        let floor = now.settings.profile.floor_pps(now.settings.floor);
        let quiet = if now.live && self.crowd.is_none() { QUIET * floor } else { 0.0 };
        let mut present = 0u64;
        let frozen = now.frozen.covers(&key);
        let shares = spread.iter().copied().chain(std::iter::repeat(1.0));
        for (c, share) in counts.iter().zip(shares) {
            let learning = self.crowd.as_ref().is_some_and(|crowd| !crowd.stands_out(c, share));
            let learning = learning && (vector::family(c.class).needs_learning || !host);
            let stream = target.stream_mut(c.class, quiet);
            if c.received.packets > 0 {
                present |= 1 << c.class.0;
            }
            if let Some(candidate) = step(now, key, (c, share), others, (frozen, learning), stream) {
                found.push(candidate);
            }
            if now.live
                && c.received.samples <= Senders::TICK_MAX
                && stream.cusum.value() > SIMMERS * now.threshold
            {
                stream.senders.note(now.tick.samples(hosts(&prefix(&key))), c.class);
            }
        }
        // In a tick that brought the target other things, a class that did not come falls like any other.
        let absent = |s: &&mut Stream| present & 1 << s.class.0 == 0 && !s.cusum.is_zero();
        for stream in target.streams.iter_mut().filter(absent) {
            let normal = Self::normal(now.settings, &key, stream) * now.secs;
            if now.live {
                let sent = counts.iter().find(|c| c.class == stream.class).map_or(0.0, |c| c.sent);
                let nothing = TickCounts { class: stream.class, received: Cell::EMPTY, sent };
                let family = vector::family(stream.class);
                let excused = -(family.suspect)(&others.counts(now.exact, &nothing));
                stream.absent(normal, excused.max(0.0), |stream, scale| phi(family.excuses, stream, scale));
            } else {
                stream.idle(1.0, normal);
            }
        }
        let quiet = |s: &Stream| s.cusum.is_zero() && s.baseline.expected() < QUIET * floor;
        let calm = target.totals.as_ref().is_none_or(|totals| totals.is_quiet());
        if !begins && calm && target.streams.iter().all(quiet) {
            self.targets.remove(&key);
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
            self.targets.retain(|_, target| target.streams.iter().any(|s| !s.cusum.is_zero()));
        }
        self.evicted += u64::try_from(before - self.targets.len()).unwrap_or(0);
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
    tick: &'a Tick,
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
    let weighted = if suspect > 0.0 { suspect * weight(&c.received) } else { suspect };
    // Many hosts together are never as steady as their mean: what is harmless grows with what is usual.
    let usual = if now.live && !prefix(&key).is_host() { 0.5 * stream.usual.expected() } else { 0.0 };
    let normal = Watch::normal(now.settings, &key, stream).max(usual);
    let scale = scale(&c.received);
    stream.scale = scale as f32;
    let was_zero = stream.cusum.is_zero();
    stream.excused.0 += seen.received as f32;
    stream.excused.1 += (seen.received - suspect).clamp(0.0, seen.received) as f32;
    let phi = if now.exact { 1.0 } else { phi(family.excuses, stream, scale) };
    stream.cusum.update(weighted / scale, normal * now.secs / scale, phi, 4.0 * now.threshold);
    let freeze = !learning && (frozen || stream.cusum.value() > now.threshold * 0.5);
    stream.baseline.learn(now.until, now.settings.tick, weighted.max(0.0), freeze);
    stream.usual.learn(now.until, now.settings.tick, seen.received, freeze);
    if learning {
        stream.cusum = Cusum::default();
    }
    if stream.cusum.is_zero() {
        stream.suspect = 0.0;
        stream.rate_max = 0.0;
        return None;
    }
    if was_zero {
        if now.live {
            (stream.suspect, stream.rate_max) = (0.0, 0.0);
            stream.senders = Senders::default();
        }
        // The first few packets of a flood may not move the test yet; a steady trickle before it is not of it.
        let fresh = (now.exact && by_pairs(c.class)) || f64::from(stream.run) <= suspect + RUN_HEAD;
        stream.onset = if fresh { stream.run_begun } else { first };
        stream.risen = first;
    }
    stream.suspect += suspect.max(0.0) as f32;
    // Over the time since the onset, but no less than a tenth of a second: a burst is judged as a burst.
    let elapsed = now.until.since(stream.onset).as_secs_f64().max(0.1);
    let counted = suspect / scale;
    let burst = if counted >= 20.0 { weighted / now.secs } else { 0.0 };
    stream.rate_max = stream.rate_max.max(burst as f32).max((f64::from(stream.suspect) / elapsed) as f32);
    let test = stream.cusum.value() / now.threshold;
    #[expect(clippy::cast_precision_loss, reason = "compared with twenty")]
    let enough = now.live || stream.suspect >= now.settings.profile.packets_min() as f32;
    // Volume of unknown scale never triggers.
    (test > 1.0 && enough && c.received.unscaled == 0).then(|| Candidate {
        key,
        class: c.class,
        test,
        rate: f64::from(stream.rate_max),
        normal,
        onset: stream.onset,
        risen: stream.risen,
        suspect: f64::from(stream.suspect),
        limit: None,
    })
}

/// Whether a tick shows enough of a class for a host to be remembered.
fn stands_out(settings: &Settings, cell: &Cell) -> bool {
    let least = 0.5 * settings.profile.floor_pps(settings.floor) * settings.tick.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    let packets = cell.packets as f64;
    cell.samples >= 2 && packets >= least
}

/// How much noisier than a count of samples the suspect packets of a stream are: as differences, by what is subtracted, for
/// one packet of the other direction excuses several; and as bursts, by what was learned.
fn phi(excuses: f64, stream: &Stream, scale: f64) -> f64 {
    let (received, excused) = (f64::from(stream.excused.0), f64::from(stream.excused.1));
    // Who has shown little yet is taken for one that answers.
    let (few, each) = (DIALOGUE.0 * scale, excuses.min(DIALOGUE.1));
    let difference = (excuses * excused + each * few) / (received + few).max(1.0);
    let bursts = (stream.baseline.noise() / scale - 1.0).clamp(0.0, BURSTS_MAX);
    1.0 + difference.max(bursts)
}

/// Packets behind one sample.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
fn scale(cell: &Cell) -> f64 {
    (cell.packets as f64 / f64::from(cell.samples.max(1))).max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
fn weight(cell: &Cell) -> f64 {
    (cell.bytes as f64 / cell.packets.max(1) as f64 / OCTETS_UNIT).max(1.0)
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
