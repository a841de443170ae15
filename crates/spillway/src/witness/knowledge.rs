//! What is known of addresses: routes that are told to us come first, then the files of `[intel]`, and what was learned in peace.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base::Prefix;
use intel::Peace;
use intel::enrich::{Enrich, Files, Place};

use crate::config::Config;
use crate::dossier::places;
use crate::routing::Learned;

/// Own networks on the map at most.
const SITES_MAX: usize = 100;

/// See above.
#[derive(Clone, Debug, Default)]
pub(super) struct Knowledge {
    files: Arc<Files>,
    learned: Option<Arc<Learned>>,
    peace: Option<Arc<Mutex<Peace>>>,
}

impl Knowledge {
    /// From the files of a configuration; one that cannot be used is said, and nothing is known of it.
    pub(super) fn of(config: &Config) -> Self {
        let files = places::open(&config.intel).unwrap_or_else(|wrong| {
            tracing::error!(cause = %wrong, "the files of [intel] are left aside: networks and countries of sources are unknown");
            Files::default()
        });
        Self { files: Arc::new(files), learned: None, peace: None }
    }

    /// Also from routes that are told, and from what was learned in peace.
    pub(super) fn with(&self, learned: Option<Arc<Learned>>, peace: Option<Arc<Mutex<Peace>>>) -> Self {
        Self { files: Arc::clone(&self.files), learned, peace }
    }
}

impl Knowledge {
    /// Where own networks are, as far as files tell; not more than a map can show.
    pub(super) fn sites(&self, networks: &[Prefix]) -> Vec<api::Site> {
        let site = |(prefix, place): (Prefix, Place)| {
            let position = place.position?;
            Some(api::Site {
                prefix: prefix.to_string(),
                city: place.city,
                country: place.country,
                latitude: position.latitude(),
                longitude: position.longitude(),
            })
        };
        self.files.sites(networks).into_iter().filter_map(site).take(SITES_MAX).collect()
    }
}

impl Enrich for Knowledge {
    fn place(&self, address: IpAddr) -> Place {
        let mut place = self.files.place(address);
        if !intel::special(address)
            && let Some(learned) = &self.learned
        {
            let told = learned.origin(address);
            // Several networks announce it: which of them is meant, nobody said.
            let origin = if let [one] = told.origins.as_slice() { Some(*one) } else { None };
            let longer = |new: Prefix| place.prefix.is_none_or(|old| old.bits() <= new.bits());
            if let Some(prefix) = told.prefix.filter(|prefix| longer(*prefix)) {
                (place.prefix, place.asn) = (Some(prefix), origin.or(place.asn));
            }
        }
        place
    }

    fn knows_all_routes(&self, v4: bool) -> bool {
        let whole = |learned: &Arc<Learned>| {
            let (ipv4, ipv6) = learned.knowledge().whole;
            if v4 { ipv4 } else { ipv6 }
        };
        self.files.knows_all_routes(v4) || self.learned.as_ref().is_some_and(whole)
    }

    fn hops(&self, address: IpAddr) -> Option<u8> {
        self.peace.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).hops(address)
    }

    fn knew(&self, address: IpAddr) -> bool {
        let knows =
            |peace: &Arc<Mutex<Peace>>| peace.lock().unwrap_or_else(PoisonError::into_inner).knows(address);
        self.peace.as_ref().is_some_and(knows)
    }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use base::map::Seed;
    use wire::bgp::attribute::Segment;
    use wire::bgp::{Attributes, Family, Update};

    use super::*;

    fn announced(prefix: &str, asn: u32) -> Update {
        let as_path = Some(vec![Segment::sequence(vec![65_001, asn])]);
        Update {
            announced: vec![prefix.parse().unwrap()],
            attributes: Attributes { as_path, ..Attributes::default() },
            ..Update::default()
        }
    }

    #[test]
    fn routes_that_are_told_name_networks_and_say_who_has_none() {
        let learned = Arc::new(Learned::new(100, (1, 1)));
        let feed = learned.with(|routes| routes.open()).unwrap();
        let known = Knowledge::default().with(Some(Arc::clone(&learned)), None);
        for (prefix, inside, outside, family) in [
            ("9.9.9.0/24", "9.9.9.9", "8.8.8.8", Family::IPV4),
            ("2620:fe::/48", "2620:fe::fe", "2001:4860::1", Family::IPV6),
        ] {
            let (inside, outside): (IpAddr, IpAddr) = (inside.parse().unwrap(), outside.parse().unwrap());
            learned.with(|routes| routes.update(feed, &announced(prefix, 19_281)));
            let place = known.place(inside);
            assert_eq!((place.asn, place.prefix), (Some(19_281), Some(prefix.parse().unwrap())));
            assert_eq!(known.place(outside), Place::default());
            assert!(!known.knows_all_routes(inside.is_ipv4()), "the table is not whole yet");
            learned.with(|routes| {
                routes.update(feed, &Update { end_of_rib: Some(family), ..Update::default() })
            });
            assert!(known.knows_all_routes(inside.is_ipv4()));
        }
    }

    #[test]
    fn what_was_learned_in_peace_is_asked_too() {
        let source = IpAddr::from([9, 9, 9, 9]);
        let peace = Arc::new(Mutex::new(Peace::new(1, Seed::new(1))));
        let known = Knowledge::default().with(None, Some(Arc::clone(&peace)));
        for minute in 0..4 {
            peace.lock().unwrap().note(Timestamp::from_secs(60 * minute), source, 57);
        }
        assert_eq!((known.knew(source), known.hops(source)), (true, Some(7)));
    }
}
