//! What the decision core tells the ladder, once a second: attacks, who saw what of them, and who is heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use base::{Span, Timestamp};
use engine::report::Attack;
use engine::{Feed, Hearing};

use super::enforcing::Standing;
use super::source::Source;
use crate::routing::auto::Terms;
use crate::routing::lookout::{Amount, Sight, Sighting};

/// Between two words to the ladder.
const EVERY: Span = Span::from_secs(1);
/// Sightings that wait while the desk is busy; further ones are left out.
const SIGHTINGS_MAX: usize = 16_384;

/// Collects between two words.
#[derive(Debug)]
pub(super) struct Scout {
    terms: Arc<Terms>,
    told: Timestamp,
    seen: Vec<(Sighting, Amount)>,
    exporters: BTreeMap<u32, IpAddr>,
    /// What was shown last.
    revision: u64,
}

impl Scout {
    /// For a ladder that goes by these.
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms: Arc::new(terms),
            told: Timestamp::ZERO,
            seen: Vec::new(),
            exporters: BTreeMap::new(),
            revision: 0,
        }
    }

    /// A worker reported.
    pub(super) fn hear(&mut self, feeds: &[Feed], seen: Vec<(Sighting, Amount)>) {
        self.exporters.extend(feeds.iter().map(|feed| (feed.exporter, feed.address)));
        let room = SIGHTINGS_MAX.saturating_sub(self.seen.len());
        self.seen.extend(seen.into_iter().take(room));
    }

    /// Tells the ladder, when it is time; whether documents would show something else.
    pub(super) fn tell(
        &mut self,
        now: Timestamp,
        attacks: &BTreeMap<String, Attack>,
        standing: Option<&Standing>,
        source: &Source,
    ) -> bool {
        let door = &source.routes.door;
        if now.since(self.told) >= EVERY {
            self.told = now;
            let heard = source.numbers();
            let heard: BTreeSet<IpAddr> = heard
                .heard
                .iter()
                .filter(|(_, heard)| heard.hearing != Hearing::Silent)
                .map(|(address, _)| *address)
                .collect();
            let kernel = standing.filter(|standing| !standing.dry);
            let sight = Box::new(Sight {
                now,
                terms: Arc::clone(&self.terms),
                attacks: attacks.values().cloned().collect(),
                seen: std::mem::take(&mut self.seen),
                exporters: self.exporters.clone(),
                heard,
                kernel: kernel.map(|standing| standing.actual.keys().cloned().collect()).unwrap_or_default(),
            });
            if let Some(back) = door.tell(sight) {
                self.seen = back.seen;
            }
        }
        let revision = door.lookout().map_or(0, |lookout| lookout.revision());
        std::mem::replace(&mut self.revision, revision) != revision
    }
}
