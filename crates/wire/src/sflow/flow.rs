//! Flow samples, discarded packets and the flow records in them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{DataSource, Interface, Records, source};
use crate::reader::{Fault, Reader};

/// `flow_sample` and `flow_sample_expanded`.
#[derive(Clone, Copy, Debug)]
pub struct FlowSample<'a> {
    /// Number of this sample within its source.
    pub sequence: u32,
    /// What was sampled.
    pub source: DataSource,
    /// N of 1:N as announced.
    pub sampling_rate: u32,
    /// Packets that could have been sampled so far; wraps.
    pub sample_pool: u32,
    /// Times the agent lost a sample for want of resources.
    pub drops: u32,
    /// Where it came in.
    pub input: Interface,
    /// Where it went out.
    pub output: Interface,
    /// What is told of the packet.
    pub records: Records<'a>,
}

/// `discarded_packet`.
#[derive(Clone, Copy, Debug)]
pub struct DiscardSample<'a> {
    /// Number of this notification within its source.
    pub sequence: u32,
    /// What was watched.
    pub source: DataSource,
    /// Notifications that were lost.
    pub drops: u32,
    /// Where it came in; 0 when unknown.
    pub input: u32,
    /// Where it would have gone out; 0 when unknown.
    pub output: u32,
    /// `drop_reason`.
    pub reason: u32,
    /// What is told of the packet.
    pub records: Records<'a>,
}

/// The records that tell what packet it was.
#[derive(Clone, Copy, Debug)]
pub enum FlowRecord<'a> {
    /// `sampled_header` (0:1).
    Raw(RawHeader<'a>),
    /// `sampled_ethernet` (0:2): length of the MAC packet.
    Ethernet {
        /// Octets of the frame without lower-layer encapsulation.
        length: u32,
        /// EtherType.
        kind: u32,
    },
    /// `sampled_ipv4` (0:3) and `sampled_ipv6` (0:4).
    Ip(SampledIp),
    /// Anything else.
    Other,
}

/// `sampled_header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawHeader<'a> {
    /// `header_protocol`: 1 Ethernet, 7 PPP, 11 IPv4, 12 IPv6, 13 MPLS.
    pub protocol: u32,
    /// Octets of the packet before sampling, with layer 2.
    pub frame_length: u32,
    /// Octets taken off the packet's front and end before it was cut (such as the FCS).
    pub stripped: u32,
    /// The front of the packet.
    pub header: &'a [u8],
}

/// `sampled_ipv4` and `sampled_ipv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampledIp {
    /// Octets of the IP packet.
    pub length: u32,
    /// Protocol or next header.
    pub protocol: u32,
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Source port.
    pub src_port: u32,
    /// Destination port.
    pub dst_port: u32,
    /// TCP flags.
    pub tcp_flags: u32,
    /// Type of service or priority.
    pub tos: u32,
}

#[inline(always)]
pub(super) fn compact<'a>(r: &mut Reader<'a>) -> Result<FlowSample<'a>, Fault> {
    let [sequence, id, sampling_rate, sample_pool, drops, input, output] = words(r, "flow sample")?;
    let interface = |word: u32| Interface::new(word >> 30, word & 0x3fff_ffff);
    Ok(FlowSample {
        sequence,
        source: source(id),
        sampling_rate,
        sample_pool,
        drops,
        input: interface(input),
        output: interface(output),
        records: Records::parse(r)?,
    })
}

pub(super) fn expanded<'a>(r: &mut Reader<'a>) -> Result<FlowSample<'a>, Fault> {
    let [sequence, kind, index, sampling_rate, sample_pool, drops] = words(r, "expanded flow sample")?;
    let [in_format, in_value, out_format, out_value] = words(r, "expanded interfaces")?;
    Ok(FlowSample {
        sequence,
        source: DataSource { kind, index },
        sampling_rate,
        sample_pool,
        drops,
        input: expanded_interface(in_format, in_value),
        output: expanded_interface(out_format, out_value),
        records: Records::parse(r)?,
    })
}

/// Some agents leave the compact encoding in the expanded value; no ifIndex needs those two bits.
const fn expanded_interface(format: u32, value: u32) -> Interface {
    if format == 0 && value > 0x3fff_ffff {
        if value == u32::MAX { Interface::Local } else { Interface::new(value >> 30, value & 0x3fff_ffff) }
    } else {
        Interface::new(format, value)
    }
}

pub(super) fn discard<'a>(r: &mut Reader<'a>) -> Result<DiscardSample<'a>, Fault> {
    let [sequence, kind, index, drops, input, output, reason] = words(r, "discarded packet")?;
    let source = DataSource { kind, index };
    Ok(DiscardSample { sequence, source, drops, input, output, reason, records: Records::parse(r)? })
}

impl<'a> FlowRecord<'a> {
    /// Reads the octets of a record with this tag.
    pub fn parse(tag: u32, mut r: Reader<'a>) -> Result<Self, Fault> {
        match tag {
            1 => RawHeader::parse(r).map(Self::Raw),
            2 => {
                let length = r.u32("length of MAC packet")?;
                r.skip("MAC addresses", r.len().min(16))?;
                Ok(Self::Ethernet { length, kind: r.u32("type").unwrap_or(0) })
            }
            3 => {
                let [length, protocol] = words(&mut r, "sampled IPv4")?;
                let src = IpAddr::V4(Ipv4Addr::from(r.array::<4>("source address")?));
                let dst = IpAddr::V4(Ipv4Addr::from(r.array::<4>("destination address")?));
                let [src_port, dst_port, tcp_flags, tos] = words(&mut r, "sampled IPv4")?;
                Ok(Self::Ip(SampledIp { length, protocol, src, dst, src_port, dst_port, tcp_flags, tos }))
            }
            4 => {
                let [length, protocol] = words(&mut r, "sampled IPv6")?;
                let src = IpAddr::V6(Ipv6Addr::from(r.array::<16>("source address")?));
                let dst = IpAddr::V6(Ipv6Addr::from(r.array::<16>("destination address")?));
                let [src_port, dst_port, tcp_flags, tos] = words(&mut r, "sampled IPv6")?;
                Ok(Self::Ip(SampledIp { length, protocol, src, dst, src_port, dst_port, tcp_flags, tos }))
            }
            _ => Ok(Self::Other),
        }
    }
}

impl<'a> RawHeader<'a> {
    /// Tag of this record.
    pub const TAG: u32 = 1;

    /// Reads the octets of such a record.
    #[inline(always)]
    pub fn parse(mut r: Reader<'a>) -> Result<Self, Fault> {
        let [protocol, frame_length, stripped, len] = words(&mut r, "sampled header")?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        // A header that claims more than its record holds is taken as far as it is there.
        let header = r.rest().get(..len).unwrap_or_else(|| r.rest());
        Ok(Self { protocol, frame_length, stripped, header })
    }
}

/// `N` words at once.
#[inline(always)]
pub(super) fn words<const N: usize>(r: &mut Reader<'_>, what: &'static str) -> Result<[u32; N], Fault> {
    let mut out = [0; N];
    let bytes = r.bytes(what, 4 * N)?;
    for (word, chunk) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*chunk);
    }
    Ok(out)
}
