//! What is usual among a host's peers: the first idea of a host that is not known itself.
//!
//! Peers are the hosts of the same configured group, or else of the same /24 or /64; where these are too few, those of the same
//! customer. Of each class the median over all of them counts, those included that were seen and are too quiet to be remembered:
//! half of them would have to be loud to make a stranger's flood look usual, and more than a few floors nobody is granted.
//! Counted are levels that hosts have shown themselves, never ideas that they were given.

use base::hash;
use base::map::{Map, Seed};
use base::prefix::{PrefixTable, narrow};
use detect::class::Class;
use detect::measure::Measure;
use detect::season;

use crate::settings::{Group, Settings};

/// Circles of peers remembered; at the cap those without a busy host go, then hosts of further ones have no peers, counted in
/// `refused`.
const CIRCLES_MAX: usize = 1 << 16;
/// Fewer hosts are no circle, and fewer busy ones say nothing.
const MEMBERS_MIN: u64 = 4;
/// The idea is at most so many times the floor of a host: what is harmless for a whole network.
const FLOORS_MAX: f64 = 4.0;
/// Words of bits by which the hosts of a network, and of a group or a customer, are told apart.
const WORDS: (usize, usize) = (4, 64);
/// The upper 96 bits of an IPv4 address as [`base::prefix::wide`].
const IPV4: u128 = 0xffff;
/// Key of the hash that gives a host its bit: fixed, for nothing is to be gained from knowing it.
const SEEN: u64 = 0x7065_6572;

/// A class, and what it is measured by.
type Kind = (Class, Measure);

/// Hosts that have something in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Circle {
    Group(usize),
    Customer(usize),
    /// A /24 or /64, by its first address.
    Net(u128),
}

/// All circles.
#[derive(Debug)]
pub(crate) struct Peers {
    groups: PrefixTable<usize>,
    customers: PrefixTable<usize>,
    circles: Map<Circle, Members>,
    /// Hosts of one network that were just seen.
    walk: Vec<u128>,
    pub(crate) refused: u64,
}

#[derive(Debug)]
struct Members {
    seen: Vec<u64>,
    /// Hosts seen before a restart.
    before: u64,
    /// Busy hosts by class, measure and level, in order.
    busy: Vec<((Kind, u8), u64)>,
}

impl Circle {
    /// Whether each host has a bit of its own.
    const fn is_exact(self) -> bool {
        matches!(self, Self::Net(net) if net >> 32 == IPV4)
    }

    fn members(self) -> Members {
        let words = if matches!(self, Self::Net(_)) { WORDS.0 } else { WORDS.1 };
        Members { seen: vec![0; words], before: 0, busy: Vec::new() }
    }
}

impl Members {
    /// Marks a host; tells whether it was not.
    fn mark(&mut self, circle: Circle, host: u128) -> bool {
        let number = if circle.is_exact() { host & 0xff } else { hash::pair(SEEN, host, 0, 0).into() };
        let bits = self.seen.len().max(1) * 64;
        let Ok(bit) = usize::try_from(number % bits as u128) else { return false };
        let Some(word) = self.seen.get_mut(bit / 64) else { return false };
        let fresh = *word & 1 << (bit % 64) == 0;
        *word |= 1 << (bit % 64);
        fresh
    }

    /// Hosts seen, by linear counting (Whang and others 1990) where they share bits; without end where all are taken.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of hosts"
    )]
    fn count(&self, circle: Circle) -> u64 {
        let set: u32 = self.seen.iter().map(|word| word.count_ones()).sum();
        let bits = self.seen.len() as f64 * 64.0;
        let free = bits - f64::from(set);
        let seen = match free {
            _ if circle.is_exact() => set.into(),
            ..0.5 => u64::MAX,
            _ => (bits * (bits / free).ln()).round() as u64,
        };
        seen.max(self.before)
    }

    /// The level that more than half of so many members have; 0: they are quiet.
    fn median(&self, kind: Kind, members: u64) -> u8 {
        let mut above = 0;
        for ((_, level), hosts) in self.busy.iter().rev().filter(|((of, _), _)| *of == kind) {
            above += *hosts;
            if above >= MEMBERS_MIN && above > members / 2 {
                return *level;
            }
        }
        0
    }

    /// Whether anybody is busy with a class.
    fn has(&self, class: Class) -> bool {
        let at = self.busy.partition_point(|(((of, _), _), _)| *of < class);
        self.busy.get(at).is_some_and(|(((of, _), _), _)| *of == class)
    }

    fn put(&mut self, kind: Kind, level: u8) {
        match self.busy.binary_search_by_key(&(kind, level), |(key, _)| *key) {
            _ if level == 0 => {}
            Ok(at) => self.busy.iter_mut().skip(at).take(1).for_each(|(_, hosts)| *hosts += 1),
            Err(at) => self.busy.insert(at, ((kind, level), 1)),
        }
    }

    fn take(&mut self, kind: Kind, level: u8) {
        if let Ok(at) = self.busy.binary_search_by_key(&(kind, level), |(key, _)| *key) {
            self.busy.iter_mut().skip(at).take(1).for_each(|(_, hosts)| *hosts -= 1);
            self.busy.retain(|(_, hosts)| *hosts > 0);
        }
    }
}

impl Peers {
    pub(crate) fn new(settings: &Settings, seed: Seed) -> Self {
        let named = settings.groups.iter().enumerate().filter(|(_, group)| group.name != Group::DEFAULT);
        let groups = named.flat_map(|(at, group)| group.networks.iter().map(move |network| (*network, at)));
        let customers = settings.customers.iter().enumerate();
        let customers = customers.flat_map(|(at, (_, networks))| networks.iter().map(move |n| (*n, at)));
        Self {
            groups: PrefixTable::new(groups),
            customers: PrefixTable::new(customers),
            circles: Map::new(seed),
            walk: Vec::new(),
            refused: 0,
        }
    }

    /// A host was seen. Hosts come in the order of their addresses; [`Self::seen_all`] comes after the last.
    pub(crate) fn saw(&mut self, host: u128) {
        if self.walk.first().is_some_and(|first| net(*first) != net(host)) {
            self.seen_all();
        }
        self.walk.push(host);
    }

    /// No more hosts in this tick.
    pub(crate) fn seen_all(&mut self) {
        let mut hosts = std::mem::take(&mut self.walk);
        if let Some(first) = hosts.first() {
            let circle = Circle::Net(net(*first));
            match self.members(circle) {
                Some(members) => hosts.retain(|host| members.mark(circle, *host)),
                None => hosts.clear(),
            }
        }
        // Each host comes to its wider circles once.
        for host in &hosts {
            for circle in self.circles_of(*host).into_iter().flatten() {
                if let Some(members) = self.members(circle) {
                    members.mark(circle, *host);
                }
            }
        }
        hosts.clear();
        self.walk = hosts;
    }

    /// A host has shown other levels of a class, of packets and of octets; 0: it is quiet.
    pub(crate) fn moved(&mut self, host: u128, class: Class, from: [u8; 2], to: [u8; 2]) {
        for circle in self.circles_of(host).into_iter().flatten() {
            let Some(members) = self.members(circle) else { continue };
            for ((measure, from), to) in Measure::ALL.into_iter().zip(from).zip(to) {
                members.take((class, measure), from);
                members.put((class, measure), to);
            }
        }
    }

    /// The rates of a class that are usual among the peers of a host, of packets and of octets; 0 where they say nothing.
    pub(crate) fn idea(&self, host: u128, class: Class, floor: f64) -> [f64; 2] {
        let members = |circle| self.circles.get(&circle).map(|members| (circle, members));
        let circles = self.circles_of(host).map(|circle| circle.and_then(members));
        // Mostly nobody is busy with it: then there is nothing to count.
        if !circles.iter().flatten().any(|(_, members)| members.has(class)) {
            return [0.0; 2];
        }
        for (circle, members) in circles.into_iter().flatten() {
            let count = members.count(circle);
            if count >= MEMBERS_MIN {
                let median = |measure| season::rate_of(members.median((class, measure), count));
                return Measure::ALL.map(|measure| median(measure).min(FLOORS_MAX * floor));
            }
        }
        [0.0; 2]
    }

    /// All levels are told anew.
    pub(crate) fn forget_levels(&mut self) {
        self.circles.retain(|_, members| {
            members.busy.clear();
            true
        });
    }

    /// Hosts seen in the circles of busy ones, by the circles' names.
    pub(crate) fn saved(&self, settings: &Settings) -> Vec<(String, u64)> {
        let circles = self.circles.sorted().into_iter().filter(|(_, members)| !members.busy.is_empty());
        circles
            .filter_map(|(circle, members)| Some((name(*circle, settings)?, members.count(*circle))))
            .collect()
    }

    /// Puts them back.
    pub(crate) fn restore(&mut self, saved: &[(String, u64)], settings: &Settings) {
        let known: Vec<Circle> = self.circles.sorted().into_iter().map(|(circle, _)| *circle).collect();
        for circle in known {
            let before = name(circle, settings).and_then(|name| saved.iter().find(|(n, _)| *n == name));
            if let (Some((_, count)), Some(members)) = (before, self.circles.get_mut(&circle)) {
                members.before = *count;
            }
        }
    }

    /// The circles of a host, the nearest first.
    fn circles_of(&self, host: u128) -> [Option<Circle>; 2] {
        let addr = narrow(host);
        let group = self.groups.longest(addr).map(|at| Circle::Group(*at));
        let customer = self.customers.longest(addr).map(|at| Circle::Customer(*at));
        [group.or_else(|| Some(Circle::Net(net(host)))), customer]
    }

    fn members(&mut self, circle: Circle) -> Option<&mut Members> {
        if self.circles.len() >= CIRCLES_MAX && !self.circles.contains_key(&circle) {
            self.circles.retain(|_, members| !members.busy.is_empty());
            if self.circles.len() >= CIRCLES_MAX {
                self.refused += 1;
                return None;
            }
        }
        Some(self.circles.get_or_insert_with(circle, || circle.members()))
    }
}

/// The /24 or /64 of a host, as its first address.
const fn net(host: u128) -> u128 {
    if host >> 32 == IPV4 { host & !0xff } else { host >> 64 << 64 }
}

/// A name that survives a restart.
fn name(circle: Circle, settings: &Settings) -> Option<String> {
    match circle {
        Circle::Group(at) => settings.groups.get(at).map(|group| format!("group {}", group.name)),
        Circle::Customer(at) => settings.customers.get(at).map(|(name, _)| format!("customer {name}")),
        Circle::Net(net) => Some(narrow(net).to_string()),
    }
}
