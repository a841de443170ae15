//! Whether a plan that was made for another moment still holds, and what it keeps now.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Document;
use super::model::{Load, Model, sorted};
use super::{Mode, Plan};

/// The value that the plan keeps with this document; `None`: a limit is exceeded, a new target or attack is in it that the
/// plan does not know, or something that it uses is gone.
pub(super) fn standing(document: &Document, plan: &Plan) -> Option<f64> {
    let document = sorted(document);
    let model = Model::new(&document, Mode::ProtectMostValuable);
    let kept: BTreeSet<_> = plan.kept.iter().copied().collect();
    let known: BTreeSet<_> =
        kept.iter().copied().chain(plan.sacrificed.iter().map(|one| one.target)).collect();
    let mut rules: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for rule in &plan.rules {
        rules.entry((rule.target, rule.entry.as_str())).or_default().push(&rule.id);
    }
    let to: BTreeMap<_, &str> =
        plan.diverted.iter().map(|one| ((one.target, one.entry.as_str()), one.absorber.as_str())).collect();
    let mut room = model.limits.clone();
    let mut value = 0.0;
    for (goal, target) in model.goals.iter().zip(&document.targets) {
        if !known.contains(&goal.prefix) {
            return None;
        }
        if !kept.contains(&goal.prefix) {
            continue;
        }
        let (mut loads, mut harmed, mut legit) = (Vec::new(), 0.0, 0.0);
        for part in &goal.parts {
            let attack = document.attacks.get(part.attack)?;
            let key = (goal.prefix, attack.entry.as_str());
            let ids = rules.get(&key).map_or(&[][..], Vec::as_slice);
            let used = || attack.rules.iter().filter(|rule| ids.contains(&rule.id.as_str()));
            let left: f64 = used().map(|rule| 1.0 - rule.removes).product();
            let spared: f64 = used().map(|rule| 1.0 - rule.collateral).product();
            let absorber =
                match to.get(&key) {
                    Some(name) => Some(part.reach.iter().copied().find(|k| {
                        document.absorbers.get(*k).is_some_and(|absorber| absorber.name == **name)
                    })?),
                    None => None,
                };
            let open = attack.bps * left + attack.legit_bps * spared;
            let load = Load {
                entry: part.entry,
                absorber,
                link: if absorber.is_some() { attack.legit_bps } else { open },
                slots: used().map(|_| 1.0).sum(),
                received: attack.bps * left + attack.legit_bps,
                pps: attack.pps * left,
                loss: 0.0,
            };
            if !room.fits(&load) {
                return None;
            }
            room.take(&load);
            loads.push(load);
            legit += attack.legit_bps;
            harmed += if absorber.is_some() { 0.0 } else { attack.legit_bps * (1.0 - spared) };
        }
        if !goal.bears(&loads) {
            return None;
        }
        value += target.value * if legit > 0.0 { 1.0 - harmed / legit } else { 1.0 };
    }
    Some(value)
}
