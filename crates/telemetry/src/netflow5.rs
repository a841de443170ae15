//! NetFlow v5 datagrams to records.

use core::net::IpAddr;

use base::Timestamp;
use wire::netflow5::{self, Datagram, Header};

use crate::exporter::Exporter;
use crate::flow::{self, Summary};
use crate::record::{Observed, RateSource, Record, Sampling};
use crate::times;
use crate::told::{Format, Told};

/// Decodes a datagram: the records that are claimed and there.
pub(crate) fn datagram(
    exporter: &mut Exporter,
    at: Timestamp,
    bytes: &[u8],
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let datagram = match Datagram::parse(bytes) {
        Ok(datagram) => datagram,
        Err(fault) => return exporter.stats.faults.count(fault.name()),
    };
    let header = datagram.header;
    let found = datagram.records().len();
    if found != usize::from(header.count) {
        exporter.stats.faults.count("count");
    }
    if datagram.trailing > 0 {
        exporter.stats.faults.count("trailing");
    }
    let domain = u32::from(header.engine_type) << 8 | u32::from(header.engine_id);
    let units = u32::try_from(found).ok();
    exporter.sequence((Format::Netflow5, 0, domain), header.sequence, units, Some(header.uptime), false);

    let announced = rate(exporter, &header);
    let sampling = exporter.configured(announced);
    let export = Timestamp::from_secs(u64::from(header.unix_secs))
        .plus(base::Span::from_nanos(u64::from(header.unix_nsecs)));
    let mut slate = flow::blank(at, exporter.index);
    for record in datagram.records() {
        let start = Some(times::of_uptime(record.first, header.uptime, export));
        let end = Some(times::of_uptime(record.last, header.uptime, export));
        let (start, end) = times::ordered(start, end, export, &mut exporter.stats.faults);
        let told = Told {
            format: Format::Netflow5,
            exporter: exporter.address,
            domain,
            src: Some(IpAddr::V4(record.src)),
            dst: Some(IpAddr::V4(record.dst)),
            src_port: Some(record.src_port),
            dst_port: Some(record.dst_port),
            protocol: Some(record.protocol),
            tcp_flags: Some(u16::from(record.tcp_flags)),
            packets: Some(u64::from(record.packets)),
            bytes: Some(u64::from(record.octets)),
            sampling,
            start,
            end,
            input_if: Some(u32::from(record.input)),
            output_if: Some(u32::from(record.output)),
            dropped: record.output == 0 && record.next_hop.is_unspecified(),
            raw: None,
        };
        let summary = Summary {
            at,
            tos: Some(record.tos),
            octets: told.bytes.unwrap_or(0),
            // v5 says nothing of where it looked; it looks at ingress, unless told to do both.
            observed: Observed::Unknown,
            ..Summary::default()
        };
        slate.headers.src = IpAddr::V4(record.src);
        slate.headers.dst = IpAddr::V4(record.dst);
        let complete = flow::fill(&mut slate, &told, &summary);
        exporter.stats.flows += 1;
        if complete && told.start.is_some() {
            exporter.timed(&mut slate);
        }
        sink(&told, complete.then_some(&slate));
    }
    exporter.stats.work += (netflow5::HEADER_LEN + found * netflow5::RECORD_LEN) as u64;
}

/// Two bits of mode, fourteen of interval. Mode 3 does not exist: there the vendor used all sixteen bits (S9).
fn rate(exporter: &mut Exporter, header: &Header) -> Sampling {
    let mode = header.sampling >> 14;
    let interval = if exporter.settings.sampling_v5_16bit {
        header.sampling
    } else if mode == 3 {
        exporter.stats.faults.count("sampling_mode");
        header.sampling
    } else {
        header.sampling & 0x3fff
    };
    Sampling { rate: Some(u32::from(interval.max(1))), source: RateSource::Header }
}
