//! Sums over prefixes: hosts come in the order of their addresses, so each level holds one open prefix at a time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use base::prefix::{PrefixTable, bits_of, narrow, wide};
use detect::cell::Cell;
use detect::class::{COUNT, Class};
use detect::vector::{self, Counts};

use crate::report::Direction;
use crate::target::{TargetKey, TickCounts};

/// Prefix lengths that are possible victims of their own, IPv4 and IPv6, the narrowest first.
const LEVELS: [(u8, u8); 2] = [(24, 64), (20, 48)];

/// How many times the floor of a host a prefix has.
pub(crate) fn floor_factor(key: &TargetKey) -> f64 {
    let addr = narrow(key.addr);
    match LEVELS.iter().position(|level| key.bits >= bits(level, addr)) {
        _ if key.bits == bits_of(addr) => 1.0,
        Some(0) => 2.0,
        _ => 4.0,
    }
}

const fn bits(level: &(u8, u8), addr: IpAddr) -> u8 {
    if addr.is_ipv4() { level.0 } else { level.1 }
}

/// Networks of customers: possible victims whatever their length.
#[derive(Debug, Default)]
pub(crate) struct Networks(PrefixTable<Prefix>);

impl Networks {
    pub(crate) fn of(customers: &[(String, Vec<Prefix>)]) -> Self {
        let level =
            |network: &Prefix| LEVELS.iter().any(|level| network.bits() == bits(level, network.addr()));
        let all = customers.iter().flat_map(|(_, networks)| networks);
        let own = all.filter(|network| !network.is_host() && !level(network));
        Self(PrefixTable::new(own.map(|network| (*network, *network))))
    }
}

/// The prefixes around a host that are possible victims.
pub(crate) fn around(networks: &Networks, host: u128) -> impl Iterator<Item = TargetKey> + '_ {
    let addr = narrow(host);
    let levels = LEVELS.iter().map(move |level| Prefix::of(addr, bits(level, addr)));
    let own = networks.0.longest(addr).copied();
    let key = |prefix: Prefix| TargetKey {
        addr: wide(prefix.addr()),
        bits: prefix.bits(),
        direction: Direction::In,
    };
    levels.chain(own).map(key)
}

/// What a target does besides the class in question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Others {
    pub(crate) established: f64,
    pub(crate) tcp_sent: f64,
    pub(crate) syns_sent: f64,
    pub(crate) all_sent: f64,
}

impl Others {
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    pub(crate) fn of(counts: &[TickCounts]) -> Self {
        let mut others = Self::default();
        for c in counts {
            others.all_sent += c.sent;
            match c.class {
                Class::TCP_ACK | Class::TCP_DATA => {
                    others.established += c.received.packets as f64;
                    others.tcp_sent += c.sent;
                }
                Class::TCP_SYN => {
                    others.syns_sent += c.sent;
                    others.tcp_sent += c.sent;
                }
                _ => {}
            }
        }
        others
    }

    fn add(&mut self, other: &Self) {
        self.established += other.established;
        self.tcp_sent += other.tcp_sent;
        self.syns_sent += other.syns_sent;
        self.all_sent += other.all_sent;
    }

    /// As a family wants it.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    pub(crate) fn counts(&self, exact: bool, c: &TickCounts) -> Counts {
        Counts {
            class: c.class,
            received: c.received.packets as f64,
            unsolicited: c.received.unsolicited as f64,
            sent: c.sent,
            established: self.established,
            tcp_sent: self.tcp_sent,
            syns_sent: self.syns_sent,
            all_sent: self.all_sent,
            exact,
        }
    }
}

/// One class in an open prefix.
#[derive(Clone, Debug)]
struct ClassSum {
    received: Cell,
    sent: f64,
    suspect: f64,
    /// The largest two of its hosts, or prefixes of the level below.
    top: (f64, f64),
}

const NOTHING: ClassSum = ClassSum { received: Cell::EMPTY, sent: 0.0, suspect: 0.0, top: (0.0, 0.0) };

impl ClassSum {
    /// Twice what all but the largest two have, of all.
    fn spread(&self) -> f64 {
        if self.suspect <= 0.0 {
            0.0
        } else {
            (2.0 * (1.0 - (self.top.0 + self.top.1) / self.suspect)).clamp(0.0, 1.0)
        }
    }
}

/// A prefix whose hosts are all counted.
#[derive(Debug, Default)]
pub(crate) struct Area {
    pub(crate) key: Option<TargetKey>,
    pub(crate) counts: Vec<TickCounts>,
    /// How much of the suspect packets of the class counts against the prefix, in the order of `counts`: all where they are
    /// spread, nothing where two hosts have them all. A busy host does not make its neighbours victims.
    pub(crate) spread: Vec<f64>,
    pub(crate) others: Others,
}

/// The open prefix of one level.
#[derive(Debug)]
struct Level {
    open: Option<TargetKey>,
    /// Bit by class: which sums are not nothing.
    touched: u64,
    sums: Vec<ClassSum>,
    others: Others,
}

impl Level {
    fn new() -> Self {
        Self { open: None, touched: 0, sums: vec![NOTHING; COUNT], others: Others::default() }
    }

    fn add(&mut self, exact: bool, counts: &[TickCounts], others: &Others) {
        self.others.add(others);
        for c in counts {
            let Some(sum) = self.sums.get_mut(c.class.index()) else { continue };
            self.touched |= 1 << c.class.0;
            sum.sent += c.sent;
            if c.received.packets == 0 {
                continue;
            }
            sum.received.merge(&c.received);
            let suspect = (vector::family(c.class).suspect)(&others.counts(exact, c));
            if suspect > 0.0 {
                sum.suspect += suspect;
                sum.top = (sum.top.0.max(suspect), sum.top.1.max(suspect.min(sum.top.0)));
            }
        }
    }

    /// Takes the sums out; the level is empty again.
    fn close(&mut self, area: &mut Area) {
        area.key = self.open.take();
        area.others = std::mem::take(&mut self.others);
        area.counts.clear();
        area.spread.clear();
        let mut touched = std::mem::take(&mut self.touched);
        while touched != 0 {
            let index = touched.trailing_zeros();
            touched &= touched - 1;
            let Some(slot) = usize::try_from(index).ok().and_then(|at| self.sums.get_mut(at)) else {
                continue;
            };
            let sum = std::mem::replace(slot, NOTHING);
            let class = Class(u8::try_from(index).unwrap_or(0));
            area.counts.push(TickCounts { class, received: sum.received, sent: sum.sent });
            area.spread.push(sum.spread());
        }
    }
}

/// The open prefixes of one direction, the narrowest first.
#[derive(Debug)]
pub(crate) struct Areas<'a> {
    direction: Direction,
    networks: &'a Networks,
    /// The customers' networks that hosts were counted in.
    customers: BTreeMap<Prefix, Level>,
    exact: bool,
    levels: Vec<Level>,
    closed: Area,
}

impl<'a> Areas<'a> {
    pub(crate) fn new(direction: Direction, networks: &'a Networks, exact: bool) -> Self {
        let levels = LEVELS.iter().map(|_| Level::new()).collect();
        Self { direction, networks, customers: BTreeMap::new(), exact, levels, closed: Area::default() }
    }

    /// Adds a host; prefixes that it does not lie in are closed and told.
    pub(crate) fn add(
        &mut self,
        host: u128,
        counts: &[TickCounts],
        others: &Others,
        mut each: impl FnMut(&Area),
    ) {
        let addr = narrow(host);
        for at in 0..self.levels.len() {
            let bits = LEVELS.get(at).map_or(0, |level| if addr.is_ipv4() { level.0 } else { level.1 });
            let key =
                TargetKey { addr: wide(Prefix::of(addr, bits).addr()), bits, direction: self.direction };
            let Some(level) = self.levels.get_mut(at) else { continue };
            if level.open != Some(key) {
                self.close(at, &mut each);
                if let Some(level) = self.levels.get_mut(at) {
                    level.open = Some(key);
                }
            }
        }
        if let Some(first) = self.levels.first_mut() {
            first.add(self.exact, counts, others);
        }
        if !self.networks.0.is_empty()
            && let Some(network) = self.networks.0.longest(addr)
        {
            let key = self.key(*network);
            let sum = self.customers.entry(*network).or_insert_with(Level::new);
            sum.open = Some(key);
            sum.add(self.exact, counts, others);
        }
    }

    fn key(&self, prefix: Prefix) -> TargetKey {
        TargetKey { addr: wide(prefix.addr()), bits: prefix.bits(), direction: self.direction }
    }

    /// No more hosts: tells what is open.
    pub(crate) fn finish(mut self, mut each: impl FnMut(&Area)) {
        for at in 0..self.levels.len() {
            self.close(at, &mut each);
        }
        for sum in self.customers.values_mut() {
            sum.close(&mut self.closed);
            each(&self.closed);
        }
    }

    /// Closes a level and adds it to the next.
    fn close(&mut self, at: usize, each: &mut impl FnMut(&Area)) {
        let Some(level) = self.levels.get_mut(at).filter(|level| level.open.is_some()) else { return };
        level.close(&mut self.closed);
        each(&self.closed);
        if let Some(next) = self.levels.get_mut(at + 1) {
            next.add(self.exact, &self.closed.counts, &self.closed.others);
        }
    }
}
