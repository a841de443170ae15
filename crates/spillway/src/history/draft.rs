//! From a record to what is kept of it.

use std::net::IpAddr;
use std::sync::Arc;

use ::history::Direction;
use base::Timestamp;
use base::prefix::PrefixTable;
use detect::class::{Class, Classifier};
use telemetry::Record;
use telemetry::record::Detail;

/// A sample before it is thinned, named and placed.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) at: Timestamp,
    pub(super) target: IpAddr,
    pub(super) foreign: IpAddr,
    pub(super) direction: Direction,
    pub(super) protocol: u8,
    pub(super) target_port: Option<u16>,
    pub(super) foreign_port: Option<u16>,
    pub(super) tcp_flags: Option<u16>,
    pub(super) class: Class,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) rate: Option<u32>,
    pub(super) exporter: IpAddr,
    pub(super) input_if: Option<u32>,
    pub(super) output_if: Option<u32>,
    pub(super) attack: Option<Arc<str>>,
}

impl Draft {
    /// Of a record that has an own host at one of its ends; what goes between own hosts is told once, as what came in.
    pub(super) fn of(
        record: &Record,
        exporter: IpAddr,
        own: &PrefixTable<()>,
        classifier: &Classifier,
    ) -> Option<Self> {
        let headers = &record.headers;
        let is_flow = record.detail == Detail::Flow && record.packets > 1;
        let ports = (headers.ports.map(|(src, _)| src), headers.ports.map(|(_, dst)| dst));
        let comes_in = own.longest(headers.dst).is_some();
        let (direction, target, foreign, (foreign_port, target_port), class) = if comes_in {
            (Direction::In, headers.dst, headers.src, ports, classifier.received(headers, is_flow))
        } else if own.longest(headers.src).is_some() {
            (Direction::Out, headers.src, headers.dst, (ports.1, ports.0), classifier.sent(headers, is_flow))
        } else {
            return None;
        };
        let rate = u64::from(record.sampling.rate.unwrap_or(1));
        Some(Self {
            at: record.at,
            target,
            foreign,
            direction,
            protocol: headers.protocol,
            target_port,
            foreign_port,
            tcp_flags: headers.tcp.map(|tcp| tcp.flags),
            class,
            packets: record.packets.saturating_mul(rate),
            bytes: record.bytes.saturating_mul(rate),
            rate: record.sampling.rate,
            exporter,
            input_if: record.input_if,
            output_if: record.output_if,
            attack: None,
        })
    }
}
