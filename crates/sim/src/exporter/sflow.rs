//! A switch that sends packet samples and counters.

use base::Timestamp;
use wire::emit::sflow::{Counters, Datagram, FlowSample, Header};

use super::Exporter;
use crate::packet::Packet;

/// Octets of an Ethernet frame that the sample does not hold: its check sequence.
pub(super) const FCS: u64 = 4;
/// Speed that the interfaces report.
const SPEED: u64 = 100_000_000_000;
/// `drop_reason` of a filter ("sFlow Dropped Packet Notification Structures").
const ACCESS_LIST: u32 = 258;
/// Datagrams stay below this.
const OCTETS_MAX: usize = 1_400;

/// The datagram that grows.
#[derive(Debug, Default)]
pub(super) struct Writer {
    open: Option<Datagram>,
}

impl Exporter {
    pub(super) fn sflow_sample(&mut self, packet: &Packet, frame: &[u8], whole: u32) {
        let Some(port) = self.ports.get_mut(&packet.input_if) else { return };
        port.samples = port.samples.wrapping_add(1);
        let sample = FlowSample {
            sequence: port.samples,
            source: packet.input_if.into(),
            rate: self.settings.announced.unwrap_or(self.settings.sampling),
            pool: u32::try_from(port.sampler.pool() & 0xffff_ffff).unwrap_or(0),
            drops: 0,
            input: packet.input_if.into(),
            output: packet.output_if.into(),
            frame_length: whole.saturating_add(4),
            header: frame,
        };
        self.open(packet.at).flow(&sample);
        self.send_full(packet.at);
    }

    /// A packet that an access list stopped stands for itself alone.
    pub(super) fn sflow_discard(&mut self, packet: &Packet, frame: &[u8], whole: u32) {
        let Some(port) = self.ports.get_mut(&packet.input_if) else { return };
        port.discards = port.discards.wrapping_add(1);
        let sample = FlowSample {
            sequence: port.discards,
            source: packet.input_if.into(),
            rate: 0,
            pool: 0,
            drops: 0,
            input: packet.input_if.into(),
            output: 0,
            frame_length: whole.saturating_add(4),
            header: frame,
        };
        self.open(packet.at).discard(&sample, ACCESS_LIST);
        self.send_full(packet.at);
    }

    fn send_full(&mut self, at: Timestamp) {
        let full = self.sflow.open.as_ref().is_some_and(|open| {
            let records = usize::try_from(open.samples()).unwrap_or(usize::MAX);
            // Room for one more has to be left, unless the caller wants long datagrams.
            records >= self.settings.records_max
                || (self.settings.records_max <= 8 && open.len() + 200 > OCTETS_MAX)
        });
        if full {
            self.sflow_send(at);
        }
    }

    /// Counters of all interfaces.
    pub(super) fn sflow_counters(&mut self, now: Timestamp) {
        self.sflow_send(now);
        let mut lines = Vec::new();
        for (index, port) in &mut self.ports {
            port.sequence = port.sequence.wrapping_add(1);
            let t = port.traffic;
            lines.push((
                port.sequence,
                Counters {
                    index: (*index).into(),
                    speed: SPEED,
                    in_octets: t.in_octets,
                    in_packets: t.in_packets,
                    out_octets: t.out_octets,
                    out_packets: t.out_packets,
                },
            ));
        }
        for lot in lines.chunks(8) {
            let mut datagram = self.begin(now);
            for (sequence, counters) in lot {
                datagram.counters(*sequence, counters);
            }
            self.emit(now, 0, datagram.finish());
        }
    }

    pub(super) fn sflow_send(&mut self, now: Timestamp) {
        if let Some(open) = self.sflow.open.take() {
            let records = usize::try_from(open.samples()).unwrap_or(0);
            self.emit(now, records, open.finish());
        }
    }

    fn open(&mut self, at: Timestamp) -> &mut Datagram {
        let datagram = match self.sflow.open.take() {
            Some(open) => open,
            None => self.begin(at),
        };
        self.sflow.open.insert(datagram)
    }

    fn begin(&mut self, at: Timestamp) -> Datagram {
        self.sequence = self.sequence.wrapping_add(1);
        Datagram::new(&Header {
            agent: self.settings.address,
            sub_agent: self.settings.domain,
            sequence: self.sequence,
            uptime: self.settings.uptime(at),
        })
    }
}
