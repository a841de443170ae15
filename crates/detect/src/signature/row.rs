//! A sample as the search sees it, and the meaning of a match on it.

use alloc::vec::Vec;
use core::net::IpAddr;

use base::prefix::wide;
use base::{Prefix, hash};
use rules::{Flags, Fragments, Match, Numbers, Payload};
use telemetry::record::{Detail, Snip};
use wire::packet::{Fragment, ICMP, ICMP6, TCP, UDP, flags};

use super::Sample;
use super::fact::Slot;

/// A sample with what is not to be believed taken out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) icmp: Option<(u8, u8)>,
    pub(crate) flags: Option<u16>,
    pub(crate) length: Option<u32>,
    pub(crate) ttl: Option<u8>,
    pub(crate) dscp: Option<u8>,
    pub(crate) window: Option<u16>,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) snip: Option<Snip>,
    /// A flow's flags are those of all its packets together.
    pub(crate) flow: bool,
    /// A flow of more than one packet: what it shows was seen again and again.
    pub(crate) several: bool,
    /// The sample's number: a heavy one stands for several rows, which show no more than it did.
    pub(crate) sample: usize,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) at: u64,
    /// Who sent it, and for the packets of other hosts also to whom.
    pub(crate) peer: u128,
    /// Honest packets of other hosts: the number of their kind.
    pub(crate) kin: Option<usize>,
}

/// What to say of a question that the sample cannot answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// No: an attack is only covered by what was seen.
    Misses,
    /// Yes: honest traffic is feared lost unless seen otherwise.
    Matches,
}

impl Row {
    pub(crate) fn of(sample: &Sample) -> Self {
        let h = &sample.headers;
        let flow = sample.detail == Detail::Flow;
        let packet = |is: bool| !flow && is;
        // Flow caches write ports 0 for the fragments that have none.
        let of_ports = flow && matches!(h.protocol, TCP | UDP);
        let portless = of_ports && (h.ports == Some((0, 0)) || h.fragment.is_later());
        let tcp_flags = h.tcp.map(|t| t.flags);
        let kinds =
            tcp_flags.map_or(0, |f| (f & (flags::SYN | flags::ACK | flags::FIN | flags::RST)).count_ones());
        Self {
            src: h.src,
            dst: h.dst,
            protocol: h.protocol,
            ports: if portless { None } else { h.ports },
            icmp: h.icmp,
            flags: if portless { None } else { tcp_flags },
            // The mean over a connection is nobody's length.
            length: (!flow || kinds < 2).then_some(h.length),
            ttl: packet(true).then_some(h.ttl),
            dscp: packet(true).then_some(h.dscp),
            window: if flow { None } else { h.tcp.map(|t| t.window) },
            fragment: match (flow, portless) {
                (false, _) => Some(h.fragment),
                (true, true) => Some(Fragment { offset: 1, more: true, dont: false }),
                (true, false) => None,
            },
            snip: packet(matches!(h.protocol, TCP | UDP) && h.ports.is_some()).then_some(sample.snip),
            flow,
            several: sample.several,
            sample: 0,
            packets: sample.packets,
            bytes: sample.bytes,
            at: sample.at.nanos(),
            peer: wide(Prefix::of(h.src, if h.src.is_ipv4() { 32 } else { 64 }).addr()),
            kin: None,
        }
    }

    /// Whether it shows nothing that the row before it does not: a packet drawn once more.
    pub(crate) fn is_copy_of(&self, before: &Self) -> bool {
        self.sample == before.sample && !self.several
    }

    /// An honest packet of another host.
    pub(crate) fn of_kin(self, kind: usize) -> Self {
        let peer = u128::from(hash::pair(0x006b_696e, self.peer, wide(self.dst), 0));
        Self { peer, kin: Some(kind), ..self }
    }

    pub(crate) fn is_later(&self) -> bool {
        self.fragment.is_some_and(Fragment::is_later)
    }
}

/// All rows of `samples` of which `wanted` says so, in the order of time, thinned evenly to `max`.
pub(crate) fn rows(samples: &[Sample], max: usize, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
    let is_wanted = |sample: &Sample| {
        let row = Row::of(sample);
        row.packets > 0 && wanted(&row)
    };
    let mut order: Vec<(u64, usize)> = Vec::with_capacity(samples.len());
    let of_time = |(at, sample): (usize, &Sample)| (sample.at.nanos(), at);
    order.extend(samples.iter().enumerate().filter(|(_, sample)| is_wanted(sample)).map(of_time));
    order.sort_unstable();
    let n = order.len();
    let mut rows = Vec::with_capacity(n.min(max));
    let thinned = (0..n.min(max)).filter_map(|i| order.get(if n <= max { i } else { i * n / max }));
    let number = |(at, sample)| Row { sample: at, ..Row::of(sample) };
    rows.extend(thinned.filter_map(|(_, at)| Some((*at, samples.get(*at)?))).map(number));
    rows
}

/// Draws `count` rows in proportion to the packets they stand for (systematic sampling: even steps over the sum), so
/// that the search may count rows. Equal weights are left as they are.
pub(crate) fn even(rows: Vec<Row>, count: usize) -> Vec<Row> {
    let Some(first) = rows.first().map(|r| r.packets) else { return rows };
    if rows.iter().all(|r| r.packets == first) {
        return rows;
    }
    let total: u128 = rows.iter().map(|r| u128::from(r.packets)).sum();
    let mut drawn = Vec::with_capacity(count);
    let mut sum = 0u128;
    for row in rows {
        sum += u128::from(row.packets);
        // Row i is drawn for each k with (2k + 1) · total < 2 · count · sum.
        while ((2 * drawn.len() + 1) as u128) * total < 2 * (count as u128) * sum && drawn.len() < count {
            drawn.push(row);
        }
    }
    drawn
}

/// Whether `row` is what `m` asks for: the semantics of `rules::eval`, with an opinion on what was not seen.
pub(crate) fn holds(m: &Match, row: &Row, unknown: Unknown) -> bool {
    let unsure = unknown == Unknown::Matches;
    m.dst.is_none_or(|p| p.contains(row.dst))
        && m.src.is_none_or(|p| p.contains(row.src))
        && m.protocol.is_none_or(|p| p == row.protocol)
        && ports(m, row)
        && m.icmp_type.as_ref().is_none_or(|n| icmp(row).is_some_and(|(t, _)| within(n, u32::from(t))))
        && m.icmp_code.as_ref().is_none_or(|n| icmp(row).is_some_and(|(_, c)| within(n, u32::from(c))))
        && m.tcp_flags.as_ref().is_none_or(|tests| tcp_flags(tests, row, unsure))
        && m.length.as_ref().is_none_or(|n| row.length.map_or(unsure, |v| within(n, v)))
        && m.ttl.as_ref().is_none_or(|n| row.ttl.map_or(unsure, |v| within(n, u32::from(v))))
        && m.dscp.as_ref().is_none_or(|n| row.dscp.map_or(unsure, |v| within(n, u32::from(v))))
        && m.fragment
            .as_ref()
            .is_none_or(|f| row.fragment.map_or(unsure, |v| fragment(*f, v, row.dst.is_ipv4())))
        && m.window.as_ref().is_none_or(|n| match row.window {
            Some(v) => within(n, u32::from(v)),
            None => row.flow && row.protocol == TCP && unsure,
        })
        && m.payload.as_ref().is_none_or(|p| match row.snip {
            Some(snip) => payload(p, snip.bytes()),
            None => row.flow && matches!(row.protocol, TCP | UDP) && unsure,
        })
}

/// A row's answer to all questions about one number: what [`holds`] would look up for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This number.
    Number(u32),
    /// Whatever is asked, no.
    No,
    /// Whatever is asked, yes.
    Yes,
}

impl Answer {
    /// Of a slot that holds numbers.
    #[inline]
    pub(crate) fn of(slot: Slot, row: &Row, unknown: Unknown) -> Self {
        let or = |value: Option<u32>, yes: bool| match value {
            Some(value) => Self::Number(value),
            None if yes && unknown == Unknown::Matches => Self::Yes,
            None => Self::No,
        };
        match slot {
            Slot::IcmpType => or(icmp(row).map(|(kind, _)| u32::from(kind)), false),
            Slot::IcmpCode => or(icmp(row).map(|(_, code)| u32::from(code)), false),
            Slot::DstPort | Slot::SrcPort => or(slot.value(row), false),
            Slot::Window => or(slot.value(row), row.flow && row.protocol == TCP),
            Slot::Length | Slot::Ttl => or(slot.value(row), true),
            Slot::Source | Slot::Flags | Slot::Payload => Self::No,
        }
    }
}

pub(crate) fn within(numbers: &Numbers, value: u32) -> bool {
    numbers.0.iter().any(|r| (r.from..=r.to).contains(&value))
}

fn icmp(row: &Row) -> Option<(u8, u8)> {
    matches!(row.protocol, ICMP | ICMP6).then_some(row.icmp).flatten()
}

fn ports(m: &Match, row: &Row) -> bool {
    if m.port.is_none() && m.src_port.is_none() && m.dst_port.is_none() {
        return true;
    }
    let Some((src, dst)) = row.ports else { return false };
    let (src, dst) = (u32::from(src), u32::from(dst));
    m.src_port.as_ref().is_none_or(|n| within(n, src))
        && m.dst_port.as_ref().is_none_or(|n| within(n, dst))
        && m.port.as_ref().is_none_or(|n| within(n, src) || within(n, dst))
}

fn tcp_flags(tests: &[Flags], row: &Row, unsure: bool) -> bool {
    let Some(found) = row.flags else { return false };
    tests.iter().any(|t| {
        if row.flow && unsure {
            // Some packet of the flow may have had just these.
            found & t.value == t.value
        } else {
            found & t.mask == t.value
        }
    })
}

fn fragment(asked: Fragments, found: Fragment, v4: bool) -> bool {
    (asked.none && found.is_whole())
        || (asked.is && found.is_later())
        || (asked.first && found.offset == 0 && found.more)
        || (asked.last && found.is_later() && !found.more)
        || (asked.dont && v4 && found.dont)
}

fn payload(p: &Payload, bytes: &[u8]) -> bool {
    let Some(front) = bytes.get(usize::from(p.offset)..) else { return false };
    front.len() >= p.value.len()
        && p.value.iter().zip(&p.mask).zip(front).all(|((value, mask), found)| found & mask == *value)
}
