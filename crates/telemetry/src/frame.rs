//! A sampled packet: from the front of a frame to a record.

use wire::Headers;
use wire::packet::{self, Behind, Link, Tcp};
use wire::sflow::SampledIp;

use crate::record::{Detail, Record, Snip};
use crate::told::Told;

/// The front of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) link: Link,
    pub(crate) bytes: &'a [u8],
    /// Octets on the wire.
    pub(crate) len: u32,
    /// Judged by the packet inside, where there is one.
    pub(crate) inner: bool,
}

/// Fills in what the packet says of itself, and how long it was. False where it is none that we can read; what stands
/// in the record then is not to be used. `supplement` may add to the headers what the frame no longer holds.
#[inline(always)]
pub(crate) fn read(
    frame: Frame<'_>,
    told: &mut Told,
    record: &mut Record,
    supplement: impl FnOnce(&mut Headers),
) -> bool {
    let headers = &mut record.headers;
    let mut behind = Behind::NOTHING;
    if packet::parse_into(frame.link, frame.bytes, frame.len, headers, &mut behind).is_err() {
        return false;
    }
    supplement(headers);
    told.protocol = Some(headers.protocol);
    told.src_port = headers.src_port();
    told.dst_port = headers.dst_port();
    told.tcp_flags = headers.tcp.map(|tcp| tcp.flags & 0xff);
    told.src = Some(headers.src);
    told.dst = Some(headers.dst);
    record.snip.take(behind.payload);
    if frame.inner {
        inner(behind, record);
    }
    record.bytes = u64::from(record.headers.length).saturating_mul(record.packets);
    true
}

#[cold]
fn inner(outer: Behind<'_>, record: &mut Record) {
    if let Some(inner) = packet::parse_inner(&outer.with(record.headers)) {
        record.headers = inner.headers;
        record.snip = Snip::of(inner.payload);
    }
}

/// Fills in a packet of which the agent decoded the headers itself (`sampled_ipv4`, `sampled_ipv6`; P9).
#[inline(never)]
pub(crate) fn read_ip(ip: &SampledIp, record: &mut Record) {
    let protocol = u8::try_from(ip.protocol).unwrap_or(255);
    let port = |port: u32| u16::try_from(port).unwrap_or(0);
    let with_ports = matches!(protocol, packet::TCP | packet::UDP);
    record.headers = Headers {
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
    // Lifetime, window and payload were not told: to detection this is a flow of one packet.
    record.detail = Detail::Flow;
    record.snip = Snip::EMPTY;
    record.bytes = u64::from(ip.length);
}
