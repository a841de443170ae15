//! The ladder in the daemon: attacks are met by kernel filter, FlowSpec, diversion and blackhole, within mode, policy and approvals.
//!
//! It lives at the desk and gives its orders there as anybody else does: rails, book and journal stay the only way out. What
//! it knows of traffic comes from the decision core, once a second; while nothing comes, nothing is renewed and leases end.

mod act;
pub(super) mod case;
mod memory;
mod roll;
mod situation;
mod tell;
mod terms;
#[cfg(test)]
mod tests;
mod together;
mod trial;

use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;
use engine::report::{Attack, State};
use steer::book::{Actor, Mitigation, Stage, What};
use steer::effect::{Judgement, Verdict};
use steer::ladder::{Choice, Climb, InForce, Look, Machine, Mode, Order, Policy, Situation, Step, choose};

use super::clerk::Clerk;
use super::lookout::{Lookout, Sight, WATCHED_MAX, Watched};
use super::speaker::PeerStatus;
use case::{Barred, Case};
use memory::Remembered;
use roll::Roll;
pub(super) use situation::destination;
pub(crate) use terms::Terms;
use together::{Council, Sites};
pub(crate) use trial::trial;

/// Targets that are followed at once, under attack or not forgotten yet; further ones are left out and counted.
const CASES_MAX: usize = 256;

/// All targets on the ladder.
#[derive(Debug, Default)]
pub(super) struct Auto {
    cases: Vec<Case>,
    /// What the book had at the start is taken up.
    is_adopted: bool,
    /// As it was written down last.
    barred: Vec<Barred>,
    /// What was reverted because nobody confirmed it, since the last look.
    reverted: Vec<What>,
    /// Attacks for which there was no room.
    left_out: u64,
    /// Plans for all of them.
    council: Council,
    /// Neighbours that were there lately.
    roll: Roll,
    /// Shared with those who look.
    pub(super) lookout: Lookout,
}

impl Auto {
    /// Takes in what the core knows, and does what follows from it.
    pub(super) fn look(&mut self, clerk: &mut Clerk, sight: &Sight) {
        self.hear(sight);
        let status = clerk.status();
        if !std::mem::replace(&mut self.is_adopted, true) {
            self.adopt(clerk, sight);
        }
        for what in std::mem::take(&mut self.reverted) {
            let key = act::key(&what);
            for case in &mut self.cases {
                let _ = fall(case, sight, &key);
            }
        }
        self.cases.iter_mut().for_each(|case| case.measure(sight));
        let sites = self.plan(clerk, sight, &status);
        let mut moved = false;
        // Who leaves an absorber goes before who comes.
        let mut order: Vec<usize> = (0..self.cases.len()).collect();
        let comes = |at: &usize| {
            let lot = self.cases.get(*at).and_then(|case| case.lot.as_ref());
            lot.is_some_and(|lot| lot.absorber.is_some())
        };
        order.sort_by_key(comes);
        for at in order {
            let others: Vec<(Prefix, Option<Step>)> = self
                .cases
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, case)| (case.target, case.climb.at()))
                .collect();
            if let Some(case) = self.cases.get_mut(at) {
                moved |= decide(clerk, (sight, &status), (case, &sites), &others);
            }
        }
        self.cases.retain(|case| {
            case.attacked || !case.climb.is_forgotten() || pieces(clerk, case).next().is_some()
        });
        let barred: Vec<Barred> = self.cases.iter().map(|case| case.barred.clone()).collect();
        if moved || barred != self.barred {
            self.barred = barred;
            let of = |case: &Case| Remembered {
                target: case.target,
                climb: case.climb.clone(),
                barred: case.barred.clone(),
            };
            let all: Vec<Remembered> = self.cases.iter().map(of).collect();
            memory::write(clerk.folder(), &all);
        }
        let watched = self.cases.iter().filter(|case| case.attack.is_some() && is_followed(case));
        let watched: Vec<Watched> = watched.filter_map(Case::watched).collect();
        // What is diverted is counted, unless it is exactly what is looked for already.
        let diverted = clerk.watched_prefixes();
        let diverted: Vec<Watched> =
            diverted.filter(|one| !watched.iter().any(|known| known.targets.contains(&one.name))).collect();
        self.lookout.watch(watched.into_iter().chain(diverted).take(WATCHED_MAX).collect());
        self.lookout.show(self.documents(clerk));
    }

    /// Attacks find their cases; one that comes back finds that of the one before.
    fn hear(&mut self, sight: &Sight) {
        self.cases.iter_mut().for_each(|case| case.attacked = false);
        let is_of =
            |case: &Case, attack: &Attack| case.attack.as_ref().is_some_and(|known| known.id == attack.id);
        for attack in &sight.attacks {
            if let Some(case) = self.cases.iter_mut().find(|case| is_of(case, attack)) {
                case.hear(attack);
                continue;
            }
            if attack.state != State::Active || !case::is_incoming(attack) {
                continue;
            }
            // One that is over is told of for a while yet; its case is that of the next one.
            let goes_on = |other: &&Attack| other.state == State::Active;
            let taken = |case: &Case| sight.attacks.iter().filter(goes_on).any(|other| is_of(case, other));
            let free = |case: &&mut Case| case.concerns(&attack.target) && !taken(case);
            if let Some(case) = self.cases.iter_mut().find(free) {
                case.hear(attack);
            } else if self.cases.len() < CASES_MAX {
                let climb = Climb::new(sight.terms.hold());
                let mut case = Case::new(&sight.terms, attack.target, climb);
                case.hear(attack);
                self.cases.push(case);
            } else {
                self.left_out += 1;
                if self.left_out.is_power_of_two() {
                    tracing::error!(
                        left_out = self.left_out,
                        "more than {CASES_MAX} targets at once: no step is taken for the others"
                    );
                }
            }
        }
    }

    /// Takes up what the journal says that the engine put in force before a restart.
    fn adopt(&mut self, clerk: &Clerk, sight: &Sight) {
        for Remembered { target, mut climb, barred } in
            memory::read(clerk.folder()).into_iter().take(CASES_MAX)
        {
            climb.wake(sight.now);
            let known = self.cases.iter_mut().find(|case| case.concerns(&target));
            if let Some(case) = known {
                case.climb = climb;
                if case.barred.attack == barred.attack {
                    case.barred = barred;
                }
            } else {
                let mut case = Case::new(&sight.terms, target, climb);
                case.barred = barred;
                self.cases.push(case);
            }
        }
        for one in clerk.book.all().filter(|one| one.wish.actor == Actor::Engine) {
            let Some(target) = destination(&one.wish.what) else { continue };
            let step = situation::step(one.wish.what.class());
            let known = self.cases.iter().position(|case| case.concerns(&target));
            let at = known.unwrap_or_else(|| {
                self.cases.push(Case::new(&sight.terms, target, Climb::new(sight.terms.hold())));
                self.cases.len().saturating_sub(1)
            });
            let Some(case) = self.cases.get_mut(at) else { continue };
            case.placed.insert(act::key(&one.wish.what), step);
            if one.stage == Stage::Active && case.climb.at() < Some(step) {
                case.climb = Climb::resumed(sight.now, step, sight.terms.hold());
            }
        }
        // The journal says what is in force; what it does not have is not, and what it has as a proposal is not yet.
        for case in &mut self.cases {
            let active = pieces(clerk, case).filter(|one| !matches!(one.stage, Stage::Proposed(_)));
            let there: Vec<Step> = active.map(|one| step_of(case, one)).collect();
            if case.climb.at().is_some_and(|step| step != Step::Kernel && !there.contains(&step)) {
                let hold = sight.terms.hold();
                let highest = there.into_iter().max();
                case.climb =
                    highest.map_or_else(|| Climb::new(hold), |step| Climb::resumed(sight.now, step, hold));
            }
        }
    }

    /// Whether an attack on a target was seen not to come through what is in force.
    pub(super) fn is_stopped(&self, target: &Prefix) -> bool {
        let effective = |case: &Case| case.judged.values().any(|judged| judged.verdict == Verdict::Effective);
        self.cases.iter().any(|case| case.concerns(target) && effective(case))
    }

    /// It made the service worse, and is being withdrawn: it is not tried again for this attack, and nothing stronger by itself.
    pub(super) fn harmed(&mut self, sight: &Sight, what: &What, why: &str) {
        let key = act::key(what);
        for case in &mut self.cases {
            if let Some(step) = fall(case, sight, &key) {
                case.barred.steps.insert(step, why.to_owned());
                case.barred.careful = true;
            }
        }
    }

    /// Nobody confirmed it, and it is being withdrawn: that is no word against it, a person may be asked.
    pub(super) fn revert(&mut self, what: What) {
        if self.reverted.len() < CASES_MAX {
            self.reverted.push(what);
        }
    }

    /// The dead-man switch ended it: when the core is back, it may be announced again.
    pub(super) fn let_go(&mut self, what: &What) {
        let key = act::key(what);
        for case in &mut self.cases {
            case.placed.remove(&key);
        }
    }

    fn documents(&self, clerk: &Clerk) -> BTreeMap<String, serde_json::Value> {
        let of = |case: &Case| Some((case.attack.as_ref()?.id.clone(), tell::document(clerk, case)));
        self.cases.iter().filter_map(of).collect()
    }
}

/// Something of a case is in force no more: it stands where what is left stands. The step that it was of.
fn fall(case: &mut Case, sight: &Sight, key: &(&'static str, String)) -> Option<Step> {
    let step = case.placed.remove(key)?;
    let left = case.placed.values().copied().filter(|held| case.follows(*held)).max();
    if left < case.climb.at() {
        let hold = sight.terms.hold();
        case.climb = left.map_or_else(|| Climb::new(hold), |at| Climb::resumed(sight.now, at, hold));
        case.keep(sight.now, |held| Some(held) <= left);
    }
    Some(step)
}

/// Whether somebody may be told by what is seen of it.
fn is_followed(case: &Case) -> bool {
    case.attacked || case.climb.at().is_some()
}

/// What the engine has in the book for a case.
fn pieces<'a>(clerk: &'a Clerk, case: &'a Case) -> impl Iterator<Item = &'a Mitigation> {
    clerk
        .book
        .all()
        .filter(|one| one.wish.actor == Actor::Engine)
        .filter(|one| case.placed.contains_key(&act::key(&one.wish.what)))
}

/// At which step it is; a part that is let through belongs to the step that it is a part of.
fn step_of(case: &Case, one: &Mitigation) -> Step {
    let placed = case.placed.get(&act::key(&one.wish.what));
    placed.copied().unwrap_or_else(|| situation::step(one.wish.what.class()))
}

/// One case: what is seen of it, what is chosen, and what is done; whether it moved on the ladder.
fn decide(
    clerk: &mut Clerk,
    (sight, status): (&Sight, &BTreeMap<String, PeerStatus>),
    (case, sites): (&mut Case, &Sites),
    others: &[(Prefix, Option<Step>)],
) -> bool {
    let now = sight.now;
    case.see(sight);
    act::note_ended(clerk, sight, case);
    let closed = case.attack.as_ref().is_some_and(|attack| {
        let view = sight.terms.view();
        view.closed().any(|id| id == attack.id)
    });
    let ends = match (closed, sight.terms.observes(&case.target)) {
        (true, _) => Some("a person closed the attack"),
        (false, true) => Some("mode is observe"),
        (false, false) => None,
    };
    if let Some(why) = ends {
        case.attacked &= !closed;
        act::stop(clerk, case, why, others);
        case.keep(now, |_| false);
        case.climb = Climb::new(sight.terms.hold());
    }
    let in_force = in_force(clerk, sight, case);
    let policy = policy(clerk, sight, case);
    case.modes = policy.steps;
    let choice = chosen(clerk, (sight, status), (case, sites), &in_force, &policy);
    let wanted = choice.plan.as_ref().map(|plan| plan.step);
    for plan in choice.plan.iter().chain(&choice.beside) {
        case.plans.insert(plan.step, plan.clone());
    }
    let agreed = wanted.is_some_and(|step| in_force.iter().any(|held| held.step == step));
    let look = Look {
        choice: &choice,
        agreed,
        attacked: case.attacked,
        seen: case.is_seen(sight),
        sized: case.is_sized,
    };
    let order = case.climb.handle(now, &look);
    case.choice = Some(choice);
    match order {
        None => {}
        Some(Order::Take(step)) => {
            case.is_probing = false;
            act::announce(clerk, sight, case, step, others);
        }
        Some(Order::Probe(step)) => {
            case.is_probing = true;
            act::ahead(clerk, sight, case);
            act::probe(clerk, sight, case, step, others);
        }
        Some(Order::Lower(to)) => {
            case.is_probing = false;
            act::ahead(clerk, sight, case);
            act::lower(clerk, case, to, others);
            case.keep(now, |step| Some(step) <= to);
        }
    }
    act::keep_up(clerk, sight, case, others);
    order.is_some()
}

/// The steps that are in force, with what they do. What a person agreed to meanwhile is among them.
fn in_force(clerk: &Clerk, sight: &Sight, case: &mut Case) -> Vec<InForce> {
    let mut held = Vec::new();
    let mut judged = BTreeMap::new();
    let rules = case.attack.iter().flat_map(|attack| &attack.rules);
    if rules.into_iter().any(|rule| sight.kernel.contains(&rule.id)) {
        held.push(InForce::new(Step::Kernel, Verdict::Effective));
    }
    for step in [Step::Flowspec, Step::Diversion, Step::Blackhole] {
        let acts = |one: &Mitigation| one.stage == Stage::Active && clerk.held_back(one.id).is_none();
        let active: BTreeSet<String> = pieces(clerk, case)
            .filter(|one| acts(one) && step_of(case, one) == step)
            .map(|one| act::key(&one.wish.what).1)
            .collect();
        if active.is_empty() {
            continue;
        }
        if step == Step::Flowspec {
            case.stands(sight.now, &sight.terms, active);
        } else if !case.follows(step) {
            case.took(sight.now, &sight.terms, step);
        }
        let mut judgement: Judgement = case.judge(sight.now, &sight.terms, step);
        if step == Step::Diversion && !is_sure(&judgement) {
            // Behind a blackhole nothing arrives.
            let holes = pieces(clerk, case).any(|one| acts(one) && step_of(case, one) == Step::Blackhole);
            let arrives = diverted(clerk, case).filter_map(|prefix| clerk.arrives(sight.now, &prefix));
            // Of several, the one that is worst.
            let worst = arrives.filter(is_sure).max_by_key(|one| one.verdict as u8);
            judgement = worst.filter(|_| !holes).unwrap_or(judgement);
        }
        let rules = if step == Step::Flowspec { case.judged_by() } else { Vec::new() };
        held.push(InForce { step, verdict: judgement.verdict, rules });
        judged.insert(step, judgement);
    }
    case.judged = judged;
    held
}

/// Whether it says what a measure does.
const fn is_sure(judgement: &Judgement) -> bool {
    !matches!(judgement.verdict, Verdict::Pending | Verdict::NotMeasurable)
}

/// Prefixes that are diverted for a case.
fn diverted<'a>(clerk: &'a Clerk, case: &'a Case) -> impl Iterator<Item = Prefix> {
    pieces(clerk, case).filter_map(|one| match one.wish.what {
        What::Diversion(prefix) => Some(prefix),
        _ => None,
    })
}

/// What may be done for it: the customer's policy, less what persons have to agree to or have ended.
fn policy(clerk: &Clerk, sight: &Sight, case: &Case) -> Policy {
    let mut policy = sight.terms.policy(&case.target);
    for (step, mode) in Step::ALL.into_iter().zip(&mut policy.steps) {
        let needs_person =
            step.class().is_some_and(|class| clerk.book.needed(class) > 0 || clerk.trials.is_doubted(class));
        if needs_person || case.barred.careful {
            *mode = mode.map(|mode| mode.min(Mode::Suggest));
        }
        if case.barred.steps.contains_key(&step) {
            *mode = None;
        }
    }
    policy
}

fn chosen(
    clerk: &Clerk,
    (sight, status): (&Sight, &BTreeMap<String, PeerStatus>),
    (case, sites): (&Case, &Sites),
    in_force: &[InForce],
    policy: &Policy,
) -> Choice {
    let Some(attack) = &case.attack else {
        return Choice {
            plan: None,
            mode: Mode::Observe,
            suffices: false,
            person: false,
            reason: "it was in force before a restart, and no attack is known that it is for".to_owned(),
            beside: None,
            rejected: Vec::new(),
            at: sight.now,
        };
    };
    let terms = &sight.terms;
    let mine = |one: &Mitigation| {
        one.wish.actor == Actor::Engine && case.placed.contains_key(&act::key(&one.wish.what))
    };
    let routing = clerk.routing();
    let volume = case.volume(sight.now);
    let (routed, left_out) = situation::for_routers(attack, &terms.view());
    let mut choice = choose(
        sight.now,
        &Situation {
            attack: &situation::attack(attack, volume, case.honest),
            links: &situation::links(terms, attack, volume, &sight.exporters),
            machine: terms.filters.then(Machine::default),
            candidates: &situation::candidates(attack),
            routed: &routed,
            neighbors: &situation::neighbors(routing, terms, status, &clerk.book, mine),
            absorbers: &situation::absorbers(&sites.all),
            in_force,
            policy,
            rails: clerk.book.rails(),
            drills: clerk.drilled(),
            lot: case.lot.as_ref(),
        },
    );
    let no_room: Vec<&str> = sites.left_out(case).collect();
    for rejected in
        choice.rejected.iter_mut().filter(|one| one.step == Step::Diversion && !no_room.is_empty())
    {
        rejected.reason = format!("{} ({})", rejected.reason, no_room.join("; "));
    }
    for rejected in
        choice.rejected.iter_mut().filter(|one| one.step == Step::Flowspec && !left_out.is_empty())
    {
        rejected.reason = format!("{} ({})", rejected.reason, left_out.join("; "));
    }
    for rejected in &mut choice.rejected {
        if let Some(why) = case.barred.steps.get(&rejected.step) {
            rejected.reason.clone_from(why);
        }
        if let Some(why) = terms.taken_back(&case.target, rejected.step) {
            rejected.reason = why;
        }
    }
    choice
}
