//! A router that sends NetFlow v5.

use std::net::{IpAddr, Ipv4Addr};

use base::Timestamp;
use wire::emit::netflow5::{Header, RECORDS_MAX, Record, datagram};

use super::{Exporter, cache::Flow};

impl Exporter {
    pub(super) fn netflow5_send(&mut self, now: Timestamp) {
        let flows = std::mem::take(&mut self.pending);
        for lot in flows.chunks(RECORDS_MAX) {
            let records: Vec<Record> = lot.iter().map(|flow| self.netflow5_record(flow)).collect();
            let header = Header {
                uptime: self.settings.uptime(now),
                secs: u32::try_from(now.secs()).unwrap_or(u32::MAX),
                nanos: u32::try_from(now.nanos() % 1_000_000_000).unwrap_or(0),
                sequence: self.sequence,
                engine: (0, u8::try_from(self.settings.domain & 0xff).unwrap_or(0)),
                // Mode 1 is packet interval; fourteen bits hold the rate.
                sampling: self
                    .settings
                    .says()
                    .map_or(0, |n| 1 << 14 | u16::try_from(n & 0x3fff).unwrap_or(0)),
            };
            let bytes = datagram(&header, &records);
            self.sequence = self.sequence.wrapping_add(u32::try_from(records.len()).unwrap_or(0));
            self.emit(now, records.len(), bytes);
        }
    }

    fn netflow5_record(&self, flow: &Flow) -> Record {
        let v4 = |addr: IpAddr| match addr {
            IpAddr::V4(v4) => v4,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        Record {
            src: v4(flow.key.src),
            dst: v4(flow.key.dst),
            input: flow.key.input,
            output: flow.output,
            packets: u32::try_from(flow.packets).unwrap_or(u32::MAX),
            octets: u32::try_from(flow.octets).unwrap_or(u32::MAX),
            first: self.settings.uptime(flow.first),
            last: self.settings.uptime(flow.last),
            src_port: flow.key.ports.0,
            dst_port: flow.key.ports.1,
            tcp_flags: u8::try_from(flow.flags & 0xff).unwrap_or(0),
            protocol: flow.key.protocol,
            tos: flow.key.tos,
        }
    }
}
