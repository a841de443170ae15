//! Packets made octet by octet: the text of their shape and its id stay what they are for ever, Mirai's UDP floods are told from what
//! looks like them, and ICMP errors tell whom somebody asked in the target's name.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use base::{Span, Timestamp};
use intel::dossier::Reporter;
use intel::enrich::Nothing;
use intel::{Class, Observer, Packet, Reason, Rules, shape_id};
use sim::rng::Rng;
use wire::packet::{Link, network, parse};

use crate::mixtures::{incident, scope};

const TARGET: [u8; 4] = [93, 184, 216, 34];
const TARGET6: [u8; 16] = [0x26, 6, 0x28, 0, 2, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x34];

fn ipv4(
    src: [u8; 4],
    dst: [u8; 4],
    (protocol, ttl, dont, id): (u8, u8, bool, u16),
    behind: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(20 + behind.len()).unwrap();
    let mut octets = vec![0x45, 0];
    octets.extend(length.to_be_bytes());
    octets.extend(id.to_be_bytes());
    octets.extend([if dont { 0x40 } else { 0 }, 0, ttl, protocol, 0, 0]);
    octets.extend(src);
    octets.extend(dst);
    octets.extend(behind);
    octets
}

fn ipv6(src: [u8; 16], dst: [u8; 16], next: u8, behind: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x60, 0, 0, 0];
    octets.extend(u16::try_from(behind.len()).unwrap().to_be_bytes());
    octets.extend([next, 57]);
    octets.extend(src);
    octets.extend(dst);
    octets.extend(behind);
    octets
}

fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend(ports.0.to_be_bytes());
    octets.extend(ports.1.to_be_bytes());
    octets.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    octets.extend([0, 0]);
    octets.extend(payload);
    octets
}

/// A SYN of Mirai's flood: no window, and the options of a Linux of its time.
fn mirai_syn(rng: &mut Rng) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend(rng.bits().to_be_bytes());
    octets.splice(2..4, 80_u16.to_be_bytes());
    octets.extend([0, 0, 0, 0, 0xa0, 2, 0, 0, 0, 0, 0, 0]);
    octets.extend([2, 4, 5, 0x78, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 6]);
    octets
}

fn drawn(rng: &mut Rng, length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| rng.bits().to_be_bytes()).flatten().take(length).collect()
}

/// What a receiver makes of octets from the IP header on.
fn seen<T>(ip: &[u8], at: u64, each: impl FnOnce(&Packet<'_>) -> T) -> T {
    let length = u32::try_from(ip.len()).unwrap();
    let parsed = parse(Link::Ip, ip, length).unwrap();
    each(&Packet {
        at: Timestamp::from_secs(1_700_000_000).plus(Span::from_millis(at)),
        headers: &parsed.headers,
        ip: network(Link::Ip, ip).unwrap(),
        transport: parsed.transport,
        payload: parsed.payload,
        packets: 1,
        bytes: u64::from(length),
        single: true,
    })
}

#[test]
fn a_shapes_text_and_id_stay_what_they_are() {
    let mut rng = Rng::new(7);
    let mut said = String::new();
    type Make = fn(&mut Rng, u8) -> Vec<u8>;
    let makes: [(&str, Make); 4] = [
        ("tcp-syn-flood", |rng, n| {
            let id = u16::try_from(rng.bits() & 0xffff).unwrap();
            ipv4([45, 1, 2, n], TARGET, (6, 57, true, id), &mirai_syn(rng))
        }),
        ("udp-flood", |rng, n| {
            let port = 1_024 + u16::try_from(rng.bits() & 0x7fff).unwrap();
            ipv4([45, 1, 3, n], TARGET, (17, 50, false, 0), &udp((port, 80), &drawn(rng, 512)))
        }),
        ("icmp-flood", |_, n| ipv4([45, 1, 4, n], TARGET, (1, 120, false, 7), &[8, 0, 0, 0, 0, 1, 0, n])),
        ("udp-amplification-ntp", |_, n| {
            let mut src = TARGET6;
            src[15] = n;
            ipv6(
                src,
                TARGET6,
                17,
                &udp((123, 4_000), &[0xd7, 0, 3, 0x2a, 0, 6, 0, 0x48, 1, 2, 3, 4, 5, 6, 7, 8]),
            )
        }),
    ];
    for (vector, make) in makes {
        let mut observer = Observer::new(Arc::new(Rules::embedded().unwrap()), scope(&[vector]));
        for n in 1..=60 {
            let octets = make(&mut rng, n);
            seen(&octets, n.into(), |packet| observer.receive(packet, Some(0)));
        }
        let dossier = observer.conclude(incident(true), Reporter::default(), &Nothing);
        for (text, packets) in &dossier.incident.vectors[0].shapes {
            writeln!(said, "{vector} {packets} {} {text}", shape_id(text)).unwrap();
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/shapes.txt");
    if std::env::var_os("SPILLWAY_BLESS").is_some() {
        std::fs::write(&golden, &said).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&golden).unwrap_or_default(), said, "SPILLWAY_BLESS=1 blesses it");
}

#[test]
fn mirais_udp_floods_are_told_from_what_looks_like_them() {
    let rules = Rules::embedded().unwrap();
    let mut rng = Rng::new(3);
    let query = b"\xff\xff\xff\xffTSource Engine Query\0";
    let named =
        |octets: &[u8]| seen(octets, 0, |packet| rules.tool(packet).map(|at| rules.tools[at].id.clone()));
    let make = |ttl, dont, behind: &[u8]| ipv4([45, 1, 2, 3], TARGET, (17, ttl, dont, 9), behind);
    let mut right = 0;
    for _ in 0..1_000 {
        let flood = udp((40_000, 80), &drawn(&mut rng, 512));
        right += u32::from(named(&make(52, false, &flood)).as_deref() == Some("mirai-udp"));
        // DF set as connected sockets have it, a Windows host, another length
        for octets in [
            make(52, true, &flood),
            make(110, false, &flood),
            make(52, false, &udp((40_000, 80), &drawn(&mut rng, 500))),
        ] {
            assert_eq!(named(&octets), None);
        }
    }
    assert!(right >= 990, "{right} of 1,000");
    assert_eq!(named(&make(52, false, &udp((9, 80), &[7; 512]))), None, "octets that are not drawn");
    let wireguard = [&[4, 0, 0, 0, 1, 2, 3, 4, 9, 0, 0, 0, 0, 0, 0, 0][..], &drawn(&mut rng, 496)].concat();
    assert_eq!(named(&make(52, false, &udp((51_820, 51_820), &wireguard))), None, "a tunnel");
    assert_eq!(named(&make(52, false, &udp((1_025, 27_015), query))).as_deref(), Some("mirai-vse"));
    for octets in
        [make(52, true, &udp((1_025, 27_015), query)), make(110, false, &udp((1_025, 27_015), query))]
    {
        assert_eq!(named(&octets), None, "players ask so");
    }
}

#[test]
fn an_icmp_error_tells_whom_somebody_asked_in_the_targets_name() {
    let mut observer = Observer::new(Arc::new(Rules::embedded().unwrap()), scope(&["udp-amplification-dns"]));
    let (server, closed, router, asked) = ([45, 9, 0, 1], [45, 9, 0, 2], [45, 9, 0, 3], [45, 9, 0, 4]);
    let request =
        |dst| ipv4(TARGET, dst, (17, 50, false, 1), &udp((4_000, 53), b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"));
    let error = |src, quoted: &[u8]| {
        ipv4(src, TARGET, (1, 50, false, 1), &[&[3, 3, 0, 0, 0, 0, 0, 0][..], quoted].concat())
    };
    let answer = |src| {
        ipv4(
            src,
            TARGET,
            (17, 50, false, 1),
            &udp((53, 4_000), b"\x12\x34\x84\0\0\x01\0\x09\0\0\0\0 an answer"),
        )
    };
    // what the target sends itself is seen, and is not forged
    seen(&request(asked), 1, |packet| observer.answer(packet));
    for at in 2..40 {
        for octets in [
            answer(server),
            error(router, &request(server)),
            error(closed, &request(closed)),
            error(asked, &request(asked)),
            // of somebody else's packet nothing follows
            error([45, 9, 0, 5], &ipv4([8, 8, 8, 8], [45, 9, 0, 6], (17, 50, false, 1), &udp((1, 53), b"x"))),
        ] {
            seen(&octets, at, |packet| observer.receive(packet, Some(0)));
        }
    }
    let dossier = observer.conclude(incident(true), Reporter::default(), &Nothing);
    let of = |source: [u8; 4]| {
        let address = IpAddr::from(Ipv4Addr::from(source));
        let finding = dossier.findings.iter().find(|one| one.address == address).unwrap();
        (finding.class, finding.reasons.contains(&Reason::Q1), finding.verified().is_some())
    };
    assert_eq!(of(server), (Class::Reflector, true, true));
    for source in [closed, router] {
        assert_eq!(
            of(source),
            (Class::Unknown, true, false),
            "an error is no answer, and no proof against anybody"
        );
    }
    assert!(!of(asked).1 && !of([45, 9, 0, 5]).1);
}
