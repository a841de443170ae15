//! What all own hosts together received in a tick.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::prefix::{PrefixTable, narrow};
use detect::cell::Side;
use detect::class::Class;

use crate::report::Direction;
use crate::settings::Settings;
use crate::tick::Tick;

/// Own hosts that are no customer's.
const OTHERS: &str = "other";

/// Packets and layer-3 octets of one tick, estimated where sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Packets.
    pub packets: u64,
    /// Octets.
    pub bytes: u64,
}

impl Received {
    /// Of a merged tick. Without own networks, every host is one.
    pub(crate) fn of(tick: &Tick) -> Self {
        let received = tick.counts.cells.iter().filter(|(key, _)| key.side == Side::Received);
        received.fold(Self::default(), |sum, (_, cell)| Self {
            packets: sum.packets.saturating_add(cell.packets),
            bytes: sum.bytes.saturating_add(cell.bytes),
        })
    }
}

/// What own networks got and sent since the engine began, by customer, direction and protocol. Never by host.
#[derive(Debug)]
pub(crate) struct Flowed {
    customers: PrefixTable<usize>,
    names: Vec<String>,
    sums: BTreeMap<(usize, Direction, &'static str), Received>,
}

impl Flowed {
    pub(crate) fn new(settings: &Settings) -> Self {
        let customers = settings.customers.iter().enumerate();
        let networks = customers.flat_map(|(at, (_, networks))| networks.iter().map(move |n| (*n, at)));
        let names = settings.customers.iter().map(|(name, _)| name.clone());
        Self {
            customers: PrefixTable::new(networks),
            names: names.chain([OTHERS.to_owned()]).collect(),
            sums: BTreeMap::new(),
        }
    }

    /// Adds a tick.
    pub(crate) fn add(&mut self, tick: &Tick) {
        // Cells are in the order of their hosts, so each is looked for once.
        let mut last = None;
        for (key, cell) in &tick.counts.cells {
            let direction = match key.side {
                Side::Received => Direction::In,
                Side::Sent => Direction::Out,
                Side::ReceivedFromUs | Side::SentToUs => continue,
            };
            let group = match last {
                Some((host, group)) if host == key.host => group,
                _ => self.group(narrow(key.host)),
            };
            last = Some((key.host, group));
            let sum = self.sums.entry((group, direction, protocol(key.class))).or_default();
            sum.packets = sum.packets.saturating_add(cell.packets);
            sum.bytes = sum.bytes.saturating_add(cell.bytes);
        }
    }

    /// The number of the customer whose host it is, or that of the others.
    pub(crate) fn group(&self, host: IpAddr) -> usize {
        self.customers.longest(host).copied().unwrap_or_else(|| self.names.len().saturating_sub(1))
    }

    /// Its name.
    pub(crate) fn name(&self, group: usize) -> Option<&str> {
        self.names.get(group).map(String::as_str)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Direction, &'static str, Received)> {
        self.sums.iter().filter_map(|((group, direction, protocol), sum)| {
            Some((self.names.get(*group)?.as_str(), *direction, *protocol, *sum))
        })
    }
}

fn protocol(class: Class) -> &'static str {
    let name = class.name();
    match class {
        class if class.is_tcp() => "tcp",
        class if class.reflector().is_some() || name.starts_with("udp") => "udp",
        _ if name.starts_with("icmp") => "icmp",
        _ => "other",
    }
}
