//! A sampled packet: from the front of a frame to a record.

use base::Timestamp;
use wire::packet::{self, Link, Parsed, Tcp};
use wire::sflow::SampledIp;

use crate::record::{Detail, Observed, Record, Sampling, Snip};
use crate::told::Told;

/// What is told along with a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    pub(crate) at: Timestamp,
    pub(crate) exporter: u32,
    pub(crate) sampling: Sampling,
    pub(crate) observed: Observed,
    pub(crate) inner: bool,
}

/// Parses the front of a frame.
#[inline]
pub(crate) fn parse(link: Link, bytes: &[u8], frame_len: u32) -> Option<Parsed<'_>> {
    packet::parse(link, bytes, frame_len).ok()
}

/// Fills in what the packet says of itself.
#[inline]
pub(crate) fn tell(told: &mut Told, parsed: &Parsed<'_>) {
    let h = &parsed.headers;
    told.src = Some(h.src);
    told.dst = Some(h.dst);
    told.protocol = Some(h.protocol);
    told.src_port = h.src_port();
    told.dst_port = h.dst_port();
    told.tcp_flags = h.tcp.map(|tcp| tcp.flags & 0xff);
}

/// The record of a packet whose headers were seen.
#[inline]
pub(crate) fn record(parsed: &Parsed<'_>, told: &Told, seen: Sighting) -> Record {
    let inner = if seen.inner { packet::parse_inner(parsed) } else { None };
    let packets = told.packets.unwrap_or(1);
    let mut record = Record::packet(seen.at, inner.as_ref().unwrap_or(parsed));
    record.packets = packets;
    record.bytes = record.bytes.saturating_mul(packets);
    complete(&mut record, told, seen);
    record
}

/// The record of a packet of which the agent decoded the headers itself (`sampled_ipv4`, `sampled_ipv6`; P9).
pub(crate) fn record_of_ip(ip: &SampledIp, told: &Told, seen: Sighting) -> Record {
    let protocol = u8::try_from(ip.protocol).unwrap_or(255);
    let port = |port: u32| u16::try_from(port).unwrap_or(0);
    let with_ports = matches!(protocol, packet::TCP | packet::UDP);
    let headers = wire::Headers {
        src: ip.src,
        dst: ip.dst,
        protocol,
        length: ip.length,
        ttl: 0,
        dscp: u8::try_from(ip.tos >> 2 & 0x3f).unwrap_or(0),
        fragment: packet::Fragment::default(),
        ports: with_ports.then(|| (port(ip.src_port), port(ip.dst_port))),
        icmp: None,
        tcp: (protocol == packet::TCP).then(|| Tcp {
            flags: u16::try_from(ip.tcp_flags & 0xfff).unwrap_or(0),
            window: 0,
            options_len: 0,
        }),
        payload_len: None,
    };
    let mut record = Record {
        at: seen.at,
        start: seen.at,
        end: seen.at,
        headers,
        // Lifetime, window and payload were not told: to detection this is a flow of one packet.
        detail: Detail::Flow,
        snip: Snip::EMPTY,
        packets: 1,
        bytes: u64::from(ip.length),
        sampling: seen.sampling,
        exporter: seen.exporter,
        input_if: None,
        output_if: None,
        observed: seen.observed,
    };
    complete(&mut record, told, seen);
    record
}

#[inline]
fn complete(record: &mut Record, told: &Told, seen: Sighting) {
    record.sampling = seen.sampling;
    record.exporter = seen.exporter;
    record.input_if = told.input_if;
    record.output_if = told.output_if;
    record.observed = seen.observed;
}
