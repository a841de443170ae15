//! Absorbers as plans see them: what each may get of ours now, or why it may get nothing.

use base::units::{BitRate, PacketRate};
use base::{Prefix, Span};
use steer::absorb::Standing;
use steer::absorb::word::Load;
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
                cost_per_gbps: section.cost,
            });
        }
        sites.retain_mut(|site| match self.capacity_of(site) {
            Ok(()) => {
                site.capacity = BitRate(site.capacity.0 * fill);
                site.packets = site.packets.map(|packets| PacketRate(packets.0 * fill));
                true
            }
            Err(why) => {
                left_out.push((site.prefixes.iter().map(|(prefix, _)| *prefix).collect(), why));
                false
            }
        });
        (sites, left_out)
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    fn capacity_of(&self, site: &mut Site) -> Result<(), String> {
        let Some(absorber) = self.absorbers.get(&site.name) else { return Ok(()) };
        let mut may = absorber.capacity()?;
        if let Some((at, why)) = &absorber.failed
            && self.clock.now().since(*at) < REFUSED
        {
            let has = self.has(absorber);
            if has == Load::default() {
                return Err(why.clone());
            }
            may = Load { bps: may.bps.min(has.bps), pps: may.pps.min(has.pps) };
        }
        site.capacity = BitRate((may.bps as f64).min(site.capacity.0));
        site.packets = (may.pps != u64::MAX).then_some(PacketRate(may.pps as f64));
        Ok(())
    }

    /// What stands at an absorber, by what is expected of it.
    fn has(&self, absorber: &Absorber) -> Load {
        let at =
            self.legs.values().filter(|leg| leg.absorber() == absorber.control.name).map(|leg| leg.prefix());
        let stands = at.filter(|prefix| absorber.standing(prefix) == Standing::Stands);
        stands.fold(Load::default(), |sum, prefix| sum.plus(self.expected(&prefix)))
    }

    /// Whether an absorber has room for a prefix beside what is there still: what a plan takes from it goes first.
    pub(in crate::routing) fn has_room(&self, prefix: &Prefix, name: &str) -> Result<(), String> {
        let Some(absorber) = self.absorbers.get(name) else { return Ok(()) };
        let capacity = absorber.capacity()?;
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
