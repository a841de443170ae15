//! What the decision core tells the ladder, at once where an attack began, got other rules or ended, and else once a second: attacks, who
//! saw what of them, and who is heard.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base::{Prefix, Span, Timestamp};
use engine::report::{Attack, State};
use engine::{Engine, Feed, Hearing};

use super::checkups::Checkups;
use super::enforcing::Standing;
use super::source::Source;
use crate::routing::auto::Terms;
use crate::routing::lookout::{Amount, Sight, Sighting};

/// Between two words to the ladder, where nothing turns.
const EVERY: Span = Span::from_secs(1);
/// Who said nothing for so long is no witness, also where his usual pauses are not known yet.
const HEARD: Span = Span::from_secs(60);
/// Exporters followed; further ones are no witnesses.
const EXPORTERS_MAX: usize = 8192;
/// Targets whose usual traffic is told; of further ones none is known.
const USUAL_MAX: usize = 1024;
/// Sightings that wait while the desk is busy; further ones are left out.
const SIGHTINGS_MAX: usize = 16_384;

/// Collects between two words.
#[derive(Debug)]
pub(super) struct Scout {
    terms: Arc<Terms>,
    told: Timestamp,
    /// An attack turned, and it was not told yet.
    turning: bool,
    seen: Vec<(Sighting, Amount)>,
    exporters: BTreeMap<u32, IpAddr>,
    /// When something came of each exporter last.
    came: BTreeMap<IpAddr, Timestamp>,
    checkups: Checkups,
    /// What was shown last.
    revision: u64,
}

impl Scout {
    /// For a ladder that goes by these.
    pub(super) fn new(terms: Terms, checkups: Checkups) -> Self {
        Self {
            checkups,
            terms: Arc::new(terms),
            told: Timestamp::ZERO,
            turning: false,
            seen: Vec::new(),
            exporters: BTreeMap::new(),
            came: BTreeMap::new(),
            revision: 0,
        }
    }

    /// A worker reported.
    pub(super) fn hear(&mut self, until: Timestamp, feeds: &[Feed], seen: Vec<(Sighting, Amount)>) {
        for feed in feeds.iter().filter(|feed| feed.datagrams > 0) {
            if self.exporters.len() < EXPORTERS_MAX || self.exporters.contains_key(&feed.exporter) {
                self.exporters.insert(feed.exporter, feed.address);
                self.came.insert(feed.address, until);
            }
        }
        let room = SIGHTINGS_MAX.saturating_sub(self.seen.len());
        self.seen.extend(seen.into_iter().take(room));
    }

    /// Tells the ladder, when it is time or an attack turns; whether documents would show something else.
    pub(super) fn tell(
        &mut self,
        (now, turning): (Timestamp, bool),
        engine: &Engine,
        attacks: &BTreeMap<String, Attack>,
        standing: Option<&Standing>,
        source: &Source,
    ) -> bool {
        let door = &source.routes.door;
        let turning = std::mem::take(&mut self.turning) || turning;
        if turning || now.since(self.told) >= EVERY {
            self.told = now;
            let numbers = source.numbers();
            let is_silent = |address: &IpAddr| {
                numbers.heard.get(address).is_some_and(|heard| heard.hearing == Hearing::Silent)
            };
            let came =
                self.came.iter().filter(|(address, at)| now.since(**at) < HEARD && !is_silent(address));
            let heard: BTreeMap<IpAddr, Timestamp> = came.map(|(address, at)| (*address, *at)).collect();
            drop(numbers);
            let wanted = door.lookout().map(|lookout| lookout.checkups()).unwrap_or_default();
            let health = self.checkups.look(now, &wanted, engine);
            let sight = Box::new(Sight {
                now,
                terms: Arc::clone(&self.terms),
                attacks: counted(engine, attacks),
                seen: std::mem::take(&mut self.seen),
                exporters: self.exporters.clone(),
                heard,
                kernel: standing.map(acting).unwrap_or_default(),
                health,
                usual: usual(engine, attacks),
            });
            if let Some(back) = door.tell(sight) {
                self.seen = back.seen;
                // The desk is busy: it hears at the next tick.
                self.turning = turning;
                self.checkups.again(back.health);
            }
        }
        let revision = door.lookout().map_or(0, |lookout| lookout.revision());
        std::mem::replace(&mut self.revision, revision) != revision
    }
}

/// Ids of rules that the kernel has, and that act.
fn acting(standing: &Standing) -> std::collections::BTreeSet<String> {
    standing.actual.keys().filter(|id| !standing.dry.contains(*id)).cloned().collect()
}

/// The attacks, those that go on with what was counted to them until now.
fn counted(engine: &Engine, attacks: &BTreeMap<String, Attack>) -> Vec<Attack> {
    let counted: BTreeMap<&str, (u64, u64)> =
        engine.sizes().map(|(id, packets, bytes)| (id, (packets, bytes))).collect();
    let as_counted = |attack: &Attack| {
        let mut attack = attack.clone();
        if let Some((packets, bytes)) = counted.get(attack.id.as_str()) {
            (attack.packets, attack.bytes) = (*packets, *bytes);
        }
        attack
    };
    attacks.values().map(as_counted).collect()
}

/// What targets of attacks that go on usually get, where that is known.
fn usual(engine: &Engine, attacks: &BTreeMap<String, Attack>) -> BTreeMap<Prefix, (f64, f64)> {
    let active = attacks.values().filter(|attack| attack.state == State::Active);
    let targets = active.flat_map(|attack| &attack.targets).take(USUAL_MAX);
    targets.filter_map(|target| Some((*target, engine.usual(target)?))).collect()
}
