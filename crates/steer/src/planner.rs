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
mod finish;
mod fit;
mod greedy;
mod improve;
mod model;
mod neighbourhood;
pub mod playbook;
mod pooled;
mod regret;
mod repair;
mod room;
mod say;
mod size;
mod solve;
mod standing;
mod switch;
mod variants;
mod why;
mod work;

use base::Prefix;
use serde::{Deserialize, Serialize};

pub use document::{Absorber, Attack, Document, Entry, Filter, Refusal, Target};
use draft::Draft;
use model::Model;
pub use size::Sizes;
use solve::Solved;
pub use switch::{Planner, Settings, Switch};
use why::Story;
use work::Work;

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
const QUICK: usize = 2_500_000;
/// For an answer within about a second.
const NORMAL: usize = 28 * QUICK;
/// Up to so many targets, the exact answer is to be there within a second, too.
const FEW: usize = 30;

/// The part of the work for the last walk.
const FINISHING: usize = 8;
/// The part of the work for as many targets as possible, where these come first and what they are worth is looked for as well.
const COUNTING: usize = 3;
/// Sums in another order differ by less than this share.
const ROUNDING: f64 = 1e-12;
/// What costs and sums in another order may take from the bound.
const BOUND_ROUNDING: f64 = 1.0 + 2e-9;

impl Effort {
    const fn looks(self, targets: usize) -> usize {
        match self {
            Self::Quick => QUICK,
            Self::Normal => NORMAL,
            Self::Exact if targets <= FEW => NORMAL,
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

/// Where the number of targets comes first, a search hardly sees what they are worth: while they are few, one for value alone may
/// come to as many, and more of it.
fn shared(document: &Document, model: &Model, looks: usize) -> Solved {
    if document.targets.len() > FEW {
        return solve::solve(model, looks);
    }
    let mut solved = solve::solve(model, looks / COUNTING);
    if solved.exact {
        return solved;
    }
    let valuable = Model::new(document, Mode::ProtectMostValuable);
    let other = solve::solve(&valuable, looks);
    let mut draft = Draft::new(model);
    for (goal, ways) in other.draft.kept.into_iter().enumerate() {
        // Ways are numbered alike in both.
        if let Some(ways) = ways {
            draft.keep(model, goal, ways);
        }
    }
    if draft.profit > solved.draft.profit {
        solved.draft = draft;
    }
    solved
}

/// Plans; the same document gives the same plan, in whatever order it is written.
pub fn plan(document: &Document, mode: Mode, effort: Effort) -> Result<Plan, Refusal> {
    document.check()?;
    let document = model::sorted(document);
    let model = Model::new(&document, mode);
    let looks = effort.looks(document.targets.len());
    let mut solved = match mode {
        Mode::ProtectMostValuable => solve::solve(&model, looks),
        Mode::ShareThePain => shared(&document, &model, looks),
    };
    // Who thinks longer takes other turns: it is never worse for that.
    if effort == Effort::Exact && looks > NORMAL && !solved.exact {
        let normal = solve::solve(&model, NORMAL);
        if normal.draft.profit > solved.draft.profit {
            solved.draft = normal.draft;
        }
        solved.bound = solved.bound.min(normal.bound);
    }
    let mut draft = solved.draft.settled(&model);
    let whole = draft.profit >= solved.draft.profit * (1.0 - ROUNDING);
    let rivals = finish::finish(&model, &mut draft, &mut Work::new(looks / FINISHING));
    let exact = solved.exact && whole;
    let mut plan = say::said(&document, &model, &draft);
    let story = Story { document: &document, model: &model, draft: &draft };
    for ((place, target), rival) in document.targets.iter().enumerate().zip(rivals) {
        if !draft.keeps(place) {
            plan.sacrificed.push(Sacrifice { target: target.prefix, why: story.why(place, rival) });
        }
    }
    let bound = (solved.bound * model.scale * BOUND_ROUNDING).clamp(plan.value_kept, plan.value_total);
    plan.solver = if exact { Solver::Exact } else { Solver::Heuristic };
    plan.bound = match (mode, exact) {
        (Mode::ProtectMostValuable, true) => Some(plan.value_kept),
        (Mode::ProtectMostValuable, false) => Some(bound),
        // The bound is on the number of targets there.
        (Mode::ShareThePain, _) => None,
    };
    Ok(plan)
}
