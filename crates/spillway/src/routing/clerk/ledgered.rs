//! What of the book is a decision: routes that are announced and withdrawn, and who agreed.

use std::collections::{BTreeMap, BTreeSet};

use ::ledger::entry::{Act, By};
use base::Prefix;
use serde_json::json;
use steer::book::{Actor, Book, Entry, Mitigation, Stage, What};
use store::Line;

use crate::ledger::{Deed, Pen};

/// Decisions on their way to the ledger. They go when their lines are in the journal, and nobody waits for them.
pub(super) struct Deeds {
    pen: Pen,
    /// Mitigations that are announced, and whose prefix each is about.
    announced: BTreeMap<u64, Option<Prefix>>,
    waiting: Vec<Deed>,
}

impl Deeds {
    /// With what is announced already.
    pub(super) fn new(pen: Pen, book: &Book) -> Self {
        let active = book.all().filter(|one| matches!(one.stage, Stage::Active));
        Self { pen, announced: active.map(|one| (one.id, about(one))).collect(), waiting: Vec::new() }
    }

    /// Takes an entry of the book, and its line.
    pub(super) fn note(&mut self, book: &Book, entry: &Entry, line: &Line) {
        let by = |actor: &Actor| if matches!(actor, Actor::Person(_)) { By::Person } else { By::Product };
        let (act, by, about, routes) = match entry {
            Entry::Started { id, .. } => {
                let Some(one) = book.get(*id) else { return };
                let about = about(one);
                self.announced.insert(*id, about);
                let asked = if one.is_automatic() { By::Product } else { By::Person };
                let neighbors: BTreeSet<&String> = one.wish.neighbors.iter().collect();
                (Act::Announcement, asked, about, neighbors.len())
            }
            Entry::Ended { id, actor, .. } => {
                // what was never announced is not withdrawn
                let Some(about) = self.announced.remove(id) else { return };
                (Act::Withdrawal, actor.as_ref().map_or(By::Product, by), about, 1)
            }
            Entry::Approved { id, actor } => (Act::Approval, by(actor), book.get(*id).and_then(about), 0),
            Entry::Proposed { .. } | Entry::Renewed { .. } | Entry::Frozen { .. } | Entry::Thawed { .. } => {
                return;
            }
        };
        let content = json!({
            "mitigation": line.mitigation, "event": line.event, "actor": line.actor, "reason": line.reason, "what": line.what,
            "entry": line.entry,
        });
        let counts = BTreeMap::from([("neighbors".to_owned(), routes as u64)]);
        let counts = if routes == 0 || act != Act::Announcement { BTreeMap::new() } else { counts };
        self.waiting.push(Deed { at: line.at, act, by, about, content, counts });
    }

    /// Their lines are on the disk.
    pub(super) fn hand_over(&mut self) {
        self.waiting.drain(..).for_each(|deed| self.pen.write(deed));
    }
}

fn about(one: &Mitigation) -> Option<Prefix> {
    match &one.wish.what {
        What::Blackhole(prefix) | What::Diversion(prefix) => Some(*prefix),
        What::Flowspec(rule) => rule.matches.dst,
    }
}
