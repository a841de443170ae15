//! Packets of an attack to be looked at: some of them, spread evenly over it, with no more of each than its headers.

use std::fmt::Write as _;
use std::path::Path;

use api::{Packets, SamplePacket};
use base::{Prefix, Timestamp};
use detect::class::Classifier;
use wire::Headers;
use wire::packet::{Fragment, network};

use crate::capture::Capture;
use crate::dossier::belonging;
use crate::evidence::channel::Channel;

/// Packets kept of one attack: some 100 KB.
const KEPT_MAX: usize = 128;
/// Octets of headers that are shown: no chain of headers that is of use is longer.
const OCTETS_MAX: usize = 256;
/// Packets of a bag that are looked at: a second's work.
const READ_MAX: u64 = 500_000;

/// Every so many-th packet; whenever there are too many, every second of them goes. So what is kept depends on nothing but the order.
#[derive(Debug)]
pub(super) struct Sampled {
    kept: Vec<SamplePacket>,
    stride: u64,
    seen: u64,
}

impl Default for Sampled {
    fn default() -> Self {
        Self { kept: Vec::new(), stride: 1, seen: 0 }
    }
}

impl Sampled {
    /// One more came; it is made only where it is kept.
    pub(super) fn take(&mut self, make: impl FnOnce() -> SamplePacket) {
        let place = self.seen;
        self.seen += 1;
        if !place.is_multiple_of(self.stride) {
            return;
        }
        if self.kept.len() >= KEPT_MAX {
            let mut stays = false;
            self.kept.retain(|_| {
                stays = !stays;
                stays
            });
            self.stride = self.stride.saturating_mul(2);
            if !place.is_multiple_of(self.stride) {
                return;
            }
        }
        self.kept.push(make());
    }

    /// What is shown.
    pub(super) fn shown(&self, at: Timestamp) -> Packets {
        Packets { as_of: at.to_string(), seen: self.seen, items: self.kept.clone() }
    }
}

/// A record as it is shown; `octets` are its headers from the IP header on, where it is a packet.
pub(super) fn of(
    at: Timestamp,
    of: &Headers,
    (packets, bytes): (u64, u64),
    is_packet: bool,
    vector: Option<String>,
    octets: Option<&[u8]>,
) -> SamplePacket {
    SamplePacket {
        at: at.to_string(),
        vector,
        src: of.src.to_string(),
        dst: of.dst.to_string(),
        ip_protocol: of.protocol,
        src_port: of.src_port(),
        dst_port: of.dst_port(),
        tcp_flags: of.tcp.map(|tcp| names(tcp.flags)),
        tcp_window: of.tcp.filter(|_| is_packet).map(|tcp| tcp.window),
        icmp: of.icmp.map(|(kind, code)| [kind, code]),
        ttl: is_packet.then_some(of.ttl),
        bytes,
        fragment: fragment(of.fragment),
        packets,
        headers: octets.map(|octets| hex(octets.get(..OCTETS_MAX).unwrap_or(octets))),
        ..SamplePacket::default()
    }
}

/// The same, by this way.
pub(super) fn by(channel: Channel, mut one: SamplePacket) -> SamplePacket {
    one.sampling_rate = channel.rate;
    one.exporter = Some(channel.exporter.to_string());
    one.input_if = channel.interface;
    one
}

/// Packets of a bag, as far as they are of these vectors and to these targets; `None`: there is none that can be read.
pub(super) fn of_bag(bag: &Path, targets: &[Prefix], names: &[String], at: Timestamp) -> Option<Packets> {
    let mut capture = Capture::open(&bag.join("data/capture.pcapng")).ok()?;
    let (mut sampled, classifier) = (Sampled::default(), Classifier::default());
    for _ in 0..READ_MAX {
        let Ok(Some(packet)) = capture.next() else { break };
        let Some(parsed) = packet.parse() else { continue };
        let to = targets.iter().any(|target| target.contains(parsed.headers.dst));
        let class = classifier.received(&parsed.headers, false);
        let Some(vector) = belonging::vector(names, class).filter(|_| to) else { continue };
        let mut interface = None;
        sampled.take(|| {
            interface = Some(packet.interface);
            let octets = network(packet.link, packet.bytes).ok();
            let counts = (1, u64::from(parsed.headers.length));
            of(packet.at, &parsed.headers, counts, true, names.get(vector).cloned(), octets)
        });
        // Who told stands beside the packets.
        let channel = interface.and_then(|interface| Channel::of(&capture.interface(interface)));
        if let (Some(channel), Some(last)) = (channel, sampled.kept.last_mut()) {
            *last = by(channel, std::mem::take(last));
        }
    }
    (sampled.seen > 0).then(|| sampled.shown(at))
}

fn fragment(one: Fragment) -> String {
    if one.is_later() {
        format!("later:{}", u32::from(one.offset) * 8)
    } else if one.more {
        "first".to_owned()
    } else {
        "none".to_owned()
    }
}

fn names(bits: u16) -> String {
    let set: Vec<&str> =
        ::rules::FLAG_NAMES.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name).collect();
    if set.is_empty() { "none".to_owned() } else { set.join("+") }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut out, octet| {
        let _ = write!(out, "{octet:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use wire::packet::flags;

    use super::*;

    fn packet(at: usize) -> SamplePacket {
        SamplePacket { at: at.to_string(), ..SamplePacket::default() }
    }

    #[test]
    fn what_is_kept_is_spread_evenly_over_all_that_came() {
        for count in [0, 1, 127, 128, 129, 1_000, 100_000] {
            let mut sampled = Sampled::default();
            (0..count).for_each(|at| sampled.take(|| packet(at)));
            let shown = sampled.shown(Timestamp::ZERO);
            assert_eq!(usize::try_from(shown.seen).unwrap(), count);
            let places: Vec<usize> = shown.items.iter().map(|one| one.at.parse().unwrap()).collect();
            assert!(
                places.len() <= KEPT_MAX && places.len() >= count.min(KEPT_MAX / 2),
                "{count}: {places:?}"
            );
            let gaps: std::collections::BTreeSet<usize> =
                places.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(gaps.len() <= 1 && places.first().is_none_or(|first| *first == 0), "{count}: {places:?}");
        }
    }

    #[test]
    fn headers_are_said_in_words_and_cut_at_a_bound() {
        assert_eq!((names(flags::SYN | flags::ACK), names(0)), ("syn+ack".to_owned(), "none".to_owned()));
        assert_eq!(fragment(Fragment { offset: 185, more: true, dont: false }), "later:1480");
        assert_eq!(hex(&[0x45, 0, 0xff]), "4500ff");
    }
}
