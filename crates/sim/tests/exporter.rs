//! What routers send is what a collector reads, and adds up to what passed.

use std::collections::BTreeMap;

use base::{Span, Timestamp};
use sim::exporter::{Announce, Exporter, Fleet, Format, Settings};
use sim::{Config, Event, Kind, World};
use wire::packet::{Link, parse};
use wire::sflow::{Counter, Datagram, FlowRecord, Sample};

const BOOT: Timestamp = Timestamp::from_secs(1_799_900_000);

fn world(seed: u64) -> World {
    let config = Config { seed, span: Span::from_secs(25), pps: 200_000.0, ..Config::default() };
    let target = "198.18.9.9/32".parse().expect("a prefix");
    let start = config.start.plus(Span::from_secs(2));
    let event = Event::new(Kind::SynFlood { forged: true }, target, start, Span::from_secs(5), 100_000.0);
    World::new(config, vec![event])
}

fn routers(settings: &Settings) -> Vec<Settings> {
    (0..4).map(|n| Settings { domain: n, seed: u64::from(n), ..settings.clone() }).collect()
}

#[test]
fn sflow_samples_are_the_packets_and_the_pool_and_counters_know_the_rest() {
    let packets: Vec<_> = world(1).map(|p| (p.headers, p.truth)).collect();
    let settings = Settings::new(Format::Sflow, 1000, BOOT);
    let mut headers = Vec::new();
    let mut pools: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let mut counted = 0;
    for sent in Fleet::new(world(1), routers(&settings)) {
        assert!(sent.bytes.len() <= 1_472, "{}", sent.bytes.len());
        let mut datagram = Datagram::parse(&sent.bytes).unwrap();
        assert_eq!(datagram.header.sub_agent, u32::from(sent.router));
        while let Some(sample) = datagram.next_sample() {
            match sample.unwrap() {
                Sample::Flow(mut flow) => {
                    assert_eq!(flow.sampling_rate, 1000);
                    pools.insert((datagram.header.sub_agent, flow.source.index), flow.sample_pool);
                    let (tag, body) = flow.records.next_record().unwrap().unwrap();
                    let FlowRecord::Raw(raw) = FlowRecord::parse(tag, body).unwrap() else {
                        panic!("raw header")
                    };
                    headers.push(
                        parse(Link::Ethernet, raw.header, raw.frame_length - raw.stripped).unwrap().headers,
                    );
                }
                Sample::Counters(mut counters) => {
                    let (tag, body) = counters.records.next_record().unwrap().unwrap();
                    let Counter::Generic(generic) = Counter::parse(tag, body).unwrap() else {
                        panic!("if_counters")
                    };
                    counted += generic.in_packets;
                }
                _ => panic!("nothing else is sent"),
            }
        }
    }
    let mut expected: Vec<String> = packets.iter().map(|(h, _)| format!("{h:?}")).collect();
    let mut found: Vec<String> = headers.iter().map(|h| format!("{h:?}")).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let pool: f64 = pools.values().map(|pool| f64::from(*pool)).sum();
    let scaled = f64::from(u32::try_from(packets.len()).unwrap()) * 1000.0;
    assert!((pool / scaled - 1.0).abs() < 0.05, "{pool} of {scaled}");
    // Counters came once, at 20 of 25 s.
    #[expect(clippy::cast_precision_loss, reason = "a count of packets")]
    let share = counted as f64 / scaled;
    assert!((0.75..0.92).contains(&share), "{share}");
}

#[test]
fn netflow_5_tells_each_ipv4_packet_once() {
    for settings in [
        Settings::new(Format::NetFlow5, 1000, BOOT).prompt(),
        Settings::new(Format::NetFlow5, 1000, BOOT),
        Settings::new(Format::NetFlow5, 1000, BOOT).cache(Span::from_secs(10), Span::from_secs(10)),
    ] {
        let (mut packets, mut octets) = (0u64, 0u64);
        for packet in world(2).filter(|p| p.headers.src.is_ipv4()) {
            packets += 1;
            octets += packet.octets();
        }
        let mut fleet = Fleet::new(world(2), routers(&settings));
        let mut next: BTreeMap<u16, u32> = BTreeMap::new();
        for sent in fleet.by_ref() {
            let datagram = wire::netflow5::Datagram::parse(&sent.bytes).unwrap();
            assert_eq!(datagram.header.sampling, 1 << 14 | 1000);
            assert_eq!(datagram.records().len(), usize::try_from(sent.records).unwrap());
            let expected = next.entry(sent.router).or_default();
            assert_eq!(datagram.header.sequence, *expected);
            *expected += sent.records;
            for record in datagram.records() {
                packets -= u64::from(record.packets);
                octets -= u64::from(record.octets);
                assert!(record.first <= record.last && record.last <= datagram.header.uptime);
                assert!(
                    u64::from(datagram.header.uptime - record.first)
                        <= settings.active.nanos() / 1_000_000 + 101
                );
            }
        }
        assert_eq!((packets, octets), (0, 0));
        assert!(fleet.exporters().iter().map(Exporter::untold).sum::<u64>() > 0, "IPv6 is counted as untold");
    }
}

#[test]
fn every_way_to_announce_a_rate_makes_whole_sets() {
    for format in [Format::NetFlow9, Format::Ipfix] {
        for announce in
            [Announce::Interval, Announce::Sampler, Announce::Spaces, Announce::Record, Announce::Never]
        {
            let settings = Settings { announce, ..Settings::new(format, 1000, BOOT) };
            let mut records = 0;
            for sent in Fleet::new(world(3), routers(&settings)) {
                records += sent.records;
                let header = if format == Format::Ipfix { 16 } else { 20 };
                let mut at = header;
                while at < sent.bytes.len() {
                    let len = usize::from(u16::from_be_bytes([sent.bytes[at + 2], sent.bytes[at + 3]]));
                    assert!(len >= 4 && len % 4 == 0);
                    at += len;
                }
                assert_eq!(at, sent.bytes.len());
            }
            assert!(records > 1_000);
        }
    }
}

/// The other way to a sampled feed: every packet is made, and the router itself takes one of so many.
#[test]
fn a_router_that_samples_by_itself_tells_the_same_volume() {
    let config = Config {
        pps: 4_000.0,
        hosts: 500,
        conversations: true,
        span: Span::from_secs(10),
        share_out: None,
        routers: 1,
        ..Config::default()
    };
    let whole = World::new(config.clone(), Vec::new()).count();
    let settings = Settings { thinned: false, counters: None, ..Settings::new(Format::Sflow, 20, BOOT) };
    let samples: u32 =
        Fleet::new(World::new(config, Vec::new()), vec![settings]).map(|sent| sent.records).sum();
    let share = f64::from(samples) * 20.0 / f64::from(u32::try_from(whole).expect("a small world"));
    assert!((0.9..1.1).contains(&share), "{share}");
}

#[test]
fn what_a_router_drops_is_told_as_dropped_and_as_nothing_else() {
    let settings = Settings::new(Format::Sflow, 1000, BOOT);
    let mut all = 0;
    let dropped = world(4).map(|packet| {
        all += 1;
        sim::Packet { dropped: packet.headers.protocol == 17, ..packet }
    });
    let (mut passed, mut told) = (0, 0);
    for sent in Fleet::over(dropped, BOOT, world(4).end(), routers(&settings)) {
        let mut datagram = Datagram::parse(&sent.bytes).unwrap();
        while let Some(sample) = datagram.next_sample() {
            match sample.unwrap() {
                Sample::Flow(_) => passed += 1,
                Sample::Discard(mut sample) => {
                    assert_eq!((sample.reason, sample.drops), (258, 0));
                    let (tag, body) = sample.records.next_record().unwrap().unwrap();
                    let FlowRecord::Raw(raw) = FlowRecord::parse(tag, body).unwrap() else {
                        panic!("raw header")
                    };
                    let read = parse(Link::Ethernet, raw.header, raw.frame_length - raw.stripped).unwrap();
                    assert_eq!(read.headers.protocol, 17);
                    told += 1;
                }
                _ => {}
            }
        }
    }
    assert!(passed > 100 && told > 100, "{passed} and {told}");
    assert_eq!(passed + told, all);
    // a format that has no word for it says nothing
    let settings = Settings::new(Format::NetFlow9, 1000, BOOT);
    let none = world(4).map(|packet| sim::Packet { dropped: true, ..packet });
    assert!(Fleet::over(none, BOOT, world(4).end(), routers(&settings)).all(|sent| sent.records == 0));
}
