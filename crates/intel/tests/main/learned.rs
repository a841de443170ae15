//! Reasons from what is learned beside the attack: in peace, from routes, from handshakes of QUIC and TLS, and ways in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base::{Span, Timestamp};
use intel::dossier::{Dossier, Ingress, Reporter};
use intel::enrich::{Enrich, Listed, Lists, Nothing, Place};
use intel::observe::Entry;
use intel::{Class, Finding, Observer, Packet, Reason, Rules};
use wire::packet::{Headers, TCP, Tcp, UDP, flags};

use crate::mixture::target;
use crate::mixtures::{incident, scope};

/// Shows single packets, a millisecond apart.
pub(crate) struct Stage {
    pub(crate) observer: Observer,
    at: u64,
    /// One of so many is seen.
    pub(crate) sampling: u64,
    /// As it arrives in UDP; 0: nobody tells.
    pub(crate) ttl: u8,
    /// Only who is behind the neighbour may come in, but by the open way.
    pub(crate) cone: bool,
    pub(crate) open: Option<u32>,
}

impl Stage {
    pub(crate) fn new(vector: &str) -> Self {
        let rules = Arc::new(Rules::embedded().unwrap());
        Self {
            observer: Observer::new(rules, scope(&[vector])),
            at: 0,
            sampling: 1,
            ttl: 57,
            cone: false,
            open: None,
        }
    }

    pub(crate) fn show(
        &mut self,
        headers: &Headers,
        transport: &[u8],
        payload: &[u8],
        vector: Option<usize>,
        by: Option<u32>,
    ) {
        self.at += 1;
        let at = Timestamp::from_secs(1_700_000_000).plus(Span::from_millis(self.at));
        let (packets, bytes) = (self.sampling, self.sampling * u64::from(headers.length));
        let packet = Packet { at, headers, ip: &[], transport, payload, packets, bytes, single: true };
        let sent = [true, false].map(target).contains(&headers.src);
        match by {
            _ if sent => self.observer.answer(&packet),
            Some(interface) => {
                let entry = Entry { exporter: IpAddr::from([192, 0, 2, 1]), interface: Some(interface) };
                self.observer.receive_by(&packet, vector, entry);
            }
            None => self.observer.receive(&packet, vector),
        }
    }

    pub(crate) fn udp(
        &mut self,
        src: IpAddr,
        dst: IpAddr,
        ports: (u16, u16),
        payload: &[u8],
        vector: Option<usize>,
    ) {
        let len = u32::try_from(payload.len()).unwrap();
        let headers = Headers {
            src,
            dst,
            protocol: UDP,
            length: 28 + len,
            ttl: self.ttl,
            ports: Some(ports),
            payload_len: Some(len),
            ..Headers::NOTHING
        };
        let transport = [&[0; 8][..], payload].concat();
        self.show(&headers, &transport, payload, vector, None);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a segment")]
    pub(crate) fn tcp(
        &mut self,
        (src, dst): (IpAddr, IpAddr),
        bits: u16,
        (seq, ack): (u32, u32),
        payload: &[u8],
        ttl: u8,
        vector: Option<usize>,
        by: Option<u32>,
    ) {
        let len = u32::try_from(payload.len()).unwrap();
        let headers = Headers {
            src,
            dst,
            protocol: TCP,
            length: 40 + len,
            ttl,
            ports: Some(if [true, false].map(target).contains(&src) { (443, 40_000) } else { (40_000, 443) }),
            tcp: Some(Tcp { flags: bits, window: 512, options_len: 0 }),
            payload_len: Some(len),
            ..Headers::NOTHING
        };
        let mut transport = vec![0; 20];
        transport[4..8].copy_from_slice(&seq.to_be_bytes());
        transport[8..12].copy_from_slice(&ack.to_be_bytes());
        transport.extend(payload);
        self.show(&headers, &transport, payload, vector, by);
    }

    pub(crate) fn syn(&mut self, src: IpAddr, ttl: u8, by: Option<u32>) {
        self.tcp((src, target(src.is_ipv4())), flags::SYN, (7, 0), &[], ttl, Some(0), by);
    }

    pub(crate) fn conclude(&self, enrich: &dyn Enrich) -> Dossier {
        let line = |entry: Entry| Ingress {
            interface: format!("if {}", entry.interface.unwrap()),
            asn: Some(64_500),
            cone: self.cone && entry.interface != self.open,
            packets: 0,
            forged: 0,
        };
        let mut incident = incident(true);
        incident.ingress = self.observer.entries().map(line).collect();
        self.observer.conclude(incident, Reporter::default(), enrich)
    }
}

pub(crate) fn of(dossier: &Dossier, source: IpAddr) -> &Finding {
    dossier.findings.iter().find(|one| one.address == source).unwrap()
}

pub(crate) fn both(last: u8) -> [IpAddr; 2] {
    [IpAddr::from([93, 184, 216, last]), format!("2a00:1450:4001:{last:x}::1").parse().unwrap()]
}

/// Sampled, nobody's handshakes are seen; the kernel knows whose they are.
#[test]
fn under_a_sampled_syn_flood_who_talks_is_honest_and_who_only_opens_is_not() {
    let mut stage = Stage::new("tcp-syn-flood");
    stage.sampling = 64;
    let (honest, bots) = (1..=15).zip(101..=115).unzip::<u8, u8, Vec<_>, Vec<_>>();
    let honest: Vec<IpAddr> = honest.into_iter().flat_map(both).collect();
    let bots: Vec<IpAddr> = bots.into_iter().flat_map(both).collect();
    for round in 0..30 {
        for source in honest.iter().chain(&bots) {
            stage.syn(*source, 57, None);
        }
        for (source, number) in honest.iter().zip(1u32..) {
            // Of three packets after the SYN: one acknowledges, one asks, one ends. None follows what was seen before it.
            let place = (*source, target(source.is_ipv4()));
            for (part, bits) in
                [flags::ACK, flags::ACK | flags::PSH, flags::ACK | flags::FIN].into_iter().enumerate()
            {
                let seq = number * 7_919_113 + round * 104_729 + u32::try_from(part).unwrap() * 1_000_003;
                stage.tcp(place, bits, (seq, seq / 3), &[], 57, None, None);
            }
        }
    }
    honest.iter().chain(&bots).for_each(|source| stage.observer.prove(*source));
    let dossier = stage.conclude(&Nothing);
    for source in &honest {
        assert_eq!(of(&dossier, *source).class, Class::Legitimate, "{:?}", of(&dossier, *source));
    }
    for source in &bots {
        assert_eq!(of(&dossier, *source).class, Class::Bot, "{:?}", of(&dossier, *source));
    }
}

#[test]
fn who_answers_in_quic_or_greets_in_tls_after_a_handshake_is_there() {
    for (quic, tls) in both(1).into_iter().zip(both(2)) {
        let target = target(quic.is_ipv4());
        let mut stage = Stage::new("quic-flood");
        let long = |dcid: &[u8], scid: &[u8]| {
            let lengths = [dcid.len(), scid.len()].map(|len| u8::try_from(len).unwrap());
            [&[0xe0, 0, 0, 0, 1, lengths[0]], dcid, &[lengths[1]], scid, &[0; 30]].concat()
        };
        let (mine, first, theirs) = ([1; 8], [2; 8], [3; 8]);
        stage.udp(quic, target, (40_000, 443), &long(&first, &mine), Some(0));
        stage.udp(target, quic, (443, 40_000), &long(&mine, &theirs), None);
        stage.udp(quic, target, (40_000, 443), &long(&theirs, &mine), Some(0));
        for _ in 0..100 {
            stage.udp(quic, target, (40_000, 443), &[&[0x41][..], &theirs, &[9; 40]].concat(), Some(0));
        }
        // Somebody who only guesses an id.
        let guesser = both(3)[usize::from(quic.is_ipv6())];
        stage.udp(guesser, target, (40_000, 443), &long(&first, &mine), Some(0));
        stage.udp(target, guesser, (443, 40_000), &long(&mine, &theirs), None);
        stage.udp(guesser, target, (40_000, 443), &long(&[4; 8], &mine), Some(0));

        let hello = [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
        stage.tcp((tls, target), flags::SYN, (7, 0), &[], 57, Some(0), None);
        stage.tcp((target, tls), flags::SYN | flags::ACK, (900, 8), &[], 64, None, None);
        stage.tcp((tls, target), flags::ACK, (8, 901), &hello, 57, Some(0), None);
        let dossier = stage.conclude(&Nothing);
        let found = of(&dossier, quic);
        assert_eq!(
            (found.class, found.reasons.contains(&Reason::H2)),
            (Class::Legitimate, true),
            "{found:?}"
        );
        assert!(!of(&dossier, guesser).reasons.contains(&Reason::H2));
        let found = of(&dossier, tls);
        assert_eq!((found.class, beside_shape(found)), (Class::Legitimate, vec![Reason::H1, Reason::H2]));
    }
}

/// All reasons but the shape: these packets are bare enough to look like some tool's.
pub(crate) fn beside_shape(found: &Finding) -> Vec<Reason> {
    found.reasons.iter().copied().filter(|reason| *reason != Reason::F1).collect()
}

/// Knows all routes but of some, who came in peace, and how far their networks are.
#[derive(Default)]
pub(crate) struct Learned {
    pub(crate) unrouted: Vec<IpAddr>,
    pub(crate) hops: BTreeMap<IpAddr, u8>,
    pub(crate) known: Vec<IpAddr>,
    pub(crate) lists: Lists,
}

impl Enrich for Learned {
    fn place(&self, address: IpAddr) -> Place {
        let prefix = (!self.unrouted.contains(&address)).then(|| base::Prefix::of(address, 16));
        Place { prefix, ..Place::default() }
    }

    fn knows_all_routes(&self, _: bool) -> bool {
        !self.unrouted.is_empty()
    }

    fn hops(&self, address: IpAddr) -> Option<u8> {
        self.hops.get(&address).copied()
    }

    fn knew(&self, address: IpAddr) -> bool {
        self.known.contains(&address)
    }

    fn listed(&self, address: IpAddr) -> Listed {
        self.lists.of(address)
    }
}

#[test]
fn what_was_learned_in_peace_and_from_routes_speaks_for_and_against() {
    let mut stage = Stage::new("tcp-syn-flood");
    let mut learned = Learned::default();
    for (far, nowhere, friend) in both(1).into_iter().zip(both(2)).zip(both(3)).map(|((a, b), c)| (a, b, c)) {
        // In peace its network is 7 hops away, now 20.
        stage.syn(far, 44, None);
        stage.syn(nowhere, 57, None);
        stage.syn(friend, 57, None);
        learned.hops.insert(far, 7);
        learned.hops.insert(friend, 7);
        learned.unrouted.push(nowhere);
        learned.known.push(friend);
    }
    let dossier = stage.conclude(&learned);
    for place in 0..2 {
        let found = of(&dossier, both(1)[place]);
        assert_eq!((found.class, beside_shape(found)), (Class::Spoofed, vec![Reason::T1]));
        let found = of(&dossier, both(2)[place]);
        assert_eq!((found.class, beside_shape(found)), (Class::Spoofed, vec![Reason::B2]));
        let found = of(&dossier, both(3)[place]);
        assert_ne!(found.class, Class::Spoofed);
        assert!(found.reasons.contains(&Reason::R1) && found.verified().is_none(), "{found:?}");
    }
}

#[test]
fn each_way_in_has_its_packets_and_those_that_cannot_be_from_there() {
    let mut stage = Stage::new("tcp-syn-flood");
    let learned = Learned { unrouted: both(2).to_vec(), ..Learned::default() };
    for n in 0..2 {
        for _ in 0..3 {
            stage.syn(both(1)[n], 57, Some(7));
        }
        stage.syn(both(2)[n], 57, Some(7));
        stage.syn(both(4)[n], 57, Some(9));
    }
    let ways = stage.conclude(&learned).incident.ingress;
    let told: Vec<_> = ways.iter().map(|way| (way.interface.as_str(), way.packets, way.forged)).collect();
    assert_eq!(told, [("if 7", 8, 2), ("if 9", 2, 0)]);
}

#[test]
fn a_vector_that_comes_later_is_one_of_its_own() {
    let mut stage = Stage::new("tcp-syn-flood");
    let source = both(1)[0];
    stage.syn(source, 57, None);
    assert_eq!(stage.observer.vector("tcp-syn-flood"), 0);
    let late = stage.observer.vector("udp-flood");
    stage.udp(source, target(true), (1, 2), b"x", Some(late));
    stage.observer.prove(source);
    let dossier = stage.conclude(&Nothing);
    let names: Vec<_> = dossier.incident.vectors.iter().map(|one| (one.name.as_str(), one.packets)).collect();
    assert_eq!(names, [("tcp-syn-flood", 1), ("udp-flood", 1)]);
    // Who brought the kernel's cookie back is there.
    assert_eq!(beside_shape(of(&dossier, source)), [Reason::H1]);
}
