//! What is written down before anything is announced, and what becomes of it when it is read again.

use base::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Actor, Book, Mitigation, PROPOSAL_HOLDS, Stage, What, Wish};

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// Somebody wants something.
    Proposed {
        /// Number of the mitigation.
        id: u64,
        /// Nanoseconds since 1970.
        at: u64,
        /// `flowspec`, `diversion` or `blackhole`.
        class: String,
        /// A prefix, or a rule as text.
        what: String,
        /// At which neighbours.
        neighbors: Vec<String>,
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
        /// Seconds.
        hold: u64,
    },
    /// Somebody agreed.
    Approved {
        /// Number of the mitigation.
        id: u64,
        /// Who.
        actor: Actor,
    },
    /// It begins.
    Started {
        /// Number of the mitigation.
        id: u64,
        /// Nanoseconds since 1970.
        at: u64,
        /// Likewise: when it ends by itself.
        until: u64,
    },
    /// It goes on.
    Renewed {
        /// Number of the mitigation.
        id: u64,
        /// Who.
        actor: Actor,
        /// Nanoseconds since 1970.
        until: u64,
    },
    /// It ended.
    Ended {
        /// Number of the mitigation.
        id: u64,
        /// Who; `None`: its time was over.
        actor: Option<Actor>,
        /// Why.
        reason: String,
    },
    /// The panic button: everything ends, and nothing begins.
    Frozen {
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// Things may begin again.
    Thawed {
        /// Who.
        actor: Actor,
    },
}

impl Book {
    /// What an entry did. One that cannot be understood is skipped: the others still hold.
    pub(super) fn replay(&mut self, entry: &Entry) {
        match entry {
            Entry::Proposed { id, at, class, what, neighbors, actor, reason, hold } => {
                let asked = Timestamp::from_nanos(*at);
                self.next = self.next.max(id + 1);
                let Some(what) = read(class, what) else { return };
                let agreed = match actor {
                    Actor::Person(name) => vec![name.clone()],
                    Actor::Engine => Vec::new(),
                };
                let wish = Wish {
                    what,
                    neighbors: neighbors.clone(),
                    actor: actor.clone(),
                    reason: reason.clone(),
                    hold: Span::from_secs(*hold),
                };
                let mitigation = Mitigation {
                    id: *id,
                    wish,
                    stage: Stage::Proposed(agreed),
                    asked,
                    started: None,
                    until: asked.plus(PROPOSAL_HOLDS),
                    vouched: None,
                };
                self.all.insert(*id, mitigation);
            }
            Entry::Approved { id, actor: Actor::Person(name) } => {
                if let Some(Stage::Proposed(agreed)) = self.all.get_mut(id).map(|m| &mut m.stage) {
                    agreed.push(name.clone());
                }
            }
            Entry::Approved { .. } => {}
            Entry::Started { id, at, until } => {
                if let Some(mitigation) = self.all.get_mut(id) {
                    let stage = std::mem::replace(&mut mitigation.stage, Stage::Active);
                    if matches!(stage, Stage::Proposed(agreed) if !agreed.is_empty()) {
                        mitigation.vouched = Some(Timestamp::from_nanos(*at));
                    }
                    mitigation.started = Some(Timestamp::from_nanos(*at));
                    mitigation.until = Timestamp::from_nanos(*until);
                }
            }
            Entry::Renewed { id, actor, until } => {
                if let Some(mitigation) = self.all.get_mut(id) {
                    if matches!(actor, Actor::Person(_)) {
                        // When is not written; no later than this.
                        mitigation.vouched = mitigation.vouched.or(mitigation.started);
                    }
                    mitigation.until = Timestamp::from_nanos(*until);
                }
            }
            Entry::Ended { id, .. } => drop(self.all.remove(id)),
            Entry::Frozen { .. } => self.frozen = true,
            Entry::Thawed { .. } => self.frozen = false,
        }
    }
}

pub(super) fn text(what: &What) -> String {
    match what {
        What::Blackhole(prefix) | What::Diversion(prefix) => prefix.to_string(),
        What::Flowspec(rule) => rule.to_string(),
    }
}

fn read(class: &str, text: &str) -> Option<What> {
    match class {
        "blackhole" => text.parse().ok().map(What::Blackhole),
        "diversion" => text.parse().ok().map(What::Diversion),
        "flowspec" => Some(What::Flowspec(Box::new(rules::parse::rules(text).ok()?.into_iter().next()?))),
        _ => None,
    }
}
