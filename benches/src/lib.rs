//! The load that benches and the allocation test share: datagrams of a border router of a small provider.

use std::net::IpAddr;

use base::map::Seed;
use base::{Span, Timestamp};
use sim::exporter::{Fleet, Format, Sent, Settings};
use sim::{Config, World};
use telemetry::collector::{Collector, Settings as CollectorSettings};

/// The four formats, by the names of the benches.
pub const FORMATS: [(&str, Format); 4] = [
    ("sflow", Format::Sflow),
    ("netflow5", Format::NetFlow5),
    ("netflow9", Format::NetFlow9),
    ("ipfix", Format::Ipfix),
];

/// At least so many records as datagrams of one exporter.
pub fn datagrams(format: Format, records: u32) -> Vec<Sent> {
    let config = Config { pps: 100_000_000.0, thin: 1000, span: Span::from_secs(60), ..Config::default() };
    let boot = config.start.minus(Span::from_secs(86_400));
    let settings = Settings::new(format, 1000, boot).prompt();
    let mut fleet = Fleet::new(World::new(config, Vec::new()), vec![settings]);
    let mut sent = Vec::new();
    let mut made = 0;
    while made < records {
        let Some(datagram) = fleet.next() else { break };
        made += datagram.records;
        sent.push(datagram);
    }
    sent
}

/// A collector at work.
#[derive(Debug)]
pub struct Bench {
    collector: Collector,
    exporter: IpAddr,
}

impl Default for Bench {
    fn default() -> Self {
        let collector = Collector::new(CollectorSettings::default(), Seed::new(0));
        Self { collector, exporter: IpAddr::from([192, 0, 2, 1]) }
    }
}

impl Bench {
    /// Decodes; gives the number of records.
    pub fn decode(&mut self, sent: &[Sent]) -> u64 {
        let mut records = 0;
        for datagram in sent {
            self.collector.datagram(datagram.at, self.exporter, &datagram.bytes, &mut |told, record| {
                records += u64::from(record.is_some());
                std::hint::black_box((told, record));
            });
        }
        records
    }
}

/// Allocations of decoding the second half of `sent`, after the first, and the records in that half.
pub fn allocations(sent: &[Sent]) -> (u64, u64) {
    let mut bench = Bench::default();
    let (first, second) = sent.split_at(sent.len() / 2);
    bench.decode(first);
    let mut records = 0;
    let cost = allocation_counter::measure(|| records = bench.decode(second));
    (cost.count_total, records)
}

/// When the load begins.
pub fn start() -> Timestamp {
    Config::default().start
}
