//! Diversions to absorbers that are spoken with: the absorber holds the prefix before its route moves, and is let go after it.

use std::sync::mpsc::Sender;

use base::{Prefix, Span, Timestamp};
use steer::absorb::Standing;
use steer::bgp::out::Key;
use steer::book::{Actor, What};
use store::Line;

use super::arrived::Followed;
use super::moved::Next;
use super::{Clerk, express};
use crate::routing::absorbers::Absorber;
use crate::routing::order::Answer;
use crate::routing::speaker::Say;

/// An absorber that does not say within this that it holds a prefix does not get it.
pub(super) const CONFIRM: Span = Span::from_secs(5);
/// A route that was taken back comes again after so long, and twice as long each time.
const AGAIN: Span = Span::from_secs(2);
/// Doublings at most.
const DOUBLINGS_MAX: u32 = 7;

/// Where the answer to an order goes that waits for an absorber.
pub(in crate::routing) type Reply = Sender<Result<Answer, String>>;

/// A diversion that an absorber has to confirm.
#[derive(Debug)]
pub(super) struct Leg {
    prefix: Prefix,
    /// Who has it, or is asked first.
    absorber: String,
    /// Who shall have it instead.
    pub(super) next: Option<Next>,
    neighbors: Vec<String>,
    /// What it does.
    pub(super) followed: Option<Followed>,
    /// Routers were told.
    said: bool,
    /// It stood once: from now on it is held back, and not ended.
    stood: bool,
    /// Since when one waits, or when it last stood.
    since: Timestamp,
    /// How often it was taken back, and not before when it comes again.
    back: (u32, Timestamp),
    /// Why routers are not told.
    why: Option<String>,
    replies: Vec<Reply>,
}

/// What is to be done with one.
enum Step {
    Announce,
    Fail(String),
    HoldBack(String),
}

impl Leg {
    /// One that routers know, at an absorber that may not be spoken with.
    pub(super) fn standing(
        prefix: Prefix,
        absorber: Option<String>,
        neighbors: Vec<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            prefix,
            absorber: absorber.unwrap_or_default(),
            next: None,
            neighbors,
            followed: None,
            said: true,
            stood: true,
            since: now,
            back: (0, now),
            why: None,
            replies: Vec::new(),
        }
    }

    /// What is diverted.
    pub(super) const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Who has it.
    pub(super) fn absorber(&self) -> &str {
        &self.absorber
    }

    /// Who holds it: who has it, and who shall.
    pub(super) fn holders(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.absorber.as_str()).chain(self.next.as_ref().map(|next| next.name.as_str()))
    }

    /// Where it is announced.
    pub(super) fn neighbors(&self) -> &[String] {
        &self.neighbors
    }

    /// It is at this one from now on, and routers are told so: who had it.
    pub(super) fn goes_to(&mut self, absorber: &str, now: Timestamp) -> String {
        (self.said, self.stood, self.since) = (true, true, now);
        (self.back, self.why, self.next, self.followed) = ((0, now), None, None, None);
        std::mem::replace(&mut self.absorber, absorber.to_owned())
    }

    /// Whether routers were told.
    pub(super) const fn is_said(&self) -> bool {
        self.said
    }

    fn step(
        &mut self,
        now: Timestamp,
        silence: Span,
        (standing, is_silent): (Standing, bool),
        untrue: Option<String>,
        lost: &dyn Fn() -> String,
    ) -> Option<Step> {
        let fails =
            |stood: bool, why: String| Some(if stood { Step::HoldBack(why) } else { Step::Fail(why) });
        if let Some(why) = untrue {
            return (self.said || !self.stood).then(|| fails(self.stood, why)).flatten();
        }
        match standing {
            Standing::Stands if self.said => {
                self.since = now;
                None
            }
            Standing::Stands => (now >= self.back.1).then_some(Step::Announce),
            Standing::Refused(_, why) if self.said || !self.stood => fails(self.stood, why),
            // One that came back holding nothing, or was not heard yet, gets as much time as one that is silent got already.
            Standing::Waiting | Standing::Unwanted
                if self.said && (is_silent || now.since(self.since) >= silence) =>
            {
                Some(Step::HoldBack(lost()))
            }
            Standing::Waiting | Standing::Unwanted if !self.stood && now.since(self.since) >= CONFIRM => {
                Some(Step::Fail(lost()))
            }
            _ => None,
        }
    }
}

impl Clerk {
    /// A diversion is to begin. Whether an absorber has to hold it first.
    pub(super) fn asks_absorber(&mut self, id: u64, what: &What, neighbors: &[String]) -> bool {
        let What::Diversion(prefix) = what else { return false };
        let Some(absorber) = self.absorber_for(prefix) else { return false };
        let name = absorber.control.name.clone();
        // What stood before a restart stands on, while the absorber is asked; which rules it shall have says the core, later.
        let said = self.speaker.is_none();
        if said {
            absorber.keep(*prefix, self.expected(prefix));
        } else {
            absorber.want(*prefix, self.rules_for(prefix, absorber), self.expected(prefix));
        }
        self.led.set(*prefix, &name);
        let now = self.clock.now();
        let why = (!said).then(|| format!("absorber `{name}` is asked"));
        let leg = Leg {
            prefix: *prefix,
            absorber: name,
            next: None,
            neighbors: neighbors.to_vec(),
            followed: None,
            said,
            stood: said,
            since: now,
            back: (0, now),
            why,
            replies: Vec::new(),
        };
        self.legs.insert(id, leg);
        !said
    }

    /// Who is asked for a prefix: who has it, or shall; else the first that may get something now.
    fn absorber_for<'a>(&'a self, prefix: &'a Prefix) -> Option<&'a Absorber> {
        if let Some(name) = self.led.of(prefix) {
            let known = self.absorbers.get(name).filter(|one| one.charge(prefix).is_some());
            let hops = self.setup.routing.routers.iter().flat_map(|router| &router.absorber_hops);
            if known.is_some() || hops.into_iter().any(|hop| hop.absorber == name && hop.prefix == *prefix) {
                return known;
            }
        }
        let mut takers = self.absorbers.takers(prefix);
        takers.find(|one| one.capacity().is_ok()).or_else(|| self.absorbers.takers(prefix).next())
    }

    /// A diversion ended: its routes go first, and the absorber after a while.
    pub(super) fn lets_go(&mut self, id: u64, what: &What) {
        if let What::Diversion(prefix) = what {
            self.led.end(prefix);
        }
        let Some(leg) = self.legs.remove(&id) else { return };
        for name in leg.holders() {
            let Some(absorber) = self.absorbers.get(name) else { continue };
            let has = leg.said && name == leg.absorber;
            absorber.release(leg.prefix, if has { absorber.control.linger } else { Span::ZERO });
        }
        for reply in leg.replies {
            // Who no longer waits has been told so.
            let _ = reply.send(Err(format!("mitigation {id} ended while an absorber was asked")));
        }
    }

    /// Where an order waits for an absorber, its answer comes later; what comes back is to be said now.
    pub(in crate::routing) fn defer(&mut self, answer: Result<Answer, String>, reply: Reply) {
        if let Ok(Answer::One(one)) = &answer
            && let Some(leg) = one.id.and_then(|id| self.legs.get_mut(&id))
            && !leg.said
            && !leg.stood
        {
            leg.replies.push(reply);
            return;
        }
        // Who no longer waits has been told so.
        let _ = reply.send(answer);
    }

    /// Whether an answer is waited for.
    pub(super) fn waits_for_absorbers(&self) -> bool {
        self.legs.values().any(|leg| !leg.said || leg.next.is_some())
    }

    /// Why routers are not told of a diversion.
    pub(in crate::routing) fn held_back(&self, id: u64) -> Option<&str> {
        self.legs.get(&id).filter(|leg| !leg.said)?.why.as_deref()
    }

    /// Announces what absorbers hold, and takes back what they do not.
    pub(super) fn turn_absorbers(&mut self, now: Timestamp) {
        self.turn_moves(now);
        let mut steps = Vec::new();
        for (id, leg) in &mut self.legs {
            let Some(absorber) = self.absorbers.get(&leg.absorber) else { continue };
            let name = &absorber.control.name;
            let untrue = absorber.truth.lie().map(|lie| format!("absorber `{name}` is left out: {lie}"));
            let lost = || absorber.lost();
            let standing = (absorber.standing(&leg.prefix), absorber.is_silent());
            if let Some(step) = leg.step(now, absorber.control.silence, standing, untrue, &lost) {
                steps.push((*id, step));
            }
        }
        for (id, step) in steps {
            match step {
                Step::Announce => self.announce_leg(now, id),
                Step::HoldBack(why) => self.hold_back(now, id, why),
                Step::Fail(why) => self.fail(now, id, &why),
            }
        }
    }

    fn announce_leg(&mut self, now: Timestamp, id: u64) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let again = std::mem::replace(&mut leg.stood, true);
        (leg.said, leg.since, leg.why) = (true, now, None);
        let (prefix, neighbors, name) = (leg.prefix, leg.neighbors.clone(), leg.absorber.clone());
        let event = if again { "announced again" } else { "announced" };
        tracing::info!(mitigation = id, %prefix, absorber = name, event, "the absorber holds it: its route moves");
        self.note(id, event, format!("absorber `{name}` holds it"));
        self.announce_to(id, &What::Diversion(prefix), neighbors);
        self.answer_leg(id);
    }

    /// Who waited hears how it began.
    pub(super) fn answer_leg(&mut self, id: u64) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let replies = std::mem::take(&mut leg.replies);
        let answer = self.begun(id);
        for reply in replies {
            // Who no longer waits has been told so.
            let _ = reply.send(answer.clone());
        }
    }

    fn hold_back(&mut self, now: Timestamp, id: u64, why: String) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let doublings = leg.back.0.min(DOUBLINGS_MAX);
        leg.back = (leg.back.0 + 1, now.plus(AGAIN.times(1 << doublings)));
        (leg.said, leg.why) = (false, Some(why.clone()));
        let (what, neighbors) = (What::Diversion(leg.prefix), leg.neighbors.clone());
        tracing::error!(mitigation = id, prefix = %leg.prefix, why, "its route is taken back until the absorber holds it again");
        self.note(id, "held back", why);
        let Some(key) = express::key(&what) else { return };
        for name in neighbors {
            // It can only fail where there is no speaker any more.
            let _ = self.say(id, &name, Say::Withdraw(Key::clone(&key), false));
        }
    }

    fn fail(&mut self, now: Timestamp, id: u64, why: &str) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let (prefix, name) = (leg.prefix, leg.absorber.clone());
        let replies = std::mem::take(&mut leg.replies);
        tracing::warn!(mitigation = id, %prefix, why, "the absorber does not take it: no route moves");
        if let Some(absorber) = self.absorbers.get_mut(&name) {
            absorber.failed = Some((now, why.to_owned()));
        }
        self.auto.let_go(&What::Diversion(prefix));
        self.counts.refused += 1;
        let _ = self.book.withdraw(id, &Actor::Engine, why);
        let _ = self.settle();
        for reply in replies {
            let _ = reply.send(Err(why.to_owned()));
        }
    }

    pub(super) fn note(&mut self, id: u64, event: &str, reason: String) {
        self.write_down(Some(id), event, reason);
    }

    /// Something that is about no single mitigation stands in the journal.
    pub(in crate::routing) fn remark(&mut self, event: &str, reason: String) {
        tracing::info!(event, reason, "mitigation");
        self.write_down(None, event, reason);
    }

    fn write_down(&mut self, mitigation: Option<u64>, event: &str, reason: String) {
        self.unwritten.push(Line {
            at: self.clock.now(),
            mitigation,
            event: event.to_owned(),
            actor: "spillway".to_owned(),
            reason,
            ..Line::default()
        });
    }
}
