//! Diversions to absorbers that are spoken with: the absorber holds the prefix before its route moves, and is let go after it.

use std::sync::mpsc::Sender;

use base::units::BitRate;
use base::{Prefix, Span, Timestamp};
use steer::absorb::Standing;
use steer::bgp::out::Key;
use steer::book::{Actor, What};
use store::Line;

use super::{Clerk, express};
use crate::routing::order::Answer;
use crate::routing::speaker::Say;

/// An absorber that does not say within this that it holds a prefix does not get it.
const CONFIRM: Span = Span::from_secs(5);
/// A route that was taken back comes again after so long, and twice as long each time.
const AGAIN: Span = Span::from_secs(2);
/// An absorber that did not take a diversion is left out for so long.
const REFUSED: Span = Span::from_secs(30);
/// Doublings at most.
const DOUBLINGS_MAX: u32 = 7;

/// Where the answer to an order goes that waits for an absorber.
pub(in crate::routing) type Reply = Sender<Result<Answer, String>>;

/// A diversion that an absorber has to confirm.
#[derive(Debug)]
pub(super) struct Leg {
    prefix: Prefix,
    neighbors: Vec<String>,
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
    /// What is diverted.
    pub(super) const fn prefix(&self) -> Prefix {
        self.prefix
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
        let Some(absorber) = self.absorbers.of(prefix) else { return false };
        // What stood before a restart stands on, while the absorber is asked; which rules it shall have says the core, later.
        let said = self.speaker.is_none();
        if said {
            absorber.keep(*prefix, self.expected(prefix));
        } else {
            absorber.want(*prefix, self.rules_for(prefix), self.expected(prefix));
        }
        let now = self.clock.now();
        let why = (!said).then(|| format!("absorber `{}` is asked", absorber.control.name));
        let leg = Leg {
            prefix: *prefix,
            neighbors: neighbors.to_vec(),
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

    /// A diversion ended: its routes go first, and the absorber after a while.
    pub(super) fn lets_go(&mut self, id: u64) {
        let Some(leg) = self.legs.remove(&id) else { return };
        if let Some(absorber) = self.absorbers.of(&leg.prefix) {
            let linger = if leg.said { absorber.control.linger } else { Span::ZERO };
            absorber.release(leg.prefix, linger);
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
        self.legs.values().any(|leg| !leg.said)
    }

    /// Why routers are not told of a diversion.
    pub(in crate::routing) fn held_back(&self, id: u64) -> Option<&str> {
        self.legs.get(&id).filter(|leg| !leg.said)?.why.as_deref()
    }

    /// Announces what absorbers hold, and takes back what they do not.
    pub(super) fn turn_absorbers(&mut self, now: Timestamp) {
        let mut steps = Vec::new();
        for (id, leg) in &mut self.legs {
            let Some(absorber) = self.absorbers.of(&leg.prefix) else { continue };
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

    /// What an absorber may still get, or why it gets nothing now; one that is not spoken with is taken at the word of the
    /// configuration. What a prefix that it holds already gets there is room for it, and no more is: others may have come since.
    pub(in crate::routing) fn room_at(&self, absorber: &crate::config::Absorber) -> Result<BitRate, String> {
        let Some(one) = self.absorbers.of(&absorber.prefix) else { return Ok(absorber.capacity) };
        if let Some((at, why)) = &one.failed
            && self.clock.now().since(*at) < REFUSED
        {
            return Err(why.clone());
        }
        let Some(charge) = one.charge(&absorber.prefix) else { return Ok(absorber.capacity) };
        let free = one.free(charge)?;
        let own = if one.standing(&absorber.prefix) == Standing::Stands {
            one.gets(&absorber.prefix).bps
        } else {
            0
        };
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
        Ok(BitRate((free.bps.saturating_add(own) as f64).min(absorber.capacity.0)))
    }

    fn announce_leg(&mut self, now: Timestamp, id: u64) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let again = std::mem::replace(&mut leg.stood, true);
        (leg.said, leg.since, leg.why) = (true, now, None);
        let (prefix, neighbors) = (leg.prefix, leg.neighbors.clone());
        let replies = std::mem::take(&mut leg.replies);
        let name = self.absorbers.of(&prefix).map(|one| one.control.name.clone()).unwrap_or_default();
        let event = if again { "announced again" } else { "announced" };
        tracing::info!(mitigation = id, %prefix, absorber = name, event, "the absorber holds it: its route moves");
        self.note(id, event, format!("absorber `{name}` holds it"));
        self.announce_to(id, &What::Diversion(prefix), neighbors);
        let answer = self.begun(id);
        for reply in replies {
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
        let prefix = leg.prefix;
        let replies = std::mem::take(&mut leg.replies);
        tracing::warn!(mitigation = id, %prefix, why, "the absorber does not take it: no route moves");
        if let Some(absorber) = self.absorbers.of_mut(&prefix) {
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

    fn note(&mut self, id: u64, event: &str, reason: String) {
        self.unwritten.push(Line {
            at: self.clock.now(),
            mitigation: Some(id),
            event: event.to_owned(),
            actor: "spillway".to_owned(),
            reason,
            ..Line::default()
        });
    }
}
