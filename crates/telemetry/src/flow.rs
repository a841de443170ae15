//! A flow's summary: from what was told to a record.

use base::{Span, Timestamp};
use wire::packet::{self, Fragment, Tcp};

use crate::record::{Detail, Observed, Record};
use crate::told::Told;

/// A flow whose end lies further back than this at its arrival was told by a clock that differs from ours.
const LATE_MAX: Span = Span::from_secs(300);
/// A longer duration is an error of the clock: routers cut flows after an hour or so, but some after a day.
const DURATION_MAX: Span = Span::from_secs(26 * 3600);
/// What caches know of fragments that have no ports and were not told as fragments: that they are not the first.
const LATER: Fragment = Fragment { offset: 1, more: false, dont: false };

/// What is known beyond [`Told`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) at: Timestamp,
    pub(crate) tos: Option<u8>,
    pub(crate) ttl: Option<u8>,
    /// Type and code in one word.
    pub(crate) icmp: Option<u16>,
    pub(crate) fragment: Option<Fragment>,
    /// Layer-3 octets.
    pub(crate) octets: u64,
    pub(crate) observed: Observed,
}

/// Fills in the record of a flow, but for its addresses. False where they are not both told; what stands in the record
/// then is not to be used. What no flow tells is expected to stand there as [`blank`] put it.
///
/// The addresses were written there when they were told: to take them out of `told` now would be to read wide words
/// where narrow ones were just written, for which the processor waits.
#[inline(always)]
pub(crate) fn fill(record: &mut Record, told: &Told, summary: &Summary) -> bool {
    if told.src.is_none() || told.dst.is_none() {
        return false;
    }
    let protocol = told.protocol.unwrap_or(255);
    let packets = told.packets.unwrap_or(1);
    let with_ports = matches!(protocol, packet::TCP | packet::UDP);
    let is_icmp = protocol == packet::ICMP || protocol == packet::ICMP6;
    let portless = with_ports && told.src_port == Some(0) && told.dst_port == Some(0);
    let fragment = summary.fragment.unwrap_or_else(|| if portless { LATER } else { Fragment::default() });
    // Before IPFIX had elements for it, type and code stood in the destination port.
    let icmp = summary.icmp.or(told.dst_port).map(|word| (high(word), low(word)));
    let headers = &mut record.headers;
    headers.protocol = protocol;
    headers.length = u32::try_from(summary.octets / packets.max(1)).unwrap_or(u32::MAX);
    headers.ttl = summary.ttl.unwrap_or(0);
    headers.dscp = summary.tos.unwrap_or(0) >> 2;
    headers.fragment = fragment;
    headers.ports = if with_ports && !fragment.is_later() { told.src_port.zip(told.dst_port) } else { None };
    headers.icmp = if is_icmp { icmp } else { None };
    headers.tcp = match told.tcp_flags {
        Some(flags) if protocol == packet::TCP => {
            Some(Tcp { flags: flags & 0xfff, window: 0, options_len: 0 })
        }
        _ => None,
    };
    (record.start, record.end) = placed(told, summary.at);
    record.packets = packets;
    record.bytes = summary.octets;
    record.sampling = told.sampling;
    record.input_if = told.input_if;
    record.output_if = told.output_if;
    record.observed = summary.observed;
    true
}

/// What all flows that one exporter tells of at `at` have in common.
pub(crate) const fn blank(at: Timestamp, exporter: u32) -> Record {
    Record { detail: Detail::Flow, ..Record::blank(at, exporter) }
}

/// Start and end on our clock: never after the arrival, and as told where the exporter's clock agrees with ours.
#[inline]
fn placed(told: &Told, at: Timestamp) -> (Timestamp, Timestamp) {
    let (start, end) = match (told.start, told.end) {
        (Some(start), Some(end)) => (start, end),
        (Some(one), None) | (None, Some(one)) => (one, one),
        (None, None) => return (at, at),
    };
    let duration = end.since(start).min(DURATION_MAX);
    let end = if end <= at && at.since(end) <= LATE_MAX { end } else { at };
    (end.minus(duration), end)
}

#[inline]
const fn high(word: u16) -> u8 {
    word.to_be_bytes()[0]
}

#[inline]
const fn low(word: u16) -> u8 {
    word.to_be_bytes()[1]
}
