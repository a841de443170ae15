//! Labelled mixtures: what each source really is, and the packets that say so.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Span, Timestamp};
use sim::packet::{Data, Draft, Packet, Segment, Truth};
use sim::population::{forged, internet, ttl};
use sim::rng::Rng;
use wire::packet::flags::{ACK, PSH, SYN};
use wire::packet::{Link, parse};

/// What a source really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Real {
    Forged,
    /// Floods under its own address, without anything that proves it.
    Bot,
    /// Likewise, after a handshake.
    ProvenBot,
    Reflector,
    Honest,
}

/// How many of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    pub(crate) forged: u32,
    /// Of the forged ones, those whose addresses are taken from real networks.
    pub(crate) listed: u32,
    pub(crate) bots: u32,
    pub(crate) proven: u32,
    pub(crate) reflectors: u32,
    pub(crate) honest: u32,
    pub(crate) v4: bool,
    /// The forgers draw the TTL too, and their packets look like those of the bots.
    pub(crate) hidden: bool,
}

/// Packets in order of time, and the truth.
pub(crate) struct Mixture {
    pub(crate) packets: Vec<(Packet, Option<usize>)>,
    pub(crate) truth: BTreeMap<IpAddr, Real>,
}

/// Places of the vectors.
pub(crate) const VECTORS: [&str; 2] = ["tcp-syn-flood", "udp-amplification-ntp"];
const SPAN: u64 = 10_000_000_000;

pub(crate) fn target(v4: bool) -> IpAddr {
    if v4 { IpAddr::from([93, 184, 216, 34]) } else { "2606:2800:220:1::34".parse().unwrap() }
}

impl Mixture {
    pub(crate) fn of(recipe: &Recipe, seed: u64) -> Self {
        let mut make = Maker {
            rng: Rng::part(seed, 0x6d69_7874),
            target: target(recipe.v4),
            packets: Vec::new(),
            truth: BTreeMap::new(),
        };
        make.forgers(recipe);
        for kind in [(recipe.bots, Real::Bot), (recipe.proven, Real::ProvenBot)] {
            (0..kind.0).for_each(|_| make.bot(kind.1));
        }
        (0..recipe.reflectors).for_each(|_| make.reflector());
        (0..recipe.honest).for_each(|_| make.honest());
        make.packets.sort_by_key(|(packet, _)| packet.at);
        Self { packets: make.packets, truth: make.truth }
    }

    /// Each packet as octets, with its vector; those of the target last in the tuple.
    pub(crate) fn show(&self, mut each: impl FnMut(&intel::Packet<'_>, Option<usize>, bool)) {
        let mut octets = Vec::new();
        for (packet, vector) in &self.packets {
            octets.clear();
            let data = packet.data.bytes();
            wire::emit::packet::ip(&mut octets, &packet.headers, packet.extra, data, 128);
            let parsed = parse(Link::Ip, &octets, packet.headers.length).unwrap();
            let seen = intel::Packet {
                at: packet.at,
                headers: &parsed.headers,
                ip: &octets,
                transport: parsed.transport,
                payload: parsed.payload,
                packets: 1,
                bytes: packet.octets(),
                single: true,
            };
            each(&seen, *vector, packet.inbound);
        }
    }
}

struct Maker {
    rng: Rng,
    target: IpAddr,
    packets: Vec<(Packet, Option<usize>)>,
    truth: BTreeMap<IpAddr, Real>,
}

impl Maker {
    fn fresh(&mut self) -> IpAddr {
        loop {
            let address = internet(self.rng.bits(), self.target);
            if !self.truth.contains_key(&address) {
                return address;
            }
        }
    }

    fn time(&mut self) -> Timestamp {
        Timestamp::from_secs(1_700_000_000).plus(Span::from_nanos(self.rng.below(SPAN)))
    }

    fn draft(&self, at: Timestamp, src: IpAddr, ttl: u8) -> Draft {
        Draft { at, src, dst: self.target, ttl, inbound: true, truth: Truth::BENIGN }
    }

    /// A few machines with one tool, each a way of its own from us.
    fn forgers(&mut self, recipe: &Recipe) {
        let start = self.rng.pick(&[64u8, 255]);
        let window = self.rng.pick(&[512u16, 0, 1024, 64_240]);
        let machines = self.rng.range(1, 3);
        let ways: Vec<u8> = (0..machines).map(|_| start - self.rng.u8() % 14 - 5).collect();
        for n in 0..recipe.forged {
            let src = loop {
                let (near, drawn) =
                    (internet(self.rng.bits(), self.target), forged(&mut self.rng, self.target));
                let src = if n < recipe.listed { near } else { drawn };
                if !self.truth.contains_key(&src) {
                    break src;
                }
            };
            self.truth.insert(src, Real::Forged);
            let (at, way) = (self.time(), self.rng.pick(&ways));
            let way = if recipe.hidden { ttl(src, false) } else { way };
            let segment = Segment {
                ports: (self.rng.range16(1024, 65_535), 443),
                flags: SYN,
                window,
                options_len: if recipe.hidden { 20 } else { 0 },
                seq: self.rng.u32(),
                ..Segment::default()
            };
            let packet = self.draft(at, src, way).tcp(segment, Data::EMPTY);
            self.packets.push((packet, Some(0)));
        }
    }

    /// Floods SYNs; half of them as Mirai does, the others as their stack does.
    fn bot(&mut self, kind: Real) {
        let src = self.fresh();
        self.truth.insert(src, kind);
        let mut way = ttl(src, false);
        if kind == Real::ProvenBot {
            way = self.handshake(src, way, false);
        }
        let packets = if kind == Real::ProvenBot { self.rng.range(30, 60) } else { self.rng.range(1, 3) };
        let window = self.rng.pick(&[64_240u16, 29_200, 65_535]);
        for _ in 0..packets {
            let segment = Segment {
                ports: (self.rng.range16(1024, 65_535), 443),
                flags: SYN,
                window,
                options_len: 20,
                seq: self.rng.u32(),
                ..Segment::default()
            };
            let at = self.time();
            let packet = self.draft(at, src, way).tcp(segment, Data::EMPTY);
            self.packets.push((packet, Some(0)));
        }
    }

    fn honest(&mut self) {
        let src = self.fresh();
        self.truth.insert(src, Real::Honest);
        let way = ttl(src, false);
        (0..self.rng.range(1, 4)).for_each(|_| {
            self.handshake(src, way, true);
        });
    }

    /// SYN, SYN-ACK, ACK, and for those who mean it a request and an answer.
    fn handshake(&mut self, src: IpAddr, way: u8, means_it: bool) -> u8 {
        let at = self.time();
        let (port, seq, theirs) = (self.rng.range16(1024, 65_535), self.rng.u32(), self.rng.u32());
        let step = |n: u64| at.plus(Span::from_nanos(n * 20_000_000));
        let client = |flags, seq, ack, payload_len| Segment {
            ports: (port, 443),
            flags,
            window: 64_240,
            options_len: if flags == SYN { 20 } else { 0 },
            payload_len,
            seq,
            ack,
        };
        let server = |flags, seq, ack, payload_len| Segment {
            ports: (443, port),
            flags,
            window: 65_160,
            options_len: 0,
            payload_len,
            seq,
            ack,
        };
        let target = self.target;
        let back =
            |n| Draft { at: step(n), src: target, dst: src, ttl: 63, inbound: false, truth: Truth::BENIGN };
        let there =
            |n| Draft { at: step(n), src, dst: target, ttl: way, inbound: true, truth: Truth::BENIGN };
        let (own, next) = (seq.wrapping_add(1), theirs.wrapping_add(1));
        self.packets.push((there(0).tcp(client(SYN, seq, 0, 0), Data::EMPTY), Some(0)));
        self.packets.push((back(1).tcp(server(SYN | ACK, theirs, own, 0), Data::EMPTY), None));
        self.packets.push((there(2).tcp(client(ACK, own, next, 0), Data::EMPTY), None));
        if means_it {
            let get = Data::of(b"GET / HTTP/1.1\r\n");
            self.packets.push((there(3).tcp(client(PSH | ACK, own, next, 400), get), None));
            self.packets.push((back(4).tcp(server(PSH | ACK, next, own.wrapping_add(400), 1200), get), None));
            let read = next.wrapping_add(1200);
            self.packets.push((there(5).tcp(client(ACK, own.wrapping_add(400), read, 0), Data::EMPTY), None));
        }
        way
    }

    fn reflector(&mut self) {
        let src = self.fresh();
        self.truth.insert(src, Real::Reflector);
        let way = ttl(src, false);
        for _ in 0..self.rng.range(1, 4) {
            let at = self.time();
            let ports = (123, self.rng.range16(1024, 65_535));
            let answer = Data::of(b"\xd7\0\x03\x2a\0\x06\0\x48");
            let packet = self.draft(at, src, way).udp(ports, 440, answer);
            self.packets.push((packet, Some(1)));
        }
    }
}
