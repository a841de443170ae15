//! What a recording holds of attacks, copied out of the reader's buffer so that several threads can look at it at once.

use base::Timestamp;
use detect::class::Class;
use intel::observe::Entry;
use telemetry::record::{Detail, Record};
use wire::Headers;
use wire::packet::{Link, Parsed, network};

use crate::capture;

/// Packets and octets handed over at once: few enough to stay in a core's own cache.
const PACKETS: usize = 1024;
const OCTETS: usize = 256 << 10;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    octets: Vec<u8>,
}

/// A packet or record to or from somebody who is attacked.
#[derive(Debug)]
pub(super) struct Item {
    /// Whose target receives it and whose sends it, by place in the sets of cases.
    pub(super) to: Option<u32>,
    pub(super) from: Option<u32>,
    /// Of what kind it is for who receives it.
    pub(super) class: Class,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Packet(Kept),
    Record(Box<Record>, Entry),
}

impl Item {
    /// How it came in, where an exporter told.
    pub(super) const fn entry(&self) -> Option<Entry> {
        match self.what {
            What::Packet(_) => None,
            What::Record(_, entry) => Some(entry),
        }
    }
}

/// Where a packet's parts are.
#[derive(Debug)]
pub(super) struct Kept {
    at: Timestamp,
    headers: Headers,
    vlan: Option<u16>,
    link: Link,
    link_number: u32,
    original_len: u32,
    frame: Part,
    ip: Part,
    transport: Part,
    payload: Part,
}

/// First octet and length.
#[derive(Clone, Copy, Debug, Default)]
struct Part(usize, usize);

impl Part {
    /// Of a part of a frame that lies there; nothing, where it does not.
    fn of(whole: &[u8], at: usize, part: &[u8]) -> Self {
        let begin = part.as_ptr().addr().checked_sub(whole.as_ptr().addr());
        let begin = begin.filter(|begin| begin + part.len() <= whole.len());
        begin.map_or(Self(at, 0), |begin| Self(at + begin, part.len()))
    }

    fn get(self, octets: &[u8]) -> &[u8] {
        octets.get(self.0..self.0 + self.1).unwrap_or_default()
    }
}

impl Batch {
    /// Empties it; the room stays.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.octets.clear();
    }

    /// Whether it is time to hand it over.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= PACKETS || self.octets.len() >= OCTETS
    }

    /// Copies a packet.
    pub(super) fn packet(
        &mut self,
        (to, from): (Option<u32>, Option<u32>),
        class: Class,
        packet: &capture::Packet<'_>,
        parsed: &Parsed<'_>,
    ) {
        let at = self.octets.len();
        self.octets.extend_from_slice(packet.bytes);
        let ip = network(packet.link, packet.bytes).unwrap_or_default();
        let length = usize::try_from(parsed.headers.length).unwrap_or(usize::MAX);
        let of = |part| Part::of(packet.bytes, at, part);
        let kept = Kept {
            at: packet.at,
            headers: parsed.headers,
            vlan: parsed.vlan,
            link: packet.link,
            link_number: packet.link_number,
            original_len: packet.original_len,
            frame: Part(at, packet.bytes.len()),
            ip: of(ip.get(..length).unwrap_or(ip)),
            transport: of(parsed.transport),
            payload: of(parsed.payload),
        };
        self.items.push(Item { to, from, class, what: What::Packet(kept) });
    }

    /// Copies a record of what came in this way.
    pub(super) fn record(
        &mut self,
        (to, from): (Option<u32>, Option<u32>),
        class: Class,
        record: &Record,
        entry: Entry,
    ) {
        self.items.push(Item { to, from, class, what: What::Record(Box::new(*record), entry) });
    }

    /// As the intelligence part looks at it.
    #[inline]
    pub(super) fn seen<'a>(&'a self, item: &'a Item) -> intel::Packet<'a> {
        match &item.what {
            What::Packet(kept) => intel::Packet {
                at: kept.at,
                headers: &kept.headers,
                ip: kept.ip.get(&self.octets),
                transport: kept.transport.get(&self.octets),
                payload: kept.payload.get(&self.octets),
                packets: 1,
                bytes: u64::from(kept.headers.length),
                single: true,
            },
            What::Record(record, _) => {
                let rate = u64::from(record.sampling.rate.unwrap_or(1).max(1));
                intel::Packet {
                    at: record.at,
                    headers: &record.headers,
                    ip: &[],
                    transport: &[],
                    payload: record.snip.bytes(),
                    packets: record.packets.saturating_mul(rate),
                    bytes: record.bytes.saturating_mul(rate),
                    single: record.detail == Detail::Packet,
                }
            }
        }
    }

    /// As it was captured; `None` of a record.
    #[inline]
    pub(super) fn captured<'a>(&'a self, item: &'a Item) -> Option<(capture::Packet<'a>, Parsed<'a>)> {
        let What::Packet(kept) = &item.what else { return None };
        let packet = capture::Packet {
            number: 0,
            at: kept.at,
            link: kept.link,
            link_number: kept.link_number,
            original_len: kept.original_len,
            interface: 0,
            bytes: kept.frame.get(&self.octets),
        };
        let parsed = Parsed {
            headers: kept.headers,
            payload: kept.payload.get(&self.octets),
            transport: kept.transport.get(&self.octets),
            vlan: kept.vlan,
        };
        Some((packet, parsed))
    }
}
