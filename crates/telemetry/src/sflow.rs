//! sFlow v5 datagrams to records.

use base::Timestamp;
use base::prefix::wide;
use wire::Headers;
use wire::packet::{self, Link};
use wire::sflow::{
    Counter, CounterSample, Datagram, DiscardSample, FlowRecord, FlowSample, Interface, RawHeader, Records,
    Sample, SampledIp,
};

use crate::discard::{Discard, is_policy};
use crate::exporter::Exporter;
use crate::frame::{self, Frame};
use crate::interface::NameSource;
use crate::record::{Detail, Observed, RateSource, Record, Sampling};
use crate::told::{Format, Raw, Told};

/// Decodes a datagram. Damage in one sample leaves the others.
pub(crate) fn datagram(
    exporter: &mut Exporter,
    at: Timestamp,
    bytes: &[u8],
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let mut datagram = match Datagram::parse(bytes) {
        Ok(datagram) => datagram,
        Err(fault) => return exporter.stats.faults.count(fault.name()),
    };
    let header = datagram.header;
    let key = (Format::Sflow5, wide(header.agent), header.sub_agent);
    exporter.sequence(key, header.sequence, Some(1), Some(header.uptime), true);
    let mut slate = Slate::new(exporter, at, header.sub_agent);
    while let Some(sample) = datagram.next_sample() {
        exporter.stats.work += 2;
        match sample {
            Ok(Sample::Flow(sample)) => flow(exporter, &mut slate, (bytes, &sample), sink),
            Ok(Sample::Counters(sample)) => counters(exporter, at, &sample),
            Ok(Sample::Discard(sample)) => discard(exporter, at, (bytes, header.sub_agent), &sample),
            Ok(Sample::Other { .. }) => exporter.stats.other_samples += 1,
            Err(fault) => exporter.stats.faults.count(fault.name()),
        }
    }
    if datagram.left() > 0 {
        exporter.stats.faults.count("trailing");
    }
}

/// Where all samples of a datagram are written, one after the other: what they have in common is written once, and
/// nothing is moved from where it was first put.
struct Slate {
    told: Told,
    record: Record,
}

impl Slate {
    #[inline]
    fn new(exporter: &Exporter, at: Timestamp, domain: u32) -> Self {
        let told = Told {
            format: Format::Sflow5,
            exporter: exporter.address,
            domain,
            src: None,
            dst: None,
            src_port: None,
            dst_port: None,
            protocol: None,
            tcp_flags: None,
            packets: Some(1),
            bytes: None,
            sampling: Sampling::UNKNOWN,
            start: Some(at),
            end: Some(at),
            input_if: None,
            output_if: None,
            dropped: false,
            raw: None,
        };
        let doubtful = exporter.truth.verdict().is_doubtful();
        Self { told, record: Record { doubtful, ..Record::blank(at, exporter.index) } }
    }
}

/// What the records of a sample told of the packet.
#[derive(Default)]
struct Seen<'a> {
    raw: Option<RawHeader<'a>>,
    ip: Option<SampledIp>,
    frame: Option<u32>,
}

#[inline]
fn flow(
    exporter: &mut Exporter,
    slate: &mut Slate,
    (datagram, sample): (&[u8], &FlowSample<'_>),
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let seen = records(exporter, sample.records);
    exporter.stats.work += 16 + seen.raw.map_or(0, |raw| raw.header.len() as u64);
    exporter.stats.flows += 1;
    let Slate { told, record } = slate;
    observe(exporter, sample, told, record);
    let readable = if let Some(raw) = seen.raw {
        told.bytes = Some(u64::from(raw.frame_length));
        record.detail = Detail::Packet;
        let frame = frame(&raw, exporter.settings.inner);
        told.raw = frame.and_then(|frame| Raw::of(datagram, frame.link, frame.bytes, frame.len));
        frame.is_some_and(|frame| {
            frame::read(frame, told, record, |headers| {
                if let Some(ip) = &seen.ip {
                    supplement(headers, ip);
                }
            })
        })
    } else {
        (told.bytes, told.raw) = (seen.frame.map(u64::from), None);
        false
    };
    if readable {
        return sink(told, Some(record));
    }
    (told.src, told.dst, told.protocol) = (None, None, None);
    (told.src_port, told.dst_port, told.tcp_flags) = (None, None, None);
    if let Some(ip) = &seen.ip {
        tell_ip(told, ip);
        frame::read_ip(ip, record);
        return sink(told, Some(record));
    }
    exporter.stats.flows_not_ip += 1;
    sink(told, None);
}

/// Keeps what was dropped by policy.
#[cold]
fn discard(
    exporter: &mut Exporter,
    at: Timestamp,
    (datagram, domain): (&[u8], u32),
    sample: &DiscardSample<'_>,
) {
    exporter.stats.discard_samples += 1;
    if !is_policy(sample.reason) {
        return;
    }
    let seen = records(exporter, sample.records);
    exporter.stats.work += 16 + seen.raw.map_or(0, |raw| raw.header.len() as u64);
    let Slate { mut told, mut record } = Slate::new(exporter, at, domain);
    record.input_if = (sample.input != 0).then_some(sample.input);
    record.sampling = Sampling::EVERY;
    let frame = seen.raw.and_then(|raw| frame(&raw, exporter.settings.inner));
    let readable = match (frame, &seen.ip) {
        (Some(frame), _) => frame::read(frame, &mut told, &mut record, |_| {}),
        (None, Some(ip)) => {
            frame::read_ip(ip, &mut record);
            true
        }
        (None, None) => false,
    };
    let raw = frame.and_then(|frame| Raw::of(datagram, frame.link, frame.bytes, frame.len));
    if readable && !exporter.discards.push(Discard { record, reason: sample.reason, raw }) {
        exporter.stats.faults.count("discards_full");
    }
}

/// Fills in what the sample says besides its packet.
#[inline]
fn observe(exporter: &mut Exporter, sample: &FlowSample<'_>, told: &mut Told, record: &mut Record) {
    let (input, output) = (sample.input.index(), sample.output.index());
    let at_input = sample.source.kind == 0 && input == Some(sample.source.index);
    let at_output = sample.source.kind == 0 && output == Some(sample.source.index);
    let observed = match (at_input, at_output) {
        (true, _) => Observed::Ingress,
        (false, true) => Observed::Egress,
        _ => Observed::Unknown,
    };
    let announced = Sampling { rate: Some(sample.sampling_rate.max(1)), source: RateSource::Sample };
    let believed = exporter.truth.believe(sample, &exporter.settings);
    if believed != announced.rate {
        exporter.stats.sampling_corrected += 1;
    }
    let believed = match believed {
        Some(rate) => Sampling { rate: Some(rate), source: RateSource::Sample },
        None => Sampling::UNKNOWN,
    };
    told.sampling = exporter.configured(announced);
    told.dropped = matches!(sample.output, Interface::Discarded(_));
    (told.input_if, told.output_if) = (input, output);
    record.sampling = exporter.configured(believed);
    record.observed = exporter.observed(observed, input);
    (record.input_if, record.output_if) = (input, output);
}

#[inline]
fn records<'a>(exporter: &mut Exporter, mut records: Records<'a>) -> Seen<'a> {
    let mut seen = Seen::default();
    while let Some(record) = records.next_record() {
        exporter.stats.work += 8;
        // Most samples carry one raw header and records that tell nothing of the packet.
        let parsed = match record {
            Ok((RawHeader::TAG, body)) => match RawHeader::parse(body) {
                Ok(raw) => {
                    seen.raw = seen.raw.or(Some(raw));
                    continue;
                }
                Err(fault) => Err(fault),
            },
            Ok((tag @ 2..=4, body)) => FlowRecord::parse(tag, body),
            Ok(_) => continue,
            Err(fault) => Err(fault),
        };
        match parsed {
            Ok(FlowRecord::Raw(_) | FlowRecord::Other) => {}
            Ok(FlowRecord::Ip(ip)) => seen.ip = seen.ip.or(Some(ip)),
            Ok(FlowRecord::Ethernet { length, .. }) => seen.frame = seen.frame.or(Some(length)),
            Err(fault) => exporter.stats.faults.count(fault.name()),
        }
    }
    seen
}

/// `header_protocol` to what we can parse.
#[inline]
fn frame<'a>(raw: &RawHeader<'a>, inner: bool) -> Option<Frame<'a>> {
    let link = match raw.protocol {
        1 => Link::Ethernet,
        7 | 14 => Link::Ppp,
        11 | 12 => Link::Ip,
        13 => Link::Mpls,
        _ => return None,
    };
    Some(Frame { link, bytes: raw.header, len: raw.frame_length, inner })
}

/// Takes from the agent's own decoding what the cut header no longer holds (P1).
fn supplement(headers: &mut Headers, ip: &SampledIp) {
    let same = headers.src == ip.src && headers.dst == ip.dst && u32::from(headers.protocol) == ip.protocol;
    if !same || headers.fragment.is_later() {
        return;
    }
    let port = |port: u32| u16::try_from(port).unwrap_or(0);
    if headers.ports.is_none() && matches!(headers.protocol, packet::TCP | packet::UDP) {
        headers.ports = Some((port(ip.src_port), port(ip.dst_port)));
    }
    if headers.tcp.is_none() && headers.protocol == packet::TCP {
        let flags = u16::try_from(ip.tcp_flags & 0xfff).unwrap_or(0);
        headers.tcp = Some(packet::Tcp { flags, window: 0, options_len: 0 });
    }
}

/// Fills in the agent's own decoding.
fn tell_ip(told: &mut Told, ip: &SampledIp) {
    let port = |port: u32| u16::try_from(port).ok();
    let protocol = u8::try_from(ip.protocol).ok();
    told.src = Some(ip.src);
    told.dst = Some(ip.dst);
    told.protocol = protocol;
    if matches!(protocol, Some(packet::TCP | packet::UDP)) {
        told.src_port = port(ip.src_port);
        told.dst_port = port(ip.dst_port);
    }
    if protocol == Some(packet::TCP) {
        told.tcp_flags = u16::try_from(ip.tcp_flags).ok();
    }
    told.bytes = told.bytes.or_else(|| Some(u64::from(ip.length)));
}

fn counters(exporter: &mut Exporter, at: Timestamp, sample: &CounterSample<'_>) {
    exporter.stats.counter_samples += 1;
    let mut records = sample.records;
    while let Some(record) = records.next_record() {
        exporter.stats.work += 24;
        match record.and_then(|(tag, body)| Counter::parse(tag, body)) {
            Ok(Counter::Generic(generic)) => {
                exporter.speeds.learn(generic.index, generic.speed);
                exporter.truth.counters(at, &generic);
            }
            Ok(Counter::PortName(name)) if sample.source.kind == 0 => {
                exporter.names.learn(sample.source.index, name, NameSource::Sflow, at);
            }
            Ok(_) => {}
            Err(fault) => exporter.stats.faults.count(fault.name()),
        }
    }
}
