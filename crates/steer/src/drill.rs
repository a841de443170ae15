//! A fire drill: a spare address is taken off the network in peace, and comes back, to know that it works before it has to.
//!
//! Probes to the spare address have to arrive at home first; else nothing that is missing later proves anything. Then one
//! measure is announced with a short lease, probes have to stop arriving (or arrive at the absorber), the measure is
//! withdrawn, and they have to arrive at home again. Whatever goes wrong, the withdrawal is asked for.

mod log;

use std::collections::VecDeque;

use base::{Prefix, Span, Timestamp};

use crate::rails::Class;

pub use log::{Log, Record, Standing, Witness};

/// What is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// At which neighbour.
    pub neighbor: String,
    /// Which kind of announcement.
    pub class: Class,
    /// What is announced: a spare address, or the prefix whose diversion is prepared.
    pub prefix: Prefix,
    /// When it ends by itself, whatever becomes of the drill.
    pub lease: Span,
    /// How long each look may take: for probes to arrive, to stop, and to come back. Together they lie within the lease.
    pub patience: Span,
    /// So many probes in a row have to show the same.
    pub looks: u32,
    /// Who looks.
    pub witness: Witness,
}

impl Plan {
    /// One at a neighbour, with a lease of a minute.
    pub const fn new(neighbor: String, class: Class, prefix: Prefix) -> Self {
        let (lease, patience) = (Span::from_secs(60), Span::from_secs(30));
        Self { neighbor, class, prefix, lease, patience, looks: 3, witness: Witness::Probe }
    }

    /// Where probes arrive while the measure acts.
    pub const fn effect(&self) -> Arrived {
        match self.class {
            Class::Flowspec | Class::Blackhole => Arrived::Nowhere,
            Class::Diversion => Arrived::Absorber,
        }
    }
}

/// Where a probe packet to the spare address came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// Where it belongs.
    Home,
    /// At the absorber.
    Absorber,
    /// Nowhere, within the time that it needs.
    Nowhere,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The announcement is on the wire.
    Announced,
    /// It was refused: by a rail, by the peer, or the session is down.
    Refused(String),
    /// A probe's way is known.
    Probe(Arrived),
    /// The withdrawal is on the wire.
    Withdrawn,
    /// Somebody ends it, or something else does, and why: what was announced is withdrawn.
    Stopped(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Announce this, with this lease.
    Announce(Plan),
    /// Withdraw it.
    Withdraw(Plan),
    /// It is over.
    Done(Record),
}

/// How far a drill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Do probes arrive?
    Baseline,
    /// Waiting for the announcement to be sent.
    Announcing,
    /// Does it act?
    Proving,
    /// Waiting for the withdrawal to be sent.
    Withdrawing,
    /// Is it gone?
    Clearing,
    /// Its record is made.
    Over,
}

/// A drill that runs.
#[derive(Debug)]
pub struct Drill {
    plan: Plan,
    phase: Phase,
    since: Timestamp,
    /// Probes in a row that showed what this phase waits for.
    row: u32,
    /// What went wrong, once something has.
    wrong: Option<String>,
    /// Time until it acted, and until it was gone.
    acted: Option<Span>,
    cleared: Option<Span>,
    outputs: VecDeque<Output>,
}

impl Drill {
    /// Begins: probes to an address of the prefix shall be sent from now on, from outside.
    pub const fn new(now: Timestamp, plan: Plan) -> Self {
        Self {
            plan,
            phase: Phase::Baseline,
            since: now,
            row: 0,
            wrong: None,
            acted: None,
            cleared: None,
            outputs: VecDeque::new(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.handle_timeout(now);
        match (self.phase, input) {
            (Phase::Announcing, Input::Announced) => self.enter(now, Phase::Proving),
            (Phase::Announcing | Phase::Proving, Input::Refused(why)) => {
                self.fail(now, format!("it was refused: {why}"));
            }
            (Phase::Baseline | Phase::Announcing | Phase::Proving, Input::Stopped(why)) => {
                self.fail(now, why)
            }
            (Phase::Withdrawing, Input::Refused(why)) => {
                self.fail(now, format!("the withdrawal was refused: {why}"));
            }
            (Phase::Withdrawing, Input::Withdrawn) => self.enter(now, Phase::Clearing),
            (Phase::Baseline | Phase::Clearing, Input::Probe(arrived)) => {
                self.look(now, arrived, Arrived::Home);
            }
            (Phase::Proving, Input::Probe(arrived)) => {
                let effect = self.plan.effect();
                self.look(now, arrived, effect);
            }
            // A probe that was on its way, a word that came twice.
            (Phase::Announcing | Phase::Withdrawing, Input::Probe(_) | Input::Announced)
            | (Phase::Withdrawing, Input::Stopped(_))
            | (Phase::Baseline | Phase::Proving | Phase::Clearing, _)
            | (Phase::Announcing, Input::Withdrawn)
            | (Phase::Over, _) => {}
        }
    }

    /// Ends what takes too long.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        let waited = self.plan.patience;
        match self.phase {
            Phase::Baseline => self.fail(
                now,
                format!(
                    "its effect could not show: within {waited} no {} probes in a row arrived before",
                    self.plan.looks
                ),
            ),
            Phase::Announcing => self.fail(now, format!("it was not sent within {waited}")),
            Phase::Proving => self.fail(
                now,
                match self.plan.effect() {
                    Arrived::Absorber => format!("probes did not arrive at the absorber within {waited}"),
                    Arrived::Nowhere | Arrived::Home => format!("probes still arrived after {waited}"),
                },
            ),
            Phase::Withdrawing => self.fail(now, format!("the withdrawal was not sent within {waited}")),
            Phase::Clearing => {
                self.fail(
                    now,
                    match self.plan.witness {
                        Witness::Probe => {
                            format!("probes did not arrive again within {waited} after the withdrawal")
                        }
                        _ => format!("a router still told it {waited} after the withdrawal"),
                    },
                );
            }
            Phase::Over => {}
        }
    }

    /// When it takes too long.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        (self.phase != Phase::Over).then(|| self.since.plus(self.plan.patience))
    }

    /// How far it is, and since when.
    pub const fn phase(&self) -> (Phase, Timestamp) {
        (self.phase, self.since)
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn enter(&mut self, now: Timestamp, phase: Phase) {
        (self.phase, self.since, self.row) = (phase, now, 0);
    }

    fn look(&mut self, now: Timestamp, arrived: Arrived, wanted: Arrived) {
        self.row = if arrived == wanted { self.row + 1 } else { 0 };
        if self.row < self.plan.looks {
            return;
        }
        let took = now.since(self.since);
        match self.phase {
            Phase::Baseline => {
                self.outputs.push_back(Output::Announce(self.plan.clone()));
                self.enter(now, Phase::Announcing);
            }
            Phase::Proving => {
                self.acted = Some(took);
                self.withdraw(now);
            }
            Phase::Clearing => {
                self.cleared = Some(took);
                self.done(now);
            }
            Phase::Announcing | Phase::Withdrawing | Phase::Over => {}
        }
    }

    fn fail(&mut self, now: Timestamp, why: String) {
        self.wrong.get_or_insert(why);
        match self.phase {
            // Nothing was announced yet.
            Phase::Baseline => self.done(now),
            Phase::Announcing | Phase::Proving => self.withdraw(now),
            Phase::Withdrawing | Phase::Clearing => self.done(now),
            Phase::Over => {}
        }
    }

    fn withdraw(&mut self, now: Timestamp) {
        self.outputs.push_back(Output::Withdraw(self.plan.clone()));
        self.enter(now, Phase::Withdrawing);
    }

    fn done(&mut self, now: Timestamp) {
        self.enter(now, Phase::Over);
        let Plan { neighbor, class, prefix, witness, .. } = self.plan.clone();
        self.outputs.push_back(Output::Done(Record {
            neighbor,
            class,
            prefix,
            witness,
            at: now,
            wrong: self.wrong.clone(),
            acted: self.acted,
            cleared: self.cleared,
        }));
    }
}
