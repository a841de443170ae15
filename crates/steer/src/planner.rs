//! Who is kept when not all can be: which traffic is filtered where, what is diverted to which absorber, and who is
//! sacrificed, with the reason.
//!
//! [`plan`] is pure: its effort is counted work, not time, and the order in which a document is written does not show.
//! **Invariant:** it knows no route and no router; what it says is announced by others, within their own rails.

mod branch;
mod dice;
mod document;
mod draft;
mod dual;
mod fit;
mod greedy;
mod improve;
mod model;
mod regret;
mod room;
mod solve;
mod variants;
mod work;

use base::Prefix;
use serde::{Deserialize, Serialize};

pub use document::{Absorber, Attack, Document, Entry, Filter, Refusal, Target};
use model::{Model, Way};

/// What a plan is to be good at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The most value, then the least cost.
    #[default]
    ProtectMostValuable,
    /// The most targets, then the most value, then the least cost.
    ShareThePain,
}

/// How much is thought, in looks at single ways of treating an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// For an answer within 100 ms.
    Quick,
    /// For an answer within about a second.
    #[default]
    Normal,
    /// Longer, to prove that there is nothing better.
    Exact,
    /// So many looks.
    Looks(usize),
}

/// Looks within some 35 ms on one core of the machine that BENCH.md names.
const QUICK: usize = 3_000_000;
/// Up to so many targets, the exact answer is to be there within a second.
const FEW: usize = 30;

impl Effort {
    const fn looks(self, targets: usize) -> usize {
        match self {
            Self::Quick => QUICK,
            Self::Normal => 15 * QUICK,
            Self::Exact if targets <= FEW => 15 * QUICK,
            Self::Exact => 100 * QUICK,
            Self::Looks(looks) => looks,
        }
    }
}

/// Who is kept, who is sacrificed, and what is to be done for it; all lists in the order of their prefixes and names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Value of the kept targets, without what rules take of their legitimate traffic.
    pub value_kept: f64,
    /// Value of all targets.
    pub value_total: f64,
    /// No plan keeps more value; `None`: not known.
    pub bound: Option<f64>,
    /// Kept targets.
    pub kept: Vec<Prefix>,
    /// Sacrificed targets.
    pub sacrificed: Vec<Sacrifice>,
    /// What goes to absorbers, of kept targets.
    pub diverted: Vec<Diversion>,
    /// Rules that are needed, of kept targets.
    pub rules: Vec<Rule>,
    /// Whether it is proven that there is no better plan.
    pub solver: Solver,
}

/// A target whose traffic leaves all links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sacrifice {
    /// Which one.
    pub target: Prefix,
    /// Why, in a sentence with figures.
    pub why: String,
}

/// All of a target's traffic at an entry goes to an absorber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diversion {
    /// Whose traffic.
    pub target: Prefix,
    /// From where.
    pub entry: String,
    /// To whom.
    pub absorber: String,
}

/// A rule takes a slot of an entry's router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Whose traffic.
    pub target: Prefix,
    /// Where.
    pub entry: String,
    /// Its name within the attack.
    pub id: String,
}

/// What is known of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Solver {
    /// There is none better.
    Exact,
    /// It was the best that was found.
    Heuristic,
}

/// Plans; the same document gives the same plan, in whatever order it is written.
pub fn plan(document: &Document, mode: Mode, effort: Effort) -> Result<Plan, Refusal> {
    document.check()?;
    let document = model::sorted(document);
    let model = Model::new(&document, mode);
    let solved = solve::solve(&model, effort.looks(document.targets.len()));
    let draft = solved.draft.settled(&model);
    let mut plan = Plan {
        value_kept: 0.0,
        value_total: document.targets.iter().map(|target| target.value).sum(),
        bound: None,
        kept: Vec::new(),
        sacrificed: Vec::new(),
        diverted: Vec::new(),
        rules: Vec::new(),
        solver: if solved.exact { Solver::Exact } else { Solver::Heuristic },
    };
    for ((goal, ways), target) in model.goals.iter().zip(&draft.kept).zip(&document.targets) {
        let Some(ways) = ways else {
            plan.sacrificed.push(Sacrifice { target: goal.prefix, why: String::new() });
            continue;
        };
        plan.kept.push(goal.prefix);
        let (mut lost, mut legit) = (0.0, 0.0);
        for (part, way) in goal.parts.iter().zip(ways) {
            let Some(attack) = document.attacks.get(part.attack) else { continue };
            legit += attack.legit_bps;
            let rules = match way {
                Way::Open(set) => part.open.get(*set).map(|open| &open.rules),
                Way::Diverted(set, absorber) => {
                    let absorber = document.absorbers.get(*absorber).map(|a| a.name.clone());
                    let (target, entry) = (goal.prefix, attack.entry.clone());
                    plan.diverted.extend(absorber.map(|absorber| Diversion { target, entry, absorber }));
                    part.diverted.get(*set).map(|diverted| &diverted.rules)
                }
            };
            let used = || rules.into_iter().flatten().filter_map(|rule| attack.rules.get(*rule));
            if matches!(way, Way::Open(_)) {
                lost += attack.legit_bps * (1.0 - used().map(|rule| 1.0 - rule.collateral).product::<f64>());
            }
            let named = used().map(|rule| rule.id.clone());
            let (target, entry) = (goal.prefix, &attack.entry);
            plan.rules.extend(named.map(|id| Rule { target, entry: entry.clone(), id }));
        }
        let share = if legit > 0.0 { lost / legit } else { 0.0 };
        plan.value_kept += target.value * (1.0 - share).max(0.0);
    }
    plan.rules.sort_by(|a, b| (a.target, &a.entry, &a.id).cmp(&(b.target, &b.entry, &b.id)));
    let bound = solved.bound * model.scale * (1.0 + 2e-9);
    plan.bound = match (mode, plan.solver) {
        (Mode::ProtectMostValuable, Solver::Exact) => Some(plan.value_kept),
        (Mode::ProtectMostValuable, Solver::Heuristic) => {
            Some(bound.clamp(plan.value_kept, plan.value_total))
        }
        (Mode::ShareThePain, _) => None,
    };
    Ok(plan)
}
