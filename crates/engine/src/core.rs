//! The decision core: merged ticks in, attacks out.

use std::collections::{BTreeSet, VecDeque};

use base::map::{Map, Seed};
use base::{Prefix, Span, Timestamp};
use detect::ShardTick;
use detect::class::{Class, Classifier};

use crate::closed::Closed;
use crate::conduct::Conducts;
use crate::frozen::Frozen;
use crate::incident::Incident;
use crate::late::Late;
use crate::outcome::Counters;
use crate::pour::Pours;
use crate::received::{Flowed, Received};
use crate::report::{self, Severity};
use crate::scan::Scans;
use crate::sender::Senders;
use crate::service::Services;
use crate::settings::{Profile, Settings};
use crate::silence::{Feed, Heard, Silence};
use crate::target::TargetKey;
use crate::tick::{Ring, Tick};
use crate::watch::{Candidate, Ready, Watch};
use crate::{present, reservoir, signature};

/// Attacks remembered after their end.
const ENDED_MAX: usize = 1024;
/// Examples of an attack that goes on over a restart before its rules are derived anew: fewer would say less than those before.
const RESUMED_MIN: usize = 24;
/// A live attack's numbers are told again this often while they grow, or after this part of its age.
const TELL_EVERY: Span = Span::from_secs(1);
const TELL_SHARE: u64 = 10;

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
    /// A person calls an attack over.
    Close {
        /// Its id.
        id: String,
    },
    /// What enforcers counted of rules since the last time.
    Counters {
        /// Everything up to here is told.
        until: Timestamp,
        /// By rule, in any order.
        counters: Vec<Counters>,
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
    pub(crate) classifier: Classifier,
    pub(crate) watch: Watch,
    pub(crate) conducts: Conducts,
    pub(crate) scans: Scans,
    senders: Senders,
    /// Who serves whom, where somebody asks.
    pub(crate) services: Option<Services>,
    pub(crate) ring: Ring,
    pours: Pours,
    late: Late,
    pub(crate) reservoir: reservoir::Reservoir,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) ended: VecDeque<report::Attack>,
    pub(crate) outputs: VecDeque<Output>,
    /// When a stream above its threshold was last found to be no attack, and at which rate.
    pub(crate) rejected: Map<(TargetKey, Class), (Timestamp, f64)>,
    pub(crate) silence: Silence,
    /// Streams above their threshold in the last tick.
    pub(crate) pending: Vec<Candidate>,
    /// The recording is at its end: what is not there will not come.
    pub(crate) last: bool,
    pub(crate) now: Timestamp,
    pub(crate) incidents_refused: u64,
    /// What persons called over.
    pub(crate) closed: Vec<Closed>,
    received: Received,
    flowed: Flowed,
}

impl Engine {
    /// Begins with nothing learned.
    pub fn new(settings: Settings, seed: Seed) -> Self {
        Self {
            classifier: Classifier::default(),
            watch: Watch::new(&settings, seed.clone()),
            conducts: Conducts::new(seed.clone()),
            scans: Scans::new(seed.clone()),
            senders: Senders::new(&settings, seed.clone()),
            services: None,
            ring: Ring::new(settings.profile.is_exact()),
            pours: Pours::default(),
            late: Late::default(),
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
            closed: Vec::new(),
            received: Received::default(),
            flowed: Flowed::new(&settings),
            settings,
            seed,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Tick { until, shards } => self.tick(until, shards),
            Input::Health { until, feeds, dropped } => {
                self.hear(until, &feeds, dropped);
                let discards: Vec<_> = feeds.into_iter().flat_map(|feed| feed.discards).collect();
                self.discarded(until, &discards);
            }
            Input::Close { id } => self.close(&id),
            Input::Counters { until, counters } => self.counted(until, &counters),
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
        let active = self.incidents.iter().map(|i| present::attack(i, &self.settings, &self.watch));
        let mut all: Vec<_> = active.chain(self.ended.iter().cloned()).collect();
        all.sort_by(|a, b| a.started_at.cmp(&b.started_at).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// The latest time the core was told.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Packets and layer-3 bits a second that a target usually gets at most, at this hour; `None`: it has shown none.
    pub fn usual(&self, target: &Prefix) -> Option<(f64, f64)> {
        self.watch.usual(target)
    }

    /// What was counted to the attacks that go on, by id: packets and layer-3 octets so far. Their documents are told the less
    /// often the longer they last.
    pub fn sizes(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.incidents.iter().map(|incident| (incident.id.as_str(), incident.packets, incident.bytes))
    }

    /// The same by vector: an attack's id, when it began, and its parts.
    pub fn parts(&self) -> impl Iterator<Item = (&str, Timestamp, Vec<report::Part>)> {
        let of = |incident| present::parts(incident);
        self.incidents.iter().map(move |incident| (incident.id.as_str(), incident.started, of(incident)))
    }

    /// What all own hosts together received in the last tick.
    pub const fn received(&self) -> Received {
        self.received
    }

    /// What own networks got and sent since the engine began: customer (`other`: of none), direction, protocol, and how much.
    pub fn flowed(&self) -> impl Iterator<Item = (&str, report::Direction, &'static str, Received)> {
        self.flowed.all()
    }

    /// How many own hosts are under watch, and of how many it is known what is usual: customer (`other`: of none), and both. Looks at
    /// all of them; the others are judged by their peers and by the floors.
    pub fn ready(&mut self) -> Vec<(&str, Ready)> {
        let flowed = &self.flowed;
        let all = self.watch.ready(|host| flowed.group(host));
        all.into_iter().filter_map(|(group, ready)| Some((flowed.name(group)?, ready))).collect()
    }

    /// Targets under watch.
    pub fn tracked_targets(&self) -> usize {
        self.watch.len()
    }

    /// What the core left out at its caps since it began, by name.
    pub fn left_out(&self) -> [(&'static str, u64); 10] {
        [
            ("habits_refused", self.watch.habits.refused),
            ("incidents_refused", self.incidents_refused),
            ("late_history", self.late.history),
            ("late_refused", self.late.refused),
            ("peers_refused", self.watch.peers.refused),
            ("pours_evicted", self.pours.evicted + self.senders.pours_evicted()),
            ("senders_refused", self.senders.refused),
            ("talks_evicted", self.services.as_ref().map_or(0, |services| services.evicted)),
            ("targets_evicted", self.watch.evicted),
            ("weeks_refused", self.watch.weeks_refused()),
        ]
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
        self.late.hold = self.silence.hold();
        let mut tick =
            Tick::merge(until, shards, &self.classifier, &self.settings, (&mut self.pours, &mut self.late));
        self.received = Received::of(&tick);
        self.flowed.add(&tick);
        self.finish_quiet(tick.counts.cells.iter().map(|(_, c)| c.first).min().unwrap_or(until).min(until));
        let frozen = Frozen::of(&self.incidents, &self.closed, until, self.silence.confuses());
        let mut candidates = self.watch.tick(&self.settings, &tick, &frozen);
        candidates.extend(self.late.test(&self.settings, &self.watch, until));
        for incident in &mut self.incidents {
            let calm = self.watch.is_calm(&self.settings, incident, &tick);
            let before = incident.seen();
            incident.absorb(&tick, &self.settings, None);
            if calm {
                incident.see(before);
            }
            incident.note_passed(&tick, self.settings.profile.is_exact());
        }
        if let Some(services) = &mut self.services {
            services.note(&tick, &frozen, self.settings.profile.is_exact());
        }
        let doings = std::mem::take(&mut tick.counts.conducts);
        let scans = self.scans.tick(&self.settings, &tick);
        let excesses = self.senders.tick(&self.settings, &tick);
        for old in self.ring.push(tick) {
            self.reservoir.take(&old, &self.incidents, &frozen);
            self.watch.accustom(&self.settings, &old, &frozen);
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
        for incident in self.incidents.iter_mut().filter(|i| i.by_limit) {
            incident.culprits.retain(|host, ()| self.senders.is_above(*host));
        }
        for excess in excesses {
            self.exceeded(until, excess);
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

    /// Derives rules where the time has come.
    fn review(&mut self, now: Timestamp) {
        for incident in &mut self.incidents {
            if incident.severity == Severity::Attack
                && incident.resumed
                && incident.samples.len() >= RESUMED_MIN
            {
                // Rules from before are as good as they were; where they were not written down in time, there are none.
                (incident.resumed, incident.derive_at) = (false, Some(now));
            }
            if incident.severity != Severity::Attack || incident.derive_at.is_none_or(|at| at > now) {
                continue;
            }
            incident.trim_samples();
            incident.name_ports();
            self.reservoir.disown(incident);
            let (settings, reservoir, ring) = (&self.settings, &self.reservoir, &self.ring);
            signature::derive(incident, &signature::Evidence { settings, reservoir, ring }, now);
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
            let attack = present::attack(&incident, &self.settings, &self.watch);
            self.over(now, attack);
        }
    }

    /// Tells of an attack for the last time.
    pub(crate) fn over(&mut self, now: Timestamp, attack: report::Attack) {
        self.ended.push_back(attack.clone());
        self.outputs.push_back(Output::Attack { at: now, attack: Box::new(attack) });
        if self.ended.len() > ENDED_MAX {
            self.ended.pop_front();
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
                let attack = Box::new(present::attack(incident, &self.settings, &self.watch));
                self.outputs.push_back(Output::Attack { at: now, attack });
            }
        }
    }
}
