//! One fire drill: what its core wants is done through the book, and what can be seen is told to it.

use base::{Prefix, Span, Timestamp};
use steer::bgp::out::Key;
use steer::bgp::step::State;
use steer::book::{Stage, What, Wish};
use steer::drill::{Arrived, Drill, Input, Output, Phase, Plan, Witness};
use steer::rails::Class;

use super::drills::REASON;
use super::{Clerk, express, text};
use crate::routing::probe::Try;

/// How often one looks.
const LOOK_EVERY: Span = Span::from_millis(300);
/// A router that tells routes back does so within this time, or not at all.
const VIEW_WITHIN: Span = Span::from_secs(5);

/// A drill that runs.
#[derive(Debug)]
pub(super) struct Running {
    plan: Plan,
    drill: Drill,
    key: Option<Key>,
    /// Its mitigation, from the proposal until the withdrawal.
    mitigation: Option<u64>,
    /// It was announced, at some time.
    announced: bool,
    stopped: bool,
    tried: Option<Try>,
    looked: Timestamp,
    /// Whether a router told the prefix before, and while it was announced.
    view: (bool, bool),
}

impl Running {
    pub(super) const fn new(plan: Plan, drill: Drill) -> Self {
        Self {
            plan,
            drill,
            key: None,
            mitigation: None,
            announced: false,
            stopped: false,
            tried: None,
            looked: Timestamp::ZERO,
            view: (false, false),
        }
    }
}

impl Clerk {
    /// What a drill announces.
    pub(super) fn drill_what(&self, class: Class, prefix: Prefix) -> Result<What, String> {
        Ok(match class {
            Class::Blackhole => What::Blackhole(prefix),
            Class::Diversion => What::Diversion(prefix),
            Class::Flowspec => {
                let rules = rules::parse::rules(&format!("drill dst {prefix} -> drop"));
                let first = rules.ok().and_then(|rules| rules.into_iter().next());
                What::Flowspec(Box::new(
                    first.ok_or_else(|| format!("{prefix} is no destination of a rule"))?,
                ))
            }
        })
    }

    /// Ends it: what was announced is withdrawn.
    pub(super) fn stop_drill(&mut self, why: &str) {
        let now = self.clock.now();
        if let Some(running) = &mut self.drills.running {
            if matches!(running.drill.phase().0, Phase::Baseline | Phase::Announcing | Phase::Proving) {
                running.stopped = true;
            }
            running.drill.handle(now, Input::Stopped(why.to_owned()));
        }
        self.turn_drill();
    }

    /// Looks, and does what the core wants.
    pub(super) fn turn_drill(&mut self) {
        let Some(mut running) = self.drills.running.take() else { return };
        let now = self.clock.now();
        self.look_at(now, &mut running);
        running.drill.handle_timeout(now);
        while let Some(output) = running.drill.poll_output() {
            // What was on its way belongs to the time before.
            running.tried = None;
            match output {
                Output::Announce(plan) => {
                    if let Err(why) = self.drill_announce(now, &mut running, &plan) {
                        running.drill.handle(now, Input::Stopped(why));
                    }
                }
                Output::Withdraw(_) => {
                    if let Some(id) = running.mitigation.take() {
                        let actor = self.drill_actor();
                        // Where it is gone already, it is withdrawn.
                        let _ = self.book.withdraw(id, &actor, "the drill withdraws it");
                        // What fails stands in the log, and is tried again at each turn.
                        let _ = self.settle();
                    }
                    self.drills.say("  withdrawn".to_owned());
                }
                Output::Done(mut record) => {
                    if record.witness == Witness::Session && running.view.1 {
                        record.witness = Witness::View;
                    }
                    self.drill_over(record, running.announced, running.stopped);
                    return;
                }
            }
        }
        self.drills.running = Some(running);
    }

    fn drill_actor(&self) -> steer::book::Actor {
        self.drills.caller.as_ref().map_or(steer::book::Actor::Engine, |caller| caller.actor())
    }

    fn drill_announce(&mut self, now: Timestamp, running: &mut Running, plan: &Plan) -> Result<(), String> {
        let status = self.status();
        match status.get(&plan.neighbor) {
            Some(status) if status.state == State::Established => {}
            _ => {
                return Err(format!(
                    "the session with {} is down: see `spillway route peers`",
                    plan.neighbor
                ));
            }
        }
        let what = self.drill_what(plan.class, plan.prefix)?;
        self.is_new(&what)?;
        running.key = express::key(&what);
        let actor = self.drill_actor();
        let reason = format!("{REASON}: {}", self.drills.reason);
        self.because = (actor.to_string(), reason.clone());
        let wish = Wish { what, neighbors: vec![plan.neighbor.clone()], actor, reason, hold: plan.lease };
        self.can_be_written()?;
        let id = self.book.propose(now, wish).map_err(text)?;
        running.mitigation = Some(id);
        self.settle()?;
        if let Some(why) = self.trouble.get(&(id, plan.neighbor.clone())) {
            return Err(why.clone());
        }
        match self.book.get(id).map(|one| &one.stage) {
            Some(Stage::Proposed(_)) => {
                let line =
                    format!("  another person has to agree now: spillway route approve {id} --reason drill");
                self.drills.say(line);
            }
            _ => self.drills.say(format!("  announced as mitigation {id}, for {}", plan.lease)),
        }
        Ok(())
    }

    /// Tells the core what can be seen now.
    fn look_at(&mut self, now: Timestamp, running: &mut Running) {
        if now.since(running.looked) < LOOK_EVERY && running.looked != Timestamp::ZERO {
            return;
        }
        running.looked = now;
        let (phase, since) = running.drill.phase();
        let neighbor = &running.plan.neighbor;
        let held = self.speaker.as_ref().and_then(|speaker| speaker.held().ok()).unwrap_or_default();
        let held = held.get(neighbor).zip(running.key.as_ref()).is_some_and(|(held, key)| held.contains(key));
        match phase {
            Phase::Announcing if held => {
                running.announced = true;
                self.drills.say(format!("  {neighbor} has it"));
                running.drill.handle(now, Input::Announced);
            }
            Phase::Announcing | Phase::Proving => {
                if let Some(why) = self.drill_lost(running, held || phase == Phase::Announcing) {
                    running.drill.handle(now, Input::Refused(why));
                } else if phase == Phase::Proving {
                    self.observe(now, since, running);
                }
            }
            Phase::Withdrawing if !held => running.drill.handle(now, Input::Withdrawn),
            Phase::Baseline | Phase::Clearing => self.observe(now, since, running),
            Phase::Withdrawing | Phase::Over => {}
        }
    }

    /// Why the announcement no longer stands, where it does not.
    fn drill_lost(&self, running: &Running, held: bool) -> Option<String> {
        let name = &running.plan.neighbor;
        let status = self.status();
        let status = status.get(name)?;
        let id = running.mitigation?;
        if self.book.get(id).is_none() {
            return Some(format!(
                "mitigation {id} was withdrawn meanwhile: see `spillway route history {id}`"
            ));
        }
        if status.quarantine.iter().any(|(key, _)| Some(key) == running.key.as_ref()) {
            return Some(format!("{name} did not survive it: it is in quarantine"));
        }
        match (status.state, held) {
            (State::Established, true) => None,
            (State::Established, false) => Some(format!("{name} no longer has it")),
            _ => {
                let why = status.last_down.clone().unwrap_or_else(|| "the session ended".to_owned());
                Some(format!("the session with {name} is down: {why}"))
            }
        }
    }

    /// What the witness sees.
    fn observe(&mut self, now: Timestamp, since: Timestamp, running: &mut Running) {
        let Plan { prefix, class, witness, .. } = running.plan;
        let (phase, effect) = (running.drill.phase().0, running.plan.effect());
        let told = class != Class::Flowspec && self.views.tells(prefix);
        match phase {
            Phase::Baseline => running.view.0 |= told,
            Phase::Proving if told && !running.view.0 && !running.view.1 => {
                running.view.1 = true;
                self.drills.say("  a router tells it back: it was taken".to_owned());
            }
            _ => {}
        }
        let waits = match phase {
            // Who could tell it back has a moment for it.
            Phase::Proving => {
                class != Class::Flowspec
                    && self.views.any()
                    && !running.view.0
                    && !running.view.1
                    && now.since(since) < VIEW_WITHIN
            }
            Phase::Clearing => running.view.1 && told,
            _ => false,
        };
        let arrived = match witness {
            Witness::Session | Witness::View if waits => return,
            Witness::Session | Witness::View if phase == Phase::Proving => effect,
            Witness::Session | Witness::View => Arrived::Home,
            Witness::Probe => {
                let Some(arrived) = self.probe(running) else { return };
                arrived
            }
        };
        let acts = phase == Phase::Proving && class == Class::Diversion && arrived == effect;
        let patience = running.plan.patience;
        if acts
            && self.measuring(now, &prefix).is_some_and(|measured| measured.waits(now.since(since), patience))
        {
            return;
        }
        running.drill.handle(now, Input::Probe(arrived));
        let (after, _) = running.drill.phase();
        if witness == Witness::Probe && after != phase {
            self.drills.say(match phase {
                Phase::Baseline => "  probes arrive".to_owned(),
                Phase::Proving => format!("  probes arrive {}: it acts", place(effect)),
                _ => "  probes arrive again: it is gone".to_owned(),
            });
        }
    }

    /// What became of a probe; `None`: one is on its way.
    fn probe(&self, running: &mut Running) -> Option<Arrived> {
        let probe = self.setup.routing.drill.probe.as_ref()?;
        if let Some(tried) = &mut running.tried {
            let arrived = tried.outcome()?;
            running.tried = None;
            return Some(arrived);
        }
        match Try::start(probe, running.plan.prefix.addr()) {
            Ok(tried) => {
                running.tried = Some(tried);
                None
            }
            Err(cause) => {
                tracing::error!(program = %probe.path.display(), %cause, "the probe of the drill cannot be run");
                Some(Arrived::Nowhere)
            }
        }
    }
}

const fn place(arrived: Arrived) -> &'static str {
    match arrived {
        Arrived::Nowhere => "no more",
        Arrived::Absorber => "at the absorber",
        Arrived::Home => "at home",
    }
}
