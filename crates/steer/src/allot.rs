//! Who of those that are attacked at one time gets what: each attack's own [`Situation`] becomes a part of one planning
//! document, and the plan in force becomes one [`Lot`] for each.
//!
//! The ladder says what can be done for one attack; only together can it be said for whom there is room. What is in force is
//! moved only where that keeps more, and a plan is exchanged as slowly as [`planner::Planner`] has it.
//!
//! **Invariant:** traffic of one diverted prefix goes to one absorber, and all that share such a prefix move together, for that is
//! what a route does.

mod document;
mod group;
mod settle;
mod tell;

use std::collections::{BTreeMap, BTreeSet};

pub use document::NETWORK;

use base::units::{BitRate, PacketRate};
use base::{Prefix, Timestamp};

use crate::ladder::Situation;
use crate::planner::playbook::Playbook;
use crate::planner::{Document, Effort, Mode, Plan, Planner, Refusal, Settings, Solver, Switch};

/// Attacks that are planned with as much thought as gives the best plan; with more of them, quickly.
const FEW: usize = 12;

/// Who takes what is diverted, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Prefixes whose diversion to it is prepared, and what each gets in peace.
    pub prefixes: Vec<(Prefix, BitRate)>,
    /// The most that it may receive of ours.
    pub capacity: BitRate,
    /// Likewise; `None`: not known.
    pub packets: Option<PacketRate>,
    /// What a Gbit/s costs there; decides only between plans of equal value.
    pub cost_per_gbps: f64,
}

/// One attack, and what it is worth to meet it.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// What covers its targets.
    pub target: Prefix,
    /// What it is worth to keep it, in the owner's measure.
    pub value: f64,
    /// Its situation. Neighbours are as if nothing of what is done by itself were there; absorbers are not looked at.
    pub situation: &'a Situation<'a>,
    /// The absorber that has its traffic now.
    pub at: Option<&'a str>,
    /// It may be given up: routers can be told to discard all of it.
    pub can_end: bool,
}

/// What a plan has for one attack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lot {
    /// It is given up.
    pub sacrificed: bool,
    /// Who takes its traffic, and of which links.
    pub absorber: Option<(String, Vec<String>)>,
    /// Rules that it needs, by link.
    pub rules: BTreeMap<String, BTreeSet<String>>,
    /// Why, with what was rejected, in a sentence.
    pub why: String,
}

/// What became of a look.
#[derive(Clone, Debug, PartialEq)]
pub struct Allotted {
    /// By target.
    pub lots: BTreeMap<Prefix, Lot>,
    /// What it was planned from.
    pub document: Document,
    /// The plan in force.
    pub plan: Plan,
    /// Whether it is another one.
    pub switch: Switch,
}

/// Plans for all attacks, again and again.
#[derive(Clone, Debug)]
pub struct Allotter {
    planner: Planner,
    gain: f64,
}

impl Allotter {
    /// Without a plan.
    pub const fn new(settings: Settings) -> Self {
        Self { gain: settings.gain, planner: Planner::new(settings) }
    }

    /// Plans for these, and says what each gets.
    ///
    /// # Errors
    /// When the document contradicts itself.
    pub fn look(
        &mut self,
        now: Timestamp,
        claims: &[Claim<'_>],
        sites: &[Site],
        playbook: &Playbook,
        mode: Mode,
    ) -> Result<Allotted, Refusal> {
        // Who may not be given up stays where he is, and nobody else has that room.
        let (fixed, open): (Vec<Claim<'_>>, Vec<Claim<'_>>) = claims
            .iter()
            .cloned()
            .partition(|claim| claim.at.is_some() && !claim.can_end && has(claim, sites));
        let (sites, stay) = tell::fixed(&fixed, sites);
        let (claims, sites) = (open.as_slice(), sites.as_slice());
        let world = document::World { now, claims, sites, playbook };
        let effort = if claims.len() <= FEW { Effort::Normal } else { Effort::Quick };
        let mut settled = settle::settle(&world, true, mode, effort)?;
        if settled.gives_up() && claims.iter().any(|claim| claim.at.is_some()) {
            let free = settle::settle(&world, false, mode, effort)?;
            let is_better = match mode {
                Mode::ProtectMostValuable => free.value() > settled.value() * (1.0 + self.gain),
                Mode::ShareThePain => free.kept() > settled.kept(),
            };
            if is_better {
                settled = free;
            }
        }
        let switch = self.planner.handle(now, &settled.document, mode, effort)?;
        let plan = self.planner.current().cloned().unwrap_or_else(nothing);
        let mut lots = tell::lots(&world, &settled, &plan);
        lots.extend(stay);
        Ok(Allotted { lots, document: settled.document, plan, switch })
    }

    /// The plan in force.
    pub const fn current(&self) -> Option<&Plan> {
        self.planner.current()
    }
}

/// Whether its absorber may have it still.
fn has(claim: &Claim<'_>, sites: &[Site]) -> bool {
    sites.iter().any(|site| Some(site.name.as_str()) == claim.at)
}

const fn nothing() -> Plan {
    Plan {
        value_kept: 0.0,
        value_total: 0.0,
        bound: None,
        kept: Vec::new(),
        sacrificed: Vec::new(),
        diverted: Vec::new(),
        rules: Vec::new(),
        solver: Solver::Exact,
    }
}
