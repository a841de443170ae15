//! The pass over a recording that looks at sources: packets to and from the targets of what was found, each shown to the
//! observers of the attacks it may be of.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use base::map::Seed;
use base::prefix::PrefixTable;
use base::{Prefix, Span, Timestamp};
use detect::class::{Class, Classifier};
use engine::report::Attack;
use intel::dossier::{Dossier, Incident, Ingress, Reporter};
use intel::enrich::Enrich;
use intel::observe::Entry;
use intel::table::SOURCES_MAX;
use intel::{Observer, Packet, Rules, Scope};
use telemetry::Record;
use telemetry::record::Detail;
use wire::Headers;

use super::belonging;
use super::crew::Crew;
use super::recorders::Recorders;
use crate::evidence::recorder::Recorded;
use crate::replay::{Findings, Item};

/// Attacks of one recording that get a dossier, the largest first; the others are said.
const ATTACKS_MAX: usize = 64;
/// Sources remembered of an attack at least, where there are many attacks.
pub(crate) const SOURCES_MIN: usize = 4096;
/// Key of sketches and of who is remembered: fixed, so that a recording gives the same answer everywhere.
const KEY: u64 = 0x646f_7373_6965_7221;
/// What an attack's end may lag behind its last packet.
const SLACK: Span = Span::from_millis(250);
/// Dossiers in memory at once: the one that is written, and the next.
const CONCLUDED_MAX: usize = 2;

/// Says what is known of a way in.
pub type Way<'a> = dyn Fn(Entry) -> Ingress + Sync + 'a;

/// Watches all attacks of a recording.
pub struct Collector {
    /// Which cases an address is of, by place in the sets that the crew knows.
    targets: PrefixTable<u32>,
    classifier: Classifier,
    crew: Crew,
    /// N of 1:N of the coarsest records; `None`: one came without.
    sampling: Option<u32>,
}

/// The attacks of a recording that get a dossier.
pub struct Cases {
    cases: Vec<Case>,
    /// Attacks beyond [`ATTACKS_MAX`].
    pub left_out: usize,
}

/// The attacks of a recording with all that was seen of them.
pub struct Collected {
    cases: Vec<Case>,
    sampling: Option<u32>,
}

/// One of them.
pub(super) struct Case {
    attack: Attack,
    /// Place of the vector that packets are of, by class.
    vectors: Vec<Option<usize>>,
    until: Timestamp,
    observer: Observer,
}

impl Cases {
    /// For the second pass over a recording with these findings.
    pub fn new(findings: &Findings) -> anyhow::Result<Self> {
        let rules = Arc::new(Rules::embedded()?);
        let mut attacks: Vec<&Attack> = findings.attacks().collect();
        // The order of first report stays; the smallest are left out.
        let mut sizes: Vec<u64> = attacks.iter().map(|attack| attack.packets).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let least = sizes.get(ATTACKS_MAX - 1).copied().unwrap_or(0);
        let before = attacks.len();
        attacks.retain(|attack| attack.packets >= least);
        attacks.truncate(ATTACKS_MAX);
        let left_out = before - attacks.len();
        let each = (4 * SOURCES_MAX / attacks.len().max(4)).max(SOURCES_MIN);
        Ok(Self {
            cases: attacks.into_iter().map(|attack| Case::new(attack, &rules, each)).collect(),
            left_out,
        })
    }

    /// Each with its end, in the order in which they are concluded.
    pub fn attacks(&self) -> impl Iterator<Item = (&Attack, Timestamp)> {
        self.cases.iter().map(|case| (&case.attack, case.until))
    }
}

impl Collector {
    /// Begins to watch; their bags come in the order of [`Cases::attacks`].
    ///
    /// # Errors
    /// When there can be no threads.
    pub fn start(cases: Cases, recorders: Recorders) -> anyhow::Result<Self> {
        let cases = cases.cases;
        let mut prefixes: Vec<Prefix> = cases.iter().flat_map(Case::areas).copied().collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let of = |prefix: &Prefix| -> Vec<usize> {
            let covers = |case: &Case| case.areas().iter().any(|area| area.covers(prefix));
            cases.iter().enumerate().filter(|(_, case)| covers(case)).map(|(place, _)| place).collect()
        };
        let mut sets: Vec<Vec<usize>> = prefixes.iter().map(of).collect();
        sets.sort_unstable();
        sets.dedup();
        let place = |prefix: &Prefix| {
            let place = sets.binary_search(&of(prefix)).unwrap_or(0);
            (*prefix, u32::try_from(place).unwrap_or(u32::MAX))
        };
        let targets = PrefixTable::new(prefixes.iter().map(place));
        let crew = Crew::start(cases, recorders, &Arc::new(sets))?;
        Ok(Self { targets, classifier: Classifier::default(), crew, sampling: Some(1) })
    }

    /// Takes what the recording holds next; false: a bag cannot be written, which [`Self::finish`] tells.
    #[inline]
    pub fn take(&mut self, item: &Item<'_>) -> bool {
        match item {
            Item::Packet(packet, Some(parsed)) => {
                let Some(sides) = self.sides(&parsed.headers) else { return true };
                let class = self.classifier.received(&parsed.headers, false);
                self.crew.take(|batch| batch.packet(sides, class, packet, parsed))
            }
            Item::Record(record, exporter) => self.record(record, *exporter),
            // What routers dropped is no traffic, and as good a witness of who attacks.
            Item::Health(_, feeds) => {
                let mut discards =
                    feeds.iter().flat_map(|feed| feed.discards.iter().map(|one| (&one.record, feed.address)));
                discards.all(|(record, exporter)| self.record(record, exporter))
            }
            Item::Packet(_, None) => true,
        }
    }

    fn record(&mut self, record: &Record, exporter: IpAddr) -> bool {
        self.sampling = self.sampling.zip(record.sampling.rate).map(|(known, rate)| known.max(rate));
        let Some(sides) = self.sides(&record.headers) else { return true };
        let rate = u64::from(record.sampling.rate.unwrap_or(1).max(1));
        let several = record.detail != Detail::Packet && record.packets.saturating_mul(rate) > 1;
        let class = self.classifier.received(&record.headers, several);
        let entry = Entry { exporter, interface: record.input_if };
        self.crew.take(|batch| batch.record(sides, class, record, entry))
    }

    /// Whose target receives it, and whose sends it; `None`: nobody's.
    #[inline]
    fn sides(&self, headers: &Headers) -> Option<(Option<u32>, Option<u32>)> {
        let of = |address| self.targets.longest(address).copied();
        let (to, from) = (of(headers.dst), of(headers.src));
        (to.is_some() || from.is_some()).then_some((to, from))
    }

    /// Waits until all is looked at, and gives the bags.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(self) -> anyhow::Result<(Collected, Vec<Recorded>)> {
        let (cases, recorded) = self.crew.finish()?;
        Ok((Collected { cases, sampling: self.sampling }, recorded))
    }
}

impl Collected {
    /// Shows the dossier of each attack, one after the other, and concludes the next one meanwhile: all of them might not fit into
    /// memory. What `begin` makes of one of `with` and its dossier, it makes as soon as that is concluded, beside everything else.
    pub fn conclude<W: Send, B: Send>(
        self,
        with: Vec<W>,
        (reporter, way): (&Reporter, Option<&Way<'_>>),
        enrich: &(dyn Enrich + Sync),
        begin: impl Fn(W, &Dossier) -> anyhow::Result<B> + Sync,
        mut each: impl FnMut(&Attack, &Dossier, B) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (sampling, begin) = (self.sampling, &begin);
        let one = move |case: Case, with: W| {
            let mut incident = incident(&case.attack, sampling);
            // Without a configuration nobody tells who the neighbours of a recording's exporters are.
            incident.ingress = way.map(|way| case.observer.entries().map(way).collect()).unwrap_or_default();
            let dossier = case.observer.conclude(incident, reporter.clone(), enrich);
            let begun = begin(with, &dossier)?;
            Ok::<_, anyhow::Error>((case.attack, dossier, begun))
        };
        let mut cases = self.cases.into_iter().zip(with);
        std::thread::scope(|scope| {
            let mut start = || cases.next().map(|(case, with)| scope.spawn(move || one(case, with)));
            let mut under_way: VecDeque<_> = (0..CONCLUDED_MAX).filter_map(|_| start()).collect();
            while let Some(concluding) = under_way.pop_front() {
                let concluded = concluding.join();
                let (attack, dossier, begun) =
                    concluded.map_err(|_| anyhow::Error::msg("a thread gave up; please report this"))??;
                each(&attack, &dossier, begun)?;
                drop(dossier);
                under_way.extend(start());
            }
            Ok(())
        })
    }
}

impl Case {
    fn new(attack: &Attack, rules: &Arc<Rules>, sources_max: usize) -> Self {
        let names: Vec<String> = attack.vectors.iter().map(|vector| vector.name.clone()).collect();
        let scope = Scope {
            vectors: names.clone(),
            started: attack.started_at,
            culprits: attack.culprits.clone(),
            // A recording tells of no cookies.
            proven: Vec::new(),
            sources_max,
            key: KEY,
            seed: Seed::default(),
        };
        let until = attack.ended_at.map_or(Timestamp::from_nanos(u64::MAX), |end| end.plus(SLACK));
        let mut observer = Observer::new(Arc::clone(rules), scope);
        observer.expect(usize::try_from(attack.sources.count).unwrap_or(usize::MAX));
        let vectors = (0..=u8::MAX).map(|class| belonging::vector(&names, Class(class))).collect();
        Self { attack: attack.clone(), vectors, until, observer }
    }

    /// Of which of its vectors a packet is that a target receives.
    #[inline]
    fn vector(&self, packet: &Packet<'_>, class: Class) -> Option<usize> {
        let during = self.attack.started_at <= packet.at && packet.at <= self.until;
        if during { self.vectors.get(class.index()).copied().flatten() } else { None }
    }

    /// A packet that a target will receive, or will send; see [`Observer::approach`].
    #[inline]
    pub(super) fn approach(&self, packet: &Packet<'_>, class: Class, (to, from): (bool, bool)) {
        if to {
            self.observer.approach(packet.headers, self.vector(packet, class));
        }
        if from {
            self.observer.approach_answer(packet.headers);
        }
    }

    /// A packet that a target receives, and how it came in, where an exporter told.
    #[inline]
    pub(super) fn receive(&mut self, packet: &Packet<'_>, class: Class, entry: Option<Entry>) {
        let vector = self.vector(packet, class);
        match entry {
            Some(entry) => self.observer.receive_by(packet, vector, entry),
            None => self.observer.receive(packet, vector),
        }
    }

    /// A packet that a target sends.
    #[inline]
    pub(super) fn answer(&mut self, packet: &Packet<'_>) {
        self.observer.answer(packet);
    }

    fn areas(&self) -> &[Prefix] {
        &self.attack.targets
    }
}

/// What detection knows of it; the rest is the observer's.
pub(crate) fn incident(attack: &Attack, sampling: Option<u32>) -> Incident {
    Incident {
        id: attack.id.clone(),
        target: attack.target,
        targets: attack.targets.clone(),
        outgoing: attack.direction == engine::report::Direction::Out,
        started: attack.started_at,
        detected: attack.detected_at,
        last: attack.ended_at.unwrap_or(attack.detected_at),
        over: attack.state == engine::report::State::Over,
        peak_pps: attack.peak_pps,
        peak_bps: attack.peak_bps,
        packets: attack.packets,
        bytes: attack.bytes,
        sampling,
        vectors: Vec::new(),
        rules: attack.rules.iter().map(|rule| rule.text.clone()).collect(),
        source_count: attack.sources.count,
        ingress: Vec::new(),
    }
}
