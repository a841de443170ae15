//! Absorbers as plans see them: what each may get of ours now, or why it may get nothing.

use std::collections::BTreeMap;

use base::units::{BitRate, PacketRate};
use base::{Prefix, Span};
use steer::absorb::Standing;
use steer::allot::Site;

use super::Clerk;
use crate::config::Ladder;
use crate::routing::absorbers::Absorber;

/// An absorber that did not take a diversion gets nothing more for so long.
const REFUSED: Span = Span::from_secs(30);

impl Clerk {
    /// Those that may get something, filled to this share at most; and of the others, which prefixes, and why.
    pub(in crate::routing) fn sites(
        &self,
        ladder: &Ladder,
        fill: f64,
    ) -> (Vec<Site>, Vec<(Vec<Prefix>, String)>) {
        let (mut sites, mut left_out): (Vec<Site>, Vec<(Vec<Prefix>, String)>) = (Vec::new(), Vec::new());
        for section in &ladder.absorbers {
            let of = (section.prefix, section.usual);
            if let Some(known) = sites.iter_mut().find(|site| site.name == section.name) {
                known.prefixes.push(of);
                // Each section may say what it is trusted with; where nobody speaks with it, that is all that is known.
                known.capacity = BitRate(known.capacity.0.max(section.capacity.0));
                known.cost_per_gbps = known.cost_per_gbps.max(section.cost);
                continue;
            }
            sites.push(Site {
                name: section.name.clone(),
                prefixes: vec![of],
                capacity: section.capacity,
                packets: None,
                slots: None,
                cost_per_gbps: section.cost,
            });
        }
        sites.retain_mut(|site| match self.capacity_of(site) {
            Ok(closed) => {
                site.capacity = BitRate(site.capacity.0 * fill);
                site.packets = site.packets.map(|packets| PacketRate(packets.0 * fill));
                left_out.extend(closed.into_iter().map(|(why, prefixes)| (prefixes, why)));
                !site.prefixes.is_empty()
            }
            Err(why) => {
                left_out.push((site.prefixes.iter().map(|(prefix, _)| *prefix).collect(), why));
                false
            }
        });
        (sites, left_out)
    }

    /// What it may get, and for which prefixes: none whose traffic it discards. One that did not take something gets nothing that is not
    /// there for a while, and what is there keeps its room, however much it has become. Why others get nothing is told.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    fn capacity_of(&self, site: &mut Site) -> Result<BTreeMap<String, Vec<Prefix>>, String> {
        let mut closed = BTreeMap::new();
        let Some(absorber) = self.absorbers.get(&site.name) else { return Ok(closed) };
        let may = absorber.capacity()?;
        let refused = absorber.failed.as_ref().filter(|(at, _)| self.clock.now().since(*at) < REFUSED);
        site.prefixes.retain(|(prefix, _)| {
            let refused = || refused.filter(|_| !self.stands_at(absorber, prefix));
            let why = absorber.discards(prefix).or_else(|| refused().map(|(_, why)| why.clone()));
            let stays = why.is_none();
            why.into_iter().for_each(|why| closed.entry(why).or_insert_with(Vec::new).push(*prefix));
            stays
        });
        site.capacity = BitRate((may.bps as f64).min(site.capacity.0));
        site.slots = absorber.slots();
        site.packets = (may.pps != u64::MAX).then_some(PacketRate(may.pps as f64));
        Ok(closed)
    }

    /// Whether an absorber has what a prefix's diversion sends there.
    fn stands_at(&self, absorber: &Absorber, prefix: &Prefix) -> bool {
        let name = &absorber.control.name;
        let mut legs = self.legs.values().filter(|leg| leg.absorber() == name);
        legs.any(|leg| leg.prefix() == *prefix) && absorber.standing(prefix) == Standing::Stands
    }

    /// Whether an absorber has room for a prefix beside what is there still: what a plan takes from it goes first.
    pub(in crate::routing) fn has_room(&self, prefix: &Prefix, name: &str) -> Result<(), String> {
        let Some(absorber) = self.absorbers.get(name) else { return Ok(()) };
        let capacity = absorber.capacity()?;
        if let Some(slots) = absorber.slots().filter(|slots| absorber.beside(prefix) >= *slots) {
            return Err(format!(
                "absorber `{name}` takes {slots} prefixes at one time, and has as many still"
            ));
        }
        let others = self.legs.values().filter(|leg| leg.prefix() != *prefix);
        let others: Vec<Prefix> =
            others.filter(|leg| leg.holders().any(|holder| holder == name)).map(|leg| leg.prefix()).collect();
        let sum = others.iter().fold(self.expected(prefix), |sum, other| sum.plus(self.expected(other)));
        if capacity.fits(sum) {
            return Ok(());
        }
        let names: Vec<String> = others.iter().map(ToString::to_string).collect();
        Err(format!("absorber `{name}` has no room for {prefix} yet, beside {}", names.join(", ")))
    }

    /// Who has what is diverted of this, or shall have it.
    pub(in crate::routing) fn absorber_of(&self, prefix: &Prefix) -> Option<&str> {
        let leg = self.legs.values().find(|leg| leg.prefix() == *prefix);
        leg.map(|leg| leg.absorber()).or_else(|| self.led.of(prefix))
    }
}
