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
mod slots;
mod tell;

use std::collections::{BTreeMap, BTreeSet};

pub use document::NETWORK;

use base::units::{BitRate, PacketRate};
use base::{Prefix, Timestamp};

use crate::ladder::{Attack, Situation, Volume};
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
    /// Prefixes of ours that it may have at one time; `None`: not known.
    pub slots: Option<usize>,
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
    /// What of it surely comes, while it is too young to say how large it is: the situation's volume is a guess, to have room
    /// enough, and nobody is given up for a guess. `None`: its size is known.
    pub least: Option<Volume>,
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
        let (fixed, mut open): (Vec<Claim<'_>>, Vec<Claim<'_>>) = claims
            .iter()
            .cloned()
            .partition(|claim| claim.at.is_some() && !claim.can_end && has(claim, sites));
        let (sites, mut lots) = tell::fixed(&fixed, sites);
        let effort = if open.len() <= FEW { Effort::Normal } else { Effort::Quick };
        let mut taken = BTreeMap::new();
        loop {
            let attacks: Vec<Attack> = open.iter().map(sure).collect();
            let situations: Vec<Situation<'_>> = open
                .iter()
                .zip(&attacks)
                .map(|(claim, attack)| Situation { attack, ..claim.situation.clone() })
                .collect();
            let surely: Vec<Claim<'_>> = open
                .iter()
                .zip(&situations)
                .map(|(claim, situation)| Claim { situation, ..claim.clone() })
                .collect();
            let [full, least] = [open.as_slice(), surely.as_slice()].map(|claims| document::World {
                now,
                claims,
                sites: &sites,
                playbook,
                taken: &taken,
            });
            let mut world = &full;
            let mut settled = self.settled(world, mode, effort)?;
            if settled.gives_up() && open.iter().any(|claim| claim.least.is_some()) {
                let gentle = self.settled(&least, mode, effort)?;
                if gentle.kept() > settled.kept() {
                    (world, settled) = (&least, gentle);
                }
            }
            let can_end = |place: &usize| open.get(*place).is_some_and(|claim| claim.can_end);
            let stuck: BTreeSet<usize> = settled.lost().into_iter().filter(|place| !can_end(place)).collect();
            if stuck.is_empty() {
                let switch = self.planner.handle(now, &settled.document, mode, effort)?;
                let plan = self.planner.current().cloned().unwrap_or_else(nothing);
                lots.extend(tell::lots(world, &settled, &plan));
                return Ok(Allotted { lots, document: settled.document, plan, switch });
            }
            // Giving it up would make room, and is not allowed: what comes for it comes, and others have the rest.
            let mut comes = taken.clone();
            for claim in stuck.iter().filter_map(|place| open.get(*place)) {
                document::take(&mut comes, claim);
                lots.insert(claim.target, tell::stuck(claim));
            }
            taken = comes;
            let mut place = 0..;
            open.retain(|_| place.next().is_none_or(|place| !stuck.contains(&place)));
        }
    }

    /// What is at an absorber stays there, unless moving it keeps more.
    fn settled(
        &self,
        world: &document::World<'_>,
        mode: Mode,
        effort: Effort,
    ) -> Result<settle::Settled, Refusal> {
        let settled = settle::settle(world, true, mode, effort)?;
        if !settled.gives_up() || world.claims.iter().all(|claim| claim.at.is_none()) {
            return Ok(settled);
        }
        let free = settle::settle(world, false, mode, effort)?;
        let is_better = match mode {
            Mode::ProtectMostValuable => free.value() > settled.value() * (1.0 + self.gain),
            Mode::ShareThePain => free.kept() > settled.kept(),
        };
        Ok(if is_better { free } else { settled })
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

/// A claim's attack, as large as it surely is.
fn sure(claim: &Claim<'_>) -> Attack {
    let attack = claim.situation.attack;
    Attack { volume: claim.least.unwrap_or(attack.volume), ..attack.clone() }
}
