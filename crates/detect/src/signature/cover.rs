//! The greedy cover: the best rule of any shape, again and again, until the attack is held or nothing fair is left.

use alloc::vec::Vec;

use base::Prefix;
use rules::{Action, Match};

use super::arena::{Arena, Cell, Pick};
use super::bits::Bits;
use super::index::Index;
use super::price::Price;
use super::row::{Row, Unknown, holds};
use super::shape::Shape;
use super::work::{self, Work};
use super::{Derived, DerivedRule, ROWS_MAX, Request, limit, row, search};

/// No smaller share of the attack is believed to be attack.
const SHARE_LEAST: f64 = 0.05;
/// A rule must add this share of the attack …
const GAIN_MIN: f64 = 0.01;
/// … and this much once most is covered. Then a second rule of the same shape is not wanted at all: what a good rule
/// leaves of its own shape is often not the attack's.
const GAIN_LATE_MIN: f64 = 0.03;
/// Covered enough to stop looking.
const ENOUGH: f64 = 0.985;
/// Covered enough to be picky, and not to limit the rest.
const GOOD: f64 = 0.95;
/// Shapes looked at; the rest has less of the attack than any of these.
const SHAPES_MAX: usize = 16;
/// Own hosts told apart in an outgoing attack.
const HOSTS_MAX: usize = 8;

/// A rule with the attack rows for which it holds and the honest ones for which it may.
#[derive(Debug)]
pub(crate) struct Drop {
    pub(crate) matches: Match,
    pub(crate) attack: Bits,
    pub(crate) benign: Bits,
}

/// What can be told from honest traffic, and what is left.
#[derive(Debug, Default)]
pub(crate) struct Cover {
    picks: Vec<Pick>,
    cells: Vec<Cell>,
    /// For each cell the best rule that was found and not taken, if that is known.
    best: Vec<Option<Option<Pick>>>,
    index: Option<Index>,
    harmed: Bits,
    covered: usize,
}

/// Everything found, before it is priced.
#[derive(Debug, Default)]
pub(crate) struct Found {
    passes: Vec<Match>,
    pub(crate) drops: Vec<Drop>,
    /// Whether any of these is fitted to the honest packets at hand.
    fitted: bool,
    limits: Vec<(Drop, f64)>,
}

/// The rows of a request: inside its targets, outside what is kept.
pub(crate) fn arena(request: &Request<'_>) -> Arena {
    let inside = |r: &Row| {
        request.targets.iter().any(|p| p.contains(r.dst))
            && (request.own.is_empty() || request.own.iter().any(|p| p.contains(r.src)))
    };
    let kept = |r: &Row| request.keep.iter().any(|m| holds(m, r, Unknown::Misses));
    let attack = row::rows(request.attack, ROWS_MAX, |r| inside(r) && !kept(r));
    let mut benign = row::rows(request.benign, ROWS_MAX, inside);
    let of_family = |r: &Row| request.targets.iter().any(|p| p.is_ipv4() == r.dst.is_ipv4());
    let all: usize = request.kin.iter().map(|kin| kin.samples.len()).sum();
    let room = ROWS_MAX - benign.len();
    for (kind, kin) in request.kin.iter().enumerate() {
        let part = kin.samples.len().min(kin.samples.len() * room / all.max(1));
        benign.extend(row::rows(&kin.samples, part, of_family).into_iter().map(|row| row.of_kin(kind)));
    }
    let kinds = request.kin.iter().map(|kin| kin.weight).collect();
    let attack_share = request.attack_share.clamp(SHARE_LEAST, 1.0);
    let mut arena = Arena::new(
        row::even(attack, ROWS_MAX),
        (benign, kinds),
        request.collateral_max,
        attack_share,
        Work::of(request.work),
    );
    arena.flowspec = request.flowspec;
    arena
}

/// Finds what is to be dropped of an arena's attack rows.
pub(crate) fn solve(request: &Request<'_>, arena: &Arena) -> Cover {
    let total = arena.attack.len();
    if total == 0 {
        return Cover::default();
    }
    let share = arena.attack_share;
    let index = Index::of(arena);
    let mut cells = cells(request, arena);
    let mut best: Vec<Option<Option<Pick>>> = cells.iter().map(|_| None).collect();
    let mut taken: Vec<usize> = cells.iter().map(|_| 0).collect();
    let mut harmed = Bits::empty(arena.benign.len());
    let mut covered = 0usize;
    let mut picks: Vec<Pick> = Vec::new();
    while picks.len() < request.rules_max {
        let part = covered as f64 / total as f64 / share;
        if part >= ENOUGH {
            break;
        }
        for (cell, slot) in cells.iter().zip(&mut best) {
            if slot.is_none() {
                *slot = Some(search::best(arena, &index, cell, &harmed));
            }
        }
        let chosen = best
            .iter()
            .enumerate()
            .filter_map(|(at, pick)| Some((at, pick.as_ref()?.as_ref()?)))
            .filter(|(at, pick)| {
                let again = taken.get(*at).is_some_and(|n| *n > 0);
                let least = if part >= GOOD { GAIN_LATE_MIN } else { GAIN_MIN };
                pick.fair && !(again && part >= GOOD) && pick.attack.count() as f64 >= least * total as f64
            })
            .max_by(|a, b| a.1.attack.count().cmp(&b.1.attack.count()).then(b.0.cmp(&a.0)))
            .map(|(at, pick)| (at, pick.clone()));
        let Some((at, pick)) = chosen else { break };
        covered += pick.attack.count();
        let hits = pick.benign.count() > 0;
        harmed.add(&pick.benign);
        for (i, (cell, slot)) in cells.iter_mut().zip(&mut best).enumerate() {
            let harmful = slot.as_ref().is_some_and(|p| p.as_ref().is_some_and(|p| p.benign.count() > 0));
            if i == at {
                cell.left = cell.left.without(&pick.attack);
                *slot = None;
            } else if hits && harmful {
                *slot = None;
            }
        }
        if let Some(n) = taken.get_mut(at) {
            *n += 1;
        }
        picks.push(pick);
    }
    Cover { picks, cells, best, index: Some(index), harmed, covered }
}

impl Cover {
    /// The rules that drop, by target, most first.
    pub(crate) fn into_drops(self, request: &Request<'_>, arena: &Arena) -> Vec<Drop> {
        spread(request, arena, unite(self.picks))
    }

    /// What is dropped, what passes before it, and what of the rest is limited.
    pub(crate) fn finish(mut self, request: &Request<'_>, arena: &Arena) -> Found {
        let fitted = self.picks.iter().any(|pick| pick.fitted);
        let mut drops = spread(request, arena, unite(core::mem::take(&mut self.picks)));
        let passes = passes(request, drops.iter().map(|drop| &drop.matches));
        drops.truncate(request.rules_max.saturating_sub(passes.len()));
        let room = request.rules_max.saturating_sub(passes.len() + drops.len());
        let mut limits = Vec::new();
        if room > 0 && (self.covered as f64) < GOOD * arena.attack_share * arena.attack.len() as f64 {
            limits = limit::limits(request, arena, &self.left(arena));
        }
        limits.truncate(room);
        Found { passes, drops, fitted, limits }
    }

    /// Each cell with the best rule for what is left of it.
    fn left(&mut self, arena: &Arena) -> Vec<(&Cell, Option<Pick>)> {
        let Self { cells, best, index, harmed, .. } = self;
        let known = best.iter_mut().map(Option::take);
        cells
            .iter()
            .zip(known)
            .map(|(cell, known)| {
                let anew = || index.as_ref().and_then(|index| search::best(arena, index, cell, harmed));
                (cell, known.unwrap_or_else(anew))
            })
            .collect()
    }
}

/// Puts shares and prices on what was found.
pub(crate) fn priced(arena: &Arena, found: Found) -> Derived {
    let Found { passes, drops, fitted, limits } = found;
    if arena.attack.is_empty() {
        return Derived::default();
    }
    let total = arena.attack.len() as f64;
    let mut decided = Bits::empty(arena.attack.len());
    let mut derived = Derived::default();
    for m in passes {
        derived.rules.push(DerivedRule { matches: m, action: Action::Pass, covers: 0.0, collateral: None });
    }
    let price = Price::new(arena, fitted);
    let mut hit = Bits::empty(arena.benign.len());
    for drop in drops {
        let covers = drop.attack.without(&decided).count() as f64 / total;
        decided.add(&drop.attack);
        let hits = price.hits(&drop.matches, &drop.benign);
        hit.add(&hits);
        let (matches, collateral) = (drop.matches, price.of(&hits));
        derived.rules.push(DerivedRule { matches, action: Action::Drop, covers, collateral });
    }
    derived.collateral = price.of(&hit);
    derived.covered = decided.count() as f64 / total;
    for (limit, rate) in limits {
        let covers = limit.attack.without(&decided).count() as f64 / total;
        decided.add(&limit.attack);
        let collateral = price.of(&price.hits(&limit.matches, &limit.benign));
        let action = Action::RatePackets(rate);
        derived.rules.push(DerivedRule { matches: limit.matches, action, covers, collateral });
    }
    derived
}

/// The attack rows by shape, most first.
fn cells(request: &Request<'_>, arena: &Arena) -> Vec<Cell> {
    let hosts = own_hosts(request, &arena.attack);
    let own = |r: &Row| hosts.iter().find(|p| p.contains(r.src)).copied();
    let mut named: Vec<(Shape, Bits)> = Vec::new();
    let mut last = 0;
    for (i, row) in arena.attack.iter().enumerate() {
        let shape = Shape::of(row, own(row));
        if named.get(last).is_none_or(|(known, _)| *known != shape) {
            last = named.binary_search_by(|(known, _)| known.cmp(&shape)).unwrap_or_else(|at| {
                named.insert(at, (shape, Bits::empty(arena.attack.len())));
                at
            });
        }
        if let Some((_, rows)) = named.get_mut(last) {
            rows.set(i);
        }
    }
    let mut cells: Vec<Cell> = named
        .into_iter()
        .filter(|(shape, _)| request.own.is_empty() || shape.own.is_some())
        .map(|(shape, left)| Cell { shape, left, benign: Bits::default() })
        .filter(|cell| cell.left.count() as f64 >= GAIN_MIN * arena.attack.len() as f64)
        .collect();
    cells.sort_by(|a, b| b.left.count().cmp(&a.left.count()).then(a.shape.cmp(&b.shape)));
    cells.truncate(SHAPES_MAX);
    for cell in &mut cells {
        let m = cell.shape.matches();
        let v4 = cell.shape.v4;
        arena.work.spend(arena.benign.len(), work::HOLDS);
        cell.benign = Bits::of(arena.benign.len(), |i| {
            arena.benign.get(i).is_some_and(|r| r.dst.is_ipv4() == v4 && holds(&m, r, Unknown::Matches))
        });
    }
    cells
}

/// In an outgoing attack the busiest own hosts, then the own networks for the rest.
fn own_hosts(request: &Request<'_>, attack: &[Row]) -> Vec<Prefix> {
    if request.own.is_empty() {
        return Vec::new();
    }
    let mut sources: Vec<Prefix> = attack.iter().map(|r| Prefix::host(r.src)).collect();
    sources.sort_unstable();
    let mut counted: Vec<(usize, Prefix)> = Vec::new();
    for source in sources {
        match counted.last_mut() {
            Some((n, last)) if *last == source => *n += 1,
            _ => counted.push((1, source)),
        }
    }
    counted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let least = (attack.len() / 20).max(1);
    let hosts = counted.iter().take_while(|(n, _)| *n >= least).take(HOSTS_MAX).map(|(_, p)| *p);
    hosts.chain(request.own.iter().copied()).collect()
}

/// Rules that differ in their TCP flags only become one.
fn unite(picks: Vec<Pick>) -> Vec<Pick> {
    let mut united: Vec<Pick> = Vec::new();
    for pick in picks {
        let bare = |m: &Match| Match { tcp_flags: None, ..m.clone() };
        let twin = united.iter_mut().find(|u| {
            u.matches.tcp_flags.is_some()
                && pick.matches.tcp_flags.is_some()
                && bare(&u.matches) == bare(&pick.matches)
        });
        match (twin, &pick.matches.tcp_flags) {
            (Some(twin), Some(more)) => {
                if let Some(tests) = &mut twin.matches.tcp_flags {
                    tests.extend(more.iter().copied());
                    tests.sort_unstable();
                    tests.dedup();
                }
                twin.attack = twin.attack.or(&pick.attack);
                twin.benign = twin.benign.or(&pick.benign);
            }
            _ => united.push(pick),
        }
    }
    united
}

/// Each rule on each target where it covers something, most first.
fn spread(request: &Request<'_>, arena: &Arena, picks: Vec<Pick>) -> Vec<Drop> {
    let mut rules: Vec<Drop> = Vec::new();
    for pick in picks {
        for target in request.targets {
            let mut here = Bits::empty(arena.attack.len());
            for i in pick.attack.iter() {
                if arena.attack.get(i).is_some_and(|r| target.contains(r.dst)) {
                    here.set(i);
                }
            }
            if here.count() > 0 {
                let matches = Match { dst: Some(*target), ..pick.matches.clone() };
                rules.push(Drop { matches, attack: here, benign: pick.benign.clone() });
            }
        }
    }
    rules.sort_by_key(|rule| core::cmp::Reverse(rule.attack.count()));
    rules
}

/// What is kept passes first, where a drop rule could touch it.
fn passes<'a>(request: &Request<'_>, drops: impl Iterator<Item = &'a Match> + Clone) -> Vec<Match> {
    let mut passes = Vec::new();
    for keep in request.keep {
        for target in request.targets {
            let mut hit = drops.clone().filter(|m| m.dst == Some(*target));
            if hit.any(|m| limit::may_overlap(m, keep)) {
                passes.push(Match { dst: Some(*target), ..keep.clone() });
            }
        }
    }
    passes.truncate(request.rules_max / 2);
    passes
}
