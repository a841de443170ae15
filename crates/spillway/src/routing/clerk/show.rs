//! What the clerk shows: sessions, mitigations, history, numbers; and how an entry becomes a line.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use api::metrics;
use rules::Action;
use steer::bgp::out::Suspicion;
use steer::bgp::step::State;
use steer::book::{Actor, Entry, Mitigation, Stage, What, Wish};
use store::Line;

use super::drills::numbers;
use super::{Clerk, HISTORY_MAX, express};
use crate::routing::order::{self, Answer, At, Doing, Past, Peer, Played, Shifted};
use crate::routing::speaker::PeerStatus;

impl Clerk {
    pub(super) fn peers(&self) -> Vec<Peer> {
        let status = self.status();
        let of = |router: &crate::config::Router| {
            let mut peer = Peer {
                name: router.name.clone(),
                address: router.address.to_string(),
                asn: router.asn,
                state: State::Idle.as_str().to_owned(),
                carries: router.carries.iter().map(|class| class.as_str().to_owned()).collect(),
                families: router.families.iter().map(|of| express::family_name(*of).to_owned()).collect(),
                profile: router.profile.name.to_owned(),
                drills: self.drills_at(&router.name),
                ..Peer::default()
            };
            if let Some(status) = status.get(&router.name) {
                peer.state = status.state.as_str().to_owned();
                peer.silent_secs = status.silent;
                peer.ups = status.ups;
                peer.last_down.clone_from(&status.last_down);
                peer.wanted = status.wanted;
                peer.held = status.held;
                peer.unproven = status.unproven;
                peer.quarantined = status.quarantine.len();
            }
            peer
        };
        self.setup.routing.routers.iter().map(of).collect()
    }

    pub(super) fn playbook(&self) -> Vec<Played> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a hundred")]
        let percent = |share: f64| (share * 100.0).round() as u8;
        let shifted = |one: &steer::planner::playbook::Shift| Shifted {
            entry: one.entry.clone(),
            absorber: one.absorber.clone(),
            percent: percent(one.share),
        };
        let played = |one: &steer::planner::playbook::Move| Played {
            announcement: one.announcement.clone(),
            measured: one.measured.clone(),
            shifts: one.shifts.iter().map(shifted).collect(),
        };
        self.plays.all().moves.iter().map(played).collect()
    }

    pub(super) fn list(&self) -> Result<Answer, String> {
        let seen = Seen::of(self);
        let mitigations = self.book.all().map(|one| self.document(one, &seen)).collect();
        Ok(Answer::List { frozen: self.book.is_frozen(), mitigations })
    }

    pub(super) fn one(&self, id: u64) -> Result<Answer, String> {
        let one = self.book.get(id).ok_or_else(|| format!("mitigation {id} is gone"))?;
        Ok(Answer::One(Box::new(self.document(one, &Seen::of(self)))))
    }

    pub(super) fn history(&self, id: Option<u64>, limit: u32) -> Result<Answer, String> {
        let lines = self.journal.history(id, limit.min(HISTORY_MAX)).map_err(|cause| cause.to_string())?;
        let past = |line: Line| Past {
            number: line.number,
            at: line.at.to_string(),
            mitigation: line.mitigation,
            event: line.event,
            actor: line.actor,
            reason: line.reason,
            what: line.what,
        };
        Ok(Answer::History(lines.into_iter().map(past).collect()))
    }

    /// What a wish would become.
    pub(super) fn preview(&self, wish: &Wish) -> order::Mitigation {
        let now = self.clock.now();
        let at =
            |name: &String| At { peer: name.clone(), state: "would be announced".to_owned(), reason: None };
        order::Mitigation {
            id: None,
            class: wish.what.class().as_str().to_owned(),
            what: say(&wish.what),
            state: "preview".to_owned(),
            effect: self.effect(&wish.what, &wish.neighbors) + &self.whom_it_hits(&wish.what),
            peers: wish.neighbors.iter().map(at).collect(),
            actor: wish.actor.to_string(),
            reason: wish.reason.clone(),
            asked_at: now.to_string(),
            started_at: None,
            until: now.plus(wish.hold).to_string(),
            approved_by: match &wish.actor {
                Actor::Person(name) => vec![name.clone()],
                Actor::Engine => Vec::new(),
            },
            approvals_needed: self.book.needed(wish.what.class()),
            confirm_by: None,
            outcome: None,
        }
    }

    /// Looks up the numbers for `/metrics`.
    pub(super) fn look(&mut self) {
        self.looked = self.clock.now();
        let status = self.status();
        let mut numbers = metrics::Routing {
            frozen: self.book.is_frozen(),
            refused: self.counts.refused,
            journal_errors: self.counts.journal_errors,
            dead_man: self.counts.dead_man,
            harmful: self.counts.harmful,
            sacrificed: sacrificed(&self.planned),
            announce_errors: self.counts.announce_errors,
            told: self.views.numbers(),
            drills: self.drilled().all().map(numbers).collect(),
            absorbers: self.absorbers.all().map(|one| one.numbers()).collect(),
            ..metrics::Routing::default()
        };
        for router in &self.setup.routing.routers {
            let mut peer = metrics::Router { name: router.name.clone(), ..metrics::Router::default() };
            if let Some(status) = status.get(&router.name) {
                peer.up = status.state == State::Established;
                peer.ups = status.ups;
                peer.routes = vec![
                    ("wanted", count(status.wanted)),
                    ("held", count(status.held)),
                    ("unproven", count(status.unproven)),
                    ("quarantined", count(status.quarantine.len())),
                ];
            }
            for class in &router.carries {
                let active = self.book.all().filter(|one| {
                    one.stage == Stage::Active
                        && one.wish.what.class() == *class
                        && one.wish.neighbors.contains(&router.name)
                });
                peer.announcements.push((class.as_str(), count(active.count())));
            }
            numbers.routers.push(peer);
        }
        for one in self.book.all() {
            let key = (one.wish.what.class().as_str(), stage(&one.stage));
            *numbers.mitigations.entry(key).or_insert(0) += 1;
        }
        *self.board.lock().unwrap_or_else(PoisonError::into_inner) = numbers;
    }

    /// An entry as a line of the journal.
    pub(super) fn line(&self, entry: &Entry) -> Line {
        let (who, why) = &self.because;
        let mut line = Line {
            at: self.clock.now(),
            actor: who.clone(),
            reason: why.clone(),
            entry: serde_json::to_string(entry).ok(),
            ..Line::default()
        };
        let name = |actor: &Actor| actor.to_string();
        let (event, id) = match entry {
            Entry::Proposed { id, class, what, neighbors, actor, reason, .. } => {
                line.actor = name(actor);
                line.reason.clone_from(reason);
                line.what = format!("{class} {what} at {}", neighbors.join(", "));
                ("proposed", Some(*id))
            }
            Entry::Approved { id, actor } => {
                line.actor = name(actor);
                ("approved", Some(*id))
            }
            Entry::Started { id, until, .. } => {
                line.what = format!("until {}", base::Timestamp::from_nanos(*until));
                ("started", Some(*id))
            }
            Entry::Renewed { id, actor, until } => {
                line.actor = name(actor);
                line.what = format!("until {}", base::Timestamp::from_nanos(*until));
                ("renewed", Some(*id))
            }
            Entry::Ended { id, actor, reason } => {
                line.actor = actor.as_ref().map_or_else(|| "spillway".to_owned(), name);
                line.reason.clone_from(reason);
                ("ended", Some(*id))
            }
            Entry::Frozen { actor, reason } => {
                line.actor = name(actor);
                line.reason.clone_from(reason);
                ("frozen", None)
            }
            Entry::Thawed { actor } => {
                line.actor = name(actor);
                ("resumed", None)
            }
        };
        event.clone_into(&mut line.event);
        line.mitigation = id;
        tracing::info!(
            mitigation = id,
            event,
            actor = line.actor,
            reason = line.reason,
            what = line.what,
            "mitigation"
        );
        line
    }

    pub(in crate::routing) fn status(&self) -> BTreeMap<String, PeerStatus> {
        self.speaker.as_ref().and_then(|speaker| speaker.status().ok()).unwrap_or_default()
    }

    pub(super) fn document(&self, one: &Mitigation, seen: &Seen) -> order::Mitigation {
        let key = express::key(&one.wish.what);
        let at = |name: &String| {
            let held = key.as_ref().is_some_and(|key| seen.held.get(name).is_some_and(|of| of.contains(key)));
            let suspect =
                |status: &PeerStatus| status.quarantine.iter().any(|(of, _)| Some(of) == key.as_ref());
            let refused = self.trouble.get(&(one.id, name.clone()));
            let state = match &one.stage {
                Stage::Proposed(_) => "proposed",
                _ if refused.is_some() => "refused",
                _ if seen.status.get(name).is_some_and(suspect) => "quarantined",
                _ if held => "announced",
                _ => "waiting",
            };
            let waits = || self.held_back(one.id).map(str::to_owned).filter(|_| state == "waiting");
            let fell = || {
                let all = seen.status.get(name).filter(|_| state == "quarantined")?;
                let why = all.quarantine.iter().find(|(of, _)| Some(of) == key.as_ref());
                why.map(|(_, why)| fell(*why, one.id))
            };
            let reason = refused.cloned().or_else(waits).or_else(fell);
            At { peer: name.clone(), state: state.to_owned(), reason }
        };
        let agreed = match &one.stage {
            Stage::Proposed(agreed) => agreed.clone(),
            Stage::Starting | Stage::Active => Vec::new(),
        };
        order::Mitigation {
            id: Some(one.id),
            class: one.wish.what.class().as_str().to_owned(),
            what: say(&one.wish.what),
            state: stage(&one.stage).to_owned(),
            effect: self.effect(&one.wish.what, &one.wish.neighbors) + &self.whom_it_hits(&one.wish.what),
            peers: one.wish.neighbors.iter().map(at).collect(),
            actor: one.wish.actor.to_string(),
            reason: one.wish.reason.clone(),
            asked_at: one.asked.to_string(),
            started_at: one.started.map(|at| at.to_string()),
            until: one.until.to_string(),
            approved_by: agreed,
            approvals_needed: self.book.needed(one.wish.what.class()).max(u8::from(one.is_automatic())),
            confirm_by: self.confirm_by(one.id),
            outcome: self
                .wards
                .said(one.id)
                .map(|said| Doing { is: said.outcome.as_str().to_owned(), reason: said.reason.clone() }),
        }
    }

    /// What it does to traffic, in a sentence.
    fn effect(&self, what: &What, neighbors: &[String]) -> String {
        match what {
            What::Blackhole(prefix) => {
                format!("all traffic to {prefix} is discarded upstream, the honest too")
            }
            What::Diversion(prefix) => {
                let hop = |name: &String| self.router(name)?.diversion_hop(prefix, self.led.of(prefix));
                let hops: Vec<String> = neighbors.iter().filter_map(hop).map(|hop| hop.to_string()).collect();
                let to = self.led.of(prefix).map_or_else(String::new, |name| format!(", absorber {name}"));
                format!("all traffic to {prefix} is led to {}{to}", hops.join(", "))
            }
            What::Flowspec(rule) => {
                let dst = rule.matches.dst.map_or_else(|| "anywhere".to_owned(), |dst| dst.to_string());
                match rule.action {
                    Action::Pass => format!("packets to {dst} that match pass, whatever later rules say"),
                    Action::Drop => format!(
                        "packets to {dst} that match are discarded in the routers, the honest among them too"
                    ),
                    Action::RatePackets(_) | Action::RateBits(_) => {
                        format!(
                            "packets to {dst} that match are discarded above the rate, the honest among them too"
                        )
                    }
                    Action::Redirect(to) => format!("packets to {dst} that match are led to {to}"),
                    Action::Challenge(_) | Action::Tunnel(..) => format!("packets to {dst} that match"),
                }
            }
        }
    }
}

/// What the speaker knows at one moment.
pub(super) struct Seen {
    pub(super) status: BTreeMap<String, PeerStatus>,
    held: BTreeMap<String, std::collections::BTreeSet<steer::bgp::out::Key>>,
}

impl Seen {
    pub(super) fn of(clerk: &Clerk) -> Self {
        let held = clerk.speaker.as_ref().and_then(|speaker| speaker.held().ok()).unwrap_or_default();
        Self { status: clerk.status(), held }
    }
}

const fn stage(stage: &Stage) -> &'static str {
    match stage {
        Stage::Proposed(_) => "proposed",
        Stage::Starting => "starting",
        Stage::Active => "active",
    }
}

/// Targets that a plan, as it is shown, gives up.
fn sacrificed(planned: &serde_json::Value) -> u64 {
    let all = planned.get("targets").and_then(serde_json::Value::as_array).into_iter().flatten();
    let given_up = all.filter(|one| one.get("sacrificed") == Some(&serde_json::Value::Bool(true)));
    count(given_up.count())
}

fn say(what: &What) -> String {
    match what {
        What::Blackhole(prefix) | What::Diversion(prefix) => prefix.to_string(),
        What::Flowspec(rule) => rule.to_string(),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Why a route is in quarantine, and what ends that.
fn fell(why: Suspicion, id: u64) -> String {
    let person = format!("`spillway route release {id}` sends it again");
    match why {
        Suspicion::Culprit => format!("the session ended when it was sent; {person}"),
        Suspicion::Among(count) => format!("the session ended when {count} were sent together; {person}"),
        Suspicion::Probation(_) => {
            "the router went without a word after it more than once; it is sent again by itself, alone"
                .to_owned()
        }
    }
}
