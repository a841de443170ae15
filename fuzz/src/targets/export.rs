//! Flow export: one target per format, and the collector with all of them from two exporters.

use std::net::IpAddr;

use base::map::Seed;
use base::{Span, Timestamp};
use telemetry::collector::{Collector, Settings};

use super::Target;
use crate::measure::{MEMORY_MAX, Outcome, assert_visits, within};
use crate::seeds;

pub(super) const SFLOW: Target = Target { name: "sflow", seeds: sflow_seeds, run: one_exporter };
pub(super) const NETFLOW5: Target = Target { name: "netflow5", seeds: netflow5_seeds, run: one_exporter };
pub(super) const NETFLOW9: Target = Target { name: "netflow9", seeds: netflow9_seeds, run: one_exporter };
pub(super) const IPFIX: Target = Target { name: "ipfix", seeds: ipfix_seeds, run: one_exporter };
pub(super) const COLLECTOR: Target = Target { name: "collector", seeds: all_seeds, run: two_exporters };

/// Datagrams of one input at most: a mutation may make many empty ones.
const DATAGRAMS_MAX: usize = 64;
/// Recorded datagrams beyond this length are left to the tests of the decoders.
const RECORDED_MAX: usize = 1500;

fn one_exporter(input: &[u8]) -> Outcome {
    run(input, 1)
}

fn two_exporters(input: &[u8]) -> Outcome {
    run(input, 2)
}

fn run(input: &[u8], exporters: u8) -> Outcome {
    let mut collector = Collector::new(Settings::default(), Seed::new(0));
    let mut at = Timestamp::ZERO.plus(Span::from_secs(1_700_000_000));
    let mut flows = 0;
    for (number, datagram) in seeds::datagrams(input).into_iter().take(DATAGRAMS_MAX).enumerate() {
        let last = u8::try_from(number).unwrap_or(0) % exporters;
        let exporter = IpAddr::from([192, 0, 2, last]);
        at = at.plus(Span::from_secs(7));
        let before = collector.stats().work;
        let told = within(MEMORY_MAX, || {
            let mut told = 0;
            collector.datagram(at, exporter, datagram, &mut |_, record| {
                told += 1;
                if let Some(record) = record {
                    assert!(record.start <= record.end, "a flow that ends before it begins");
                    assert!(record.sampling.rate != Some(0), "one of none");
                }
            });
            told
        });
        assert_visits(collector.stats().work.saturating_sub(before), datagram.len());
        flows += told;
    }
    let stats = collector.stats();
    let words = stats.counters().filter(|(_, n)| *n > 0).map(|(name, _)| name).collect();
    let outcome = Outcome { words, ..Outcome::of(flows) };
    stats.faults.iter().fold(outcome, |outcome, (name, _)| outcome.with(name))
}

fn sflow_seeds() -> Vec<Vec<u8>> {
    let mut seeds = seeds::sflow();
    // an sFlow agent's datagrams may come one after the other
    seeds.push(seeds::sequence(&seeds::sflow_datagrams()));
    seeds
}

fn netflow5_seeds() -> Vec<Vec<u8>> {
    [seeds::netflow5(), recorded("netflow5")].concat()
}

fn netflow9_seeds() -> Vec<Vec<u8>> {
    [seeds::netflow9(), recorded("netflow9")].concat()
}

fn ipfix_seeds() -> Vec<Vec<u8>> {
    [seeds::ipfix(), recorded("ipfix")].concat()
}

fn all_seeds() -> Vec<Vec<u8>> {
    [seeds::sflow(), seeds::netflow5(), seeds::netflow9(), seeds::ipfix()].concat()
}

/// Recorded datagrams of real devices, each alone and each after its forerunner (its template, mostly).
fn recorded(format: &str) -> Vec<Vec<u8>> {
    let datagrams = seeds::recorded::datagrams(format, RECORDED_MAX);
    let alone = datagrams.iter().map(|datagram| seeds::sequence(std::slice::from_ref(datagram)));
    let pairs = datagrams.windows(2).map(seeds::sequence);
    alone.chain(pairs).collect()
}
