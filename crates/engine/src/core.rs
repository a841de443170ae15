//! The decision core: merged ticks in, attacks out.

use std::collections::{BTreeSet, VecDeque};

use base::map::{Map, Seed};
use base::prefix::wide;
use base::{Span, Timestamp};
use detect::ShardTick;
use detect::class::{Class, Classifier};
use detect::evidence::{self, Evidence, Shape};
use detect::sample::Sample;
use detect::vector;

use crate::conduct::{self, Conducts, Suspicion};
use crate::frozen::Frozen;
use crate::incident::{Incident, by_pairs};
use crate::pour::Pours;
use crate::report::{self, Severity};
use crate::scan::{Scan, Scans};
use crate::settings::{Profile, Settings};
use crate::silence::{Feed, Heard, Silence};
use crate::target::TargetKey;
use crate::tick::{Ring, Tick, hosts, prefix, received};
use crate::watch::{Candidate, Watch};
use crate::{present, reservoir, signature};

/// Attacks followed at once; further ones wait for a place, counted in `incidents_refused`.
const INCIDENTS_MAX: usize = 1024;
/// Attacks remembered after their end.
const ENDED_MAX: usize = 1024;
/// Examples of an outgoing attack needed at least: foreign hosts are only known from them.
const OUTGOING_MIN: u64 = 12;
/// How many ticks a judgement holds.
const REJECTED_TICKS: u64 = 2;
/// Judgements remembered; at the cap all are forgotten.
const REJECTED_MAX: usize = 1 << 14;
/// A live attack's numbers are told again this often while they grow, or after this part of its age.
const TELL_EVERY: Span = Span::from_secs(1);
const TELL_SHARE: u64 = 10;
/// An attack is judged again so long after its detection: answers and acknowledgements come later than what they answer.
const SECOND_LOOK: Span = Span::from_secs(2);
/// What honest packets bring about shows after so long: the round trip to a distant client.
const PATIENCE: Span = Span::from_millis(300);
/// Examples are looked at this far back.
const EXAMPLES_SPAN: Span = Span::from_secs(1);
/// Examples that are enough to see what they have in common.
const EXAMPLES_MAX: usize = 2048;

/// What the core is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A tick has ended at `until`; one entry per shard, in any order.
    Tick {
        /// End of the tick.
        until: Timestamp,
        /// What the shards counted.
        shards: Vec<ShardTick>,
    },
    /// How telemetry is heard, told before the tick of the same time. Without it, silence counts as peace.
    Health {
        /// Everything up to here is told.
        until: Timestamp,
        /// What came since the last time; who is not named sent nothing.
        feeds: Vec<Feed>,
        /// Datagrams that the kernel dropped since the last time, of whichever exporter.
        dropped: u64,
    },
}

/// What the core decided.
#[derive(Clone, Debug)]
pub enum Output {
    /// An attack began, changed or ended; the last one of an id is final.
    Attack {
        /// When it was decided: rules act from here on, plus the time their installation takes.
        at: Timestamp,
        /// The attack as it stands.
        attack: Box<report::Attack>,
    },
}

/// Why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Another version wrote it, or it is damaged.
    #[error("the saved state cannot be read ({0}); it is left aside and learning begins anew")]
    Unreadable(String),
}

/// The decision core.
#[derive(Debug)]
pub struct Engine {
    pub(crate) settings: Settings,
    pub(crate) seed: Seed,
    classifier: Classifier,
    watch: Watch,
    conducts: Conducts,
    scans: Scans,
    ring: Ring,
    pours: Pours,
    reservoir: reservoir::Reservoir,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) ended: VecDeque<report::Attack>,
    outputs: VecDeque<Output>,
    /// When a stream above its threshold was last found to be no attack, and at which rate.
    rejected: Map<(TargetKey, Class), (Timestamp, f64)>,
    silence: Silence,
    /// Streams above their threshold in the last tick.
    pending: Vec<Candidate>,
    /// The recording is at its end: what is not there will not come.
    last: bool,
    now: Timestamp,
    incidents_refused: u64,
}

impl Engine {
    /// Begins with nothing learned.
    pub fn new(settings: Settings, seed: Seed) -> Self {
        Self {
            classifier: Classifier::default(),
            watch: Watch::new(&settings, seed.clone()),
            conducts: Conducts::new(seed.clone()),
            scans: Scans::new(seed.clone()),
            ring: Ring::new(settings.profile.is_exact()),
            pours: Pours::default(),
            reservoir: reservoir::Reservoir::new(&settings, seed.clone()),
            incidents: Vec::new(),
            ended: VecDeque::new(),
            outputs: VecDeque::new(),
            rejected: Map::new(seed.clone()),
            silence: Silence::default(),
            pending: Vec::new(),
            last: false,
            now: Timestamp::ZERO,
            incidents_refused: 0,
            settings,
            seed,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Tick { until, shards } => self.tick(until, shards),
            Input::Health { until, feeds, dropped } => self.hear(until, &feeds, dropped),
        }
    }

    /// A deadline has come: rules are looked at again, attacks without packets end.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.review(now);
        self.finish_quiet(now);
        self.tell(now);
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let quiet = self.incidents.iter().filter_map(|i| Some(i.quiet_from()?.plus(self.settings.quiet)));
        quiet.chain(self.incidents.iter().filter_map(|i| i.derive_at)).min()
    }

    /// The next decision.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// All attacks that are active or ended lately, by start, then id.
    pub fn attacks(&self) -> Vec<report::Attack> {
        let active = self.incidents.iter().map(|i| present::attack(i, &self.settings));
        let mut all: Vec<_> = active.chain(self.ended.iter().cloned()).collect();
        all.sort_by(|a, b| a.started_at.cmp(&b.started_at).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// The latest time the core was told.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What was learned as normal, where it says more than the floor does.
    pub(crate) fn learned(&self) -> Vec<(TargetKey, Class, detect::baseline::Baseline)> {
        self.watch.learned(&self.settings)
    }

    /// Puts back what was learned.
    pub(crate) fn relearn(
        &mut self,
        key: TargetKey,
        class: Class,
        baseline: detect::baseline::Baseline,
        at: Timestamp,
    ) {
        self.watch.relearn(key, class, baseline, at);
    }

    /// Targets under watch.
    pub fn tracked_targets(&self) -> usize {
        self.watch.len()
    }

    /// How exporters are heard, by address; those known for a minute at least.
    pub fn heard(&self) -> impl Iterator<Item = Heard> + '_ {
        self.silence.heard()
    }

    pub(crate) const fn silence(&self) -> &Silence {
        &self.silence
    }

    /// Goes on with what an earlier run knew of exporters.
    pub(crate) fn rehear(&mut self, silence: Silence) {
        self.silence = silence;
    }

    /// The settings in force.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The recording ends: what is pending is decided now.
    pub fn finish(&mut self) {
        let now = self.now;
        self.last = true;
        self.rejected.clear();
        for candidate in std::mem::take(&mut self.pending) {
            self.consider(now, &candidate);
        }
        for suspicion in self.conducts.tick((now, now), &[], &self.ring, true) {
            self.suspect(now, suspicion);
        }
        for incident in &mut self.incidents {
            incident.derive_at = Some(now);
        }
        self.review(now);
        for incident in &mut self.incidents {
            incident.changed = true;
        }
        self.tell(now);
    }

    fn tick(&mut self, until: Timestamp, shards: Vec<ShardTick>) {
        let mut tick = Tick::merge(until, shards, &self.classifier, &self.settings, &mut self.pours);
        self.finish_quiet(tick.counts.cells.iter().map(|(_, c)| c.first).min().unwrap_or(until).min(until));
        let frozen = Frozen::of(&self.incidents, self.silence.confuses());
        let candidates = self.watch.tick(&self.settings, &tick, &frozen);
        for incident in &mut self.incidents {
            incident.absorb(&tick, &self.settings, None);
        }
        let doings = std::mem::take(&mut tick.counts.conducts);
        let scans = self.scans.tick(&self.settings, &tick);
        for old in self.ring.push(tick) {
            self.reservoir.take(&old, &self.incidents, &frozen);
        }
        for candidate in &candidates {
            self.consider(until, candidate);
        }
        self.note_witnesses();
        let from = until.minus(self.settings.tick);
        for suspicion in self.conducts.tick((from, until), &doings, &self.ring, false) {
            self.suspect(until, suspicion);
        }
        for scan in scans {
            self.scanned(until, scan);
        }
        self.pending = if self.settings.profile.is_exact() { candidates } else { Vec::new() };
        self.review(until);
        self.tell(until);
    }

    /// Looks who is heard, and of which attacks the end could be seen. A capture holds all there is: its silence is peace.
    fn hear(&mut self, until: Timestamp, feeds: &[Feed], dropped: u64) {
        let under_way = self.incidents.iter().filter(|i| i.severity == Severity::Attack);
        let busy: BTreeSet<_> = under_way
            .flat_map(|i| i.entries.keys())
            .filter_map(|(exporter, _)| self.silence.address(*exporter))
            .collect();
        self.silence.hear(until, feeds, dropped, &busy);
        if self.settings.profile == Profile::Daemon {
            let whole = self.silence.is_whole();
            for incident in &mut self.incidents {
                incident.changed |= incident.sight.judge(&self.silence, &incident.entries, (until, whole));
            }
        }
    }

    /// What there is to say of those who tell of the attacks.
    fn note_witnesses(&mut self) {
        let doubts = self.silence.doubtful().next().is_some();
        let delays = self.silence.delayed().next().is_some();
        for incident in &mut self.incidents {
            if doubts {
                incident.sight.doubt(&self.silence, &incident.entries);
            }
            if delays {
                incident.sight.note_delay(&self.silence, &incident.entries);
            }
        }
    }

    /// Weighs a stream above its threshold.
    fn consider(&mut self, now: Timestamp, candidate: &Candidate) {
        // A carpet takes in what its hosts get of the same kind; another kind on one of them is an attack of its own.
        let at = self.incidents.iter().position(|i| {
            i.key == candidate.key || i.covers(&candidate.key) && i.vector(candidate.class).is_some()
        });
        if let Some(incident) = at.and_then(|at| self.incidents.get(at))
            && incident.severity == Severity::Attack
            && incident.vector(candidate.class).is_some()
            && now.since(incident.detected) > SECOND_LOOK
        {
            return;
        }
        if let Some(incident) = at.and_then(|at| self.incidents.get(at)) {
            // Beside a flood, a trickle of something else is the noise of the Internet.
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let small = candidate.suspect < present::SHARE_MIN * incident.packets as f64;
            if small {
                return;
            }
        }
        // What was weighed and found light a moment ago is not weighed again, unless it has grown.
        let question = (candidate.key, candidate.class);
        if let Some((when, rate)) = self.rejected.get(&question)
            && now.since(*when) < self.settings.tick.times(REJECTED_TICKS)
            && candidate.rate < 2.0 * rate
        {
            return;
        }
        let evidence = self.evidence(now, candidate);
        let out = candidate.key.direction == report::Direction::Out;
        if out && !evidence.exact && evidence.shape.samples < OUTGOING_MIN {
            return;
        }
        let terms = vector::judge(&evidence).0;
        let sum = evidence::sum(&terms);
        let known =
            at.and_then(|at| self.incidents.get(at)).is_some_and(|i| i.vector(candidate.class).is_some());
        let severity = match sum {
            s if s >= evidence::ATTACK => Severity::Attack,
            s if s >= evidence::SUSPICIOUS => Severity::Suspicious,
            _ => {
                if self.rejected.len() >= REJECTED_MAX {
                    self.rejected.clear();
                }
                self.rejected.insert(question, (now, candidate.rate));
                return;
            }
        };
        let name = (vector::family(candidate.class).name)(&evidence);
        let index = match at {
            Some(index) => index,
            None => match self.open(now, candidate, severity) {
                Some(index) => index,
                None => return,
            },
        };
        let Some(incident) = self.incidents.get_mut(index) else { return };
        if severity > incident.severity {
            incident.severity = severity;
            incident.detected = now;
            incident.changed = true;
        }
        incident.put_vector(candidate.class, name, terms.clone());
        // Unasked packets since the attack began are of it, though their own test rose later.
        let paired = by_pairs(candidate.class);
        let from = if paired { candidate.onset.min(incident.started) } else { candidate.onset };
        // The answers that fragments complete may be too few to stand out by themselves.
        let completed = evidence.completes.filter(|class| incident.vector(*class).is_none());
        if let Some((class, protocol)) = completed.and_then(|class| Some((class, class.reflector()?))) {
            incident.put_vector(class, format!("udp-amplification-{protocol}"), terms);
        }
        for class in completed.into_iter().chain((!known).then_some(candidate.class)) {
            for tick in self.ring.since(from) {
                incident.absorb(tick, &self.settings, Some(&[class]));
            }
            incident.derive_at = Some(now);
        }
    }

    /// Clients of a server behave in a way that speaks for an attack.
    fn suspect(&mut self, now: Timestamp, suspicion: Suspicion) {
        let Suspicion { key, behaviour, began, terms, culprits, past } = suspicion;
        let sum = evidence::sum(&terms);
        let severity = if sum >= evidence::ATTACK { Severity::Attack } else { Severity::Suspicious };
        let index = match self.incidents.iter().position(|i| i.key == key) {
            Some(index) => index,
            None if terms.is_empty() => return,
            None if self.incidents.len() >= INCIDENTS_MAX => {
                self.incidents_refused += 1;
                return;
            }
            None => {
                self.incidents.push(Incident::open(key, severity, began, now, &self.seed));
                self.incidents.len().saturating_sub(1)
            }
        };
        let Some(incident) = self.incidents.get_mut(index) else { return };
        // The strongest words stay.
        let weaker = incident.severity == Severity::Attack && severity < Severity::Attack;
        let told = incident.vectors.iter().any(|v| v.name == behaviour.name);
        let past: Vec<_> =
            past.into_iter().filter(|(source, ..)| !incident.culprits.contains_key(source)).collect();
        incident.add_culprits(culprits.into_iter());
        let mut fresh = Vec::new();
        if !(terms.is_empty() || weaker && told) {
            if severity > incident.severity {
                incident.severity = severity;
                incident.detected = now;
                incident.changed = true;
                incident.derive_at = Some(now);
            }
            for class in conduct::CLASSES {
                // Told once, with the class that every connection has.
                let terms = if class == Class::TCP_SYN { terms.clone() } else { Vec::new() };
                if incident.put_behaviour(class, behaviour.name, terms) {
                    fresh.push(class);
                }
            }
        }
        if !fresh.is_empty() && !behaviour.gauge {
            for tick in self.ring.since(began) {
                incident.absorb(tick, &self.settings, Some(&fresh));
            }
            incident.derive_at = Some(now);
        }
        if !past.is_empty() {
            incident.absorb_past(Class::TCP_DATA, &past, now);
        }
    }

    /// An own host asks very many foreign ones.
    fn scanned(&mut self, now: Timestamp, scan: Scan) {
        let Scan { host, began, target, terms } = scan;
        let of_host = |i: &Incident| i.is_scan() && i.culprits.contains_key(&host);
        let near = |i: &Incident| i.is_scan() && i.areas.iter().any(|area| area.covers(&target));
        let known = self.incidents.iter().position(of_host).or_else(|| self.incidents.iter().position(near));
        let index = match known {
            Some(index) => index,
            None if self.incidents.len() >= INCIDENTS_MAX => {
                self.incidents_refused += 1;
                return;
            }
            None => {
                let key = TargetKey {
                    addr: wide(target.addr()),
                    bits: target.bits(),
                    direction: report::Direction::Out,
                };
                self.incidents.push(Incident::open(key, Severity::Attack, began, now, &self.seed));
                self.incidents.len().saturating_sub(1)
            }
        };
        let Some(incident) = self.incidents.get_mut(index) else { return };
        incident.add_culprits(std::iter::once(host));
        incident.widen(target);
        if incident.put_behaviour(Class::TCP_SYN, vector::scan::NAME, terms) {
            for tick in self.ring.since(began) {
                incident.absorb(tick, &self.settings, Some(&[Class::TCP_SYN]));
            }
            incident.derive_at = Some(now);
        }
    }

    /// A new attack, or the one that this is a part of.
    fn open(&mut self, now: Timestamp, candidate: &Candidate, severity: Severity) -> Option<usize> {
        let target = prefix(&candidate.key);
        if !target.is_host()
            && let Some(index) = self.incidents.iter().position(|i| {
                let near = if target.is_ipv4() { 16 } else { 32 };
                !prefix(&i.key).is_host()
                    && i.key.direction == candidate.key.direction
                    && i.vector(candidate.class).is_some_and(|v| !v.by_culprit)
                    && prefix(&i.key).join(&target).is_some_and(|joint| joint.bits() >= near)
            })
        {
            let incident = self.incidents.get_mut(index)?;
            incident.areas.push(target);
            incident.areas.sort_unstable();
            incident.changed = true;
            for tick in self.ring.since(candidate.onset) {
                // Only the new area: the others have counted these ticks.
                let areas = std::mem::replace(&mut incident.areas, vec![target]);
                incident.absorb(tick, &self.settings, Some(&[candidate.class]));
                incident.areas = areas;
            }
            incident.derive_at = Some(now);
            return Some(index);
        }
        if self.incidents.len() >= INCIDENTS_MAX {
            self.incidents_refused += 1;
            return None;
        }
        self.incidents.push(Incident::open(candidate.key, severity, candidate.onset, now, &self.seed));
        self.incidents.len().checked_sub(1)
    }

    fn evidence(&self, now: Timestamp, candidate: &Candidate) -> Evidence {
        let class = candidate.class;
        let target = prefix(&candidate.key);
        let exact = self.settings.profile.is_exact();
        let from = candidate.onset.max(now.minus(EXAMPLES_SPAN));
        let only_unasked = exact && by_pairs(class);
        let wanted = |s: &&Sample| s.class == class && (!only_unasked || s.unsolicited);
        let shape = Shape::of(self.ring.latest(from, target, EXAMPLES_MAX).filter(wanted));
        let lately =
            |c: Class| self.watch.target(&candidate.key).map_or_else(Default::default, |t| t.lately(c));
        let (sources, source_top) = self.sources(from, candidate, only_unasked);
        let hosts_hit = self.hosts_hit(now, &target, candidate);
        let own = lately(class);
        Evidence {
            class,
            rate: candidate.rate,
            floor: self.settings.profile.floor_pps(self.settings.floor) * vector::family(class).floor_factor,
            normal: candidate.normal,
            usual: self
                .watch
                .target(&candidate.key)
                .and_then(|t| t.stream(class))
                .map_or(0.0, |s| s.usual.expected()),
            test: candidate.test,
            received: own.received.into(),
            unsolicited: own.unsolicited.into(),
            sent: own.sent.into(),
            established: (lately(Class::TCP_ACK).received + lately(Class::TCP_DATA).received).into(),
            data: lately(Class::TCP_DATA).received.into(),
            ends: lately(Class::TCP_RST_FIN).received.into(),
            syns: lately(Class::TCP_SYN).sent.into(),
            icmp_sent: lately(Class::ICMP_OTHER).sent.into(),
            limit: candidate.limit.clone(),
            completes: (class == Class::UDP_FRAGMENT).then(|| self.completed(&candidate.key)).flatten(),
            exact,
            young: exact && !self.last && now.since(candidate.risen) < PATIENCE,
            sources: sources.max(shape.sources),
            source_top,
            hosts: hosts_hit,
            shape,
        }
    }

    /// Distinct hosts of a prefix that lately got packets of the class.
    fn hosts_hit(&self, now: Timestamp, target: &base::Prefix, candidate: &Candidate) -> u64 {
        if target.is_host() {
            return 1;
        }
        let side = received(candidate.key.direction);
        let from = candidate.onset.max(now.minus(EXAMPLES_SPAN));
        let mut hit: Vec<u128> = self
            .ring
            .since(from)
            .flat_map(|tick| tick.cells(candidate.key.direction, hosts(target)))
            .filter(|(key, _)| key.side == side && key.class == candidate.class)
            .map(|(key, _)| key.host)
            .collect();
        hit.sort_unstable();
        hit.dedup();
        u64::try_from(hit.len()).unwrap_or(u64::MAX).max(1)
    }

    /// The reflecting protocol of which the target lately got most unasked answers, if fragments can be theirs.
    fn completed(&self, key: &TargetKey) -> Option<Class> {
        /// First fragments there have to be for later ones, at least.
        const SHARE_MIN: f32 = 0.1;
        let target = self.watch.target(key)?;
        let exact = self.settings.profile.is_exact();
        let unasked = |class: Class| {
            let lately = target.lately(class);
            if exact { lately.unsolicited } else { lately.received - 4.0 * lately.sent }
        };
        let least = SHARE_MIN * target.lately(Class::UDP_FRAGMENT).received;
        let reflectors = target.streams.iter().map(|s| s.class).filter(|c| c.reflector().is_some());
        reflectors
            .map(|class| (unasked(class), class))
            .filter(|(packets, _)| *packets > least.max(1.0))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
            .map(|(_, class)| class)
    }

    /// Distinct sources of a stream lately, and the share of the busiest.
    fn sources(&self, from: Timestamp, candidate: &Candidate, only_unasked: bool) -> (u64, f64) {
        /// Enough to tell few from many.
        const LOOK_MAX: usize = 10_000;
        let target = prefix(&candidate.key);
        let side = received(candidate.key.direction);
        let mut seen: Vec<(u128, u64)> = Vec::new();
        if self.settings.profile == Profile::Capture {
            // Whole ticks, the newest first: a part of one would depend on the order in which it was counted.
            for tick in self.ring.since(from).rev() {
                let before = seen.len();
                for (key, count) in tick.sources(hosts(&target)) {
                    let packets = if only_unasked { count.unsolicited } else { count.packets };
                    if key.side == side && key.class == candidate.class && packets > 0 {
                        seen.push((key.source, packets));
                    }
                }
                if before > 0 && seen.len() > LOOK_MAX {
                    seen.truncate(before);
                    break;
                }
            }
        } else {
            let samples = self.ring.samples(from, target, |c| c == candidate.class);
            seen.extend(samples.map(|(_, s)| (wide(s.headers.src), s.packets)));
        }
        seen.sort_unstable();
        let (mut distinct, mut top, mut total, mut run) = (0u64, 0u64, 0u64, 0u64);
        let mut last = None;
        for (source, packets) in seen {
            if last != Some(source) {
                distinct += 1;
                run = 0;
                last = Some(source);
            }
            run += packets;
            total += packets;
            top = top.max(run);
        }
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = if total == 0 { 0.0 } else { top as f64 / total as f64 };
        (distinct, share)
    }

    /// Derives rules where the time has come.
    fn review(&mut self, now: Timestamp) {
        let evidence =
            signature::Evidence { settings: &self.settings, reservoir: &self.reservoir, ring: &self.ring };
        for incident in &mut self.incidents {
            if incident.severity != Severity::Attack || incident.derive_at.is_none_or(|at| at > now) {
                continue;
            }
            incident.trim_samples();
            incident.name_ports();
            signature::derive(incident, &evidence, now);
            incident.derived += 1;
            // Soon again while little is known, then less and less often.
            let wait = Span::from_millis(250).times(1 << incident.derived.min(8));
            incident.derive_at = Some(now.plus(wait));
        }
    }

    fn finish_quiet(&mut self, now: Timestamp) {
        let quiet = self.settings.quiet;
        let (over, active): (Vec<_>, Vec<_>) = std::mem::take(&mut self.incidents)
            .into_iter()
            .partition(|i| i.quiet_from().is_some_and(|from| now.since(from) >= quiet));
        self.incidents = active;
        for mut incident in over {
            incident.ended = Some(incident.last);
            let attack = present::attack(&incident, &self.settings);
            self.ended.push_back(attack.clone());
            self.outputs.push_back(Output::Attack { at: now, attack: Box::new(attack) });
            if self.ended.len() > ENDED_MAX {
                self.ended.pop_front();
            }
        }
    }

    fn tell(&mut self, now: Timestamp) {
        let live = self.settings.profile == Profile::Daemon;
        for incident in &mut self.incidents {
            let (when, packets) = incident.told;
            // Often at first, then as often as it makes a difference.
            let pause = (now.since(incident.detected).nanos() / TELL_SHARE).max(TELL_EVERY.nanos());
            let grown = live && incident.packets > packets && now.since(when).nanos() >= pause;
            if std::mem::take(&mut incident.changed) || grown {
                incident.told = (now, incident.packets);
                if live && incident.samples.len() > crate::incident::SAMPLES_MAX {
                    incident.trim_samples();
                }
                let attack = Box::new(present::attack(incident, &self.settings));
                self.outputs.push_back(Output::Attack { at: now, attack });
            }
        }
    }
}
