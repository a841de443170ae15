//! What of the book is a decision: routes that are announced and withdrawn, and who agreed.

use std::collections::{BTreeMap, BTreeSet};

use ::ledger::entry::{Act, By};
use api::{Events, Kind};
use base::Prefix;
use serde_json::json;
use steer::book::{Actor, Book, Entry, Mitigation, Stage, What};
use store::Line;

use crate::ledger::{Deed, Pen};

/// Decisions on their way to the ledger. They go when their lines are in the journal, and nobody waits for them.
pub(super) struct Deeds {
    pen: Pen,
    /// What is announced.
    announced: BTreeMap<u64, Subject>,
    waiting: Vec<Deed>,
    /// For whoever listens.
    events: Events,
    told: Vec<String>,
}

/// What a mitigation is about.
#[derive(Clone, Default)]
struct Subject {
    prefix: Option<Prefix>,
    class: &'static str,
    text: String,
}

impl Deeds {
    /// With what is announced already.
    pub(super) fn new(pen: Pen, events: Events, book: &Book) -> Self {
        let active = book.all().filter(|one| matches!(one.stage, Stage::Active));
        let announced = active.map(|one| (one.id, Subject::of(one))).collect();
        Self { pen, announced, waiting: Vec::new(), events, told: Vec::new() }
    }

    /// Takes an entry of the book, and its line.
    pub(super) fn note(&mut self, book: &Book, entry: &Entry, line: &Line) {
        if let Some(id) = line.mitigation
            && let Some(about) = book.get(id).map(Subject::of).or_else(|| self.announced.get(&id).cloned())
        {
            let event = json!({"id": id, "event": line.event, "class": about.class, "what": about.text, "at": line.at.to_string()});
            self.told.push(event.to_string());
        }
        let by = |actor: &Actor| if matches!(actor, Actor::Person(_)) { By::Person } else { By::Product };
        let (act, by, subject, routes) = match entry {
            Entry::Started { id, .. } => {
                let Some(one) = book.get(*id) else { return };
                let subject = Subject::of(one);
                self.announced.insert(*id, subject.clone());
                let asked = if one.is_automatic() { By::Product } else { By::Person };
                let neighbors: BTreeSet<&String> = one.wish.neighbors.iter().collect();
                (Act::Announcement, asked, subject, neighbors.len())
            }
            Entry::Ended { id, actor, .. } => {
                // what was never announced is not withdrawn
                let Some(subject) = self.announced.remove(id) else { return };
                (Act::Withdrawal, actor.as_ref().map_or(By::Product, by), subject, 1)
            }
            Entry::Approved { id, actor } => {
                (Act::Approval, by(actor), book.get(*id).map(Subject::of).unwrap_or_default(), 0)
            }
            Entry::Proposed { .. } | Entry::Renewed { .. } | Entry::Frozen { .. } | Entry::Thawed { .. } => {
                return;
            }
        };
        let content = json!({
            "mitigation": line.mitigation, "event": line.event, "actor": line.actor, "reason": line.reason, "what": format!("{} {}", subject.class, subject.text),
            "more": line.what, "entry": line.entry,
        });
        let counts = BTreeMap::from([("neighbors".to_owned(), routes as u64)]);
        let counts = if routes == 0 || act != Act::Announcement { BTreeMap::new() } else { counts };
        self.waiting.push(Deed { at: line.at, act, by, about: subject.prefix, content, counts });
    }

    /// Their lines are on the disk.
    pub(super) fn hand_over(&mut self) {
        self.waiting.drain(..).for_each(|deed| self.pen.write(deed));
        self.told.drain(..).for_each(|event| self.events.push(Kind::Mitigation, event));
    }
}

impl Subject {
    fn of(one: &Mitigation) -> Self {
        let (prefix, text) = match &one.wish.what {
            What::Blackhole(prefix) | What::Diversion(prefix) => (Some(*prefix), prefix.to_string()),
            What::Flowspec(rule) => (rule.matches.dst, rule.to_string()),
        };
        Self { prefix, class: one.wish.what.class().as_str(), text }
    }
}
