//! What is done for a case: orders to the desk, each with its reason.

use base::units::BitRate;
use base::{Prefix, Span};
use steer::book::{Actor, Mitigation, Stage, What};
use steer::ladder::{Mode, Plan, Step};
use steer::rails::Class;

use super::case::Case;
use super::{pieces, situation, step_of};
use crate::policy::spare::is_piece;
use crate::routing::clerk::Clerk;
use crate::routing::lookout::Sight;
use crate::routing::order::{Caller, Order, Request};

/// What was refused is tried again after so long.
const AGAIN: Span = Span::from_secs(30);
/// Of a blackhole's traffic so much is let through to see whether the attack goes on, in bits per second on layer 3.
const PART: BitRate = BitRate(10e6);
/// What is refused for want of room at an absorber; it is tried again at each look.
const ROOM: &str = "room";
/// How ids of rules that let a part through begin.
const PART_ID: &str = "part-";

/// What makes it the same announcement.
pub(super) fn key(what: &What) -> (&'static str, String) {
    let text = match what {
        What::Blackhole(prefix) | What::Diversion(prefix) => prefix.to_string(),
        // Leases are renewed; what it matches and does is what it is.
        What::Flowspec(rule) => rule.id.clone(),
    };
    (what.class().as_str(), text)
}

/// What was placed and is not in the book any more was ended by somebody else: that is respected for this attack, or for as long as
/// the exception holds that a person made by ending it.
pub(super) fn note_ended(clerk: &Clerk, sight: &Sight, case: &mut Case) {
    let ended: Vec<((&'static str, String), Step)> = case
        .placed
        .iter()
        .filter(|(placed, _)| !clerk.book.all().any(|one| key(&one.wish.what) == **placed))
        .map(|(placed, step)| (placed.clone(), *step))
        .collect();
    for (placed, step) in ended {
        let why = format!("{} {} was ended or rejected by somebody else", placed.0, placed.1);
        case.placed.remove(&placed);
        if sight.terms.taken_back(&case.target, step).is_none() {
            case.barred.steps.insert(step, why);
        }
    }
}

/// Announces what a step consists of, as far as it is not in the book; a part that was let through is not any more.
pub(super) fn announce(
    clerk: &mut Clerk,
    sight: &Sight,
    case: &mut Case,
    step: Step,
    others: &[(Prefix, Option<Step>)],
) {
    place(clerk, sight, case, step);
    let is_part =
        |one: &Mitigation| matches!(&one.wish.what, What::Flowspec(rule) if rule.id.starts_with(PART_ID));
    end(clerk, case, "the attack goes on", others, is_part);
}

/// Before something goes, what stands instead of it is there: an absorber has the prefix before a blackhole ends.
pub(super) fn ahead(clerk: &mut Clerk, sight: &Sight, case: &mut Case) {
    let wanted = case.choice.as_ref().and_then(|choice| choice.plan.as_ref()).map(|plan| plan.step);
    if case.attacked && wanted == Some(Step::Diversion) && case.mode(Step::Diversion) == Some(Mode::Enforce) {
        place(clerk, sight, case, Step::Diversion);
    }
}

/// Lets a part through: routers that filter by rules let a rate through while the rest is withdrawn.
pub(super) fn probe(
    clerk: &mut Clerk,
    sight: &Sight,
    case: &mut Case,
    step: Step,
    others: &[(Prefix, Option<Step>)],
) {
    let why = "it was quiet for long enough: a part is let through to see whether the attack goes on";
    let ended = withdraw(clerk, case, why, others, |held| held == step);
    for what in ended {
        let Some(prefix) = situation::destination(&what).filter(|_| step == Step::Blackhole) else {
            continue;
        };
        let id = format!("{PART_ID}{}", prefix.addr()).replace([':', '.'], "-");
        let rule = steer::hold::part(&id, prefix, PART, sight.terms.lease);
        let request = Request {
            class: Class::Flowspec.as_str().to_owned(),
            what: rule.to_string(),
            peers: Vec::new(),
            hold: Some(sight.terms.lease.secs()),
            reason: reason(case, why),
            dry_run: false,
        };
        // Where no router takes rules, the whole of it is let through.
        if clerk.take(&Caller::Engine, Order::Announce(request)).is_ok() {
            case.placed.insert(key(&What::Flowspec(Box::new(rule))), step);
        }
    }
}

/// Ends all above a step.
pub(super) fn lower(clerk: &mut Clerk, case: &mut Case, to: Option<Step>, others: &[(Prefix, Option<Step>)]) {
    let why = match to {
        Some(step) => format!("the {} suffices for long enough", step.as_str()),
        None => "the attack was quiet for long enough".to_owned(),
    };
    withdraw(clerk, case, &why, others, |step| Some(step) > to);
}

/// Ends all of it, what waits too.
pub(super) fn stop(clerk: &mut Clerk, case: &mut Case, why: &str, others: &[(Prefix, Option<Step>)]) {
    end(clerk, case, why, others, |_| true);
}

/// Leases are renewed, rules follow the engine's, proposals stand while they are wanted.
pub(super) fn keep_up(clerk: &mut Clerk, sight: &Sight, case: &mut Case, others: &[(Prefix, Option<Step>)]) {
    let at = case.climb.at();
    if !case.attacked {
        proposals_over(clerk, case);
    } else if !case.is_probing {
        let wanted = case.choice.as_ref().and_then(|choice| choice.plan.as_ref()).map(|plan| plan.step);
        match (wanted, at) {
            (Some(step), at) if Some(step) > at && case.asks(step) => place(clerk, sight, case, step),
            (_, Some(step)) => place(clerk, sight, case, step),
            _ => {}
        }
        let beside = case.choice.as_ref().and_then(|choice| choice.beside.as_ref()).map(|plan| plan.step);
        if let Some(step) = beside.filter(|step| Some(*step) < case.climb.at()) {
            place(clerk, sight, case, step);
        }
        given_up(clerk, case, others);
        replaced(clerk, case, others);
    }
    harmful(clerk, case, others);
    renew(clerk, sight, case, at);
    let why = "nothing asks for it any more";
    // What a person agreed to ends with its lease.
    let alone: Vec<u64> = pieces(clerk, case)
        .filter(|one| one.is_automatic() && one.stage == Stage::Active && Some(step_of(case, one)) > at)
        .map(|one| one.id)
        .collect();
    end(clerk, case, why, others, |one| alone.contains(&one.id));
}

/// Who is given up has no use for an absorber: others need it.
fn given_up(clerk: &mut Clerk, case: &mut Case, others: &[(Prefix, Option<Step>)]) {
    let Some(why) = case.lot.as_ref().filter(|lot| lot.sacrificed).map(|lot| lot.why.clone()) else { return };
    let holds = |one: &Mitigation| matches!(one.wish.what, What::Blackhole(_)) && one.stage == Stage::Active;
    if pieces(clerk, case).any(holds) {
        end(clerk, case, &why, others, |one| matches!(one.wish.what, What::Diversion(_)));
    }
}

fn proposals_over(clerk: &mut Clerk, case: &mut Case) {
    let waiting: Vec<(u64, What)> = pieces(clerk, case)
        .filter(|one| matches!(one.stage, Stage::Proposed(_)))
        .map(|one| (one.id, one.wish.what.clone()))
        .collect();
    for (id, what) in waiting {
        let order = Order::Withdraw { id, reason: reason(case, "the attack is over") };
        if clerk.take(&Caller::Engine, order).is_ok() {
            case.placed.remove(&key(&what));
        }
    }
}

/// Puts what a step consists of into the book, where it is not there: as a proposal, or to be done.
fn place(clerk: &mut Clerk, sight: &Sight, case: &mut Case, step: Step) {
    let (Some(class), Some(plan)) = (step.class(), case.plans.get(&step).cloned()) else { return };
    if case.mode(step).is_none() {
        return;
    }
    let ask = case.asks(step);
    let why = case.choice.as_ref().map(|choice| choice.reason.clone()).unwrap_or_default();
    let why = if ask { format!("{}; {why}", plan.preview(steer::ladder::Volume::default())) } else { why };
    let absorber = case.lot.as_ref().and_then(|lot| Some((lot.absorber.clone()?.0, lot.why.clone())));
    let absorber = absorber.filter(|_| step == Step::Diversion);
    for (placed, what) in wanted(sight, case, class, &plan) {
        if !ask {
            no_proposal(clerk, case, class, &placed);
        }
        if let (Some((name, why)), Ok(prefix)) = (&absorber, what.parse::<Prefix>()) {
            let room = (ROOM, prefix.to_string());
            let is_there = case.placed.contains_key(&placed) && clerk.absorber_of(&prefix) == Some(name);
            if let Err(cause) = clerk.has_room(&prefix, name)
                && !is_there
            {
                case.refused.insert(room, (sight.now, cause));
                continue;
            }
            case.refused.remove(&room);
            clerk.lead(prefix, name, why);
        }
        if case.placed.contains_key(&placed) {
            continue;
        }
        // From before a restart, or for a neighbour of this target.
        if clerk.book.all().any(|one| one.wish.actor == Actor::Engine && key(&one.wish.what) == placed) {
            case.placed.insert(placed, step);
            continue;
        }
        if case.refused.get(&placed).is_some_and(|(at, _)| sight.now.since(*at) < AGAIN) {
            continue;
        }
        let status = clerk.status();
        let all = situation::neighbors(clerk.routing(), &sight.terms, &status, &clerk.book, |one| {
            one.is_automatic()
        });
        let away = situation::away(&plan, class, &all);
        let request = Request {
            class: class.as_str().to_owned(),
            what,
            peers: plan.neighbors.iter().cloned().chain(away).collect(),
            hold: Some(sight.terms.lease.secs()),
            reason: reason(case, &why),
            dry_run: false,
        };
        let done = if ask {
            clerk.suggest(&request)
        } else {
            clerk.take(&Caller::Engine, Order::Announce(request)).map(|_| ())
        };
        match done {
            Ok(()) => {
                case.refused.remove(&placed);
                case.placed.insert(placed, step);
            }
            Err(cause) => {
                case.refused.insert(placed, (sight.now, cause));
            }
        }
    }
}

/// What a person was asked for before, and may be done by itself now, is no proposal any more.
fn no_proposal(clerk: &mut Clerk, case: &mut Case, class: Class, placed: &(&'static str, String)) {
    if clerk.book.needed(class) > 0 {
        return;
    }
    let asked = clerk.book.all().find(|one| {
        let is_it = one.wish.actor == Actor::Engine && key(&one.wish.what) == *placed;
        is_it && matches!(one.stage, Stage::Proposed(_))
    });
    let Some(id) = asked.map(|one| one.id) else { return };
    let why = reason(case, "nobody has to agree any more");
    if clerk.take(&Caller::Engine, Order::Withdraw { id, reason: why }).is_ok() {
        case.placed.remove(placed);
    }
}

/// What a plan announces: key and text.
fn wanted(sight: &Sight, case: &Case, class: Class, plan: &Plan) -> Vec<((&'static str, String), String)> {
    match class {
        Class::Flowspec => {
            let view = sight.terms.view();
            let rules = case.attack.iter().flat_map(|attack| situation::for_routers(attack, &view).0);
            let taken = rules.map(|candidate| candidate.rule).filter(|rule| plan.rules.contains(&rule.id));
            taken.map(|rule| ((class.as_str(), rule.id.clone()), rule.to_string())).collect()
        }
        Class::Diversion | Class::Blackhole => {
            let of = |prefix: &Prefix| ((class.as_str(), prefix.to_string()), prefix.to_string());
            plan.prefixes.iter().map(of).collect()
        }
    }
}

/// Rules that the engine derives no more go, once those instead of them stand.
fn replaced(clerk: &mut Clerk, case: &mut Case, others: &[(Prefix, Option<Step>)]) {
    let Some(plan) = case.choice.as_ref().and_then(|choice| choice.plan.clone()) else { return };
    if plan.step != Step::Flowspec || plan.rules.is_empty() {
        return;
    }
    let stands = |id: &String| {
        let is_it = |one: &Mitigation| matches!(&one.wish.what, What::Flowspec(rule) if rule.id == *id);
        pieces(clerk, case).any(|one| one.stage == Stage::Active && is_it(one))
    };
    if !plan.rules.iter().all(stands) {
        return;
    }
    let old: Vec<(&'static str, String)> = case
        .placed
        .iter()
        .filter(|((_, id), step)| **step == Step::Flowspec && !plan.rules.contains(id))
        .map(|(placed, _)| placed.clone())
        .collect();
    let is_old = |one: &Mitigation| old.contains(&key(&one.wish.what));
    end(clerk, case, "the engine derives other rules now", others, is_old);
}

/// A rule that was seen to hit more honest traffic than predicted goes at once, whether or not there is another one.
fn harmful(clerk: &mut Clerk, case: &mut Case, others: &[(Prefix, Option<Step>)]) {
    let withdrawn = case.attack.as_ref().map(|attack| attack.withdrawn.clone()).unwrap_or_default();
    for rule in withdrawn {
        let is_it =
            |one: &Mitigation| matches!(&one.wish.what, What::Flowspec(held) if is_piece(&held.id, &rule.id));
        end(clerk, case, &rule.reason, others, is_it);
    }
}

fn renew(clerk: &mut Clerk, sight: &Sight, case: &Case, at: Option<Step>) {
    let now = clerk.now();
    let half = Span::from_nanos(sight.terms.lease.nanos() / 2);
    let due: Vec<u64> = pieces(clerk, case)
        .filter(|one| {
            one.stage == Stage::Active && Some(step_of(case, one)) <= at && one.until.since(now) <= half
        })
        .map(|one| one.id)
        .collect();
    for id in due {
        let order = Order::Renew {
            id,
            hold: Some(sight.terms.lease.secs()),
            reason: reason(case, &case.climb.explain()),
        };
        // Beyond a day it ends without a person, and what the journal does not take is tried again.
        let _ = clerk.take(&Caller::Engine, order);
    }
}

/// Ends what is in force at these steps: what it was.
fn withdraw(
    clerk: &mut Clerk,
    case: &mut Case,
    why: &str,
    others: &[(Prefix, Option<Step>)],
    ends: impl Fn(Step) -> bool,
) -> Vec<What> {
    let is_active =
        |case: &Case, one: &Mitigation| !matches!(one.stage, Stage::Proposed(_)) && ends(step_of(case, one));
    let held: Vec<u64> = pieces(clerk, case).filter(|one| is_active(case, one)).map(|one| one.id).collect();
    let is_active = |one: &Mitigation| held.contains(&one.id);
    end(clerk, case, why, others, is_active)
}

fn end(
    clerk: &mut Clerk,
    case: &mut Case,
    why: &str,
    others: &[(Prefix, Option<Step>)],
    ends: impl Fn(&Mitigation) -> bool,
) -> Vec<What> {
    let all: Vec<(u64, What)> =
        pieces(clerk, case).filter(|one| ends(one)).map(|one| (one.id, one.wish.what.clone())).collect();
    let mut ended = Vec::new();
    for (id, what) in all {
        case.placed.remove(&key(&what));
        let step = situation::step(what.class());
        let is_shared = |(target, at): &(Prefix, Option<Step>)| {
            *at >= Some(step) && situation::destination(&what).is_some_and(|prefix| prefix.covers(target))
        };
        if others.iter().any(is_shared) {
            continue;
        }
        // What the journal does not have of it, it says by itself; the routers are told all the same.
        let _ = clerk.take(&Caller::Engine, Order::Withdraw { id, reason: reason(case, why) });
        ended.push(what);
    }
    ended
}

/// Why, with the attack that it is for, as long as the journal takes it.
fn reason(case: &Case, why: &str) -> String {
    let attack = case.attack.as_ref().map_or_else(|| case.target.to_string(), |attack| attack.id.clone());
    let mut text = format!("attack {attack}: {why}");
    let end = (0..=900).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text
}
