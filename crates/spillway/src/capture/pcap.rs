//! The classic format: a header, then packets.

use base::Timestamp;
use pcap_file::pcap::PcapParser;
use pcap_file::{PcapError, TsResolution};

use super::reader::{Found, Step};

/// Octets in a packet's record header.
const RECORD_HEADER: usize = 16;
/// Longest packet that tools write (libpcap: `MAXIMUM_SNAPLEN`); longer ones only where the header announces them.
const PACKET_MAX: u32 = 262_144;

pub(super) struct Pcap {
    parser: PcapParser,
    link: u32,
    nanos_per_unit: u64,
    packet_max: u32,
}

impl Pcap {
    /// Reads the header: gives the parser and the octets used; `None` for another format.
    pub(super) fn begin(start: &[u8]) -> Option<(Self, usize)> {
        let (rest, parser) = PcapParser::new(start).ok()?;
        let header = parser.header();
        let nanos_per_unit = match header.ts_resolution {
            TsResolution::MicroSecond => 1_000,
            TsResolution::NanoSecond => 1,
        };
        // The upper half of the field tells about frame check sequences.
        let link = u32::from(header.datalink) & 0xffff;
        let packet_max = header.snaplen.max(PACKET_MAX);
        Some((Self { parser, link, nanos_per_unit, packet_max }, start.len() - rest.len()))
    }

    #[inline]
    pub(super) fn step(&self, bytes: &[u8]) -> Result<Step, String> {
        let packet = match self.parser.next_raw_packet(bytes) {
            Ok((_, packet)) => packet,
            Err(PcapError::IncompleteBuffer) => return self.incomplete(bytes),
            Err(e) => return Err(e.to_string()),
        };
        let len = packet.data.len();
        let nanos =
            u64::from(packet.ts_sec) * 1_000_000_000 + u64::from(packet.ts_frac) * self.nanos_per_unit;
        Ok(Step::Packet(Found {
            used: RECORD_HEADER + len,
            back: len,
            len,
            at: Timestamp::from_nanos(nanos),
            original_len: packet.orig_len.max(packet.incl_len),
            link: self.link,
            interface: 0,
        }))
    }

    /// Whether the announced length can be waited for.
    fn incomplete(&self, bytes: &[u8]) -> Result<Step, String> {
        let Some((header, [])) = bytes.get(..RECORD_HEADER).map(|h| h.as_chunks::<4>()) else {
            return Ok(Step::More { needed: RECORD_HEADER });
        };
        let announced = match (self.parser.header().endianness, header.get(2)) {
            (pcap_file::Endianness::Big, Some(field)) => u32::from_be_bytes(*field),
            (pcap_file::Endianness::Little, Some(field)) => u32::from_le_bytes(*field),
            (_, None) => 0,
        };
        if announced > self.packet_max {
            return Err(format!("a packet of {announced} octets, more than any"));
        }
        Ok(Step::More { needed: RECORD_HEADER + usize::try_from(announced).unwrap_or(usize::MAX) })
    }
}
