//! Packets of an attack, folded into what is known of its sources and vectors.
//!
//! Memory does not depend on the attack: [`table::SOURCES_MAX`](crate::table) sources, [`VECTORS_MAX`] vectors with
//! capped tables, [`SAMPLES`] octets of packets. Whoever holds the packets says of which vector each is; nothing here
//! knows classes of traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::map::Seed;
use base::prefix::wide;
use base::{Prefix, Timestamp};
use wire::Headers;
use wire::packet::{Link, TCP, UDP, flags, parse};

use crate::distinct::Distinct;
use crate::finding::Sample;
use crate::packet::{Packet, Segment};
use crate::quic;
use crate::rules::Rules;
use crate::shape::{FORMS_MAX, Form, Shape};
use crate::source::{Proofs, Said, Source};
use crate::table::Sources;
use crate::vector::Vector;

/// Vectors told apart in one attack; the packets of further ones are of the last.
pub const VECTORS_MAX: usize = 16;
/// Octets of packets kept as samples, of all sources together.
const SAMPLES: usize = 8 << 20;
/// Octets kept of one packet.
const SAMPLE_MAX: usize = 256;
/// Packets kept of one source while the attack goes on.
const SAMPLES_EACH: usize = 4;
/// Quoted packets looked at: hosts that the forger asked in the target's name.
const QUOTES_MAX: usize = 1 << 14;

/// What an attack is, as far as packets can be told apart by it.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Names of its vectors, the largest first.
    pub vectors: Vec<String>,
    /// When its first packet came.
    pub started: Timestamp,
    /// Who was seen to behave in the way of vectors that are known by behaviour; empty where none is.
    pub culprits: Vec<IpAddr>,
    /// Who has proven itself to the data plane: a cookie or a challenge came back.
    pub proven: Vec<IpAddr>,
    /// Sources remembered at most.
    pub sources_max: usize,
    /// Of sketches and samples; nobody outside needs to know it.
    pub key: u64,
    /// Of tables.
    pub seed: Seed,
}

/// One way into the network, as exporters tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Who told.
    pub exporter: IpAddr,
    /// Its interface, by ifIndex.
    pub interface: Option<u32>,
}

/// Ways in that are told apart; packets by others are of none.
const ENTRIES_MAX: usize = 250;

/// Watches one attack.
#[derive(Clone, Debug)]
pub struct Observer {
    pub(crate) rules: std::sync::Arc<Rules>,
    pub(crate) sources: Sources,
    pub(crate) vectors: Vec<Vector>,
    pub(crate) forms: Vec<Shape>,
    /// Form of the packet before.
    recent: usize,
    /// Packets whose form found no place.
    pub(crate) formless: u64,
    pub(crate) distinct: Distinct,
    pub(crate) samples: BTreeMap<u128, Vec<Sample>>,
    sampled: usize,
    /// Hosts that ICMP errors quote as asked in the target's name, and what of: protocol and port.
    pub(crate) quoted: BTreeMap<IpAddr, (u8, u16)>,
    /// Who sent ICMP errors that quote such packets.
    pub(crate) quoting: BTreeSet<IpAddr>,
    started: Timestamp,
    /// Whether any packet of a target was seen.
    pub(crate) two_way: bool,
    pub(crate) single: u64,
    pub(crate) summarised: u64,
    /// Ways in with their packets, in order of appearance.
    pub(crate) entries: Vec<(Entry, u64)>,
}

impl Observer {
    /// Of an attack that is known by now; its packets are shown in order of capture.
    pub fn new(rules: std::sync::Arc<Rules>, scope: Scope) -> Self {
        let Scope { vectors, started, culprits, proven, sources_max, key, seed } = scope;
        let mut sources = Sources::new(sources_max, key, seed);
        for culprit in culprits.iter().take(sources_max / 2) {
            sources.get(wide(*culprit)).into_iter().for_each(|source| source.proof.set(Proofs::CULPRIT));
        }
        for address in proven.iter().take(sources_max / 4) {
            sources.get(wide(*address)).into_iter().for_each(|source| source.proof.set(Proofs::HANDSHAKE));
        }
        Self {
            rules,
            sources,
            vectors: vectors.into_iter().take(VECTORS_MAX).map(Vector::new).collect(),
            forms: Vec::new(),
            recent: 0,
            formless: 0,
            distinct: Distinct::new(),
            samples: BTreeMap::new(),
            sampled: 0,
            quoted: BTreeMap::new(),
            quoting: BTreeSet::new(),
            started,
            two_way: false,
            single: 0,
            summarised: 0,
            entries: Vec::new(),
        }
    }

    /// So many sources are to be expected: room is made for as many as are remembered.
    pub fn expect(&mut self, sources: usize) {
        self.sources.expect(sources);
    }

    /// The place of a vector with this name: it is made, where it is new and there is room.
    pub fn vector(&mut self, name: &str) -> usize {
        let known = self.vectors.iter().position(|vector| vector.name == name);
        known.unwrap_or_else(|| {
            if self.vectors.len() < VECTORS_MAX {
                self.vectors.push(Vector::new(name.to_owned()));
            }
            self.vectors.len().saturating_sub(1)
        })
    }

    /// Names of its vectors, by place.
    pub fn vectors(&self) -> impl Iterator<Item = &str> {
        self.vectors.iter().map(|vector| vector.name.as_str())
    }

    /// A source has proven itself to somebody who asked it for a cookie; who sent nothing yet is not remembered for it.
    pub fn prove(&mut self, address: IpAddr) {
        self.sources.known(wide(address)).into_iter().for_each(|source| source.proof.set(Proofs::HANDSHAKE));
    }

    /// Ways by which it came in, in order of appearance: [`Incident::ingress`](crate::Incident::ingress) has one line for each.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().map(|(entry, _)| *entry)
    }

    /// Likewise [`Self::receive`], of a packet that came in by a way that is known.
    pub fn receive_by(&mut self, packet: &Packet<'_>, vector: Option<usize>, entry: Entry) {
        let attacks = self.take(packet, vector);
        if vector.is_none() {
            return;
        }
        let known = self.entries.iter().position(|(known, _)| *known == entry);
        let place = known.or_else(|| {
            let room = self.entries.len() < ENTRIES_MAX;
            room.then(|| {
                self.entries.push((entry, 0));
                self.entries.len() - 1
            })
        });
        let Some(place) = place else { return };
        if let Some((_, packets)) = self.entries.get_mut(place) {
            *packets += packet.packets;
        }
        let address = wide(packet.headers.src);
        let way = u8::try_from(place + 1).unwrap_or(0);
        let source = self.sources.known(address).filter(|_| attacks);
        source.into_iter().for_each(|source| source.enters(way, packet.packets));
    }

    /// Looks where [`Self::receive`] will look, and changes nothing. What is remembered of sources lies far apart in memory: if this is
    /// shown some packets before the first of them is received, they wait for it together, and not one after the other.
    #[inline]
    pub fn approach(&self, headers: &Headers, vector: Option<usize>) {
        let address = wide(headers.src);
        let hash = self.sources.hash(address);
        let near = self.sources.approach(address, hash) ^ self.distinct.approach(hash);
        let vector = vector.and_then(|place| self.vectors.get(place));
        core::hint::black_box(near ^ vector.map_or(0, |vector| vector.approach(headers)));
    }

    /// Likewise before [`Self::answer`].
    #[inline]
    pub fn approach_answer(&self, headers: &Headers) {
        let address = wide(headers.dst);
        core::hint::black_box(self.sources.approach(address, self.sources.hash(address)));
    }

    /// A packet that a target sent.
    #[inline]
    pub fn answer(&mut self, packet: &Packet<'_>) {
        self.two_way = true;
        let address = wide(packet.headers.dst);
        let said = said(packet, packet.segment().as_ref());
        // Of a source that was forgotten it is not known who spoke first: what answers says nothing then.
        let begins = !self.sources.overflows() || said.is_none_or(|said| said.syn && !said.ack);
        let Some(source) = self.sources.get(address) else { return };
        if begins && source.packets == 0 && source.other == 0 {
            source.proof.set(Proofs::ASKED);
        }
        if let Some(said) = said {
            source.told(&said);
        } else if packet.headers.protocol == UDP
            && let Some(id) = quic::chosen(packet.payload)
        {
            (source.cid, source.cid_len) = (id.hash, id.len);
        }
    }

    /// A packet that a target received: of the vector with this place, or of none.
    #[inline]
    pub fn receive(&mut self, packet: &Packet<'_>, vector: Option<usize>) {
        self.take(packet, vector);
    }

    /// Likewise; tells whether it counts for the attack, which a conversation does not.
    #[inline]
    fn take(&mut self, packet: &Packet<'_>, vector: Option<usize>) -> bool {
        let h = packet.headers;
        if let Some(quoted) = packet.quoted() {
            self.quote(h.src, h.dst, quoted);
        }
        let segment = packet.segment();
        let address = wide(h.src);
        // Sketch and table draw by the same key.
        let hash = self.sources.hash(address);
        let said = said(packet, segment.as_ref());
        // Who is not remembered counts for the vector all the same.
        let mut stranger = Source::default();
        let source = self.sources.get_by(address, hash).unwrap_or(&mut stranger);
        if packet.at < self.started {
            source.proof.set(Proofs::BEFORE);
        }
        let explained = match said {
            Some(said) => source.says(&said, packet.packets),
            None => source.proof.has(Proofs::ASKED) || greets(source, packet),
        };
        if explained && said.is_some() && source.proof.has(Proofs::HANDSHAKE) && is_hello(packet.payload) {
            source.proof.set(Proofs::HELLO);
        }
        // A conversation is no attack, unless it is by its conversations that its sender attacks.
        let vector = vector.filter(|_| !explained || source.proof.has(Proofs::CULPRIT));
        let Some(place) = vector.map(|place| place.min(self.vectors.len().saturating_sub(1))) else {
            source.other = source.other.saturating_add(u32::try_from(packet.packets).unwrap_or(u32::MAX));
            if source.packets == 0 {
                source.ttl = h.ttl;
            }
            return false;
        };
        let tool = self.rules.tool_of(packet, segment.as_ref());
        let reflects = if source.proof.has(Proofs::ASKED) { None } else { reflects(&self.rules, packet) };
        let form = Form::of(packet, segment.as_ref(), reflects.is_some());
        let shape = shape(&mut self.forms, &mut self.recent, form);
        match shape {
            Some(at) => {
                if let Some(shape) = self.forms.get_mut(at) {
                    shape.add(packet, segment.as_ref());
                }
            }
            None => self.formless += packet.packets,
        }
        let form_at = shape.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX);
        if packet.single {
            self.single += 1;
        } else {
            self.summarised += 1;
        }
        self.distinct.add(hash);
        if source.packets == 0 {
            (source.ports, source.protocol, source.form) = (h.ports, h.protocol, form_at);
        }
        source.attacks(packet.at, packet.packets, packet.bytes, h.ttl);
        source.vectors |= 1 << place.min(31);
        if let Some(tool) = tool {
            source.tool_packets = source.tool_packets.saturating_add(1);
            if source.tool == 0 {
                source.tool = u8::try_from(tool + 1).unwrap_or(0);
            }
        }
        if reflects.is_some() || is_answerable(packet) {
            source.answerable = source.answerable.saturating_add(1);
        }
        if let Some(reflects) = reflects {
            source.reflected = source.reflected.saturating_add(1);
            source.reflects = reflects;
            source.proof.set(Proofs::ANSWER);
        }
        let worth = tool.is_some() || reflects.is_some() || source.packets > 1;
        let few = source.packets <= 64;
        if let Some(vector) = self.vectors.get_mut(place) {
            vector.add(packet, form_at, tool);
        }
        if worth && few && packet.single {
            self.sample(address, packet);
        }
        true
    }

    /// Octets of memory that grow with the attack, about.
    pub fn remembers(&self) -> usize {
        self.sampled
    }

    fn sample(&mut self, address: u128, packet: &Packet<'_>) {
        let octets = packet.ip.get(..SAMPLE_MAX).unwrap_or(packet.ip);
        let cost = octets.len() + size_of::<Sample>();
        if octets.is_empty() || self.sampled + cost > SAMPLES {
            return;
        }
        let kept = self.samples.entry(address).or_default();
        if kept.len() < SAMPLES_EACH {
            kept.push(Sample { at: packet.at, octets: octets.to_vec(), length: packet.headers.length });
            self.sampled += cost;
        }
    }

    /// An ICMP error tells of a packet that somebody sent in the target's name: evidence, not traffic.
    fn quote(&mut self, teller: IpAddr, target: IpAddr, quoted: &[u8]) {
        let Ok(inner) = parse(Link::Ip, quoted, u32::try_from(quoted.len()).unwrap_or(u32::MAX)) else {
            return;
        };
        if inner.headers.src != target {
            return;
        }
        if self.quoting.len() < QUOTES_MAX {
            self.quoting.insert(teller);
        }
        if self.quoted.len() < QUOTES_MAX {
            let port = inner.headers.dst_port().unwrap_or(0);
            self.quoted.entry(inner.headers.dst).or_insert((inner.headers.protocol, port));
        }
    }
}

/// Whether a packet is of a QUIC connection whose id the target has told its sender.
#[inline]
fn greets(source: &mut Source, packet: &Packet<'_>) -> bool {
    if source.cid == 0 || packet.headers.protocol != UDP {
        return false;
    }
    let uses = quic::uses(packet.payload, quic::Id { hash: source.cid, len: source.cid_len });
    if uses {
        source.proof.set(Proofs::QUIC);
    }
    uses
}

/// Whether this is how a client begins TLS (RFC 8446 §5.1, §4).
const fn is_hello(payload: &[u8]) -> bool {
    matches!(payload, [0x16, 0x03, _, _, _, 0x01, ..])
}

/// The place of a form among those known; `None` when there are too many.
#[inline]
fn shape(forms: &mut Vec<Shape>, recent: &mut usize, form: Form) -> Option<usize> {
    if forms.get(*recent).is_some_and(|shape| shape.form == form) {
        return Some(*recent);
    }
    let at = forms.iter().position(|shape| shape.form == form).or_else(|| {
        (forms.len() < FORMS_MAX).then(|| {
            forms.push(Shape::new(form));
            forms.len() - 1
        })
    })?;
    *recent = at;
    Some(at)
}

/// What a TCP segment says to its conversation.
#[inline]
fn said(packet: &Packet<'_>, segment: Option<&Segment>) -> Option<Said> {
    let tcp = packet.headers.tcp.filter(|_| packet.single)?;
    let segment = segment?;
    let has = |flag| tcp.flags & flag != 0;
    Some(Said {
        syn: has(flags::SYN),
        ack: has(flags::ACK),
        rst: has(flags::RST),
        fin: has(flags::FIN),
        seq: segment.seq,
        acked: segment.ack,
        payload: packet.headers.payload_len.unwrap_or(0),
    })
}

/// Places of the two ways in which TCP reflects, behind those of the rules.
pub(crate) const SYNACK: u8 = 254;
pub(crate) const MIDDLEBOX: u8 = 255;

/// In which protocol a packet is a valid answer, by place + 1.
#[inline]
fn reflects(rules: &Rules, packet: &Packet<'_>) -> Option<u8> {
    match packet.headers.protocol {
        UDP => rules.reflector(packet).and_then(|at| u8::try_from(at + 1).ok()),
        TCP => {
            let bits = packet.headers.tcp?.flags;
            if bits & (flags::SYN | flags::ACK) == flags::SYN | flags::ACK {
                return Some(SYNACK);
            }
            // A censor's page: what a server says, from its port.
            let page = packet.payload.starts_with(b"HTTP/1.");
            (page && matches!(packet.headers.src_port(), Some(80 | 8080 | 443))).then_some(MIDDLEBOX)
        }
        _ => None,
    }
}

/// Whether a packet shows enough to tell that it is no answer of a reflecting protocol.
#[inline]
const fn is_answerable(packet: &Packet<'_>) -> bool {
    packet.single
        && packet.headers.protocol == UDP
        && !packet.headers.fragment.is_later()
        && !packet.payload.is_empty()
}

/// The network that a source is judged together with: /24, or /64 of IPv6.
pub(crate) fn neighbourhood(address: IpAddr) -> Prefix {
    Prefix::of(address, if address.is_ipv4() { 24 } else { 64 })
}
