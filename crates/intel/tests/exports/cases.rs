//! Dossiers to export: each with sources that may be told of and such that may not.

use std::net::IpAddr;

use base::{Prefix, Span, Timestamp};
use intel::dossier::{Dossier, Incident, Ingress, Reporter, Share, VectorFacts};
use intel::finding::{Class, Finding, Reason, Sample};

/// All of them by name.
pub(crate) fn all() -> Vec<(&'static str, Dossier)> {
    vec![
        ("reflection", reflection()),
        ("mixture", mixture()),
        ("portless", portless()),
        ("networks", networks()),
        ("forged", forged()),
    ]
}

/// DNS reflection: two reflectors, an honest resolver, somebody unknown.
pub(crate) fn reflection() -> Dossier {
    let mut vector = vector("udp-amplification-dns", 17, 10_400, 31_200_000);
    vector.src_ports = [(53, 9_000)].into();
    vector.dst_ports = [(22, 9_000)].into();
    vector.lengths = [(1500, 8_000), (1200, 1_000)].into();
    vector.ttls = [(54, 5_000), (51, 5_400)].into();
    vector.fragment_offsets = [(0, 9_000), (1480, 1_400)].into();
    vector.dns_questions = [(("example.org".into(), 46), 9_000)].into();
    vector.shapes = vec![("v4|ttl64|udp|sport:53".into(), 9_000)];
    let reflector = |host: u8, packets| {
        let mut one = finding([203, 0, 113, host], Class::Reflector, &[Reason::P1], 17, packets);
        one.ports = Some((53, 22));
        one.reflects = Some("dns".into());
        one.asn = Some(64_500);
        one.prefix = Some("203.0.113.0/24".parse().unwrap());
        one.country = Some("NL".into());
        one
    };
    let mut first = reflector(5, 6_000);
    first.samples = vec![udp_sample(
        first.address,
        [198, 51, 100, 7],
        b"\x12\x34\x84\x00an answer that is longer than what is kept",
    )];
    let mut honest = finding([192, 0, 2, 53], Class::Legitimate, &[Reason::H1, Reason::R1], 17, 40);
    honest.ports = Some((53, 5353));
    let unknown = finding([192, 0, 2, 77], Class::Unknown, &[], 17, 12);
    dossier("00f1a2b3c4d5e6f7", vec![vector], vec![honest, unknown, first, reflector(9, 3_000)])
}

/// A SYN flood, half of it forged, with bots and a flooding host among it.
pub(crate) fn mixture() -> Dossier {
    let mut syn = vector("tcp-syn-flood", 6, 90_000, 3_600_000);
    syn.share = 0.9;
    syn.src_ports = (1_024..1_064).map(|port| (port, 2_250)).collect();
    syn.dst_ports = [(80, 60_000), (443, 30_000)].into();
    syn.tcp_flags = [(0x02, 90_000)].into();
    syn.lengths = [(60, 90_000)].into();
    syn.ttls = (40..60).map(|ttl| (ttl, 4_500)).collect();
    syn.spoofed = Some(Share { estimate: 0.5, low: 0.47, high: 0.53 });
    syn.tools = vec![("mirai-syn".into(), "Mirai".into(), 20_000)];
    let mut ack = vector("tcp-ack-flood", 6, 10_000, 5_520_000);
    ack.share = 0.1;
    ack.tcp_flags = [(0x10, 10_000)].into();
    ack.dst_ports = [(80, 10_000)].into();
    ack.lengths = [(552, 10_000)].into();
    let mut bot = finding([203, 0, 113, 66], Class::Bot, &[Reason::D2, Reason::F1], 6, 20_000);
    bot.tool = Some("mirai-syn".into());
    bot.ports = Some((1_030, 80));
    bot.samples = vec![tcp_sample(bot.address, [198, 51, 100, 7])];
    let mut real = finding([203, 0, 113, 80], Class::Real, &[Reason::H1], 6, 10_000);
    real.vectors = vec![1];
    real.ports = Some((4_000, 80));
    let mut forged = finding([10, 9, 8, 7], Class::Spoofed, &[Reason::B1], 6, 2);
    forged.ports = Some((1_040, 443));
    let honest = finding([192, 0, 2, 10], Class::Legitimate, &[Reason::H1], 6, 55);
    let mut dossier = dossier("1122334455667788", vec![syn, ack], vec![forged, honest, bot, real]);
    dossier.incident.rules = vec![
        "r1 @10 dst 198.51.100.7/32 proto tcp tcp-flags syn/syn+ack -> rate 1000pps".into(),
        "r2 @20 dst 198.51.100.7/32 src 192.0.2.10/32 -> drop".into(),
    ];
    dossier.incident.ingress = vec![
        Ingress {
            interface: "edge1 ae3".into(),
            asn: Some(64_501),
            cone: false,
            packets: 60_000,
            forged: 41_000,
        },
        Ingress { interface: "edge1 ae4".into(), asn: Some(64_502), cone: false, packets: 40_000, forged: 0 },
        Ingress { interface: "edge2 xe0".into(), asn: None, cone: false, packets: 10, forged: 3 },
    ];
    dossier
}

/// ICMP and GRE: hosts that flood without ports.
pub(crate) fn portless() -> Dossier {
    let mut icmp = vector("icmp-flood", 1, 5_000, 420_000);
    icmp.share = 0.5;
    icmp.icmp_types = [(8, 5_000)].into();
    let mut gre = vector("gre-flood", 47, 5_000, 2_700_000);
    gre.share = 0.5;
    let ping = finding([203, 0, 113, 31], Class::Real, &[Reason::H1], 1, 5_000);
    let mut bot = finding([203, 0, 113, 32], Class::Bot, &[Reason::F1, Reason::H1], 47, 2_500);
    bot.tool = Some("mirai-greip".into());
    bot.vectors = vec![1];
    let mut real = finding([203, 0, 113, 33], Class::Real, &[Reason::X1], 47, 2_500);
    real.vectors = vec![1];
    dossier("2233445566778899", vec![icmp, gre], vec![ping, bot, real])
}

/// NTP reflection over IPv6, two reflectors of one network.
pub(crate) fn networks() -> Dossier {
    let mut vector = vector("udp-amplification-ntp", 17, 800, 374_400);
    vector.src_ports = [(123, 800)].into();
    vector.dst_ports = [(40_000, 800)].into();
    let reflector = |last: u16, network: u16| {
        let address = IpAddr::from([0x2001, 0xdb8, 0xa, network, 0, 0, 0, last]);
        let mut one = finding(address, Class::Reflector, &[Reason::P1], 17, 400);
        one.ports = Some((123, 40_000));
        one.reflects = Some("ntp".into());
        one
    };
    let honest = IpAddr::from([0x2001, 0xdb8, 0xb, 0, 0, 0, 0, 0x99]);
    let honest = finding(honest, Class::Legitimate, &[Reason::H1], 17, 9);
    let mut dossier = dossier(
        "33445566778899aa",
        vec![vector],
        vec![reflector(1, 1), reflector(2, 1), reflector(1, 2), honest],
    );
    dossier.incident.target = "2001:db8:ffff::/64".parse().unwrap();
    dossier.incident.targets = vec![dossier.incident.target];
    dossier.incident.sampling = Some(1_000);
    dossier
}

/// Nothing but forged sources.
pub(crate) fn forged() -> Dossier {
    let mut vector = vector("udp-flood", 17, 1_000, 500_000);
    vector.spoofed = Some(Share { estimate: 1.0, low: 0.98, high: 1.0 });
    let one = |host| finding([10, 0, 0, host], Class::Spoofed, &[Reason::B1, Reason::D1], 17, 1);
    dossier("445566778899aabb", vec![vector], (1..=9).map(one).collect())
}

pub(crate) fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(1_619_605_821_099_510_000 + nanos)
}

fn dossier(id: &str, vectors: Vec<VectorFacts>, mut findings: Vec<Finding>) -> Dossier {
    findings.sort_by_key(|one| one.address);
    let target: Prefix = "198.51.100.7/32".parse().unwrap();
    let incident = Incident {
        id: id.into(),
        target,
        targets: vec![target],
        outgoing: false,
        started: at(0),
        detected: at(250_000_000),
        last: at(4_000_000_000),
        over: true,
        peak_pps: 30_000,
        peak_bps: 40_000_000,
        packets: vectors.iter().map(|vector| vector.packets).sum(),
        bytes: vectors.iter().map(|vector| vector.bytes).sum(),
        sampling: Some(1),
        vectors,
        rules: Vec::new(),
        source_count: findings.len() as u64,
        ingress: Vec::new(),
    };
    let reporter = Reporter {
        organisation: "Example Networks".into(),
        contact: "abuse@example.net".into(),
        domain: "example.net".into(),
    };
    Dossier { incident, findings, reporter }
}

fn vector(name: &str, ip_protocol: u8, packets: u64, bytes: u64) -> VectorFacts {
    VectorFacts {
        name: name.into(),
        share: 1.0,
        packets,
        bytes,
        ip_protocol,
        started: at(0),
        last: at(0).plus(Span::from_secs(4)),
        ..VectorFacts::default()
    }
}

pub(crate) fn finding(
    address: impl Into<IpAddr>,
    class: Class,
    reasons: &[Reason],
    ip_protocol: u8,
    packets: u64,
) -> Finding {
    Finding {
        confidence: 0.95,
        reasons: reasons.to_vec(),
        packets,
        bytes: packets * 60,
        first: at(1_000_000),
        last: at(3_500_000_123),
        vectors: vec![0],
        ip_protocol,
        ..Finding::of(address.into(), class)
    }
}

/// A UDP packet as it was kept.
pub(crate) fn udp_sample(from: IpAddr, to: [u8; 4], payload: &[u8]) -> Sample {
    let length = u16::try_from(28 + payload.len()).unwrap();
    let mut octets = ipv4(from, to, 17, length);
    octets.extend([0, 53, 0, 22]);
    octets.extend((length - 20).to_be_bytes());
    octets.extend([0, 0]);
    octets.extend(payload);
    Sample { at: at(1_000_000), octets, length: length.into() }
}

/// A SYN as it was kept.
pub(crate) fn tcp_sample(from: IpAddr, to: [u8; 4]) -> Sample {
    let mut octets = ipv4(from, to, 6, 40);
    octets.extend([4, 6, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
    Sample { at: at(1_000_000), octets, length: 40 }
}

fn ipv4(from: IpAddr, to: [u8; 4], protocol: u8, length: u16) -> Vec<u8> {
    let IpAddr::V4(from) = from else { panic!("an IPv4 sample") };
    let mut octets = vec![0x45, 0];
    octets.extend(length.to_be_bytes());
    octets.extend([0, 0, 0, 0, 54, protocol, 0, 0]);
    octets.extend(from.octets());
    octets.extend(to);
    octets
}
