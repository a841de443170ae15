//! NetFlow version 5 (Cisco, "NetFlow Export Datagram Format", table B-3 and B-4).

use core::net::Ipv4Addr;

use crate::reader::{Fault, Reader};

/// Octets of the header.
pub const HEADER_LEN: usize = 24;
/// Octets of a record.
pub const RECORD_LEN: usize = 48;

/// Datagram header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Records claimed, 1 to 30.
    pub count: u16,
    /// Milliseconds since the device booted.
    pub uptime: u32,
    /// Seconds since 1970.
    pub unix_secs: u32,
    /// Residual nanoseconds.
    pub unix_nsecs: u32,
    /// Flows seen before this datagram.
    pub sequence: u32,
    /// Type of flow-switching engine.
    pub engine_type: u8,
    /// Slot of the engine.
    pub engine_id: u8,
    /// Two bits of mode and fourteen of interval; some vendors use all sixteen.
    pub sampling: u16,
}

/// One flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Next hop router.
    pub next_hop: Ipv4Addr,
    /// ifIndex it came in by.
    pub input: u16,
    /// ifIndex it left by.
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
    /// Destination port; type and code for ICMP.
    pub dst_port: u16,
    /// All TCP flags seen.
    pub tcp_flags: u8,
    /// IP protocol.
    pub protocol: u8,
    /// Type of service.
    pub tos: u8,
}

/// A datagram: its header and its records.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The header.
    pub header: Header,
    records: &'a [[u8; RECORD_LEN]],
    /// Octets behind the records that were claimed, or behind the last whole one.
    pub trailing: usize,
}

impl<'a> Datagram<'a> {
    /// Reads the header and finds the records: not more than claimed, not more than are there.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut r = Reader::new(bytes);
        let version = r.u16("version")?;
        if version != 5 {
            return Err(Fault::Version { found: u32::from(version) });
        }
        let header = Header {
            count: r.u16("count")?,
            uptime: r.u32("SysUptime")?,
            unix_secs: r.u32("unix_secs")?,
            unix_nsecs: r.u32("unix_nsecs")?,
            sequence: r.u32("flow_sequence")?,
            engine_type: r.u8("engine_type")?,
            engine_id: r.u8("engine_id")?,
            sampling: r.u16("sampling_interval")?,
        };
        let (whole, _) = r.rest().as_chunks::<RECORD_LEN>();
        let records = whole.get(..usize::from(header.count)).unwrap_or(whole);
        Ok(Self { header, records, trailing: r.len() - records.len() * RECORD_LEN })
    }

    /// The records.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record> + 'a {
        self.records.iter().map(record)
    }
}

#[inline]
fn record(b: &[u8; RECORD_LEN]) -> Record {
    let [
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
        n0,
        n1,
        n2,
        n3,
        i0,
        i1,
        o0,
        o1,
        p0,
        p1,
        p2,
        p3,
        b0,
        b1,
        b2,
        b3,
        f0,
        f1,
        f2,
        f3,
        l0,
        l1,
        l2,
        l3,
        sp0,
        sp1,
        dp0,
        dp1,
        _pad1,
        tcp_flags,
        protocol,
        tos,
        ..,
    ] = *b;
    Record {
        src: Ipv4Addr::new(s0, s1, s2, s3),
        dst: Ipv4Addr::new(d0, d1, d2, d3),
        next_hop: Ipv4Addr::new(n0, n1, n2, n3),
        input: u16::from_be_bytes([i0, i1]),
        output: u16::from_be_bytes([o0, o1]),
        packets: u32::from_be_bytes([p0, p1, p2, p3]),
        octets: u32::from_be_bytes([b0, b1, b2, b3]),
        first: u32::from_be_bytes([f0, f1, f2, f3]),
        last: u32::from_be_bytes([l0, l1, l2, l3]),
        src_port: u16::from_be_bytes([sp0, sp1]),
        dst_port: u16::from_be_bytes([dp0, dp1]),
        tcp_flags,
        protocol,
        tos,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_count_that_lies_gives_what_is_there() {
        let mut b = vec![0u8; HEADER_LEN + 2 * RECORD_LEN + 7];
        b[1] = 5;
        b[2..4].copy_from_slice(&5000u16.to_be_bytes());
        let d = Datagram::parse(&b).unwrap();
        assert_eq!((d.records().len(), d.trailing), (2, 7));
        b[2..4].copy_from_slice(&1u16.to_be_bytes());
        let d = Datagram::parse(&b).unwrap();
        assert_eq!((d.records().len(), d.trailing), (1, 55));
    }
}
