//! What cannot be told from honest traffic is limited to honest traffic's own pace.

use alloc::vec::Vec;

use rules::{Match, Numbers};

use super::Request;
use super::arena::{Arena, Cell, Pick};
use super::bits::Bits;
use super::cover::Drop;
use super::row::{Row, Unknown, holds};

/// Left-over share of the attack that is worth a limit.
const SHARE_MIN: f64 = 0.02;
/// Room above the busiest honest second.
const HEADROOM: f64 = 1.5;

/// No limit on what so much of honest traffic is: it would be a wide drop by another name.
const HONEST_MAX: f64 = 0.25;

/// A match and its packets/s for each shape of which much is left; with each cell the best rule for what is left of it.
pub(crate) fn limits(
    request: &Request<'_>,
    arena: &Arena,
    left: &[(&Cell, Option<Pick>)],
) -> Vec<(Drop, f64)> {
    let mut out = Vec::new();
    let least = SHARE_MIN * arena.attack.len() as f64;
    for (cell, best) in left.iter().filter(|(cell, _)| cell.left.count() as f64 >= least) {
        // Narrowing is only of use where it keeps the attack in.
        let narrow = |pick: &&Pick| pick.attack.count() * 10 >= cell.left.count() * 9;
        let (matches, benign) = match best.as_ref().filter(narrow) {
            Some(pick) => (pick.matches.clone(), &pick.benign),
            None => (cell.shape.matches(), &cell.benign),
        };
        if benign.count() as f64 > HONEST_MAX * arena.benign.len() as f64 && !request.kin.is_empty() {
            continue;
        }
        for target in request.targets.iter().filter(|p| p.is_ipv4() == cell.shape.v4) {
            let matches = Match { dst: Some(*target), ..matches.clone() };
            let rate = pace(&matches, &arena.benign).max(request.rate_floor);
            let attack = Bits::of(arena.attack.len(), |i| {
                arena.attack.get(i).is_some_and(|r| holds(&matches, r, Unknown::Misses))
            });
            out.push((Drop { matches, attack, benign: benign.clone() }, rate));
        }
    }
    out
}

/// Packets/s that leave honest traffic room.
pub(crate) fn pace(m: &Match, benign: &[Row]) -> f64 {
    HEADROOM * busiest_second(m, benign)
}

/// Most honest packets that the match saw within one second of the clock.
fn busiest_second(m: &Match, benign: &[Row]) -> f64 {
    let mut seen: Vec<(u64, u64)> = benign
        .iter()
        .filter(|r| r.kin.is_none() && holds(m, r, Unknown::Matches))
        .map(|r| (r.at / 1_000_000_000, r.packets))
        .collect();
    seen.sort_unstable();
    let (mut busiest, mut second, mut sum) = (0u64, None, 0u64);
    for (at, packets) in seen {
        sum = if second == Some(at) { sum.saturating_add(packets) } else { packets };
        second = Some(at);
        busiest = busiest.max(sum);
    }
    busiest as f64
}

/// Whether one packet could be asked for by both; where in doubt, yes.
pub(crate) fn may_overlap(a: &Match, b: &Match) -> bool {
    let numbers = |a: &Option<Numbers>, b: &Option<Numbers>| match (a, b) {
        (Some(a), Some(b)) => a.0.iter().any(|x| b.0.iter().any(|y| x.from <= y.to && y.from <= x.to)),
        _ => true,
    };
    let prefixes = |a: Option<base::Prefix>, b: Option<base::Prefix>| match (a, b) {
        (Some(a), Some(b)) => a.covers(&b) || b.covers(&a),
        _ => true,
    };
    prefixes(a.src, b.src)
        && prefixes(a.dst, b.dst)
        && (a.protocol.is_none() || b.protocol.is_none() || a.protocol == b.protocol)
        && numbers(&a.src_port, &b.src_port)
        && numbers(&a.dst_port, &b.dst_port)
        && numbers(&a.length, &b.length)
        && numbers(&a.icmp_type, &b.icmp_type)
}
