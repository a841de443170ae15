//! Nanoseconds per record: from a datagram to normalised records, and from a record to counters.
//!
//! Before anything is timed, a counting allocator asserts that decoding allocates nothing.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base::Span;
use base::map::Seed;
use benches::{Bench, FORMATS, allocations, datagrams};
use detect::Shard;
use detect::profile::Profile;
use divan::Bencher;
use divan::counter::ItemsCount;
use flowparser_sflow::SflowParser;
use netflow_parser::NetflowParser;
use sim::exporter::Sent;
use telemetry::Record;
use telemetry::collector::{Collector, Settings};

/// Records in one pass.
const RECORDS: u32 = 100_000;

fn main() {
    for (name, sent) in load() {
        let (count, records) = allocations(sent);
        assert_eq!(count, 0, "{name}: {count} allocations for {records} records");
        println!("{name}: 0 allocations in {records} records");
    }
    divan::main();
}

fn load() -> &'static BTreeMap<&'static str, Vec<Sent>> {
    static LOAD: OnceLock<BTreeMap<&'static str, Vec<Sent>>> = OnceLock::new();
    LOAD.get_or_init(|| FORMATS.iter().map(|(name, format)| (*name, datagrams(*format, RECORDS))).collect())
}

/// One item = one record.
#[divan::bench(args = ["sflow", "netflow5", "netflow9", "ipfix"])]
fn decode(bencher: Bencher<'_, '_>, format: &str) {
    let Some(sent) = load().get(format) else { return };
    let mut bench = Bench::default();
    // templates are learned once, exporters made once
    let records = bench.decode(sent);
    bencher.counter(ItemsCount::new(records)).bench_local(|| bench.decode(sent));
}

/// The same datagrams through the decoders that one would take from a registry instead. They stop at the fields; ours go
/// on to the sampling, the roles of interfaces and the packet's headers.
#[divan::bench(args = ["sflow", "netflow5", "netflow9", "ipfix"])]
fn peer(bencher: Bencher<'_, '_>, format: &str) {
    let Some(sent) = load().get(format) else { return };
    let records = Bench::default().decode(sent);
    let bencher = bencher.counter(ItemsCount::new(records));
    if format == "sflow" {
        let parser = SflowParser::default();
        bencher.bench_local(|| {
            for datagram in sent {
                drop(divan::black_box(parser.parse_bytes(&datagram.bytes)));
            }
        });
    } else {
        let mut parser = NetflowParser::default();
        bencher.bench_local(|| {
            for datagram in sent {
                drop(divan::black_box(parser.parse_bytes(&datagram.bytes)));
            }
        });
    }
}

/// One item = one packet header of 128 octets at most.
#[divan::bench]
fn parse_headers(bencher: Bencher<'_, '_>) {
    let frames = frames();
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        for frame in &frames {
            let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
            let _ = divan::black_box(wire::packet::parse(wire::packet::Link::Ethernet, frame, len));
        }
    });
}

/// One item = one record counted, a tick of the shard every 250 ms of the load.
#[divan::bench]
fn count(bencher: Bencher<'_, '_>) {
    let Some(sent) = load().get("netflow9") else { return };
    let records = records(sent);
    let networks = sim::Config::default().networks;
    let tick = Span::from_millis(250);
    let mut shard = Shard::new(Profile::Daemon, &networks, tick, 1);
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        for part in records.chunks(10_000) {
            part.iter().for_each(|record| shard.record(record));
            drop(divan::black_box(shard.close()));
        }
    });
}

fn records(sent: &[Sent]) -> Vec<Record> {
    let mut collector = Collector::new(Settings::default(), Seed::new(0));
    let mut records = Vec::new();
    for datagram in sent {
        let exporter = std::net::IpAddr::from([192, 0, 2, 1]);
        collector.datagram(datagram.at, exporter, &datagram.bytes, &mut |_, record| {
            records.extend(record.copied());
        });
    }
    records
}

fn frames() -> Vec<Vec<u8>> {
    let config = sim::Config::default();
    sim::World::new(config, Vec::new())
        .take(10_000)
        .map(|packet| {
            let mut frame = Vec::new();
            packet.frame(&mut frame, 128);
            frame
        })
        .collect()
}
