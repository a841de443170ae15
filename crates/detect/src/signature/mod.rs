//! Rules from an attack's own packets, priced against honest ones.
//!
//! The attack's samples fall into *shapes* (protocol, fragment or not, kind of TCP segment); inside a shape a beam search
//! over bit sets finds the conjunction of header facts that covers most of the attack at least benign cost, and a greedy
//! cover collects at most [`Request::rules_max`] of them. Knows no addresses or ports by name: what is special about a
//! port is only that the attack uses it.
//!
//! Bounded: at most [`ROWS_MAX`] samples of either kind are looked at, [`search::ITEMS_MAX`] facts a shape, and a beam of
//! [`beam::WIDTH`] by [`beam::DEPTH`], as far as [`WORK_MAX`] units of work go, less than 10 ms; what was found by then is the answer.
//! Deterministic: no table is walked in hash order and equal scores break by name.

mod arena;
mod beam;
mod bits;
mod cover;
mod excerpt;
mod fact;
mod fair;
mod harvest;
mod index;
mod limit;
mod narrow;
mod price;
mod row;
mod search;
pub mod senders;
mod shape;
mod stability;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers made up by the tests")]
mod tests;
mod work;

use alloc::vec::Vec;

use base::Prefix;
use rules::collateral::Collateral;
use rules::{Action, Match};

pub use crate::sample::Sample;
pub use work::WORK_MAX;

/// Samples of either kind that are looked at; more are thinned evenly.
pub const ROWS_MAX: usize = 4096;

/// What is to be filtered, and what must be spared.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Samples of the attacked classes to the targets, in any order; a minority may be honest.
    pub attack: &'a [Sample],
    /// Honest traffic to the same targets, in any order. Samples to other places are ignored. Empty = no evidence.
    pub benign: &'a [Sample],
    /// Honest traffic to other hosts that the targets may be like, by kind of host. Empty = nothing is known of any.
    pub kin: &'a [Kin],
    /// The attacked prefixes, smallest set; for an outgoing attack the remote victims.
    pub targets: &'a [Prefix],
    /// For an outgoing attack the own networks: each rule then names the own host as its source. Empty = incoming.
    pub own: &'a [Prefix],
    /// Traffic that no rule may touch (resolvers, BGP and SSH peers, …): each a match without destination.
    pub keep: &'a [Match],
    /// Share of `attack` that is really attack, 0…1.
    pub attack_share: f64,
    /// Rules at most, `pass` rules included.
    pub rules_max: usize,
    /// Share of honest packets and of honest peers that may be lost.
    pub collateral_max: f64,
    /// Lower end of a fallback rate limit, packets/s. Above it the limit follows the busiest honest second.
    pub rate_floor: f64,
    /// The share of bootstrap runs that agreed lately, where it need not be found anew.
    pub stability: Option<f64>,
    /// Units of work at most.
    pub work: u64,
    /// Whether rules ask for nothing that FlowSpec cannot say: no TTL, window or payload.
    pub flowspec: bool,
}

/// What hosts of one kind receive.
#[derive(Clone, Debug)]
pub struct Kin {
    /// How likely the targets are of this kind, in any unit.
    pub weight: f64,
    /// Honest packets to such hosts, in any order.
    pub samples: Vec<Sample>,
}

impl<'a> Request<'a> {
    /// A request with the product's defaults: 8 rules, 1 % collateral, everything in `attack` is attack.
    pub const fn new(attack: &'a [Sample], benign: &'a [Sample], targets: &'a [Prefix]) -> Self {
        Self {
            attack,
            benign,
            kin: &[],
            targets,
            own: &[],
            keep: &[],
            attack_share: 1.0,
            rules_max: 8,
            collateral_max: 0.01,
            rate_floor: 100.0,
            stability: None,
            work: WORK_MAX,
            flowspec: false,
        }
    }
}

/// One rule of the answer; its place in the list is its precedence.
#[derive(Clone, Debug, PartialEq)]
pub struct DerivedRule {
    /// The question.
    pub matches: Match,
    /// Drop, a rate, or pass for what is kept.
    pub action: Action,
    /// Share of the attack samples' packets that this rule decides.
    pub covers: f64,
    /// What honest traffic it would cost; `None` without evidence.
    pub collateral: Option<Collateral>,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// At most [`Request::rules_max`], in order of precedence.
    pub rules: Vec<DerivedRule>,
    /// Share of the attack samples' packets that is dropped.
    pub covered: f64,
    /// Price of all drop rules together.
    pub collateral: Option<Collateral>,
    /// Share of bootstrap runs that drop the same samples.
    pub stability: f64,
    /// Units of work used.
    pub work: u64,
    /// Whether the search ended because its work was used up; the bootstrap's runs get fewer before.
    pub cut: bool,
}

/// Whether a packet is one that the question asks for, as far as the example shows it.
pub fn hits(matches: &Match, sample: &Sample) -> bool {
    row::holds(matches, &row::Row::of(sample), row::Unknown::Misses)
}

/// Finds the rules.
pub fn derive(request: &Request<'_>) -> Derived {
    let arena = cover::arena(request);
    let kept = request.work / 10 * work::BOOTSTRAP_TENTHS;
    arena.work.set_left(arena.work.left().saturating_sub(kept));
    let found = cover::solve(request, &arena).finish(request, &arena);
    let cut = arena.work.is_cut();
    arena.work.set_left(arena.work.left() + kept);
    let stability = match request.stability {
        Some(known) => known,
        None => stability::bootstrap(request, &arena, &found.drops),
    };
    let work = request.work - arena.work.left();
    Derived { stability, work, cut, ..cover::priced(&arena, found) }
}
