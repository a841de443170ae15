//! What is known of addresses: routes that are told to us come first, then the files of `[intel]`, lists of others, and what was
//! learned in peace.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base::Prefix;
use intel::Peace;
use intel::enrich::{Enrich, Files, Listed, Lists, Place};

use crate::config::Config;
use crate::dossier::lists::{self, Opened};
use crate::dossier::places;
use crate::routing::Learned;

/// Own networks on the map at most.
const SITES_MAX: usize = 100;

/// See above.
#[derive(Clone, Debug, Default)]
pub(super) struct Knowledge {
    files: Arc<Files>,
    lists: Arc<Shelf>,
    learned: Option<Arc<Learned>>,
    peace: Option<Arc<Mutex<Peace>>>,
}

/// The lists that hold, and what is told of each.
#[derive(Clone, Debug, Default)]
struct Shelf {
    lists: Lists,
    told: Vec<api::metrics::ListNumbers>,
}

impl Knowledge {
    /// From the files of a configuration; one that cannot be used is said, and nothing is known of it. Of a list that cannot be
    /// used now, what `before` had of it holds on.
    pub(super) fn of(config: &Config, before: &Self) -> Self {
        let files = places::open(&config.intel).unwrap_or_else(|wrong| {
            tracing::error!(cause = %wrong, "the files of [intel] are left aside: networks and countries of sources are unknown");
            Files::default()
        });
        let lists = Arc::new(Shelf::of(config, &before.lists));
        Self { files: Arc::new(files), lists, learned: None, peace: None }
    }

    /// Also from routes that are told, and from what was learned in peace.
    pub(super) fn with(&self, learned: Option<Arc<Learned>>, peace: Option<Arc<Mutex<Peace>>>) -> Self {
        Self { files: Arc::clone(&self.files), lists: Arc::clone(&self.lists), learned, peace }
    }
}

impl Knowledge {
    /// What is told of each list of others.
    pub(super) fn lists(&self) -> Vec<api::metrics::ListNumbers> {
        self.lists.told.clone()
    }

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

    fn listed(&self, address: IpAddr) -> Listed {
        self.lists.lists.of(address)
    }
}

impl Shelf {
    fn of(config: &Config, before: &Self) -> Self {
        let mut shelf = Self::default();
        for file in &config.intel.lists {
            let name = file.name.get_ref().0.as_str();
            let mut told = api::metrics::ListNumbers {
                name: name.to_owned(),
                kind: file.kind.name(),
                ..api::metrics::ListNumbers::default()
            };
            let held = || before.lists.0.iter().find(|list| &*list.name == name && list.kind == file.kind);
            let list = match lists::read(file) {
                Ok(Opened { list, modified }) => {
                    told.modified = modified.secs();
                    Some(list)
                }
                Err(wrong) => {
                    let what = if held().is_some() {
                        "what it had before holds on"
                    } else {
                        "it says nothing of anybody"
                    };
                    tracing::error!(
                        list = name,
                        cause = format!("{wrong:#}"),
                        "a list of [intel] is left aside: {what}"
                    );
                    told.refused = true;
                    told.modified =
                        before.told.iter().find(|one| one.name == name).map_or(0, |one| one.modified);
                    held().cloned()
                }
            };
            told.entries = list.as_ref().map_or(0, |list| u64::try_from(list.len()).unwrap_or(u64::MAX));
            shelf.lists.0.extend(list);
            shelf.told.push(told);
        }
        shelf
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
    fn a_list_that_breaks_leaves_what_it_had_and_takes_no_other_away() {
        let folder = std::env::temp_dir().join(format!("spillway-lists-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (first, other) = (folder.join("first.txt"), folder.join("other.txt"));
        std::fs::write(&first, "9.9.9.9\n2620:fe::/48\n").unwrap();
        std::fs::write(&other, "8.8.8.8\n").unwrap();
        let list = |name: &str, file: &std::path::Path, kind: &str| {
            format!("[[intel.lists]]\nname = \"{name}\"\nfile = \"{}\"\nkind = \"{kind}\"\n", file.display())
        };
        let text = |lists: String| {
            let text =
                format!("networks = [\"198.51.100.0/24\"]\n[listen]\nsflow = \"127.0.0.1:0\"\n{lists}");
            Config::parse(std::path::Path::new("x.toml"), &text)
        };
        let both = list("first", &first, "bot") + &list("other", &other, "shared");
        let config = text(both.clone()).unwrap();
        let known = Knowledge::of(&config, &Knowledge::default());
        let inside: IpAddr = "2620:fe::fe".parse().unwrap();
        assert!(known.listed(inside).bot && known.listed([8, 8, 8, 8].into()).shared);
        std::fs::write(&first, "9.9.9.9\nnobody\n").unwrap();
        std::fs::write(&other, "8.8.4.4\n").unwrap();
        let later = Knowledge::of(&config, &known);
        assert!(later.listed(inside).bot, "what it had before holds on");
        assert!(!later.listed([8, 8, 8, 8].into()).shared && later.listed([8, 8, 4, 4].into()).shared);
        let told: Vec<_> =
            later.lists().into_iter().map(|one| (one.name, one.kind, one.entries, one.refused)).collect();
        assert_eq!(told, [("first".to_owned(), "bot", 2, true), ("other".to_owned(), "shared", 1, false)]);
        assert!(later.lists().iter().all(|one| one.modified > 1_600_000_000));
        // Who starts with it knows nothing of it.
        let fresh = Knowledge::of(&config, &Knowledge::default());
        assert_eq!((fresh.listed(inside).bot, fresh.lists()[0].modified), (false, 0));
        std::fs::remove_dir_all(&folder).unwrap();

        for (lists, said) in [
            (both.clone() + &both, "name `first` is that of another list"),
            (list("1.2.3.4", &first, "bot"), "`1.2.3.4` is no name of a list"),
            (list("x", &first, "worm"), "worm"),
            ((0..33).map(|n| list(&format!("l{n}"), &first, "bot")).collect(), "more than 32 lists"),
        ] {
            let wrong = text(lists).unwrap_err();
            assert!(wrong.iter().any(|one| one.to_string().contains(said)), "{said}: {wrong:?}");
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
