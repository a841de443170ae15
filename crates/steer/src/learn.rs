//! What routes teach: to which AS an address belongs, and which space nobody announces.
//!
//! Routes come from a BGP session or from a BMP stream; each such source is a feed, which forgets its routes when it ends.
//! Paths also tell who is behind a neighbour. That space is unrouted is said only by a feed that told a whole table: one that sends a customer's few routes, or a
//! default route, knows nothing of the rest.

mod station;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::Prefix;
use base::prefix::bits_of;
use wire::bgp::attribute::Segment;
use wire::bgp::cone::{Cones, hops};
use wire::bgp::{Family, Handling, Update};

pub use station::Station;

/// Prefixes remembered, where nothing else is configured: room for the whole Internet of either family. Further ones are left
/// out and counted in [`Routes::left_out`].
pub const ROUTES_MAX: usize = 2_000_000;
/// Feeds at once; further ones are refused.
pub const FEEDS_MAX: usize = 64;
/// Routes without which a table is not taken for a whole one, for IPv4 and IPv6. In 2025 there were about 1,000,000 and
/// 230,000 (RIPE RIS, CIDR report).
pub const WHOLE_MIN: (usize, usize) = (500_000, 100_000);

/// One source of routes: a number that [`Routes::open`] hands out.
pub type Feed = u16;

/// Where an address belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The longest prefix that holds it, and the ASes that announce it, by number. There are none where a set hides them.
    Routed(Prefix, Vec<u32>),
    /// Nobody announces it, by a feed that would know.
    Unrouted,
    /// Nothing is known.
    Unknown,
}

#[derive(Clone, Debug, Default)]
struct Told {
    /// Routes of a feed, for IPv4 and IPv6.
    routes: [usize; 2],
    /// Whether the feed told all that it has, for IPv4 and IPv6.
    whole: [bool; 2],
    /// Whether routes of it were left out.
    cut: bool,
    /// Who is behind the neighbours that were looked for when it began, by all paths that it told since; what it withdrew counts, too.
    cones: Cones,
}

/// The routes of all feeds.
#[derive(Clone, Debug)]
pub struct Routes {
    most: usize,
    whole_min: (usize, usize),
    /// Which feed tells which origin.
    routes: BTreeMap<Prefix, Vec<(Feed, Option<u32>)>>,
    /// Prefixes of each length, by family.
    lengths: [BTreeMap<u8, usize>; 2],
    feeds: BTreeMap<Feed, Told>,
    /// Neighbours whose cones feeds that begin from now on are looked at for.
    neighbours: BTreeSet<u32>,
    /// Routes that were left out for want of room.
    pub left_out: u64,
    /// Updates of which a part could not be believed.
    pub damaged: u64,
}

impl Routes {
    /// Room for so many prefixes. `whole_min`: routes without which a table of IPv4 or IPv6 is not taken for a whole one.
    pub const fn new(most: usize, whole_min: (usize, usize)) -> Self {
        Self {
            most,
            whole_min,
            routes: BTreeMap::new(),
            lengths: [BTreeMap::new(), BTreeMap::new()],
            feeds: BTreeMap::new(),
            neighbours: BTreeSet::new(),
            left_out: 0,
            damaged: 0,
        }
    }

    /// Paths are looked at for who is behind these neighbours: those of feeds that begin from now on, for of what others told before nothing is
    /// kept.
    pub fn look_for(&mut self, neighbours: impl IntoIterator<Item = u32>) {
        self.neighbours = neighbours.into_iter().collect();
    }

    /// A feed begins; `None`: there is no room for it.
    pub fn open(&mut self) -> Option<Feed> {
        let free = (0..Feed::MAX).find(|feed| !self.feeds.contains_key(feed))?;
        if self.feeds.len() >= FEEDS_MAX {
            return None;
        }
        let cones = Cones::of(self.neighbours.iter().copied());
        self.feeds.insert(free, Told { cones, ..Told::default() });
        Some(free)
    }

    /// A feed that was opened tells this.
    pub fn update(&mut self, feed: Feed, update: &Update) {
        if !self.feeds.contains_key(&feed) {
            return;
        }
        for prefix in &update.withdrawn {
            self.withdraw(feed, *prefix);
        }
        let believed = matches!(update.handling, Handling::Fine | Handling::AttributeDiscard(_));
        if !believed {
            self.damaged += 1;
        }
        for prefix in &update.announced {
            if matches!(update.handling, Handling::TreatAsWithdraw(_)) {
                self.withdraw(feed, *prefix);
            } else {
                let path = update.attributes.as_path.as_deref().unwrap_or_default();
                self.announce(feed, *prefix, (update.attributes.origin_as(), path));
            }
        }
        let whole = match update.end_of_rib {
            Some(Family::IPV4) => Some(0),
            Some(Family::IPV6) => Some(1),
            _ => None,
        };
        if let Some(slot) = whole
            && let Some(flag) = self.feeds.get_mut(&feed).and_then(|told| told.whole.get_mut(slot))
        {
            *flag = true;
        }
    }

    /// A feed ended: what it told is forgotten.
    pub fn forget(&mut self, feed: Feed) {
        if self.feeds.remove(&feed).is_none() {
            return;
        }
        let lengths = &mut self.lengths;
        self.routes.retain(|prefix, told| {
            told.retain(|(from, _)| *from != feed);
            if told.is_empty() {
                shorten(lengths, *prefix);
            }
            !told.is_empty()
        });
    }

    /// Where an address belongs.
    pub fn origin(&self, addr: IpAddr) -> Origin {
        let lengths = if addr.is_ipv4() { &self.lengths[0] } else { &self.lengths[1] };
        // A default route says nothing of whose an address is.
        for length in lengths.keys().rev().filter(|length| **length > 0 && **length <= bits_of(addr)) {
            let prefix = Prefix::of(addr, *length);
            if let Some(told) = self.routes.get(&prefix) {
                let origins: BTreeSet<u32> = told.iter().filter_map(|(_, origin)| *origin).collect();
                return Origin::Routed(prefix, origins.into_iter().collect());
            }
        }
        if self.is_whole(addr.is_ipv4()) { Origin::Unrouted } else { Origin::Unknown }
    }

    /// Whether one of these routes to an address may be behind a neighbour, by the paths of all feeds. `None`: no path names the neighbour, or a
    /// feed whose paths do has not told all that it has.
    pub fn admits(&self, neighbour: u32, routes: &[(Prefix, Option<u32>)]) -> Option<bool> {
        let (mut answer, mut unsure) = (None, false);
        for (told, route) in
            self.feeds.values().flat_map(|told| routes.iter().map(move |route| (told, route)))
        {
            let [whole4, whole6] = told.whole;
            match told.cones.admits(neighbour, *route) {
                Some(true) => return Some(true),
                Some(false) if !told.cut && (if route.0.is_ipv4() { whole4 } else { whole6 }) => {
                    answer = Some(false);
                }
                Some(false) => unsure = true,
                None => {}
            }
        }
        answer.filter(|_| !unsure)
    }

    /// Whether some feed tells exactly this prefix.
    pub fn knows(&self, prefix: Prefix) -> bool {
        self.routes.contains_key(&prefix)
    }

    /// Whether some feed told a whole table of a family.
    pub fn is_whole(&self, ipv4: bool) -> bool {
        let least = if ipv4 { self.whole_min.0 } else { self.whole_min.1 };
        self.feeds.values().any(|told| {
            let ([routes4, routes6], [whole4, whole6]) = (told.routes, told.whole);
            let (routes, whole) = if ipv4 { (routes4, whole4) } else { (routes6, whole6) };
            whole && !told.cut && routes >= least
        })
    }

    /// Prefixes remembered.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    fn announce(&mut self, feed: Feed, prefix: Prefix, (origin, path): (Option<u32>, &[Segment])) {
        if let Some(told) = self.feeds.get_mut(&feed) {
            told.cones.look(prefix, origin, hops(path));
        }
        if self.routes.len() >= self.most && !self.routes.contains_key(&prefix) {
            self.left_out += 1;
            if let Some(told) = self.feeds.get_mut(&feed) {
                told.cut = true;
            }
            return;
        }
        let [v4, v6] = &mut self.lengths;
        let lengths = if prefix.is_ipv4() { v4 } else { v6 };
        let told = self.routes.entry(prefix).or_insert_with(|| {
            *lengths.entry(prefix.bits()).or_default() += 1;
            Vec::new()
        });
        match told.iter_mut().find(|(from, _)| *from == feed) {
            Some((_, known)) => *known = origin,
            None => {
                told.push((feed, origin));
                self.count(feed, prefix, |count| *count += 1);
            }
        }
    }

    fn withdraw(&mut self, feed: Feed, prefix: Prefix) {
        let Some(told) = self.routes.get_mut(&prefix) else { return };
        let before = told.len();
        told.retain(|(from, _)| *from != feed);
        let (now, gone) = (told.len(), told.is_empty());
        if gone {
            self.routes.remove(&prefix);
            shorten(&mut self.lengths, prefix);
        }
        if now < before {
            self.count(feed, prefix, |count| *count = count.saturating_sub(1));
        }
    }

    fn count(&mut self, feed: Feed, prefix: Prefix, change: impl Fn(&mut usize)) {
        if let Some(Told { routes: [v4, v6], .. }) = self.feeds.get_mut(&feed) {
            change(if prefix.is_ipv4() { v4 } else { v6 });
        }
    }
}

/// One prefix of its length less.
fn shorten([v4, v6]: &mut [BTreeMap<u8, usize>; 2], prefix: Prefix) {
    let lengths = if prefix.is_ipv4() { v4 } else { v6 };
    if let Some(count) = lengths.get_mut(&prefix.bits()) {
        *count -= 1;
        if *count == 0 {
            lengths.remove(&prefix.bits());
        }
    }
}
