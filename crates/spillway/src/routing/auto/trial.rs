//! The ladder's choice for an attack that is only imagined: as if all routers were up, nothing were in force and nobody drilled.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Timestamp;
use base::units::{BitRate, PacketRate};
use engine::report::Attack;
use serde_json::{Value, json};
use steer::allot::Site;
use steer::book::{Approvals, Book};
use steer::drill::Log;
use steer::ladder::{Machine, Situation, Volume, choose};

use super::{Terms, situation, tell};
use crate::config::Config;
use crate::routing::guards::Guards;

/// What it would choose; `None`: there is no `[routing.ladder]`. `honest` is what the targets get in peace, packets and bits per
/// second.
pub(crate) fn trial(config: &Config, attack: &Attack, honest: (f64, f64), now: Timestamp) -> Option<Value> {
    let routing = config.routing.as_ref()?;
    let terms = Terms::of(config, std::iter::empty()).filter(|terms| terms.climbs)?;
    let rails = Guards::of(config, routing).rails(routing);
    let book = Book::new(rails, Approvals::default());
    let volume = situation::peak(attack);
    let honest = Volume { packets: PacketRate(honest.0), bits: BitRate(honest.1) };
    // it comes in by the first link, whoever tells of it here
    let entry = terms.ladder.links.iter().flat_map(|link| link.exporters.iter().copied()).next();
    let exporters: BTreeMap<u32, IpAddr> = match entry {
        Some(entry) => attack.entries.iter().map(|one| (one.exporter, entry)).collect(),
        None => BTreeMap::new(),
    };
    let mut neighbors = situation::neighbors(routing, &terms, &BTreeMap::new(), &book, |_| false);
    neighbors.iter_mut().for_each(|neighbor| neighbor.up = true);
    let sites: Vec<Site> = terms
        .ladder
        .absorbers
        .iter()
        .map(|section| Site {
            name: section.name.clone(),
            prefixes: vec![(section.prefix, section.usual)],
            capacity: section.capacity,
            packets: None,
            slots: None,
            cost_per_gbps: section.cost,
        })
        .collect();
    let (routed, left_out) = situation::for_routers(attack, &terms.view());
    let choice = choose(
        now,
        &Situation {
            attack: &situation::attack(attack, volume, honest),
            links: &situation::links(&terms, attack, volume, &exporters),
            machine: terms.filters.then(Machine::default),
            candidates: &situation::candidates(attack),
            routed: &routed,
            neighbors: &neighbors,
            absorbers: &situation::absorbers(&sites),
            in_force: &[],
            policy: &terms.policy(&attack.target),
            rails: book.rails(),
            drills: &Log::default(),
            lot: None,
        },
    );
    let rejected: Vec<Value> =
        choice.rejected.iter().map(|one| json!({"step": one.step, "reason": one.reason})).collect();
    Some(json!({
        "step": choice.plan.as_ref().map(|plan| plan.step),
        "preview": choice.plan.as_ref().map(|plan| plan.preview(honest)),
        "suffices": choice.suffices,
        "mode": tell::mode(choice.mode),
        "needs_person": choice.person || choice.mode != steer::ladder::Mode::Enforce,
        "reason": choice.reason,
        "rejected": rejected,
        "not_for_routers": left_out,
    }))
}
