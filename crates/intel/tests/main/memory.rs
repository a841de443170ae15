//! Ten million forged sources: what is remembered stays bounded, and counts stay right.

use std::net::IpAddr;
use std::sync::Arc;

use base::{Span, Timestamp};
use intel::dossier::Reporter;
use intel::enrich::Nothing;
use intel::{Class, Observer, Packet, Rules};
use wire::packet::{Headers, TCP, Tcp, flags};

use crate::mixture::target;
use crate::mixtures::{incident, scope};

const SOURCES: u32 = 10_000_000;
const BOTS: u32 = 200;
/// One of them sends after so many forged packets: a hundred each.
const EACH: u32 = 500;
/// Octets that an observer may hold and use at its end, most at once.
const MEMORY_MAX: u64 = 100 << 20;

/// A SYN of this source, the n-th packet.
fn syn(observer: &mut Observer, src: u32, n: u32, ttl: u8) {
    let headers = Headers {
        src: IpAddr::from(src.to_be_bytes()),
        dst: target(true),
        protocol: TCP,
        length: 40,
        ttl,
        ports: Some((40_000, 443)),
        tcp: Some(Tcp { flags: flags::SYN, window: 512, options_len: 0 }),
        payload_len: Some(0),
        ..Headers::NOTHING
    };
    let transport = [
        [0x9c, 0x40, 1, 0xbb].as_slice(),
        &src.rotate_left(9).to_be_bytes(),
        &[0, 0, 0, 0, 0x50, 2, 2, 0, 0, 0, 0, 0],
    ]
    .concat();
    let packet = Packet {
        at: Timestamp::from_secs(1_700_000_000).plus(Span::from_nanos(u64::from(n) * 1_000)),
        headers: &headers,
        ip: &[],
        transport: &transport,
        payload: &[],
        packets: 1,
        bytes: 40,
        single: true,
    };
    observer.receive(&packet, Some(0));
}

#[test]
fn what_detection_counted_is_the_number_of_sources_where_it_has_seen_as_many() {
    let rules = Arc::new(Rules::embedded().unwrap());
    let few = intel::Scope { sources_max: 1_000, ..scope(&["tcp-syn-flood"]) };
    let mut observer = Observer::new(rules, few);
    (0..50_000u32).for_each(|n| syn(&mut observer, n.wrapping_mul(2_654_435_761), n, 244));
    let told = |detected| {
        let incident = intel::dossier::Incident { source_count: detected, ..incident(true) };
        observer.conclude(incident, Reporter::default(), &Nothing).incident.source_count
    };
    assert_eq!(told(50_000), 50_000, "one by one, where only some are remembered");
    // Routers dropped the rest of it before detection saw it.
    assert!(told(468).abs_diff(50_000) <= 1_000, "{}", told(468));
}

#[test]
fn ten_million_sources_take_a_hundred_megabytes_and_are_counted_within_two_percent() {
    let rules = Arc::new(Rules::embedded().unwrap());
    let mut told = None;
    let memory = allocation_counter::measure(|| {
        let mut observer = Observer::new(Arc::clone(&rules), scope(&["tcp-syn-flood"]));
        let mut show = |src: u32, n: u32, ttl: u8| syn(&mut observer, src, n, ttl);
        for n in 0..SOURCES {
            // An odd multiplier walks over all of IPv4 without meeting an address twice.
            show(n.wrapping_mul(2_654_435_761), n, 244);
            if n % EACH == 0 {
                show(0x5db8_0000 + n / EACH % BOTS, n, 51);
            }
        }
        told = Some(observer.conclude(incident(true), Reporter::default(), &Nothing));
    });
    let dossier = told.unwrap();
    let count = dossier.incident.source_count;
    println!("{count} sources, {} told of, {} MiB at most", dossier.findings.len(), memory.bytes_max >> 20);
    assert!(count.abs_diff(SOURCES.into()) * 50 <= SOURCES.into(), "{count}");
    assert!(memory.bytes_max <= MEMORY_MAX, "{} octets", memory.bytes_max);
    assert_eq!(dossier.incident.packets, u64::from(SOURCES) + u64::from(SOURCES / EACH));
    let forged = dossier.findings.iter().filter(|f| f.class == Class::Spoofed).count();
    assert!(forged * 100 >= dossier.findings.len() * 99, "{forged} of {}", dossier.findings.len());
    let share = dossier.incident.vectors[0].spoofed.unwrap();
    assert!(share.low > 0.97 && share.high >= 0.999, "{share:?}");
    // Who comes again and again is not forgotten; what it sent before that was seen is.
    let kept = dossier.findings.iter().filter(|f| f.packets >= 60 && f.class != Class::Spoofed).count();
    let bots: Vec<u64> = dossier.findings.iter().filter(|f| f.packets >= 2).map(|f| f.packets).collect();
    assert!(kept >= 190, "{kept}: {bots:?}");
}
