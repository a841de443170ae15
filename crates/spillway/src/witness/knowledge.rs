//! What is known of addresses: routes that are told to us come first, then the files of `[intel]`, lists of others, and what was
//! learned in peace.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base::Prefix;
use intel::Peace;
use intel::enrich::{Enrich, Files, Listed, Lists, Place};
use wire::bgp::cone::either;

use crate::config::Config;
use crate::dossier::lists::{self, Opened};
use crate::dossier::places::{self, Home};
use crate::routing::Learned;

/// What becomes of a file that was good before.
const HELD: &str = "what it had before holds on";
/// Own networks on the map at most.
const SITES_MAX: usize = 100;

/// See above.
#[derive(Clone, Debug, Default)]
pub(super) struct Knowledge {
    files: Arc<Files>,
    /// Those files, by name.
    opened: Arc<places::Shelf>,
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
    /// From the files of a configuration; one that cannot be used is said, and takes no other away. What `before` had of it holds on.
    pub(super) fn of(config: &Config, before: &Self) -> Self {
        let home = Home::of(config);
        let (opened, refused) = places::Shelf::open(&config.intel, &home, &before.opened);
        for places::Refused { cause, held, .. } in refused {
            let what = if held { HELD } else { "what it would tell is unknown" };
            tracing::error!(cause = format!("{cause:#}"), "a file of [intel] is left aside: {what}");
        }
        let lists = Arc::new(Shelf::of(config, &before.lists));
        Self {
            files: Arc::new(opened.files(&home)),
            opened: Arc::new(opened),
            lists,
            learned: None,
            peace: None,
        }
    }

    /// Also from routes that are told, and from what was learned in peace.
    pub(super) fn with(&self, learned: Option<Arc<Learned>>, peace: Option<Arc<Mutex<Peace>>>) -> Self {
        Self { learned, peace, ..self.clone() }
    }
}

impl Knowledge {
    /// What is told of each file.
    pub(super) fn files(&self) -> Vec<api::metrics::FileNumbers> {
        self.opened.told()
    }

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

    fn behind(&self, neighbour: u32, address: IpAddr) -> Option<bool> {
        if self.files.is_own(address) {
            return None;
        }
        let mut told: Vec<(Prefix, Option<u32>)> = self.files.told(address).collect();
        let live = self.learned.as_ref().map(|learned| learned.origin(address));
        if let Some((prefix, origins)) = live.and_then(|live| Some((live.prefix?, live.origins))) {
            let nobody = origins.is_empty().then_some((prefix, None));
            told.extend(origins.into_iter().map(|origin| (prefix, Some(origin))).chain(nobody));
        }
        let live = self.learned.as_ref().and_then(|learned| learned.admits(neighbour, &told));
        either(self.files.admits(neighbour, &told), live)
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
                    let what = if held().is_some() { HELD } else { "it says nothing of anybody" };
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
    use sim::dump::{record, sequence};
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
    fn paths_that_are_told_say_who_is_behind_a_neighbour() {
        let learned = Arc::new(Learned::new(100, (1, 1)));
        let feed = learned.with(|routes| {
            routes.look_for([65_001]);
            routes.open().unwrap()
        });
        let known = Knowledge::default().with(Some(Arc::clone(&learned)), None);
        for (prefix, inside, family) in
            [("9.9.9.0/24", "9.9.9.9", Family::IPV4), ("2620:fe::/48", "2620:fe::fe", Family::IPV6)]
        {
            let inside: IpAddr = inside.parse().unwrap();
            learned.with(|routes| routes.update(feed, &announced(prefix, 19_281)));
            assert_eq!(known.behind(65_001, inside), Some(true));
            // Somebody else announces what is within it, as a dump or another feed tells.
            let other = learned.with(|routes| routes.open().unwrap());
            let within = Prefix::of(inside, if inside.is_ipv4() { 30 } else { 126 });
            let mut elsewhere = announced(&within.to_string(), 64_999);
            elsewhere.attributes.as_path = Some(vec![Segment::sequence(vec![65_002, 64_999])]);
            learned.with(|routes| routes.update(other, &elsewhere));
            assert_eq!(known.behind(65_001, inside), None, "the neighbour's table is not whole yet");
            learned.with(|routes| {
                routes.update(feed, &Update { end_of_rib: Some(family), ..Update::default() })
            });
            assert_eq!(known.behind(65_001, inside), Some(false));
            assert_eq!((known.behind(65_002, inside), known.behind(65_003, inside)), (None, None));
            // A set hides who announces it, and it comes from behind the neighbour.
            let mut hidden = announced(&within.to_string(), 19_281);
            hidden.attributes.as_path.as_mut().unwrap().push(Segment { kind: 1, asns: vec![1, 2] });
            learned.with(|routes| routes.forget(other));
            learned.with(|routes| routes.update(feed, &hidden));
            assert_eq!(known.behind(65_001, inside), Some(true));
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
    fn a_file_that_breaks_leaves_what_it_had_and_takes_no_other_away() {
        let folder = std::env::temp_dir().join(format!("spillway-places-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (rib, table, other) = (folder.join("rib.mrt"), folder.join("a.csv"), folder.join("b.csv"));
        let route = record("20.0.0.0/8".parse().unwrap(), &[vec![sequence(&[64_500, 64_501])]]);
        std::fs::write(&rib, &route).unwrap();
        std::fs::write(&table, "20.0.0.0/8,,QM,,,\n").unwrap();
        std::fs::write(&other, "30.0.0.0/8,,QN,,,\n").unwrap();
        let text = format!(
            "networks = [\"198.51.100.0/24\"]\n[listen]\nsflow = \"127.0.0.1:0\"\n[exporters.\"192.0.2.1\".interfaces]\n\
             1 = {{ asn = 64500, cone = true }}\n[intel]\nmrt = [\"{}\"]\nplaces = [\"{}\", \"{}\"]\n",
            rib.display(),
            table.display(),
            other.display()
        );
        let config = Config::parse(std::path::Path::new("x.toml"), &text).unwrap();
        let (here, there): (IpAddr, IpAddr) = ([20, 0, 0, 1].into(), [30, 0, 0, 1].into());
        let knows = |known: &Knowledge| {
            let (one, two) = (known.place(here), known.place(there));
            (one.asn, one.country, two.country, known.behind(64_500, here))
        };
        let known = Knowledge::of(&config, &Knowledge::default());
        let (qm, qn) = (Some("QM".to_owned()), Some("QN".to_owned()));
        assert_eq!(knows(&known), (Some(64_501), qm.clone(), qn.clone(), Some(true)));
        std::fs::write(&rib, &route[..9]).unwrap();
        std::fs::write(&table, "20.0.0.0/8\n").unwrap();
        std::fs::write(&other, "30.0.0.0/8,,QO,,,\n").unwrap();
        let later = Knowledge::of(&config, &known);
        let qo = Some("QO".to_owned());
        assert_eq!(knows(&later), (Some(64_501), qm, qo.clone(), Some(true)), "what it had before holds on");
        let told = |known: &Knowledge| {
            let of = |one: api::metrics::FileNumbers| (one.kind, one.refused, one.modified > 1_600_000_000);
            known.files().into_iter().map(of).collect::<Vec<_>>()
        };
        let all = |holds| [("mrt", true, holds), ("places", true, holds), ("places", false, true)];
        assert_eq!(told(&later), all(true));
        // Who starts with them knows what the good one tells.
        let fresh = Knowledge::of(&config, &Knowledge::default());
        assert_eq!((knows(&fresh), told(&fresh)), ((None, None, qo, None), all(false).to_vec()));
        // Of our own networks nobody asks behind whom they are.
        let own: IpAddr = [198, 51, 100, 1].into();
        assert_eq!((known.behind(64_500, own), known.behind(64_499, here)), (None, None));
        std::fs::remove_dir_all(&folder).unwrap();
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
