//! The document as the solvers see it: sorted, in profits without unit, with only those limits that can bind.
//!
//! A plan's profit is what the mode maximises: the share of all value (or first the number of targets), and far below it,
//! so that it decides between equals only, what absorbers cost.

use base::Prefix;

use super::document::{Absorber, Document};
use super::variants::{self, Diverted, Open};
use super::{Mode, room::Room};

/// Sums that exceed a limit by less than this share of it are rounding.
const ROUNDING: f64 = 1e-12;
/// All costs together weigh less than this share of all value …
const COST_WEIGHT: f64 = 1e-9;
/// … and less than this share of the least valuable target.
const COST_SHARE: f64 = 1e-3;
/// All value together counts for this share of one target where the number of targets comes first.
const VALUE_SHARE: f64 = 0.25;

/// A problem.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// Sorted by prefix.
    pub(super) goals: Vec<Goal>,
    /// What is there; infinite where it cannot bind.
    pub(super) room: Room,
    /// What is there, as it was given.
    pub(super) limits: Room,
    /// Profit that a received bit/s costs, by absorber.
    pub(super) costs: Vec<f64>,
    /// Units of value in a unit of profit; 0 where profit counts targets.
    pub(super) scale: f64,
    /// Whether no set of rules that matters was left out.
    pub(super) complete: bool,
}

/// A target.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    pub(super) prefix: Prefix,
    /// Profit of keeping it.
    pub(super) keep: f64,
    /// Bits/s that it bears.
    pub(super) max_bps: f64,
    /// Packets/s that it bears.
    pub(super) max_pps: f64,
    /// Only plans that keep it are looked for.
    pub(super) forced: bool,
    pub(super) parts: Vec<Part>,
}

/// What comes for a target at an entry.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its place among the document's attacks.
    pub(super) attack: usize,
    pub(super) entry: usize,
    pub(super) legit: f64,
    /// Sets of rules without diversion; `lost` is in profit.
    pub(super) open: Vec<Open>,
    /// Sets of rules before diversion.
    pub(super) diverted: Vec<Diverted>,
    /// Absorbers that the entry reaches.
    pub(super) reach: Vec<usize>,
}

/// How a part is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The set of rules with this number; no diversion.
    Open(usize),
    /// The set of rules with this number, then this absorber.
    Diverted(usize, usize),
}

/// What a way of treating a part takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    pub(super) entry: usize,
    pub(super) absorber: Option<usize>,
    /// Bits/s on the link and at the target.
    pub(super) link: f64,
    pub(super) slots: f64,
    /// Bits/s at the absorber.
    pub(super) received: f64,
    /// Packets/s at the absorber, or at the target.
    pub(super) pps: f64,
    /// Profit lost.
    pub(super) loss: f64,
}

/// The document in the order in which it is planned, whatever order it was written in.
pub(super) fn sorted(document: &Document) -> Document {
    let mut document = document.clone();
    document.targets.sort_by_key(|target| target.prefix);
    document.entries.sort_by(|a, b| a.name.cmp(&b.name));
    document.absorbers.sort_by(|a, b| a.name.cmp(&b.name));
    document.attacks.sort_by(|a, b| a.target.cmp(&b.target).then_with(|| a.entry.cmp(&b.entry)));
    for attack in &mut document.attacks {
        attack.rules.sort_by(|a, b| a.id.cmp(&b.id));
    }
    document
}

impl Model {
    /// Of a document that is sorted and right.
    pub(super) fn new(document: &Document, mode: Mode) -> Self {
        let total: f64 = document.targets.iter().map(|target| target.value).sum();
        let of_value = |value: f64| if total > 0.0 { value / total } else { 0.0 };
        let (base, weight, scale) = match mode {
            Mode::ProtectMostValuable => (0.0, 1.0, total),
            Mode::ShareThePain => (1.0, VALUE_SHARE, 0.0),
        };
        let reaches: Vec<Vec<usize>> =
            document.entries.iter().map(|entry| reaching(&document.absorbers, &entry.name)).collect();
        let mut complete = true;
        let mut attacks = document.attacks.iter().enumerate().peekable();
        let mut goals = Vec::with_capacity(document.targets.len());
        for target in &document.targets {
            let worth = weight * of_value(target.value);
            let mut parts = Vec::new();
            let first = attacks.peek().map_or(0, |(at, _)| *at);
            let of_target = document.attacks.iter().skip(first).take_while(|a| a.target == target.prefix);
            let legit: f64 = of_target.map(|attack| attack.legit_bps).sum();
            while let Some((at, attack)) = attacks.next_if(|(_, attack)| attack.target == target.prefix) {
                let entry = document.entries.binary_search_by(|e| e.name.as_str().cmp(&attack.entry));
                let entry = entry.unwrap_or_default();
                let harm = if legit > 0.0 { worth * (attack.legit_bps / legit) } else { 0.0 };
                let (mut open, all) = variants::open(attack, harm > 0.0);
                open.iter_mut().for_each(|one| one.lost *= harm);
                complete &= all;
                let mut reach = reaches.get(entry).cloned().unwrap_or_default();
                if let Some(may) = &attack.absorbers {
                    let is_there =
                        |k: &usize| document.absorbers.get(*k).is_some_and(|a| may.contains(&a.name));
                    reach.retain(is_there);
                }
                let diverted = if reach.is_empty() { Vec::new() } else { variants::diverted(attack) };
                parts.push(Part { attack: at, entry, legit: attack.legit_bps, open, diverted, reach });
            }
            let (max_bps, max_pps) = (most(target.max_bps), most(target.max_pps));
            goals.push(Goal {
                prefix: target.prefix,
                keep: base + worth,
                max_bps,
                max_pps,
                forced: false,
                parts,
            });
        }
        let room = Room {
            link: document.entries.iter().map(|entry| most(entry.link_bps)).collect(),
            slots: document.entries.iter().map(|entry| most(entry.flowspec_slots)).collect(),
            bps: document.absorbers.iter().map(|absorber| most(absorber.capacity_bps)).collect(),
            pps: document.absorbers.iter().map(|absorber| most(absorber.capacity_pps)).collect(),
        };
        let costs = document.absorbers.iter().map(|absorber| absorber.cost_per_gbps).collect();
        let mut model = Self { goals, limits: room.clone(), room, costs, scale, complete };
        model.room.forget_what_cannot_bind(&model.goals);
        model.weigh_costs(weight, document, total);
        model
    }

    /// From cost per Gbit/s to profit per bit/s.
    fn weigh_costs(&mut self, weight: f64, document: &Document, total: f64) {
        let most: f64 = self
            .goals
            .iter()
            .flat_map(|goal| &goal.parts)
            .filter_map(|part| {
                let received = part.diverted.first()?.received;
                let dearest = part.reach.iter().filter_map(|k| self.costs.get(*k)).copied();
                Some(received * dearest.fold(0.0, f64::max))
            })
            .sum();
        let least = document.targets.iter().map(|t| t.value).filter(|v| *v > 0.0).fold(total, f64::min);
        let least = if total > 0.0 { least / total } else { 1.0 };
        let unit = weight * COST_WEIGHT.min(COST_SHARE * least) / most;
        let unit = if unit.is_finite() { unit } else { 0.0 };
        self.costs.iter_mut().for_each(|cost| *cost *= unit);
    }

    /// What treating a part so takes.
    pub(super) fn load(&self, part: &Part, way: Way) -> Load {
        match way {
            Way::Open(set) => part.open.get(set).map(|open| Load {
                entry: part.entry,
                absorber: None,
                link: open.link,
                slots: open.slots,
                received: 0.0,
                pps: open.pps,
                loss: open.lost,
            }),
            Way::Diverted(set, absorber) => part.diverted.get(set).map(|diverted| Load {
                entry: part.entry,
                absorber: Some(absorber),
                link: part.legit,
                slots: diverted.slots,
                received: diverted.received,
                pps: diverted.pps,
                loss: diverted.received * self.costs.get(absorber).copied().unwrap_or_default(),
            }),
        }
        .unwrap_or_default()
    }
}

impl Goal {
    /// Whether it bears what these let through.
    pub(super) fn bears(&self, loads: &[Load]) -> bool {
        loads.iter().map(|load| load.link).sum::<f64>() <= self.max_bps
            && loads.iter().map(Load::arriving).sum::<f64>() <= self.max_pps
    }
}

impl Load {
    /// The attack's packets/s that reach the target.
    pub(super) const fn arriving(&self) -> f64 {
        if self.absorber.is_some() { 0.0 } else { self.pps }
    }
}

/// A limit with its rounding; none is infinite.
fn most(limit: Option<f64>) -> f64 {
    limit.map_or(f64::INFINITY, |limit| limit * (1.0 + ROUNDING))
}

fn reaching(absorbers: &[Absorber], entry: &str) -> Vec<usize> {
    let at = absorbers.iter().enumerate();
    at.filter(|(_, absorber)| absorber.reaches.iter().any(|name| name == entry)).map(|(k, _)| k).collect()
}
