//! Data records of NetFlow v9 and IPFIX: from the values of a record to what was told and to a normalised record.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Timestamp;
use wire::Headers;
use wire::packet::{Fragment, Link};

use crate::element::{Clock, Slot};
use crate::exporter::Exporter;
use crate::flow::{self, Summary};
use crate::frame::{self, Frame};
use crate::plan::{Plan, Values};
use crate::record::{Observed, RateSource, Record, Sampling};
use crate::sampling::{self, Announced, Choice};
use crate::sets::Message;
use crate::store::Template;
use crate::times;
use crate::told::Told;

/// What holds for all records of a set.
pub(crate) struct Context<'t> {
    message: Message,
    plan: &'t Plan,
    /// Uptime zero by the exporter's clock, where only options told it (IPFIX).
    boot: Option<Timestamp>,
    /// Records carry their own rate.
    own_rate: bool,
    /// The last resolved choice, for most records of a set choose alike.
    last: Option<(Choice, Sampling)>,
    /// Where all flows of the set are written, one after the other.
    flow: Record,
}

impl<'t> Context<'t> {
    pub(crate) fn new(exporter: &mut Exporter, message: Message, template: &'t Template) -> Self {
        let plan = &template.plan;
        let own_rate =
            [Slot::Interval, Slot::RandomInterval, Slot::PacketInterval, Slot::Population, Slot::Probability]
                .into_iter()
                .any(|slot| plan.has(slot));
        let boot = exporter.store.domain(message.key()).and_then(|domain| domain.boot);
        Self { message, plan, boot, own_rate, last: None, flow: flow::blank(message.at, exporter.index) }
    }
}

/// Tells of one record; of a biflow with traffic in both directions, of two (RFC 5103), forward first.
#[inline]
pub(crate) fn record(
    exporter: &mut Exporter,
    context: &mut Context<'_>,
    values: &Values,
    bytes: &[u8],
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let mut told = tell(exporter, context, values);
    let mut summary = summarise(exporter, context, values, &told);
    if let Some(section) = values.octets(Slot::Frame, bytes) {
        return packet(exporter, context, values, section, told, &summary, sink);
    }
    emit(exporter, &mut context.flow, &told, &summary, sink);
    let (packets, octets) = (values.get(Slot::ReversePackets), values.get(Slot::ReverseBytes));
    if packets.unwrap_or(0) == 0 && octets.unwrap_or(0) == 0 {
        return;
    }
    core::mem::swap(&mut told.src, &mut told.dst);
    let Headers { src, dst, .. } = &mut context.flow.headers;
    core::mem::swap(src, dst);
    core::mem::swap(&mut told.src_port, &mut told.dst_port);
    core::mem::swap(&mut told.input_if, &mut told.output_if);
    told.packets = packets;
    told.bytes = octets;
    told.tcp_flags = values.get(Slot::ReverseFlags).and_then(narrow);
    summary.octets = octets.unwrap_or(0);
    summary.observed = Observed::Unknown;
    exporter.stats.flows_reverse += 1;
    emit(exporter, &mut context.flow, &told, &summary, sink);
}

#[inline(always)]
fn emit(
    exporter: &mut Exporter,
    record: &mut Record,
    told: &Told,
    summary: &Summary,
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let complete = flow::fill(record, told, summary);
    exporter.stats.flows += 1;
    exporter.stats.flows_not_ip += u64::from(!complete);
    if complete && told.start.is_some() {
        exporter.timed(record);
    }
    sink(told, complete.then_some(record));
}

#[inline(always)]
fn tell(exporter: &mut Exporter, context: &mut Context<'_>, values: &Values) -> Told {
    let Headers { src, dst, .. } = &mut context.flow.headers;
    let (told_src, told_dst) = addresses(values, src, dst);
    let (start, end) = span(exporter, context, values);
    let input_if = values.get(Slot::Input).and_then(narrow);
    let output_if = values.get(Slot::Output).and_then(narrow);
    let refused = values.get(Slot::Forwarding).is_some_and(|status| status >> 6 & 0x3 == 2);
    // Juniper signals a drop by no interface and no next hop (T15).
    let nowhere = output_if == Some(0) && values.get(Slot::NextHop4) == Some(0);
    Told {
        format: context.message.format,
        exporter: exporter.address,
        domain: context.message.domain,
        src: told_src,
        dst: told_dst,
        src_port: values.get(Slot::SrcPort).and_then(narrow),
        dst_port: values.get(Slot::DstPort).and_then(narrow),
        protocol: values.get(Slot::Protocol).and_then(narrow),
        tcp_flags: values.get(Slot::TcpFlags).and_then(narrow),
        packets: values.get(Slot::Packets),
        bytes: values.get(Slot::Bytes),
        sampling: sampled(exporter, context, values, input_if),
        start,
        end,
        input_if,
        output_if,
        dropped: refused || nowhere,
        raw: None,
    }
}

#[inline(always)]
fn summarise(exporter: &mut Exporter, context: &Context<'_>, values: &Values, told: &Told) -> Summary {
    let octets = told.bytes.unwrap_or(0);
    let layer2 = 18u64.saturating_mul(told.packets.unwrap_or(0));
    let icmp = values.get(Slot::IcmpWord).and_then(narrow).or_else(|| {
        let (kind, code) = (values.get(Slot::IcmpType)?, values.get(Slot::IcmpCode)?);
        Some(u16::from_be_bytes([narrow(kind)?, narrow(code)?]))
    });
    let fragment = (values.has(Slot::FragmentOffset) || values.has(Slot::FragmentFlags)).then(|| {
        let offset = values.get(Slot::FragmentOffset).and_then(narrow::<u16>).unwrap_or(0) & 0x1fff;
        let bits = values.get(Slot::FragmentFlags).unwrap_or(0);
        // fragmentFlags (197): 0x40 is DF, 0x20 is MF.
        Fragment { offset, more: bits & 0x20 != 0, dont: bits & 0x40 != 0 }
    });
    let observed = match values.get(Slot::Direction) {
        Some(0) => Observed::Ingress,
        Some(1) => Observed::Egress,
        // Juniper says 255 (T14).
        _ => Observed::Unknown,
    };
    Summary {
        at: context.message.at,
        tos: values.get(Slot::Tos).and_then(narrow),
        ttl: values.get(Slot::Ttl).and_then(narrow),
        icmp,
        fragment,
        octets: if context.plan.layer2 { octets.saturating_sub(layer2) } else { octets },
        observed: exporter.observed(observed, told.input_if),
    }
}

/// A record that carries the front of a packet (IPFIX 313, 315; NetFlow v9 104): judged by that packet.
fn packet(
    exporter: &mut Exporter,
    context: &mut Context<'_>,
    values: &Values,
    section: &[u8],
    mut told: Told,
    summary: &Summary,
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let size = values.get(Slot::FrameSize).and_then(narrow::<u32>);
    let link = match values.get(Slot::FrameType) {
        // dataLinkFrameType (408): 1 is Ethernet; 802.11 is not parsed.
        None | Some(0 | 1) => context.plan.frame,
        Some(_) => Link::Ip,
    };
    exporter.stats.work += section.len() as u64;
    let captured = u32::try_from(section.len()).unwrap_or(u32::MAX);
    let len = size.unwrap_or(captured);
    told.packets = told.packets.or(Some(1));
    let mut record = Record {
        packets: told.packets.unwrap_or(1),
        sampling: told.sampling,
        input_if: told.input_if,
        output_if: told.output_if,
        observed: summary.observed,
        ..Record::blank(summary.at, exporter.index)
    };
    let frame = Frame { link, bytes: section, len, inner: exporter.settings.inner };
    let mut length = 0;
    if !frame::read(frame, &mut told, &mut record, |headers| length = headers.length) {
        told.bytes = told.bytes.or_else(|| Some(u64::from(len)));
        return emit(exporter, &mut context.flow, &told, summary, sink);
    }
    told.bytes = told.bytes.or_else(|| Some(u64::from(size.unwrap_or(length))));
    exporter.stats.flows += 1;
    sink(&told, Some(&record));
}

/// Of records with both families, IPv4 unless that is all zero (T14). They are also written to where the record has
/// its addresses.
#[inline(always)]
fn addresses(values: &Values, src: &mut IpAddr, dst: &mut IpAddr) -> (Option<IpAddr>, Option<IpAddr>) {
    let has4 = values.has(Slot::Src4) || values.has(Slot::Dst4);
    let has6 = values.has(Slot::Src6) || values.has(Slot::Dst6);
    let use6 = has6 && (!has4 || prefers6(values));
    if use6 {
        let of = |high: Slot, low: Slot, place: &mut IpAddr| {
            values.has(high).then(|| {
                let bits = u128::from(values.raw(high)) << 64 | u128::from(values.raw(low));
                *place = IpAddr::V6(Ipv6Addr::from_bits(bits));
                IpAddr::V6(Ipv6Addr::from_bits(bits))
            })
        };
        (of(Slot::Src6, Slot::Src6Low, src), of(Slot::Dst6, Slot::Dst6Low, dst))
    } else {
        let of = |slot: Slot, place: &mut IpAddr| {
            values.get(slot).and_then(narrow::<u32>).map(|bits| {
                *place = IpAddr::V4(Ipv4Addr::from(bits));
                IpAddr::V4(Ipv4Addr::from(bits))
            })
        };
        (of(Slot::Src4, src), of(Slot::Dst4, dst))
    }
}

fn prefers6(values: &Values) -> bool {
    let zero = |slots: &[Slot]| slots.iter().all(|slot| values.raw(*slot) == 0);
    if zero(&[Slot::Src6, Slot::Src6Low, Slot::Dst6, Slot::Dst6Low]) {
        return false;
    }
    zero(&[Slot::Src4, Slot::Dst4]) || values.get(Slot::IpVersion) == Some(6)
}

#[inline(always)]
fn span(
    exporter: &mut Exporter,
    context: &Context<'_>,
    values: &Values,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let plan = context.plan;
    let message = &context.message;
    let boot =
        values.get(Slot::Boot).filter(|millis| *millis != 0).map(Timestamp::from_millis).or(context.boot);
    let at = |slot: Slot, clock: Clock| {
        let value = values.get(slot)?;
        instant(value, clock, message, boot)
    };
    let (mut start, mut end) = (at(Slot::Start, plan.start), at(Slot::End, plan.end));
    if (start.is_none() || end.is_none()) && values.has(Slot::Duration) {
        let duration = values.raw(Slot::Duration);
        let duration = match plan.duration {
            Clock::Millis => base::Span::from_millis(duration),
            _ => base::Span::from_nanos(duration.saturating_mul(1000)),
        };
        start = start.or_else(|| end.map(|end| end.minus(duration)));
        end = end.or_else(|| start.map(|start| start.plus(duration)));
    }
    if start.is_none() && end.is_none() && values.has(Slot::Observation) {
        start = at(Slot::Observation, plan.observation);
        end = start;
    }
    times::ordered(start, end, message.export, &mut exporter.stats.faults)
}

#[inline]
fn instant(value: u64, clock: Clock, message: &Message, boot: Option<Timestamp>) -> Option<Timestamp> {
    Some(match clock {
        Clock::Uptime => match (message.uptime, boot) {
            (Some(now), _) => times::of_uptime(narrow(value)?, now, message.export),
            (None, Some(boot)) => boot.plus(base::Span::from_millis(value)),
            (None, None) => return None,
        },
        // Microseconds before the export (RFC 5102 §5.9.11).
        Clock::Delta => message.export.minus(base::Span::from_nanos(value.saturating_mul(1000))),
        Clock::Seconds => Timestamp::from_secs(value),
        Clock::Millis => Timestamp::from_millis(value),
        Clock::Micros => times::of_ntp(value, 1000, message.export),
        Clock::Nanos => times::of_ntp(value, 1, message.export),
    })
}

/// The rate: the record's own (S5), else what options said.
#[inline(always)]
fn sampled(
    exporter: &mut Exporter,
    context: &mut Context<'_>,
    values: &Values,
    input: Option<u32>,
) -> Sampling {
    if context.own_rate
        && let Some((announced, corrected)) = sampling::announced(values)
    {
        exporter.stats.sampling_corrected += u64::from(corrected);
        let rate = match announced {
            Announced::Rate(rate) => Some(rate),
            Announced::Zero => Some(1),
            Announced::Absurd => None,
        };
        if rate.is_some() {
            return exporter.configured(Sampling { rate, source: RateSource::Record });
        }
        exporter.stats.faults.count("sampling_absurd");
    }
    let choice = Choice {
        sampler: values.get(Slot::Sampler),
        selector: values.get(Slot::Selector),
        input: if exporter.rates.by_interface() { input } else { None },
    };
    match context.last {
        Some((last, sampling)) if last == choice => sampling,
        _ => {
            let (sampling, work) = exporter.rates.resolve(context.message.domain, choice);
            exporter.stats.work += work as u64;
            let sampling = exporter.configured(sampling);
            context.last = Some((choice, sampling));
            sampling
        }
    }
}

/// A value that fits its type, or none.
#[inline]
fn narrow<T: TryFrom<u64>>(value: u64) -> Option<T> {
    T::try_from(value).ok()
}
