//! What the decision core saw of the services that measures are about, before and since; and what operators' probes say.

use std::collections::BTreeMap;

use base::{Span, Timestamp};
use engine::Engine;
use engine::service::{Known, Question, Served};

use super::probe::Probe;
use crate::routing::health::{CHECKUPS_MAX, Checkup, Measured, Probed, WINDOW, is_hurt};

/// So much later all that was told of a moment has been heard.
const TOLD: Span = Span::from_millis(500);
/// Less of an attack says nothing of what it does to a service.
const HURT_MIN: Span = Span::from_secs(2);
/// Answers to a probe on either side that count.
const PROBES: usize = 5;

/// All measures that are followed.
#[derive(Debug, Default)]
pub(super) struct Checkups {
    all: BTreeMap<u64, Followed>,
    probes: Vec<Probe>,
}

#[derive(Debug)]
struct Followed {
    checkup: Checkup,
    question: Question,
    known: Known,
    before: Option<Served>,
    hurt: bool,
    probed_before: (u64, u64),
    /// When it is looked at next.
    next: Timestamp,
}

impl Checkups {
    /// With those who ask services.
    pub(super) fn new(probes: Vec<Probe>) -> Self {
        Self { all: BTreeMap::new(), probes }
    }

    /// What there is to tell now of the measures that are wanted.
    pub(super) fn look(&mut self, now: Timestamp, wanted: &[Checkup], engine: &Engine) -> Vec<Measured> {
        self.all.retain(|_, followed| wanted.contains(&followed.checkup));
        let Self { all, probes } = self;
        for checkup in wanted.iter().filter(|checkup| now >= checkup.began.plus(TOLD)) {
            if all.len() < CHECKUPS_MAX {
                all.entry(checkup.id).or_insert_with(|| Followed::begin(checkup, probes, engine));
            }
        }
        let due = all.values_mut().filter(|followed| now >= followed.next);
        due.map(|followed| followed.measure(now, probes, engine)).collect()
    }

    /// These could not be told: they are measured again.
    pub(super) fn again(&mut self, untold: Vec<Measured>) {
        for one in untold {
            if let Some(followed) = self.all.get_mut(&one.id) {
                followed.next = one.at;
            }
        }
    }
}

impl Followed {
    fn begin(checkup: &Checkup, probes: &[Probe], engine: &Engine) -> Self {
        let question = Question::about(&checkup.targets, &checkup.except);
        let began = checkup.began;
        let peace = checkup.attacked.map_or(began, |at| at.min(began));
        let known = engine.known_peers(&question, peace, WINDOW);
        let served = |from: Timestamp, to: Timestamp| engine.served(&question, &known, from, to);
        let alone = began.since(peace);
        let is_short = alone >= HURT_MIN && alone < WINDOW;
        let hurt = is_short && {
            let both = (served(peace.minus(alone), peace), served(peace, began));
            matches!(both, (Some(peace), Some(attacked)) if is_hurt(&peace, &attacked))
        };
        let probed_before =
            sum(asked(checkup, probes)
                .map(|probe| probe.between(began.minus(WINDOW.times(6)), began, PROBES)));
        Self {
            before: served(began.minus(WINDOW), began),
            hurt,
            probed_before,
            next: began.plus(checkup.settle).plus(WINDOW),
            checkup: checkup.clone(),
            known,
            question,
        }
    }

    fn measure(&mut self, now: Timestamp, probes: &[Probe], engine: &Engine) -> Measured {
        self.next = now.plus(WINDOW);
        let acts = self.checkup.began.plus(self.checkup.settle);
        let asked = || asked(&self.checkup, probes);
        Measured {
            id: self.checkup.id,
            at: now,
            before: self.before,
            after: engine.served(&self.question, &self.known, now.minus(WINDOW), now),
            hurt: self.hurt,
            known: (self.known.len(), self.known.regular, self.known.lasts),
            probed: Probed {
                before: self.probed_before,
                after: sum(asked().map(|probe| probe.between(acts, now, PROBES))),
                last: asked().find_map(Probe::last_failure),
            },
        }
    }
}

/// The probes of the services that a measure is about.
fn asked<'a>(checkup: &'a Checkup, probes: &'a [Probe]) -> impl Iterator<Item = &'a Probe> {
    let is_about = |probe: &&Probe| {
        let within =
            |prefixes: &[base::Prefix]| prefixes.iter().any(|prefix| prefix.contains(probe.address()));
        within(&checkup.targets) && !within(&checkup.except)
    };
    probes.iter().filter(is_about)
}

fn sum(all: impl Iterator<Item = (u64, u64)>) -> (u64, u64) {
    all.fold((0, 0), |(ok, failed), (more, less)| (ok + more, failed + less))
}
