//! NetFlow version 5 datagrams (Cisco, "NetFlow Export Datagram Format").

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::{Writer, clip16, patch};

/// Records that fit a datagram.
pub const RECORDS_MAX: usize = 30;

/// The datagram's own header, without its count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Milliseconds since boot.
    pub uptime: u32,
    /// Seconds since the epoch.
    pub secs: u32,
    /// Nanoseconds beyond.
    pub nanos: u32,
    /// Flows exported before this datagram.
    pub sequence: u32,
    /// Type and number of the exporting engine.
    pub engine: (u8, u8),
    /// Two bits of mode, 14 bits of interval, as sent.
    pub sampling: u16,
}

/// One flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// SNMP index of arrival.
    pub input: u16,
    /// SNMP index of departure.
    pub output: u16,
    /// Packets.
    pub packets: u32,
    /// Layer-3 octets.
    pub octets: u32,
    /// Uptime at the first packet.
    pub first: u32,
    /// Uptime at the last packet.
    pub last: u32,
    /// Source port.
    pub src_port: u16,
    /// Destination port, or ICMP type and code.
    pub dst_port: u16,
    /// TCP flags, or of all packets.
    pub tcp_flags: u8,
    /// IP protocol.
    pub protocol: u8,
    /// Type of service.
    pub tos: u8,
}

/// Makes a datagram of at most [`RECORDS_MAX`] records; more are left out.
pub fn datagram(header: &Header, records: &[Record]) -> Vec<u8> {
    let mut out = Vec::with_capacity(24 + 48 * records.len().min(RECORDS_MAX));
    let mut w = Writer::new(&mut out);
    w.u16(5).u16(0).u32(header.uptime).u32(header.secs).u32(header.nanos).u32(header.sequence);
    w.u8(header.engine.0).u8(header.engine.1).u16(header.sampling);
    for r in records.iter().take(RECORDS_MAX) {
        w.bytes(&r.src.octets()).bytes(&r.dst.octets()).u32(0).u16(r.input).u16(r.output);
        w.u32(r.packets).u32(r.octets).u32(r.first).u32(r.last).u16(r.src_port).u16(r.dst_port);
        w.u8(0).u8(r.tcp_flags).u8(r.protocol).u8(r.tos).u16(0).u16(0).u8(0).u8(0).u16(0);
    }
    patch(&mut out, 2, clip16(records.len().min(RECORDS_MAX)).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_record_takes_48_octets() {
        let record = Record {
            src: Ipv4Addr::LOCALHOST,
            dst: Ipv4Addr::LOCALHOST,
            input: 1,
            output: 2,
            packets: 1,
            octets: 40,
            first: 0,
            last: 0,
            src_port: 1,
            dst_port: 2,
            tcp_flags: 2,
            protocol: 6,
            tos: 0,
        };
        let bytes = datagram(&Header::default(), &vec![record; 31]);
        assert_eq!(bytes.len(), 24 + 30 * 48);
        assert_eq!(&bytes[..4], [0, 5, 0, 30]);
    }
}
