//! From one absorber to another: the new one holds the prefix before its route moves, and the old one is let go after it.

use base::{Prefix, Span, Timestamp};
use steer::absorb::Standing;
use steer::book::{Stage, What};

use super::Clerk;
use super::diverted::{CONFIRM, Leg};

/// An absorber that shall have what another has.
#[derive(Clone, Debug)]
pub(super) struct Next {
    /// Its name.
    pub(super) name: String,
    /// Since when it is asked.
    since: Timestamp,
    /// Why.
    why: String,
}

impl Clerk {
    /// A prefix shall be at this absorber: what is diverted already moves there, and what is not goes there when it is.
    pub(in crate::routing) fn lead(&mut self, prefix: Prefix, name: &str, why: &str) {
        let diverts = |one: &&steer::book::Mitigation| one.wish.what == What::Diversion(prefix);
        let held = self.book.all().find(diverts).filter(|one| !matches!(one.stage, Stage::Proposed(_)));
        let Some((id, neighbors)) = held.map(|one| (one.id, one.wish.neighbors.clone())) else {
            self.led.set(prefix, name);
            return;
        };
        let now = self.clock.now();
        let at = self.led.of(&prefix).map(str::to_owned);
        if at.is_none() && self.absorbers.get(name).is_none() && !self.legs.contains_key(&id) {
            // By hand, where the routers lead such things; nobody has to hold it first.
            self.led.set(prefix, name);
            self.announce_to(id, &What::Diversion(prefix), neighbors);
            return;
        }
        let leg = self.legs.entry(id).or_insert_with(|| Leg::standing(prefix, at, neighbors, now));
        if leg.absorber() == name {
            // It stays after all.
            if let Some(next) = leg.next.take()
                && let Some(absorber) = self.absorbers.get(&next.name)
            {
                absorber.release(prefix, Span::ZERO);
            }
            return;
        }
        if leg.next.as_ref().is_some_and(|next| next.name == name) {
            return;
        }
        let before = leg.next.replace(Next { name: name.to_owned(), since: now, why: why.to_owned() });
        if let Some(absorber) = before.and_then(|next| self.absorbers.get(&next.name)) {
            absorber.release(prefix, Span::ZERO);
        }
        if let Some(absorber) = self.absorbers.get(name) {
            absorber.want(prefix, self.rules_for(&prefix, absorber), self.expected(&prefix));
        }
    }

    /// Moves what its next absorber holds.
    pub(super) fn turn_moves(&mut self, now: Timestamp) {
        let waiting: Vec<(u64, Prefix, Next)> =
            self.legs.iter().filter_map(|(id, leg)| Some((*id, leg.prefix(), leg.next.clone()?))).collect();
        for (id, prefix, next) in waiting {
            // One that is not spoken with is taken at the word of the configuration.
            let Some(absorber) = self.absorbers.get(&next.name) else {
                self.move_leg(now, id, &next);
                continue;
            };
            let why = match absorber.standing(&prefix) {
                _ if absorber.truth.lie().is_some() => absorber.capacity().err().unwrap_or_default(),
                Standing::Stands => {
                    self.move_leg(now, id, &next);
                    continue;
                }
                Standing::Refused(_, why) => why,
                Standing::Waiting | Standing::Unwanted if now.since(next.since) >= CONFIRM => absorber.lost(),
                Standing::Waiting | Standing::Unwanted => continue,
            };
            absorber.release(prefix, Span::ZERO);
            if let Some(absorber) = self.absorbers.get_mut(&next.name) {
                absorber.failed = Some((now, why.clone()));
            }
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.next = None;
            }
            tracing::warn!(mitigation = id, %prefix, absorber = next.name, why, "the absorber does not take it over");
            self.note(id, "not moved", format!("absorber `{}`: {why}", next.name));
        }
    }

    fn move_leg(&mut self, now: Timestamp, id: u64, next: &Next) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let (prefix, neighbors, was_said) = (leg.prefix(), leg.neighbors().to_vec(), leg.is_said());
        let before = leg.goes_to(&next.name, now);
        self.led.set(prefix, &next.name);
        tracing::info!(mitigation = id, %prefix, from = before, absorber = next.name, "the absorber holds it: its route moves");
        self.note(id, "moved", format!("from absorber `{before}` to `{}`: {}", next.name, next.why));
        self.announce_to(id, &What::Diversion(prefix), neighbors);
        if let Some(absorber) = self.absorbers.get(&before) {
            let linger = if was_said { absorber.control.linger } else { Span::ZERO };
            absorber.release(prefix, linger);
        }
        self.answer_leg(id);
    }
}
