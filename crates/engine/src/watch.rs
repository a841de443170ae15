//! Every tick, every touched target: is something more than it should be?

use base::map::{Map, Seed};
use base::prefix::{bits_of, narrow, wide};
use base::{Prefix, Span, Timestamp};
use detect::baseline::Baseline;
use detect::class::{COUNT, Class};
use detect::cusum::{self, Cusum};
use detect::shard::{Cell, CellKey, Side};
use detect::vector::{self, Counts};

use crate::incident::by_pairs;
use crate::report::Direction;
use crate::settings::{Profile, Settings};
use crate::target::{Stream, Target, TargetKey, TickCounts};
use crate::tick::{Tick, prefix};

/// Targets remembered. Beyond it the quiet ones go; counted in `targets_evicted`.
const TARGETS_MAX: usize = 1 << 18;
/// Hosts with suspect packets that make a prefix a target of its own.
const HOSTS_MIN: usize = 4;
/// A captured burst has to be this large, in nats of the sequential test: twenty packets in one tick cross it.
const CAPTURE_THRESHOLD: f64 = 8.5;
/// Seconds in which one false alarm is allowed: a week.
const BUDGET_SECS: f64 = 604_800.0;
/// A daemon that has just begun does not know yet who is always busy.
const WARM_UP: Span = Span::from_secs(8);
/// Suspect packets further apart than this do not belong to one run.
const RUN_GAP: Span = Span::from_secs(1);
/// Packets of a run that may have come before its test rose.
const RUN_HEAD: f64 = 10.0;
/// Packets of this many octets count one; larger ones more, for attacks on bandwidth.
const OCTETS_UNIT: f64 = 1000.0;

/// A stream whose test has crossed its threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Suspect packets since then.
    pub(crate) suspect: f64,
}

/// All targets.
#[derive(Debug)]
pub(crate) struct Watch {
    targets: Map<TargetKey, Target>,
    /// End of the first tick.
    begun: Option<Timestamp>,
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
    fn stands_out(&self, counts: &TickCounts) -> bool {
        let at = counts.class.index();
        let all = self.packets.get(at).copied().unwrap_or(0);
        let hosts = self.hosts.get(at).copied().unwrap_or(0);
        hosts >= Self::HOSTS_MIN && counts.received.packets > all / 2
    }
}

/// Suspect packets of one class in a prefix.
#[derive(Clone, Debug)]
struct PrefixClass {
    counts: TickCounts,
    hosts: usize,
    suspect_top: f64,
    suspect_sum: f64,
}

/// A prefix being summed from its touched hosts.
struct PrefixSum {
    key: TargetKey,
    classes: Vec<PrefixClass>,
    others: Others,
}

/// What a host does besides the class in question.
#[derive(Clone, Copy, Debug, Default)]
struct Others {
    established: f64,
    tcp_sent: f64,
    syns_sent: f64,
    all_sent: f64,
}

impl Watch {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { targets: Map::new(seed), begun: None, crowd: None, evicted: 0 }
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
        self.targets.get_or_insert_with(key, || Target::new(at)).stream_mut(class).baseline = baseline;
    }

    /// Lowest rate at which a class of a stream may alarm.
    pub(crate) fn normal(settings: &Settings, stream: &Stream) -> f64 {
        let floor = settings.profile.floor_pps(settings.floor) * vector::family(stream.class).floor_factor;
        floor.max(1.5 * stream.baseline.expected())
    }

    /// Counts a tick and says which streams stand above their threshold, in order.
    pub(crate) fn tick(
        &mut self,
        settings: &Settings,
        tick: &Tick,
        frozen: &dyn Fn(&TargetKey) -> bool,
    ) -> Vec<Candidate> {
        let mut found = Vec::new();
        let begun = *self.begun.get_or_insert(tick.until);
        let warming = settings.profile == Profile::Daemon && tick.until.since(begun) < WARM_UP;
        self.crowd = warming.then(|| Crowd::of(tick));
        let threshold = self.threshold(settings);
        let mut sums: Vec<PrefixSum> = Vec::new();
        let mut rest = tick.counts.cells.as_slice();
        let mut counts: Vec<TickCounts> = Vec::new();
        while let Some((first, _)) = rest.first() {
            let host = first.host;
            let end = rest.partition_point(|(key, _)| key.host == host);
            let (of_host, tail) = rest.split_at(end);
            rest = tail;
            for direction in [Direction::In, Direction::Out] {
                pair_up(of_host, direction, &mut counts);
                if counts.iter().all(|c| c.received.packets == 0) {
                    continue;
                }
                let key = TargetKey { addr: host, bits: bits_of(narrow(host)), direction };
                let others = Others::of(&counts);
                add_to_prefix(&mut sums, settings, &key, &counts, &others);
                self.update(settings, tick, key, &counts, &others, threshold, frozen(&key), &mut found);
            }
        }
        for sum in sums {
            self.prefix(settings, tick, sum, threshold, frozen, &mut found);
        }
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
                cusum::threshold(streams, 1.0 / settings.tick.as_secs_f64(), BUDGET_SECS)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the walk above, apart only for reading")]
    fn update(
        &mut self,
        settings: &Settings,
        tick: &Tick,
        key: TargetKey,
        counts: &[TickCounts],
        others: &Others,
        threshold: f64,
        frozen: bool,
        found: &mut Vec<Candidate>,
    ) {
        let now = tick.until;
        let secs = settings.tick.as_secs_f64();
        // Behind a sampler every packet looks like many: one alone begins nothing, and hosts that stay below a quarter of
        // the floor are not remembered.
        let live = settings.profile == Profile::Daemon;
        let begins = !live || counts.iter().any(|c| stands_out(settings, &c.received));
        if !begins && !self.targets.contains_key(&key) {
            return;
        }
        let target = self.targets.get_or_insert_with(key, || Target::new(now));
        #[expect(clippy::cast_precision_loss, reason = "a count of ticks")]
        let idle =
            (now.since(target.touched).nanos() / settings.tick.nanos().max(1)).saturating_sub(1) as f64;
        target.pass(now, idle, |stream| Self::normal(settings, stream) * secs);
        for c in counts {
            let seen = others.counts(settings, c);
            let stream = target.stream_mut(c.class);
            stream.lately.received += seen.received;
            stream.lately.unsolicited += seen.unsolicited;
            stream.lately.sent += seen.sent;
            if c.received.packets == 0 {
                continue;
            }
            let family = vector::family(c.class);
            let suspect = (family.suspect)(&seen);
            let known = seen.exact && c.received.unsolicited > 0 && seen.unsolicited < seen.received;
            let first = if known { c.received.first_unsolicited } else { c.received.first };
            if suspect > 0.0 {
                if first.since(stream.last) > RUN_GAP {
                    stream.run = (first, 0.0);
                }
                stream.run.1 += suspect;
                stream.last = c.received.last;
            }
            let weighted = if suspect > 0.0 { suspect * weight(&c.received) } else { suspect };
            // Many hosts together are never as steady as their mean: what is harmless grows with what is usual.
            let usual = if live && !prefix(&key).is_host() { 0.5 * stream.usual.expected() } else { 0.0 };
            let normal = Self::normal(settings, stream).max(usual);
            let scale = scale(&c.received);
            let was_zero = stream.cusum.is_zero();
            let phi = if seen.exact { 1.0 } else { noise(family.excuses, seen.received, suspect) };
            stream.cusum.update(weighted / scale, normal * secs / scale, phi, 4.0 * threshold);
            let one_sided = family.needs_learning || !prefix(&key).is_host();
            let learning = one_sided && self.crowd.as_ref().is_some_and(|crowd| !crowd.stands_out(c));
            let freeze = !learning && (frozen || stream.cusum.value() > threshold * 0.5);
            stream.baseline.learn(now, weighted.max(0.0), freeze);
            stream.usual.learn(now, seen.received, freeze);
            if learning {
                stream.cusum = Cusum::default();
            }
            if stream.cusum.is_zero() {
                stream.suspect = 0.0;
                stream.rate_max = 0.0;
                continue;
            }
            if was_zero {
                // The first few packets of a flood may not move the test yet; a steady trickle before it is not of it.
                let fresh = (seen.exact && by_pairs(c.class)) || stream.run.1 <= suspect + RUN_HEAD;
                stream.onset = if fresh { stream.run.0 } else { first };
            }
            stream.suspect += suspect.max(0.0);
            // Over the time since the onset, but no less than a tenth of a second: a burst is judged as a burst.
            let elapsed = now.since(stream.onset).as_secs_f64().max(0.1);
            let counted = suspect / scale;
            let burst = if counted >= 20.0 { weighted / secs } else { 0.0 };
            stream.rate_max = stream.rate_max.max(burst).max(stream.suspect / elapsed);
            let test = stream.cusum.value() / threshold;
            #[expect(clippy::cast_precision_loss, reason = "compared with twenty")]
            let enough = settings.profile == Profile::Daemon
                || stream.suspect >= settings.profile.packets_min() as f64;
            // Volume of unknown scale never triggers.
            if test > 1.0 && enough && c.received.unscaled == 0 {
                found.push(Candidate {
                    key,
                    class: c.class,
                    test,
                    rate: stream.rate_max,
                    normal,
                    onset: stream.onset,
                    suspect: stream.suspect,
                });
            }
        }
        let quiet = |s: &Stream| {
            s.cusum.is_zero() && s.baseline.expected() < 0.25 * settings.profile.floor_pps(settings.floor)
        };
        if !begins && target.streams.iter().all(quiet) {
            self.targets.remove(&key);
        }
    }

    fn prefix(
        &mut self,
        settings: &Settings,
        tick: &Tick,
        sum: PrefixSum,
        threshold: f64,
        frozen: &dyn Fn(&TargetKey) -> bool,
        found: &mut Vec<Candidate>,
    ) {
        let spread = |c: &PrefixClass| c.hosts >= HOSTS_MIN && c.suspect_top <= 0.5 * c.suspect_sum;
        let known = self.targets.contains_key(&sum.key);
        let counts: Vec<TickCounts> =
            sum.classes.iter().filter(|c| known || spread(c)).map(|c| c.counts).collect();
        if counts.is_empty() {
            return;
        }
        let before = found.len();
        self.update(settings, tick, sum.key, &counts, &sum.others, threshold, frozen(&sum.key), found);
        // One busy host does not make its neighbours victims.
        let narrow: Vec<Class> = sum.classes.iter().filter(|c| !spread(c)).map(|c| c.counts.class).collect();
        let mut index = 0;
        found.retain(|c| {
            index += 1;
            index <= before || !narrow.contains(&c.class)
        });
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

/// Whether a tick shows enough of a class for a host to be remembered.
fn stands_out(settings: &Settings, cell: &Cell) -> bool {
    let least = 0.5 * settings.profile.floor_pps(settings.floor) * settings.tick.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    let packets = cell.packets as f64;
    cell.samples >= 2 && packets >= least
}

/// How much noisier than a count a difference is of which `seen` is one side and `suspect` the result.
fn noise(excuses: f64, seen: f64, suspect: f64) -> f64 {
    let excused = (seen - suspect).max(0.0);
    1.0 + excuses * excused / seen.max(1.0)
}

/// Packets behind one sample.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
fn scale(cell: &Cell) -> f64 {
    (cell.packets as f64 / cell.samples.max(1) as f64).max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
fn weight(cell: &Cell) -> f64 {
    (cell.bytes as f64 / cell.packets.max(1) as f64 / OCTETS_UNIT).max(1.0)
}

/// What a host received and sent in one tick, by class.
fn pair_up(cells: &[(CellKey, Cell)], direction: Direction, counts: &mut Vec<TickCounts>) {
    let (received, sent) = match direction {
        Direction::In => (Side::Received, Side::Sent),
        Direction::Out => (Side::ReceivedFromUs, Side::SentToUs),
    };
    counts.clear();
    for (key, cell) in cells {
        if key.side != received && key.side != sent {
            continue;
        }
        let at = counts.binary_search_by_key(&key.class, |c| c.class).unwrap_or_else(|at| {
            counts.insert(at, TickCounts { class: key.class, received: Cell::EMPTY, sent: Cell::EMPTY });
            at
        });
        if let Some(slot) = counts.get_mut(at) {
            // Cells of a host come once for each side and class.
            *(if key.side == received { &mut slot.received } else { &mut slot.sent }) = *cell;
        }
    }
}

impl Others {
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    fn of(counts: &[TickCounts]) -> Self {
        let mut others = Self::default();
        for c in counts {
            let sent = c.sent.packets as f64;
            others.all_sent += sent;
            match c.class {
                Class::TCP_ACK | Class::TCP_DATA => {
                    others.established += c.received.packets as f64;
                    others.tcp_sent += sent;
                }
                Class::TCP_SYN => {
                    others.syns_sent += sent;
                    others.tcp_sent += sent;
                }
                _ => {}
            }
        }
        others
    }

    fn add(&mut self, other: &Self) {
        self.established += other.established;
        self.tcp_sent += other.tcp_sent;
        self.syns_sent += other.syns_sent;
        self.all_sent += other.all_sent;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    fn counts(&self, settings: &Settings, c: &TickCounts) -> Counts {
        Counts {
            class: c.class,
            received: c.received.packets as f64,
            unsolicited: c.received.unsolicited as f64,
            sent: c.sent.packets as f64,
            established: self.established,
            tcp_sent: self.tcp_sent,
            syns_sent: self.syns_sent,
            all_sent: self.all_sent,
            exact: settings.profile.is_exact(),
        }
    }
}

/// Adds a host's tick to its /24 or /48.
fn add_to_prefix(
    sums: &mut Vec<PrefixSum>,
    settings: &Settings,
    key: &TargetKey,
    counts: &[TickCounts],
    others: &Others,
) {
    let addr = narrow(key.addr);
    let bits = if addr.is_ipv4() { 24 } else { 48 };
    let prefix = Prefix::of(addr, bits);
    let prefix_key = TargetKey { addr: wide(prefix.addr()), bits, direction: key.direction };
    // Hosts come in order, so the prefix is one of the last two (one a direction).
    let recent = sums.len().saturating_sub(2);
    let at = match sums.iter().skip(recent).position(|sum| sum.key == prefix_key) {
        Some(offset) => recent + offset,
        None => {
            sums.push(PrefixSum { key: prefix_key, classes: Vec::new(), others: Others::default() });
            sums.len() - 1
        }
    };
    let Some(sum) = sums.get_mut(at) else { return };
    sum.others.add(others);
    for c in counts {
        let suspect = (vector::family(c.class).suspect)(&others.counts(settings, c)).max(0.0);
        let at = sum.classes.binary_search_by_key(&c.class, |p| p.counts.class).unwrap_or_else(|at| {
            let fresh = TickCounts { class: c.class, received: Cell::EMPTY, sent: Cell::EMPTY };
            sum.classes
                .insert(at, PrefixClass { counts: fresh, hosts: 0, suspect_top: 0.0, suspect_sum: 0.0 });
            at
        });
        let Some(class) = sum.classes.get_mut(at) else { continue };
        class.counts.received.merge(&c.received);
        class.counts.sent.merge(&c.sent);
        if suspect > 0.0 {
            class.hosts += 1;
            class.suspect_sum += suspect;
            class.suspect_top = class.suspect_top.max(suspect);
        }
    }
}
