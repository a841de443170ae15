//! Orders, carried out one after the other; a refusal stands in the journal, too.

use base::Span;
use steer::book::{Actor, Stage, What, Wish, Wrong};
use steer::rails::Class;
use store::Line;

use super::{Clerk, LOOK_EVERY, express, text};
use crate::config::Router;
use crate::routing::express::Unfit;
use crate::routing::order::{self, Answer, Caller, Order, Request};

impl Clerk {
    /// Carries out an order.
    pub(in crate::routing) fn take(&mut self, caller: &Caller, order: Order) -> Result<Answer, String> {
        let reason = order.change().map(|change| change.reason.to_owned());
        if let Some(reason) = &reason {
            order::fits(reason)?;
            self.because = (caller.actor().to_string(), reason.clone());
        }
        self.ask_rpki();
        self.look_near(LOOK_EVERY);
        let what = format!("{order:?}");
        let done = self.carry_out(caller, order);
        if let (Err(why), Some(reason)) = (&done, reason) {
            self.counts.refused += 1;
            tracing::warn!(actor = %caller.actor(), reason, why, "an order about routes is refused");
            let line = Line {
                at: self.clock.now(),
                event: "refused".to_owned(),
                actor: caller.actor().to_string(),
                reason,
                what: format!("{}: {why}", what.get(..400).unwrap_or(&what)),
                ..Line::default()
            };
            if self.unwritten.is_empty() && self.journal.append(&[line]).is_err() {
                self.counts.journal_errors += 1;
            }
        }
        self.look();
        done
    }

    fn carry_out(&mut self, caller: &Caller, order: Order) -> Result<Answer, String> {
        let actor = caller.actor();
        let now = self.clock.now();
        match order {
            Order::Peers => Ok(Answer::Peers(self.peers())),
            Order::Absorbers => {
                let spoken = self.absorbers.all().map(|one| one.document());
                Ok(Answer::Absorbers(spoken.chain(self.upstreams()).collect()))
            }
            Order::Plan => Ok(Answer::Plan(self.planned.clone())),
            Order::Playbook => Ok(Answer::Playbook(self.playbook())),
            Order::Status => Ok(Answer::Status(self.views.status())),
            Order::Origin { address } => Ok(Answer::Origin(self.views.origin(address))),
            Order::List => self.list(),
            Order::History { id, limit } => self.history(id, limit),
            Order::Announce(request) => {
                let (what, hold) = self.understand(&request)?;
                self.propose(
                    &request,
                    Wish { what, neighbors: Vec::new(), actor, reason: request.reason.clone(), hold },
                )
            }
            Order::Withdraw { id, reason } => {
                // before it ends, so that the engine does not find it gone and set it again
                let exception = self.take_back(caller, id, &reason);
                self.book.withdraw(id, &actor, &reason).map_err(text)?;
                self.settle()
                    .map(|()| exception.map_or(Answer::Done(1), Answer::TakenBack))
                    .map_err(comes_back)
            }
            Order::Reject { id, reason } => {
                match self.book.get(id).map(|one| &one.stage) {
                    Some(Stage::Proposed(_)) => {}
                    Some(_) => {
                        return Err(format!(
                            "mitigation {id} holds already: `spillway route withdraw {id}` ends it"
                        ));
                    }
                    None => return Err(text(Wrong::Unknown(id))),
                }
                self.book.withdraw(id, &actor, &reason).map_err(text)?;
                self.settle().map(|()| Answer::Done(1)).map_err(comes_back)
            }
            Order::Approve { id, .. } => {
                self.can_be_written()?;
                self.book.approve(now, id, &actor).map_err(text)?;
                self.begin(id)
            }
            Order::Renew { id, hold, .. } => {
                let hold = self.hold(hold.map(Span::from_secs))?;
                self.book.renew(now, id, &actor, hold).map_err(text)?;
                self.settle()?;
                self.one(id)
            }
            Order::Confirm { id, reason } => self.confirm(id, &actor, &reason),
            Order::Release { id, peer, reason } => self.release(caller, id, peer.as_deref(), reason),
            Order::Drill(wanted) => self.begin_drills(caller, wanted),
            Order::DrillProgress { after } => Ok(self.progress(after)),
            Order::DrillStop { reason } => {
                self.stop_drills(&format!("stopped: {reason}"));
                Ok(self.progress(0))
            }
            Order::DrillList => Ok(self.drill_list()),
            Order::Panic { reason } => {
                self.stop_drills("panic");
                let count = self.book.all().count();
                self.book.panic(&actor, &reason);
                tracing::error!(
                    actor = %caller.actor(),
                    reason,
                    mitigations = count,
                    "panic: everything is withdrawn, and nothing begins until `spillway route resume`"
                );
                self.settle().map(|()| Answer::Done(count)).map_err(comes_back)
            }
            Order::Resume { .. } => {
                self.can_be_written()?;
                self.book.thaw(&actor);
                self.settle().map(|()| Answer::Done(0))
            }
        }
    }

    /// What a request means, and for how long.
    fn understand(&self, request: &Request) -> Result<(What, Span), String> {
        let class = order::class(&request.class)
            .ok_or_else(|| format!("`{}` is no class of announcements", request.class))?;
        let prefix = || {
            let parsed = request.what.parse::<base::Prefix>();
            parsed.map_err(|wrong| format!("`{}` is not an address or a prefix: {wrong}", request.what))
        };
        let mut lease = None;
        let what = match class {
            Class::Blackhole => What::Blackhole(prefix()?),
            Class::Diversion => What::Diversion(prefix()?),
            Class::Flowspec => {
                let rules = rules::parse::rules(&request.what).map_err(|wrong| {
                    wrong.first().map_or_else(String::new, |one| format!("the rule, {one}"))
                })?;
                let [rule] = <[_; 1]>::try_from(rules)
                    .map_err(|all| format!("one rule at a time is announced, not {}", all.len()))?;
                lease = rule.lease;
                What::Flowspec(Box::new(rule))
            }
        };
        let hold = self.hold(request.hold.map(Span::from_secs).or(lease))?;
        Ok((what, hold))
    }

    fn hold(&self, asked: Option<Span>) -> Result<Span, String> {
        let routing = &self.setup.routing;
        let hold = asked.unwrap_or(routing.lease);
        if hold == Span::ZERO || hold > routing.lease_max {
            return Err(format!(
                "a mitigation holds for more than 0 and at most {} (`routing.lease_max`); renew it when its end is near",
                routing.lease_max
            ));
        }
        Ok(hold)
    }

    /// The engine would like something: it stands in the book until a person agrees.
    pub(in crate::routing) fn suggest(&mut self, request: &Request) -> Result<(), String> {
        let (what, hold) = self.understand(request)?;
        self.book.check(&what).map_err(|refusal| refusal.to_string())?;
        self.spares(&what)?;
        let neighbors = self.places(&what, &request.peers)?;
        self.is_new(&what)?;
        self.can_be_written()?;
        self.because = (Actor::Engine.to_string(), request.reason.clone());
        let wish = Wish { what, neighbors, actor: Actor::Engine, reason: request.reason.clone(), hold };
        self.book.suggest(self.clock.now(), wish).map_err(text)?;
        self.settle()
    }

    fn propose(&mut self, request: &Request, mut wish: Wish) -> Result<Answer, String> {
        self.book.check(&wish.what).map_err(|refusal| refusal.to_string())?;
        self.spares(&wish.what)?;
        wish.neighbors = self.places(&wish.what, &request.peers)?;
        self.is_new(&wish.what)?;
        if request.dry_run {
            return Ok(Answer::One(Box::new(self.preview(&wish))));
        }
        self.can_be_written()?;
        let now = self.clock.now();
        let proposed = self.book.propose(now, wish);
        let id = proposed.map_err(|wrong| self.settle().err().unwrap_or_else(|| wrong.to_string()))?;
        self.begin(id)
    }

    /// Writes and announces; where no neighbour took it, nothing holds.
    fn begin(&mut self, id: u64) -> Result<Answer, String> {
        if let Err(why) = self.settle() {
            let _ = self.book.withdraw(id, &Actor::Engine, "its beginning could not be written");
            let _ = self.settle();
            return Err(why);
        }
        self.begun(id)
    }

    /// How it began.
    pub(super) fn begun(&mut self, id: u64) -> Result<Answer, String> {
        let Some(one) = self.book.get(id) else { return Err(format!("mitigation {id} is gone")) };
        let wrong = one.wish.neighbors.iter().map(|name| self.trouble.get(&(id, name.clone())).cloned());
        let wrong: Option<Vec<String>> = wrong.collect();
        let answer = self.one(id);
        match wrong.as_deref().and_then(<[String]>::first).cloned() {
            Some(why) => {
                let _ = self.book.withdraw(id, &Actor::Engine, &why);
                let _ = self.settle();
                Err(why)
            }
            None => answer,
        }
    }

    /// Where it can go: the neighbours asked for, or all that it fits.
    fn places(&self, what: &What, asked: &[String]) -> Result<Vec<String>, String> {
        let routing = &self.setup.routing;
        let mut places = Vec::new();
        for name in asked {
            let router = self.known(name)?;
            express::route(what, router, routing.asn, None).map_err(|unfit| unfit.to_string())?;
            if !places.contains(name) {
                places.push(name.clone());
            }
        }
        if !asked.is_empty() {
            return Ok(places);
        }
        let mut why: Option<Unfit> = None;
        for router in &routing.routers {
            match express::route(what, router, routing.asn, None) {
                Ok(_) => places.push(router.name.clone()),
                // What the rule itself is to blame for says most.
                Err(unfit @ (Unfit::Rule(..) | Unfit::Profile(..))) => why = Some(unfit),
                Err(unfit) => why = why.or(Some(unfit)),
            }
        }
        match why {
            Some(unfit) if places.is_empty() => Err(unfit.to_string()),
            _ => Ok(places),
        }
    }

    /// The router of this name, or which there are.
    pub(super) fn known(&self, name: &str) -> Result<&Router, String> {
        let routers = &self.setup.routing.routers;
        routers.iter().find(|router| router.name == name).ok_or_else(|| {
            let known: Vec<&str> = routers.iter().map(|router| router.name.as_str()).collect();
            format!("there is no peer `{name}`; known here: {}", known.join(", "))
        })
    }

    /// BGP would replace the other by this one, and lose both when one ends.
    pub(super) fn is_new(&self, what: &What) -> Result<(), String> {
        let key = express::key(what);
        let same = |other: &steer::book::Mitigation| express::key(&other.wish.what) == key;
        match self.book.all().find(|other| same(other)) {
            Some(other) => Err(format!(
                "mitigation {} ({}) is about the same prefix or packets: renew it (`spillway route renew {}`) or withdraw it first",
                other.id,
                other.wish.what.class().as_str(),
                other.id
            )),
            None => Ok(()),
        }
    }

    fn release(
        &mut self,
        caller: &Caller,
        id: u64,
        peer: Option<&str>,
        reason: String,
    ) -> Result<Answer, String> {
        let one = self.book.get(id).ok_or_else(|| text(Wrong::Unknown(id)))?;
        let (what, neighbors) = (one.wish.what.clone(), one.wish.neighbors.clone());
        let Some(key) = express::key(&what) else {
            return Err("its rule cannot be said any more".to_owned());
        };
        let wanted = |name: &&String| peer.is_none_or(|peer| peer == name.as_str());
        let mut released = 0;
        for name in neighbors.iter().filter(wanted) {
            let Some(speaker) = &self.speaker else { continue };
            if speaker.release(name, key.clone()).is_ok() {
                released += 1;
                let line = Line {
                    at: self.clock.now(),
                    mitigation: Some(id),
                    event: "released".to_owned(),
                    actor: caller.actor().to_string(),
                    reason: reason.clone(),
                    what: format!("at {name}"),
                    ..Line::default()
                };
                self.unwritten.push(line);
            }
        }
        self.settle()?;
        match released {
            0 => Err(format!("mitigation {id} is nowhere in quarantine; see `spillway route list`")),
            count => Ok(Answer::Done(count)),
        }
    }
}

/// Withdrawals wait for nothing, but what the journal does not have is forgotten with this process.
fn comes_back(why: String) -> String {
    format!("it is withdrawn, but would come back after a restart: {why}")
}
