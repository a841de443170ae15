//! Rules against those who behave badly with packets that are honest one by one: what they send says nothing, so it is asked
//! who they are. Where they are too many for that, connections are limited to honest traffic's own pace.

use alloc::vec::Vec;
use core::net::IpAddr;

use base::Prefix;
use rules::{Action, Match};
use wire::packet::TCP;

use super::bits::Bits;
use super::price::Price;
use super::shape::Segment;
use super::{Derived, DerivedRule, Request, cover, limit};

/// A sender is worth a rule from this share of the attack on.
const SHARE_MIN: f64 = 0.02;
/// Dropped enough to limit nothing.
const ENOUGH: f64 = 0.95;

/// Finds the rules from the senders and their packets; the request's own samples of the attack are not looked at.
pub fn derive(request: &Request<'_>, senders: &[(IpAddr, u64)]) -> Derived {
    let arena = cover::arena(request);
    let total = senders.iter().map(|(_, packets)| *packets).sum::<u64>().max(1) as f64;
    let mut busiest: Vec<(IpAddr, f64)> =
        senders.iter().map(|(sender, packets)| (*sender, *packets as f64 / total)).collect();
    busiest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let room = request.rules_max.saturating_sub(request.targets.len());
    let price = Price::new(&arena, false);
    let mut hit = Bits::empty(arena.benign.len());
    let rule = |matches: Match, action, covers| {
        let hits = price.hits_of_all(&matches);
        let collateral = price.of(&hits);
        (hits, DerivedRule { matches, action, covers, collateral })
    };
    let mut derived = Derived { stability: 1.0, ..Derived::default() };
    for (sender, share) in busiest.into_iter().take_while(|(_, share)| *share >= SHARE_MIN) {
        let of_family = request.targets.iter().filter(|target| target.is_ipv4() == sender.is_ipv4());
        for target in of_family {
            if derived.rules.len() < room {
                let (src, dst) = (Some(Prefix::host(sender)), Some(*target));
                let matches = Match { src, dst, protocol: Some(TCP), ..Match::default() };
                derived.covered += share;
                let (hits, rule) = rule(matches, Action::Drop, share);
                hit.add(&hits);
                derived.rules.push(rule);
            }
        }
    }
    derived.collateral = price.of(&hit);
    if derived.covered < ENOUGH {
        let left = 1.0 - derived.covered;
        for target in request.targets.iter().take(request.rules_max) {
            let matches = opens(target);
            let pace = limit::pace(&matches, &arena.benign).max(request.rate_floor);
            derived.rules.push(rule(matches, Action::RatePackets(pace), left).1);
        }
    }
    derived
}

/// New connections to a target.
fn opens(target: &Prefix) -> Match {
    let tcp_flags = Some(Segment::Syn.tests());
    Match { dst: Some(*target), protocol: Some(TCP), tcp_flags, ..Match::default() }
}
