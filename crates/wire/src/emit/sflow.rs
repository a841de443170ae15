//! sFlow version 5 datagrams (sflow.org, "sFlow Version 5", July 2004).

use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Writer, clip32, patch};

/// The datagram's own header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The agent's address.
    pub agent: IpAddr,
    /// Distinguishes streams of one agent.
    pub sub_agent: u32,
    /// Of the datagram, per sub-agent.
    pub sequence: u32,
    /// Milliseconds since the agent's boot.
    pub uptime: u32,
}

/// One packet sample with its raw header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowSample<'a> {
    /// Of the samples of this source.
    pub sequence: u32,
    /// ifIndex of the sampled port.
    pub source: u32,
    /// N of 1:N.
    pub rate: u32,
    /// Packets that could have been sampled so far.
    pub pool: u32,
    /// Samples lost for want of resources so far.
    pub drops: u32,
    /// ifIndex of arrival; 0 = unknown.
    pub input: u32,
    /// ifIndex of departure, or the encodings of sFlow §5; 0 = unknown.
    pub output: u32,
    /// Length on the wire, with the four octets of FCS.
    pub frame_length: u32,
    /// The frame's front.
    pub header: &'a [u8],
}

/// Generic interface counters (the `if_counters` structure).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// ifIndex.
    pub index: u32,
    /// Bits per second.
    pub speed: u64,
    /// Octets received.
    pub in_octets: u64,
    /// Unicast packets received (32 bits on the wire: wraps).
    pub in_packets: u64,
    /// Octets sent.
    pub out_octets: u64,
    /// Unicast packets sent (32 bits on the wire: wraps).
    pub out_packets: u64,
}

/// A datagram that grows by samples.
#[derive(Clone, Debug)]
pub struct Datagram {
    bytes: Vec<u8>,
    count_at: usize,
    samples: u32,
}

/// Raw packet header: enterprise 0, format 1.
const RAW_HEADER: u32 = 1;
/// header_protocol "ETHERNET-ISO8023".
const PROTOCOL_ETHERNET: u32 = 1;
/// Octets taken off before the header was copied: the FCS.
const STRIPPED: u32 = 4;

impl Datagram {
    /// An empty datagram.
    pub fn new(header: &Header) -> Self {
        let mut bytes = Vec::with_capacity(1500);
        let mut w = Writer::new(&mut bytes);
        w.u32(5).u32(if header.agent.is_ipv4() { 1 } else { 2 }).addr(header.agent);
        w.u32(header.sub_agent).u32(header.sequence).u32(header.uptime);
        let count_at = bytes.len();
        Writer::new(&mut bytes).u32(0);
        Self { bytes, count_at, samples: 0 }
    }

    /// Adds a flow sample (format 1).
    pub fn flow(&mut self, sample: &FlowSample<'_>) {
        self.sample(1, |w| {
            w.u32(sample.sequence).u32(sample.source & 0x00ff_ffff);
            w.u32(sample.rate).u32(sample.pool).u32(sample.drops);
            w.u32(sample.input).u32(sample.output).u32(1);
            raw_header(w, sample);
        });
    }

    /// Adds an expanded flow sample (format 3): for ifIndex values beyond 24 or 30 bits.
    pub fn flow_expanded(&mut self, sample: &FlowSample<'_>) {
        self.sample(3, |w| {
            w.u32(sample.sequence).u32(0).u32(sample.source);
            w.u32(sample.rate).u32(sample.pool).u32(sample.drops);
            w.u32(0).u32(sample.input).u32(0).u32(sample.output).u32(1);
            raw_header(w, sample);
        });
    }

    /// Adds a counter sample (format 2) with generic interface counters.
    pub fn counters(&mut self, sequence: u32, c: &Counters) {
        self.sample(2, |w| {
            w.u32(sequence).u32(c.index & 0x00ff_ffff).u32(1);
            w.u32(1).u32(88);
            w.u32(c.index).u32(6).u64(c.speed).u32(1).u32(3);
            w.u64(c.in_octets).u32(low32(c.in_packets)).zeros(20);
            w.u64(c.out_octets).u32(low32(c.out_packets)).zeros(16).u32(0);
        });
    }

    /// Adds a discarded-packet sample (format 5, "sFlow Dropped Packet Notification Structures").
    pub fn discard(&mut self, sample: &FlowSample<'_>, reason: u32) {
        self.sample(5, |w| {
            w.u32(sample.sequence).u32(0).u32(sample.source).u32(sample.drops);
            w.u32(sample.input).u32(sample.output).u32(reason).u32(1);
            raw_header(w, sample);
        });
    }

    /// Octets so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Samples so far.
    pub const fn samples(&self) -> u32 {
        self.samples
    }

    /// Whether nothing was added.
    pub const fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// The octets to send.
    pub fn finish(mut self) -> Vec<u8> {
        patch(&mut self.bytes, self.count_at, self.samples.to_be_bytes());
        self.bytes
    }

    fn sample(&mut self, format: u32, body: impl FnOnce(&mut Writer<'_>)) {
        Writer::new(&mut self.bytes).u32(format).u32(0);
        let start = self.bytes.len();
        body(&mut Writer::new(&mut self.bytes));
        let len = clip32(self.bytes.len() - start);
        patch(&mut self.bytes, start - 4, len.to_be_bytes());
        self.samples = self.samples.saturating_add(1);
    }
}

fn raw_header(w: &mut Writer<'_>, sample: &FlowSample<'_>) {
    let padding = sample.header.len().next_multiple_of(4) - sample.header.len();
    w.u32(RAW_HEADER).u32(clip32(16 + sample.header.len() + padding));
    w.u32(PROTOCOL_ETHERNET).u32(sample.frame_length).u32(STRIPPED);
    w.u32(clip32(sample.header.len())).bytes(sample.header).zeros(padding);
}

/// Counters of 32 bits wrap.
fn low32(value: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = value.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn a_datagram_is_as_long_as_its_fields_say() {
        let header =
            Header { agent: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), sub_agent: 0, sequence: 1, uptime: 5 };
        let mut d = Datagram::new(&header);
        let sample = FlowSample {
            sequence: 1,
            source: 1,
            rate: 1000,
            pool: 1000,
            drops: 0,
            input: 1,
            output: 2,
            frame_length: 64,
            header: &[0; 59],
        };
        d.flow(&sample);
        d.flow_expanded(&sample);
        d.counters(1, &Counters::default());
        assert_eq!(
            (d.samples(), d.len()),
            (3, 28 + (8 + 32 + 8 + 16 + 60) + (8 + 44 + 8 + 16 + 60) + 8 + 12 + 8 + 88)
        );
        let bytes = d.finish();
        assert_eq!(&bytes[..4], [0, 0, 0, 5]);
        assert_eq!(&bytes[24..28], [0, 0, 0, 3]);
    }
}
