//! What each step could do in a situation, or why it could do nothing.

use base::prefix::{aggregate, cover};
use base::units::BitRate;
use base::{Prefix, Timestamp};
use rules::compile::flowspec;
use rules::{Action, Rule};

use super::{Candidate, Link, Neighbor, Plan, Situation, Step};
use crate::drill::Standing;
use crate::rails::Class;

/// Targets beyond which a carpet of hosts is announced as what covers them, where that may be.
const HOSTS_MAX: usize = 8;

/// A step as it could be taken, and why it would not suffice, if it would not.
pub(super) struct Reach {
    pub(super) plan: Plan,
    pub(super) lacks: Option<String>,
    /// Share of the attack that it takes off where it hurts.
    pub(super) helps: f64,
}

/// What a step could do.
///
/// # Errors
/// Why it cannot be taken at all.
pub(super) fn reach(now: Timestamp, situation: &Situation<'_>, step: Step) -> Result<Reach, String> {
    match step {
        Step::Kernel => kernel(situation),
        Step::Flowspec => by_rules(now, situation),
        Step::Diversion => diversion(now, situation),
        Step::Blackhole => blackhole(now, situation),
    }
}

/// Whether IPv4, for each family among them.
fn families(prefixes: &[Prefix]) -> impl Iterator<Item = bool> + use<> {
    let of = |ipv4: bool| prefixes.iter().any(|p| p.is_ipv4() == ipv4).then_some(ipv4);
    [of(true), of(false)].into_iter().flatten()
}

fn kernel(situation: &Situation<'_>) -> Result<Reach, String> {
    let machine = situation.machine.ok_or("no machine of ours that filters is in the way")?;
    let (taken, stops, cuts) = affordable(situation, |_| true)?;
    let attack = situation.attack;
    let is_full = full(situation, |link| link.attack);
    let helps = if is_full.is_some() { 0.0 } else { stops };
    let lacks = is_full
        .or_else(|| {
            let packets = attack.volume.packets.0 + attack.honest.packets.0;
            machine.packets.filter(|most| packets > most.0 * situation.policy.fill_max).map(|most| {
                let packets = base::units::PacketRate(packets);
                format!("{packets} come to a machine that filters {most}")
            })
        })
        .or_else(|| leaves(situation, stops));
    let plan = Plan {
        step: Step::Kernel,
        prefixes: aggregate(attack.targets.clone()),
        rules: taken.iter().map(|c| c.rule.id.clone()).collect(),
        neighbors: Vec::new(),
        stops,
        cuts,
        drilled: true,
    };
    Ok(Reach { plan, lacks, helps })
}

/// Rules that may be used, that routers understand and that the rails allow.
pub(crate) fn sayable<'a>(situation: &Situation<'a>) -> Result<Taken<'a>, String> {
    // All of them together: a rule whose exception cannot be said is not said either.
    let rules: Vec<Rule> = situation.routed.iter().map(|c| c.rule.clone()).collect();
    let said = flowspec::lines(&rules);
    let sayable = |candidate: &Candidate| {
        let mut of = said.iter().filter(|line| line.id == candidate.rule.id).peekable();
        of.peek().is_some()
            && of.all(|line| line.error.is_none())
            && situation.rails.rule(&candidate.rule).is_ok()
    };
    usable(situation, situation.routed, sayable)
        .map_err(|why| format!("{why}, of those that routers understand and the rails allow"))
}

fn by_rules(now: Timestamp, situation: &Situation<'_>) -> Result<Reach, String> {
    let (taken, stops, cuts) = planned(situation, fitting(situation, sayable(situation)?));
    let prefixes = aggregate(taken.iter().filter_map(|c| c.rule.matches.dst).collect());
    let needed = taken.len();
    let what = format!("{needed} more FlowSpec rules");
    let ways = ways(now, situation, (&prefixes, Class::Flowspec), &what, |n| n.rules_left >= needed)?;
    let Ways { neighbors, uncovered, drilled } = ways;
    let stopped_at = |link: &Link| if uncovered.contains(&link.name) { 0.0 } else { stops };
    let carried: f64 = share_by_link(situation, |link| stopped_at(link));
    // Rules that routers do not understand act behind the link.
    let behind = if situation.machine.is_some() && situation.policy.mode(Step::Kernel).is_some() {
        affordable(situation, |_| true).map_or(0.0, |(_, stops, _)| stops)
    } else {
        0.0
    };
    let lacks =
        full(situation, |link| BitRate(link.attack.0 * (1.0 - stopped_at(link))))
            .map(|full| {
                if uncovered.is_empty() {
                    full
                } else {
                    format!("{full}; no neighbour takes rules before it")
                }
            })
            .or_else(|| leaves(situation, carried.max(behind)));
    let plan = Plan {
        step: Step::Flowspec,
        prefixes,
        rules: taken.iter().map(|c| c.rule.id.clone()).collect(),
        neighbors,
        stops: carried,
        cuts,
        drilled,
    };
    let helps = plan.stops;
    Ok(Reach { plan, lacks, helps })
}

/// Who takes rules about these prefixes.
pub(crate) fn filterers(
    now: Timestamp,
    situation: &Situation<'_>,
    prefixes: &[Prefix],
) -> Result<Ways, String> {
    ways(now, situation, (prefixes, Class::Flowspec), "FlowSpec rules", |n| n.rules_left > 0)
}

/// Who leads the traffic of these prefixes away.
pub(crate) fn diverters(
    now: Timestamp,
    situation: &Situation<'_>,
    prefixes: &[Prefix],
) -> Result<Ways, String> {
    for prefix in prefixes {
        situation.rails.prefix(*prefix, Class::Diversion).map_err(|refusal| refusal.to_string())?;
    }
    let needed = prefixes.len();
    ways(now, situation, (prefixes, Class::Diversion), "the diversion", |n| n.routes_left >= needed)
}

fn diversion(now: Timestamp, situation: &Situation<'_>) -> Result<Reach, String> {
    let planned = match situation.lot {
        Some(lot) if lot.sacrificed => return Err(lot.why.clone()),
        Some(lot) => match &lot.absorber {
            Some((name, links)) => Some((name, links)),
            None => return Err(format!("the plan for all attacks does without: {}", lot.why)),
        },
        None => None,
    };
    let mut taken: Vec<&super::Absorber> = Vec::new();
    for target in &situation.attack.targets {
        let is_it = |absorber: &&super::Absorber| planned.is_none_or(|(name, _)| *name == absorber.name);
        let fits = situation.absorbers.iter().filter(|absorber| absorber.prefix.covers(target)).filter(is_it);
        let best = fits.max_by_key(|absorber| absorber.prefix.bits());
        let Some(best) = best else { return Err(format!("no diversion is prepared for {target}")) };
        if !taken.contains(&best) {
            taken.push(best);
        }
    }
    let prefixes: Vec<Prefix> = taken.iter().map(|absorber| absorber.prefix).collect();
    let Ways { mut neighbors, mut uncovered, drilled } = diverters(now, situation, &prefixes)?;
    if let Some((_, links)) = planned {
        // Only where the plan has it: at those who stand before one of these links, or before none that is known.
        let stands = |name: &String| {
            let of = situation.neighbors.iter().find(|neighbor| neighbor.name == *name);
            of.is_none_or(|of| {
                situation.links.is_empty()
                    || of.links.is_empty()
                    || of.links.iter().any(|link| links.contains(link))
            })
        };
        neighbors.retain(stands);
        let spared = situation.links.iter().filter(|link| !links.contains(&link.name) && link.attack.0 > 0.0);
        let spared: Vec<String> = spared.map(|link| link.name.clone()).collect();
        uncovered.extend(spared);
    }
    let carried: BitRate = BitRate(taken.iter().map(|absorber| absorber.carried.0).sum());
    let volume = situation.attack.volume.bits.0 + carried.0;
    let free = taken.iter().map(|absorber| absorber.free.0).sum::<f64>() * situation.policy.fill_max;
    let stopped_at = |link: &Link| if uncovered.contains(&link.name) { 0.0 } else { 1.0 };
    let lacks = match planned {
        // The plan for all attacks has looked for room, and what it does not lead away fits otherwise.
        Some(_) => None,
        None if volume > free => {
            let (volume, free) = (BitRate(volume), BitRate(free));
            Some(format!("attack and traffic of the prefix are {volume}, and the absorber takes {free}"))
        }
        None => full(situation, |link| BitRate(link.attack.0 * (1.0 - stopped_at(link))))
            .or_else(|| leaves(situation, share_by_link(situation, |link| stopped_at(link)))),
    };
    let stops = share_by_link(situation, |link| stopped_at(link));
    let plan = Plan {
        step: Step::Diversion,
        prefixes,
        rules: Vec::new(),
        neighbors,
        stops,
        cuts: Some(0.0),
        drilled,
    };
    let helps = plan.stops;
    Ok(Reach { plan, lacks, helps })
}

fn blackhole(now: Timestamp, situation: &Situation<'_>) -> Result<Reach, String> {
    let exact = aggregate(situation.attack.targets.clone());
    let allowed = |prefix: &Prefix| situation.rails.prefix(*prefix, Class::Blackhole);
    let wide = cover(&exact).filter(|wide| exact.len() > HOSTS_MAX && allowed(wide).is_ok());
    let prefixes = wide.map_or(exact, |wide| vec![wide]);
    for prefix in &prefixes {
        allowed(prefix).map_err(|refusal| refusal.to_string())?;
    }
    let needed = prefixes.len();
    let what = format!("{needed} more blackholes");
    let ways = ways(now, situation, (&prefixes, Class::Blackhole), &what, |n| n.routes_left >= needed)?;
    let Ways { neighbors, uncovered, drilled } = ways;
    let stopped_at = |link: &Link| if uncovered.contains(&link.name) { 0.0 } else { 1.0 };
    let lacks = full(situation, |link| BitRate(link.attack.0 * (1.0 - stopped_at(link))));
    let stops = share_by_link(situation, |link| stopped_at(link));
    let plan = Plan {
        step: Step::Blackhole,
        prefixes,
        rules: Vec::new(),
        neighbors,
        stops,
        cuts: Some(1.0),
        drilled,
    };
    let helps = plan.stops;
    Ok(Reach { plan, lacks, helps })
}

/// Of these rules, those that the plan for all attacks has, where it has any; exceptions stay. The plan's shares multiply, and
/// these add up: what it takes for enough can be enough together with the others only, and then it is all of them, unless an
/// absorber takes the rest.
fn planned<'a>(situation: &Situation<'a>, (taken, stops, cuts): Taken<'a>) -> Taken<'a> {
    let Some(lot) = situation.lot.filter(|lot| !lot.rules.is_empty()) else { return (taken, stops, cuts) };
    let has = |candidate: &&Candidate| {
        candidate.rule.action == Action::Pass
            || lot.rules.values().any(|ids| ids.contains(&candidate.rule.id))
    };
    let chosen = summed(taken.iter().copied().filter(has).collect());
    let is_short = lot.absorber.is_none() && leaves(situation, chosen.1).is_some() && stops > chosen.1;
    if is_short { (taken, stops, cuts) } else { chosen }
}

/// The rules that may be used, what they stop together, and what they cut together at most.
pub(crate) type Taken<'a> = (Vec<&'a Candidate>, f64, Option<f64>);

pub(crate) fn affordable<'a>(
    situation: &Situation<'a>,
    fits: impl Fn(&Candidate) -> bool,
) -> Result<Taken<'a>, String> {
    usable(situation, situation.candidates, fits)
}

/// Of these rules.
fn usable<'a>(
    situation: &Situation<'a>,
    candidates: &'a [Candidate],
    fits: impl Fn(&Candidate) -> bool,
) -> Result<Taken<'a>, String> {
    let policy = situation.policy;
    let cheap = |candidate: &Candidate| match candidate.price {
        None => policy.blind,
        Some(price) => price <= policy.price_max,
    };
    let taken: Vec<&Candidate> = candidates.iter().filter(|c| cheap(c) && fits(c)).collect();
    if taken.is_empty() {
        return Err(match candidates {
            [] => "there is no rule",
            all if all.iter().any(cheap) => "there is no rule",
            all if all.iter().all(|c| c.price.is_none()) => "there is no rule whose price is known",
            _ => "there is no rule that spares enough honest traffic",
        }
        .to_owned());
    }
    Ok(summed(taken))
}

fn summed(taken: Vec<&Candidate>) -> Taken<'_> {
    let stops = taken.iter().map(|c| c.stops.clamp(0.0, 1.0)).sum::<f64>().min(1.0);
    let cuts: Option<f64> = taken.iter().map(|c| c.price).sum();
    (taken, stops, cuts.map(|cut| cut.min(1.0)))
}

/// Of these rules, those that stop most and for which the neighbours that take rules have room. Where exceptions are
/// among them, all or none.
fn fitting<'a>(situation: &Situation<'a>, (mut taken, stops, cuts): Taken<'a>) -> Taken<'a> {
    let takes = |n: &&Neighbor| {
        n.up && n.rules_left > 0 && n.carries.iter().any(|(class, _)| *class == Class::Flowspec)
    };
    let room = situation.neighbors.iter().filter(takes).map(|n| n.rules_left).min();
    let Some(room) = room.filter(|room| *room < taken.len()) else { return (taken, stops, cuts) };
    if taken.iter().any(|candidate| candidate.rule.action == Action::Pass) {
        return (taken, stops, cuts);
    }
    taken.sort_by(|a, b| b.stops.total_cmp(&a.stops));
    taken.truncate(room);
    summed(taken)
}

/// Who takes an announcement.
pub(crate) struct Ways {
    neighbors: Vec<String>,
    /// Links that the attack comes by, before which none of them stands.
    pub(crate) uncovered: Vec<String>,
    /// All of them passed a drill of it lately.
    drilled: bool,
}

/// The neighbours that take it: those that are up, carry it, have room, and did not fail the last drill of it.
fn ways(
    now: Timestamp,
    situation: &Situation<'_>,
    (prefixes, class): (&[Prefix], Class),
    what: &str,
    room: impl Fn(&Neighbor) -> bool,
) -> Result<Ways, String> {
    let takes =
        |n: &&Neighbor| n.up && room(n) && families(prefixes).all(|ipv4| n.carries.contains(&(class, ipv4)));
    let within = situation.policy.drilled_within;
    let standing = |n: &Neighbor| {
        let of = families(prefixes).map(|ipv4| situation.drills.standing(now, within, &n.name, class, ipv4));
        of.min().unwrap_or(Standing::Untried)
    };
    let (failed, takers): (Vec<&Neighbor>, Vec<&Neighbor>) =
        situation.neighbors.iter().filter(takes).partition(|n| standing(n) == Standing::Failed);
    if takers.is_empty() {
        return Err(match failed.first() {
            Some(neighbor) => format!("the last drill of it failed at {}", neighbor.name),
            None => format!("no neighbour that is up takes {what}"),
        });
    }
    let stands = |link: &Link| takers.iter().any(|n| n.links.contains(&link.name));
    let uncovered = situation.links.iter().filter(|link| link.attack.0 > 0.0 && !stands(link));
    Ok(Ways {
        uncovered: uncovered.map(|link| link.name.clone()).collect(),
        drilled: takers.iter().all(|n| standing(n) == Standing::Passed),
        neighbors: takers.into_iter().map(|n| n.name.clone()).collect(),
    })
}

/// The first link that would be too full with so much of the attack on it.
fn full(situation: &Situation<'_>, left: impl Fn(&Link) -> BitRate) -> Option<String> {
    situation.links.iter().find_map(|link| {
        let capacity = link.capacity?;
        let load = left(link).0 + link.other.0;
        let is_full = link.attack.0 > 0.0 && load > capacity.0 * situation.policy.fill_max;
        is_full.then(|| format!("link {} of {capacity} would carry {}", link.name, BitRate(load)))
    })
}

/// That too much of the attack would reach the target.
fn leaves(situation: &Situation<'_>, stops: f64) -> Option<String> {
    let left = 1.0 - stops;
    (left > situation.policy.left_max + 1e-9)
        .then(|| format!("{:.0} % of the attack would still reach the target", left * 100.0))
}

/// The mean over the links of what each stops, by how much of the attack comes there; where no links are known, as if
/// all came by one that is covered.
fn share_by_link(situation: &Situation<'_>, of: impl Fn(&Link) -> f64) -> f64 {
    let all: f64 = situation.links.iter().map(|link| link.attack.0).sum();
    if all <= 0.0 {
        let somewhere = Link {
            name: String::new(),
            capacity: None,
            attack: BitRate(0.0),
            share: 0.0,
            other: BitRate(0.0),
        };
        return of(&somewhere);
    }
    situation.links.iter().map(|link| of(link) * link.attack.0).sum::<f64>() / all
}
