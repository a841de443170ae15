//! What the ladder chooses by: the attack, ways in, rules, neighbours and absorbers as they are now.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use base::units::{BitRate, PacketRate};
use engine::report::{Attack, RuleReport};
use steer::allot::Site;
use steer::bgp::step::State;
use steer::book::{Book, Mitigation, Stage, What};
use steer::ladder::{Absorber, Candidate, Link, Neighbor, Plan, Volume};
use steer::rails::Class;
use wire::bgp::Family;

use super::Terms;
use crate::config::Routing;
use crate::policy::View;
use crate::routing::speaker::PeerStatus;

/// The attack as the ladder sees it, this large, beside what its targets get in peace.
pub(super) fn attack(attack: &Attack, volume: Volume, honest: Volume) -> steer::ladder::Attack {
    steer::ladder::Attack {
        targets: attack.targets.clone(),
        volume,
        honest,
        sure: super::case::is_incoming(attack) && !attack.doubtful,
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates need no more than 53 bits")]
pub(super) fn peak(attack: &Attack) -> Volume {
    Volume { bits: BitRate(attack.peak_bps as f64), packets: PacketRate(attack.peak_pps as f64) }
}

/// The ways in that are configured, with the part of the attack that comes by each. What comes by none of them, or where
/// nobody tells, is put down to no link.
pub(super) fn links(
    terms: &Terms,
    attack: &Attack,
    volume: Volume,
    exporters: &BTreeMap<u32, IpAddr>,
) -> Vec<Link> {
    let all = volume.bits.0;
    let of = |link: &crate::config::Link| {
        let comes_by = |entry: &&engine::report::Entry| {
            let exporter = exporters.get(&entry.exporter);
            let told = link.exporters.is_empty() || exporter.is_some_and(|at| link.exporters.contains(at));
            let port =
                link.interfaces.is_empty() || entry.input_if.is_some_and(|at| link.interfaces.contains(&at));
            told && port
        };
        let share: f64 = attack.entries.iter().filter(comes_by).map(|entry| entry.share).sum();
        // Where there is one way in, all of it comes there.
        let share = if attack.entries.is_empty() && terms.ladder.links.len() == 1 { 1.0 } else { share };
        Link {
            name: link.name.clone(),
            capacity: Some(link.capacity),
            attack: BitRate(all * share.min(1.0)),
            share: share.min(1.0),
            other: link.usual,
        }
    };
    terms.ladder.links.iter().map(of).collect()
}

/// Its rules. How much all of them stop is known, and not how much each: it is shared out evenly.
pub(super) fn candidates(attack: &Attack) -> Vec<Candidate> {
    let each = share(attack);
    let of =
        |report: &RuleReport| Some(Candidate { rule: parsed(report)?, stops: each, price: price(report) });
    attack.rules.iter().filter_map(of).collect()
}

/// The same for routers, in what FlowSpec can say, where the engine found such. They know no exceptions: each is cut around what
/// is spared. With why those are left out that cannot be.
#[expect(clippy::cast_precision_loss, reason = "a handful of rules")]
pub(super) fn for_routers(attack: &Attack, view: &View) -> (Vec<Candidate>, Vec<String>) {
    let (reports, covered) = if attack.router_rules.is_empty() {
        (&attack.rules, attack.covered)
    } else {
        (&attack.router_rules, attack.covered_by_routers)
    };
    let each = covered.unwrap_or(1.0) / reports.len().max(1) as f64;
    let (mut all, mut left_out) = (Vec::new(), Vec::new());
    for report in reports {
        let Some(rule) = parsed(report) else { continue };
        match view.sendable(&rule) {
            Ok(pieces) => {
                let stops = each / pieces.len().max(1) as f64;
                let price = price(report);
                all.extend(pieces.into_iter().map(|rule| Candidate { rule, stops, price }));
            }
            Err(why) => left_out.push(format!("rule {}: {why}", report.id)),
        }
    }
    (all, left_out)
}

#[expect(clippy::cast_precision_loss, reason = "a handful of rules")]
fn share(attack: &Attack) -> f64 {
    attack.covered.unwrap_or(1.0) / attack.rules.len().max(1) as f64
}

fn parsed(report: &RuleReport) -> Option<rules::Rule> {
    rules::parse::rules(&report.text).ok()?.pop()
}

fn price(report: &RuleReport) -> Option<f64> {
    report.collateral.as_ref().map(|price| price.packets.max(price.peers))
}

/// Whom announcements go to; what `mine` holds of rules and prefixes is room for others of it.
pub(super) fn neighbors(
    routing: &Routing,
    terms: &Terms,
    status: &BTreeMap<String, PeerStatus>,
    book: &Book,
    mine: impl Fn(&Mitigation) -> bool,
) -> Vec<Neighbor> {
    let of = |router: &crate::config::Router| {
        let status = status.get(&router.name);
        let others = |is_rule: bool| {
            let held = book.all().filter(|one| {
                !matches!(one.stage, Stage::Proposed(_))
                    && !mine(one)
                    && matches!(one.wish.what, What::Flowspec(_)) == is_rule
            });
            held.count()
        };
        let limit = router.pacing.peer_limit;
        let room = |cap: usize, is_rule: bool| {
            let here =
                if limit == 0 { usize::MAX } else { limit.saturating_sub(others(true) + others(false)) };
            cap.saturating_sub(others(is_rule)).min(here)
        };
        let links = terms.ladder.links.iter();
        let links = links.filter(|link| link.peers.is_empty() || link.peers.contains(&router.name));
        Neighbor {
            name: router.name.clone(),
            up: status.is_some_and(|status| status.state == State::Established),
            links: links.map(|link| link.name.clone()).collect(),
            carries: carries(router),
            rules_left: room(routing.limits.rules, true),
            routes_left: room(routing.limits.routes, false),
        }
    };
    routing.routers.iter().map(of).collect()
}

/// Neighbours that are away now and hear of a plan's routes when they are back: else what comes by them goes on as before.
pub(super) fn away(plan: &Plan, class: Class, neighbors: &[Neighbor]) -> Vec<String> {
    let hears = |n: &&Neighbor| {
        let carries = |prefix: &Prefix| n.carries.contains(&(class, prefix.is_ipv4()));
        !n.up && n.routes_left > 0 && class != Class::Flowspec && plan.prefixes.iter().all(carries)
    };
    neighbors.iter().filter(hears).map(|n| n.name.clone()).collect()
}

fn carries(router: &crate::config::Router) -> Vec<(Class, bool)> {
    let mut all = Vec::new();
    for class in &router.carries {
        for (ipv4, unicast, rules) in
            [(true, Family::IPV4, Family::FLOWSPEC4), (false, Family::IPV6, Family::FLOWSPEC6)]
        {
            let said = match class {
                Class::Blackhole => Some(&router.blackhole.next_hops),
                Class::Diversion => Some(&router.diversion.next_hops),
                Class::Flowspec => None,
            };
            let family = if said.is_some() { unicast } else { rules };
            let hop = said.is_none_or(|(v4, v6)| if ipv4 { v4.is_some() } else { v6.is_some() });
            if router.families.contains(&family) && hop {
                all.push((*class, ipv4));
            }
        }
    }
    all
}

/// Who takes what is diverted. Those that may get nothing now are left out; for how much there is room says the plan.
pub(super) fn absorbers(sites: &[Site]) -> Vec<Absorber> {
    let of = |site: &Site| {
        let (name, free) = (site.name.clone(), site.capacity);
        let each = move |(prefix, carried): &(Prefix, BitRate)| Absorber {
            name: name.clone(),
            prefix: *prefix,
            free,
            carried: *carried,
        };
        site.prefixes.iter().map(each).collect::<Vec<_>>()
    };
    sites.iter().flat_map(of).collect()
}

/// What a mitigation acts on.
pub(in crate::routing) fn destination(what: &What) -> Option<Prefix> {
    match what {
        What::Blackhole(prefix) | What::Diversion(prefix) => Some(*prefix),
        What::Flowspec(rule) => rule.matches.dst,
    }
}

/// The step that makes announcements of a class.
pub(super) const fn step(class: Class) -> steer::ladder::Step {
    match class {
        Class::Flowspec => steer::ladder::Step::Flowspec,
        Class::Diversion => steer::ladder::Step::Diversion,
        Class::Blackhole => steer::ladder::Step::Blackhole,
    }
}
