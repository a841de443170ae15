//! The pass over a recording that looks at sources: packets to and from the targets of what was found, each shown to the
//! observers of the attacks it may be of.

use std::sync::Arc;

use base::map::Seed;
use base::prefix::PrefixTable;
use base::{Prefix, Span, Timestamp};
use detect::class::Classifier;
use engine::report::Attack;
use intel::dossier::{Dossier, Incident, Reporter};
use intel::enrich::Enrich;
use intel::table::SOURCES_MAX;
use intel::{Observer, Packet, Rules, Scope};
use telemetry::record::{Detail, Record};
use wire::packet::{Parsed, network};

use super::belonging;
use crate::capture;
use crate::replay::{Findings, Item};

/// Attacks of one recording that get a dossier, the largest first; the others are said.
const ATTACKS_MAX: usize = 64;
/// Sources remembered of an attack at least, where there are many attacks.
pub(crate) const SOURCES_MIN: usize = 4096;
/// Key of sketches and of who is remembered: fixed, so that a recording gives the same answer everywhere.
const KEY: u64 = 0x646f_7373_6965_7221;
/// What an attack's end may lag behind its last packet.
const SLACK: Span = Span::from_millis(250);

/// Watches all attacks of a recording.
pub struct Collector {
    cases: Vec<Case>,
    /// Places in `cases` by target.
    targets: PrefixTable<Vec<usize>>,
    classifier: Classifier,
    /// Attacks beyond [`ATTACKS_MAX`].
    pub left_out: usize,
    /// N of 1:N of the coarsest records; `None`: one came without.
    sampling: Option<u32>,
}

struct Case {
    attack: Attack,
    names: Vec<String>,
    until: Timestamp,
    observer: Observer,
}

impl Collector {
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
        let cases: Vec<Case> = attacks.into_iter().map(|attack| Case::new(attack, &rules, each)).collect();
        let mut prefixes: Vec<Prefix> = cases.iter().flat_map(Case::areas).copied().collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let of = |prefix: &Prefix| -> Vec<usize> {
            let covers = |case: &Case| case.areas().iter().any(|area| area.covers(prefix));
            cases.iter().enumerate().filter(|(_, case)| covers(case)).map(|(place, _)| place).collect()
        };
        let targets = PrefixTable::new(prefixes.iter().map(|prefix| (*prefix, of(prefix))));
        Ok(Self { cases, targets, classifier: Classifier::default(), left_out, sampling: Some(1) })
    }

    /// The attacks that get a dossier, each with its end, in the order in which they are concluded.
    pub fn attacks(&self) -> impl Iterator<Item = (&Attack, Timestamp)> {
        self.cases.iter().map(|case| (&case.attack, case.until))
    }

    /// Takes what the recording holds next.
    #[inline]
    pub fn take(&mut self, item: &Item<'_>) {
        match item {
            Item::Packet(packet, Some(parsed)) => self.packet(packet, parsed),
            Item::Record(record) => self.record(record),
            Item::Packet(_, None) | Item::Health(..) => {}
        }
    }

    #[inline]
    fn packet(&mut self, packet: &capture::Packet<'_>, parsed: &Parsed<'_>) {
        let (to, from) = (parsed.headers.dst, parsed.headers.src);
        if self.targets.longest(to).is_none() && self.targets.longest(from).is_none() {
            return;
        }
        let ip = network(packet.link, packet.bytes).unwrap_or_default();
        let length = usize::try_from(parsed.headers.length).unwrap_or(usize::MAX);
        self.show(&Packet {
            at: packet.at,
            headers: &parsed.headers,
            ip: ip.get(..length).unwrap_or(ip),
            transport: parsed.transport,
            payload: parsed.payload,
            packets: 1,
            bytes: u64::from(parsed.headers.length),
            single: true,
        });
    }

    fn record(&mut self, record: &Record) {
        self.sampling = self.sampling.zip(record.sampling.rate).map(|(known, rate)| known.max(rate));
        let rate = u64::from(record.sampling.rate.unwrap_or(1).max(1));
        self.show(&Packet {
            at: record.at,
            headers: &record.headers,
            ip: &[],
            transport: &[],
            payload: record.snip.bytes(),
            packets: record.packets.saturating_mul(rate),
            bytes: record.bytes.saturating_mul(rate),
            single: record.detail == Detail::Packet,
        });
    }

    #[inline]
    fn show(&mut self, packet: &Packet<'_>) {
        let several = !packet.single && packet.packets > 1;
        if let Some(places) = self.targets.longest(packet.headers.dst) {
            let class = self.classifier.received(packet.headers, several);
            for place in places {
                let Some(case) = self.cases.get_mut(*place) else { continue };
                let during = case.attack.started_at <= packet.at && packet.at <= case.until;
                let vector = if during { belonging::vector(&case.names, class) } else { None };
                case.observer.receive(packet, vector);
            }
        }
        if let Some(places) = self.targets.longest(packet.headers.src) {
            for place in places {
                if let Some(case) = self.cases.get_mut(*place) {
                    case.observer.answer(packet);
                }
            }
        }
    }

    /// Shows the dossier of each attack, one after the other: together they might not fit into memory.
    pub fn conclude(
        &self,
        reporter: &Reporter,
        enrich: &dyn Enrich,
        mut each: impl FnMut(&Attack, &Dossier) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.cases.iter().try_for_each(|case| {
            let incident = incident(&case.attack, self.sampling);
            each(&case.attack, &case.observer.conclude(incident, reporter.clone(), enrich))
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
        Self { attack: attack.clone(), names, until, observer: Observer::new(Arc::clone(rules), scope) }
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
        // Who the neighbours of a recording's exporters are, nobody told.
        ingress: Vec::new(),
    }
}
