//! What routers tell of the Internet: which prefix and origin AS an address belongs to, and which space nobody routes.
//!
//! A source from unrouted space is spoofed, but only a feed that knows all of the Internet can say so: of a router that
//! tells a default route and its customers nothing follows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use wire::bgp::{Family, Handling, Update};

use crate::covering::Covering;

/// Routes of a family from which on a feed counts as the whole Internet's: well below what has been in the default-free zone
/// for years (IPv4 1,000,000, IPv6 200,000), and well above what a router tells who does not.
pub const WHOLE: (usize, usize) = (500_000, 100_000);
/// Tellers of routes at once.
const FEEDS_MAX: usize = 1024;

/// Who tells routes: a BGP session, or a peer of a monitored router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feed(pub u32);

/// What one feed says of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    feed: Feed,
    /// `None`: a set hides it, or the path is empty.
    origin: Option<u32>,
}

/// What is said of a prefix. Most have one teller.
#[derive(Clone, Debug)]
struct Entry {
    first: Told,
    others: Vec<Told>,
}

/// Routes of one feed by family: IPv4, IPv6.
type Count = (usize, usize);

/// The routes of all feeds.
#[derive(Debug)]
pub struct Routes {
    table: Covering<Entry>,
    feeds: BTreeMap<Feed, Count>,
    most: usize,
    whole: Count,
    left_out: u64,
    defaults: u64,
}

impl Routes {
    /// For so many prefixes at most; from `whole` routes on ([`WHOLE`]) a feed knows all of a family.
    pub fn new(most: usize, whole: (usize, usize)) -> Self {
        Self { table: Covering::default(), feeds: BTreeMap::new(), most, whole, left_out: 0, defaults: 0 }
    }

    /// Takes in an UPDATE (RFC 4271 §3.2): what it withdraws, then what it announces.
    pub fn take(&mut self, feed: Feed, update: &Update) {
        for prefix in &update.withdrawn {
            self.withdraw(feed, prefix);
        }
        let ended = matches!(update.handling, Handling::TreatAsWithdraw(_));
        let disabled = match update.handling {
            Handling::DisableFamily(family, _) => Some(family),
            _ => None,
        };
        let origin = update.attributes.origin_as();
        for prefix in &update.announced {
            let family = if prefix.is_ipv4() { Family::IPV4 } else { Family::IPV6 };
            match ended || disabled == Some(family) {
                true => self.withdraw(feed, prefix),
                false => self.announce(feed, *prefix, origin),
            }
        }
    }

    /// A route began or changed.
    pub fn announce(&mut self, feed: Feed, prefix: Prefix, origin: Option<u32>) {
        // It says where to send what nobody knows, not who owns it.
        if prefix.bits() == 0 {
            self.defaults = self.defaults.saturating_add(1);
            return;
        }
        let told = Told { feed, origin };
        if let Some(entry) = self.table.get_mut(&prefix) {
            if let Some(before) = entry.of(feed) {
                *before = told;
                return;
            }
            if entry.others.len() + 1 < FEEDS_MAX {
                entry.others.push(told);
                self.grow(feed, &prefix);
            } else {
                self.left_out = self.left_out.saturating_add(1);
            }
            return;
        }
        if self.table.len() >= self.most || (self.feeds.len() >= FEEDS_MAX && !self.feeds.contains_key(&feed))
        {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.table.insert(prefix, Entry { first: told, others: Vec::new() });
        self.grow(feed, &prefix);
    }

    /// A route ended.
    pub fn withdraw(&mut self, feed: Feed, prefix: &Prefix) {
        let Some(entry) = self.table.get_mut(prefix) else { return };
        match entry.without(feed) {
            Without::Unknown => return,
            Without::Others => {}
            Without::Nobody => self.table.remove(prefix),
        }
        if let Some(count) = self.feeds.get_mut(&feed) {
            let of_family = if prefix.is_ipv4() { &mut count.0 } else { &mut count.1 };
            *of_family = of_family.saturating_sub(1);
        }
    }

    /// A feed is gone, and with it all that it told.
    pub fn forget(&mut self, feed: Feed) {
        if self.feeds.remove(&feed).is_some() {
            self.table.retain(|_, entry| !matches!(entry.without(feed), Without::Nobody));
        }
    }

    /// The longest prefix that holds this address and the ASes that originate it; more than one is a multiple origin.
    pub fn origin(&self, addr: IpAddr) -> Option<(Prefix, Vec<u32>)> {
        let (prefix, entry) = self.table.covering(Prefix::host(addr)).next()?;
        let mut origins: Vec<u32> = entry.all().filter_map(|told| told.origin).collect();
        origins.sort_unstable();
        origins.dedup();
        Some((prefix, origins))
    }

    /// Whether anybody routes this address; `None`: no feed knows all of its family.
    pub fn is_routed(&self, addr: IpAddr) -> Option<bool> {
        match self.table.covering(Prefix::host(addr)).next() {
            Some(_) => Some(true),
            None => self.is_whole(addr.is_ipv4()).then_some(false),
        }
    }

    /// Whether a feed tells all routes of a family.
    pub fn is_whole(&self, ipv4: bool) -> bool {
        // What was left out could be what is asked for.
        self.left_out == 0
            && self.feeds.values().any(|count| match ipv4 {
                true => count.0 >= self.whole.0,
                false => count.1 >= self.whole.1,
            })
    }

    /// Prefixes that are known.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Feeds that told something.
    pub fn feeds(&self) -> usize {
        self.feeds.len()
    }

    /// Routes that found no room.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Default routes, which tell nothing here.
    pub const fn defaults(&self) -> u64 {
        self.defaults
    }

    fn grow(&mut self, feed: Feed, prefix: &Prefix) {
        let count = self.feeds.entry(feed).or_default();
        let of_family = if prefix.is_ipv4() { &mut count.0 } else { &mut count.1 };
        *of_family += 1;
    }
}

/// What is left of an entry when a feed takes its word back.
enum Without {
    /// It had said nothing.
    Unknown,
    /// What others say.
    Others,
    /// Nothing.
    Nobody,
}

impl Entry {
    fn all(&self) -> impl Iterator<Item = &Told> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn of(&mut self, feed: Feed) -> Option<&mut Told> {
        std::iter::once(&mut self.first).chain(&mut self.others).find(|told| told.feed == feed)
    }

    fn without(&mut self, feed: Feed) -> Without {
        if self.first.feed == feed {
            return match self.others.pop() {
                Some(other) => {
                    self.first = other;
                    Without::Others
                }
                None => Without::Nobody,
            };
        }
        let before = self.others.len();
        self.others.retain(|told| told.feed != feed);
        if self.others.len() == before { Without::Unknown } else { Without::Others }
    }
}
