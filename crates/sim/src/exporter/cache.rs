//! The flow cache of a router.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;

use base::Timestamp;
use wire::packet::{ICMP, ICMP6};

use super::Settings;
use crate::packet::Packet;

/// Flows at most; beyond, the one that is due first is sent at once, as routers do when their cache is full.
const FLOWS_MAX: usize = 1 << 20;

/// What makes two packets the same flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) protocol: u8,
    pub(super) tos: u8,
    /// For ICMP: 0, and type × 256 + code.
    pub(super) ports: (u16, u16),
    pub(super) input: u16,
}

/// One flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) key: Key,
    pub(super) output: u16,
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) flags: u16,
}

impl Flow {
    /// Whether its ports field is an ICMP type and code.
    pub(super) const fn is_icmp(&self) -> bool {
        matches!(self.key.protocol, ICMP | ICMP6)
    }
}

/// Flows under way.
#[derive(Debug, Default)]
pub(super) struct Cache {
    flows: BTreeMap<Key, Flow>,
    /// When to look at a flow again.
    due: BinaryHeap<Reverse<(Timestamp, Key)>>,
}

impl Cache {
    pub(super) fn add(&mut self, packet: &Packet, settings: &Settings) {
        let h = &packet.headers;
        let ports = match (h.ports, h.icmp) {
            (Some(ports), _) => ports,
            (None, Some((kind, code))) => (0, u16::from_be_bytes([kind, code])),
            (None, None) => (0, 0),
        };
        let input = packet.input_if;
        let key = Key { src: h.src, dst: h.dst, protocol: h.protocol, tos: h.dscp << 2, ports, input };
        let due = &mut self.due;
        let flow = self.flows.entry(key).or_insert_with(|| {
            due.push(Reverse((packet.at.plus(settings.active.min(settings.inactive)), key)));
            let (first, last) = (packet.at, packet.at);
            Flow { key, output: packet.output_if, packets: 0, octets: 0, first, last, flags: 0 }
        });
        flow.packets += 1;
        flow.octets += packet.octets();
        flow.last = packet.at;
        flow.flags |= h.tcp.map_or(0, |tcp| tcp.flags);
    }

    /// The next flow whose time is up.
    pub(super) fn due(&mut self, now: Timestamp, settings: &Settings) -> Option<Flow> {
        while self.due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Reverse((_, key)) = self.due.pop()?;
            let flow = self.flows.get(&key)?;
            let at = flow.first.plus(settings.active).min(flow.last.plus(settings.inactive));
            if at <= now {
                return self.flows.remove(&key);
            }
            self.due.push(Reverse((at, key)));
        }
        None
    }

    /// The flow that has to go for want of room.
    pub(super) fn overflow(&mut self) -> Option<Flow> {
        if self.flows.len() <= FLOWS_MAX { None } else { self.first() }
    }

    /// The flow that is due first, whenever that is.
    pub(super) fn first(&mut self) -> Option<Flow> {
        let Reverse((_, key)) = self.due.pop()?;
        self.flows.remove(&key)
    }
}
