//! The ladder: kernel filter, FlowSpec, diversion, blackhole. For each attack the lowest step that suffices.
//!
//! [`choose`] is pure: a [`Situation`] is in, a [`Choice`] is out, with the reason, what else was weighed, and what it would
//! cut. [`Climb`] remembers where an attack stands: up at once, down slowly (see [`crate::hold`]).
//!
//! **Invariant:** no blackhole is chosen without a person while the effect of what is in force could not be measured. There is no
//! step that blackholes sources: an address in a packet is a claim, and whoever claims somebody else's would have him
//! blackholed. Sources are dropped by rules, at the price that such rules have.

mod climb;
mod judge;
pub(crate) mod reach;

use base::units::{BitRate, PacketRate};
use base::{Prefix, Span, Timestamp};
use rules::Rule;
use serde::{Deserialize, Serialize};

use crate::allot::Lot;
use crate::drill::Log;
use crate::effect::Verdict;
use crate::rails::{Class, Rails};

pub use climb::{Climb, Look, Order};
pub use judge::choose;

/// What can be done, the gentlest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Rules in the kernel of the machine through which the traffic comes.
    Kernel,
    /// Rules in routers before the links.
    Flowspec,
    /// An absorber takes the traffic and returns what is clean.
    Diversion,
    /// All traffic to the target is given up.
    Blackhole,
}

impl Step {
    /// All, the gentlest first.
    pub const ALL: [Self; 4] = [Self::Kernel, Self::Flowspec, Self::Diversion, Self::Blackhole];

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel filter",
            Self::Flowspec => "FlowSpec",
            Self::Diversion => "diversion",
            Self::Blackhole => "blackhole",
        }
    }

    /// The class of its announcements, if it makes any.
    pub const fn class(self) -> Option<Class> {
        match self {
            Self::Kernel => None,
            Self::Flowspec => Some(Class::Flowspec),
            Self::Diversion => Some(Class::Diversion),
            Self::Blackhole => Some(Class::Blackhole),
        }
    }
}

/// What may be done by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Nothing; it is told only.
    Observe,
    /// It is proposed, with what it would cut.
    Suggest,
    /// It is done.
    Enforce,
}

/// Traffic per second on layer 3.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Volume {
    /// Bits.
    pub bits: BitRate,
    /// Packets.
    pub packets: PacketRate,
}

/// The attack. Rates are upper estimates, since capacities are held against them.
#[derive(Clone, Debug, PartialEq)]
pub struct Attack {
    /// The smallest set of prefixes under attack.
    pub targets: Vec<Prefix>,
    /// What attacks, before anything was done.
    pub volume: Volume,
    /// What else these targets get, in peace.
    pub honest: Volume,
    /// Sure enough to act on: incoming, no mere suspicion, told by exporters whose numbers hold.
    pub sure: bool,
}

/// A way in.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// What it takes; `None`: unknown, and then nothing is said to be full.
    pub capacity: Option<BitRate>,
    /// The part of the attack that comes here, before anything was done.
    pub attack: BitRate,
    /// Which share of the attack that is, 0 to 1.
    pub share: f64,
    /// What else comes here.
    pub other: BitRate,
}

/// A rule that was derived, in order of precedence.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The rule.
    pub rule: Rule,
    /// Share of the attack that it stops beyond those before it, 0 to 1.
    pub stops: f64,
    /// Share of honest packets and of honest peers that it hits, the larger one; `None`: unknown, and never 0.
    pub price: Option<f64>,
}

/// Whom announcements go to.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbor {
    /// Its name.
    pub name: String,
    /// Whether its session is established.
    pub up: bool,
    /// The links whose traffic it can stop before they fill.
    pub links: Vec<String>,
    /// What it takes, by class and whether for IPv4.
    pub carries: Vec<(Class, bool)>,
    /// `FlowSpec` rules that fit beside those it has.
    pub rules_left: usize,
    /// Prefixes that fit beside those it has.
    pub routes_left: usize,
}

/// Who takes the traffic of a prefix and returns what is clean.
#[derive(Clone, Debug, PartialEq)]
pub struct Absorber {
    /// Its name.
    pub name: String,
    /// The prefix whose diversion is prepared.
    pub prefix: Prefix,
    /// What it takes beside what it has.
    pub free: BitRate,
    /// What the whole prefix gets in peace: all of it moves.
    pub carried: BitRate,
}

/// What the machine that filters in its kernel takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// Packets per second; `None`: unknown, and then it is not said to be too slow.
    pub packets: Option<PacketRate>,
}

/// A step that is in force for this attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Which.
    pub step: Step,
    /// What it does.
    pub verdict: Verdict,
    /// Ids of the rules that the verdict is about: it says nothing of others. Empty: it is about the step, whatever it consists of.
    pub rules: Vec<String>,
}

impl InForce {
    /// A step of which it is known what it does, whatever it consists of.
    pub const fn new(step: Step, verdict: Verdict) -> Self {
        Self { step, verdict, rules: Vec::new() }
    }

    /// Whether its verdict holds for what consists of these rules.
    fn is_about<'a>(&self, mut rules: impl Iterator<Item = &'a String>) -> bool {
        self.rules.is_empty() || rules.all(|id| self.rules.contains(id))
    }
}

/// What the customer wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What may be done by itself, by step: kernel filter, FlowSpec, diversion, blackhole. `None`: never, not even as
    /// a proposal.
    pub steps: [Option<Mode>; 4],
    /// Rules that hit a larger share of honest packets or peers are not used.
    pub price_max: f64,
    /// Rules of unknown price may be used.
    pub blind: bool,
    /// A step suffices when no larger share of the attack reaches the target.
    pub left_max: f64,
    /// Links and machines are filled to this share at most.
    pub fill_max: f64,
    /// Drills older than this do not count.
    pub drilled_within: Span,
}

impl Default for Policy {
    /// All may be proposed; nothing is done by itself.
    fn default() -> Self {
        Self {
            steps: [Some(Mode::Suggest); 4],
            price_max: 0.05,
            blind: false,
            left_max: 0.1,
            fill_max: 0.9,
            drilled_within: Span::from_secs(30 * 86_400),
        }
    }
}

impl Policy {
    /// What may be done by itself on a step.
    pub const fn mode(&self, step: Step) -> Option<Mode> {
        let [kernel, flowspec, diversion, blackhole] = self.steps;
        match step {
            Step::Kernel => kernel,
            Step::Flowspec => flowspec,
            Step::Diversion => diversion,
            Step::Blackhole => blackhole,
        }
    }
}

/// All that a choice depends on.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The attack.
    pub attack: &'a Attack,
    /// The ways in by which it comes.
    pub links: &'a [Link],
    /// The machine that filters; `None`: there is none in the way.
    pub machine: Option<Machine>,
    /// Rules that were derived.
    pub candidates: &'a [Candidate],
    /// What routers may hear of them: cut around what is spared, for a router knows no exceptions.
    pub routed: &'a [Candidate],
    /// Whom announcements go to.
    pub neighbors: &'a [Neighbor],
    /// Who takes what is diverted.
    pub absorbers: &'a [Absorber],
    /// What is in force for it, and what that does.
    pub in_force: &'a [InForce],
    /// What the customer wants.
    pub policy: &'a Policy,
    /// What may never be announced.
    pub rails: &'a Rails,
    /// What was tried in peace.
    pub drills: &'a Log,
    /// What the plan for all attacks has for this one; `None`: it is alone.
    pub lot: Option<&'a Lot>,
}

impl Situation<'_> {
    /// What a step that is in force does, where that holds for what consists of these rules, too.
    pub(crate) fn verdict<'a>(&self, step: Step, rules: impl Iterator<Item = &'a String>) -> Option<Verdict> {
        let held = self.in_force.iter().find(|held| held.step == step)?;
        held.is_about(rules).then_some(held.verdict)
    }
}

/// What a step would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Which.
    pub step: Step,
    /// The prefixes that it acts on, as they would be announced.
    pub prefixes: Vec<Prefix>,
    /// Ids of the rules that it takes.
    pub rules: Vec<String>,
    /// Where it is announced.
    pub neighbors: Vec<String>,
    /// Share of the attack that does not reach the target any more.
    pub stops: f64,
    /// Share of honest traffic to the targets that it cuts, upper bound; `None`: unknown.
    pub cuts: Option<f64>,
    /// Whether all its neighbours passed a drill of it lately; a kernel filter needs none.
    pub drilled: bool,
}

impl Plan {
    /// What it would cut, for people.
    pub fn preview(&self, honest: Volume) -> String {
        let list: Vec<String> = self.prefixes.iter().take(5).map(ToString::to_string).collect();
        let more = self.prefixes.len().saturating_sub(list.len());
        let prefixes = list.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() };
        let cut = match self.cuts {
            None => "an unknown part of the honest traffic".to_owned(),
            Some(share) if honest.bits.0 <= 0.0 => {
                format!("up to {:.1} % of the honest traffic", share * 100.0)
            }
            Some(share) => format!(
                "up to {:.1} % of the honest traffic ({} of {})",
                share * 100.0,
                BitRate(honest.bits.0 * share),
                honest.bits
            ),
        };
        let way = if self.neighbors.is_empty() {
            String::new()
        } else {
            format!(" through {}", self.neighbors.join(", "))
        };
        let detour = if self.step == Step::Diversion { "; all of it takes the absorber's way" } else { "" };
        format!(
            "{} for {prefixes}{way}: stops {:.0} % of the attack, cuts {cut}{detour}",
            self.step.as_str(),
            self.stops * 100.0
        )
    }
}

/// A step that was not taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// Which.
    pub step: Step,
    /// Why.
    pub reason: String,
}

/// What shall be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The step; `None`: none is possible, or none is needed.
    pub plan: Option<Plan>,
    /// What may be done with it by itself.
    pub mode: Mode,
    /// Whether it suffices, as far as can be told.
    pub suffices: bool,
    /// A person has to agree, whatever the mode.
    pub person: bool,
    /// Why this step, in a sentence.
    pub reason: String,
    /// Rules that the plan for all has beside the step.
    pub beside: Option<Plan>,
    /// Why not the others.
    pub rejected: Vec<Rejected>,
    /// When it was chosen.
    pub at: Timestamp,
}
