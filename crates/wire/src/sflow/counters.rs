//! Counter samples: what the interfaces themselves counted, the truth against which samples are checked.

use super::flow::words;
use super::{DataSource, Records, source};
use crate::reader::{Fault, Reader};

/// `counters_sample` and `counters_sample_expanded`.
#[derive(Clone, Copy, Debug)]
pub struct CounterSample<'a> {
    /// Number of this sample within its source.
    pub sequence: u32,
    /// Whose counters.
    pub source: DataSource,
    /// The counter blocks.
    pub records: Records<'a>,
}

/// A counter block.
#[derive(Clone, Copy, Debug)]
pub enum Counter<'a> {
    /// `if_counters` (0:1).
    Generic(Generic),
    /// `port_name` (0:1005).
    PortName(&'a [u8]),
    /// Anything else.
    Other,
}

/// `if_counters`, as far as traffic is concerned (RFC 2233).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generic {
    /// ifIndex.
    pub index: u32,
    /// ifSpeed in bits per second.
    pub speed: u64,
    /// ifInOctets.
    pub in_octets: u64,
    /// Unicast, multicast and broadcast packets in.
    pub in_packets: u64,
    /// ifOutOctets.
    pub out_octets: u64,
    /// Unicast, multicast and broadcast packets out.
    pub out_packets: u64,
}

pub(super) fn compact<'a>(r: &mut Reader<'a>) -> Result<CounterSample<'a>, Fault> {
    let [sequence, id] = words(r, "counter sample")?;
    Ok(CounterSample { sequence, source: source(id), records: Records::parse(r)? })
}

pub(super) fn expanded<'a>(r: &mut Reader<'a>) -> Result<CounterSample<'a>, Fault> {
    let [sequence, kind, index] = words(r, "expanded counter sample")?;
    Ok(CounterSample { sequence, source: DataSource { kind, index }, records: Records::parse(r)? })
}

impl<'a> Counter<'a> {
    /// Reads the octets of a block with this tag.
    pub fn parse(tag: u32, mut r: Reader<'a>) -> Result<Self, Fault> {
        match tag {
            1 => {
                let [index, _kind] = words(&mut r, "interface counters")?;
                let speed = r.u64("ifSpeed")?;
                r.skip("ifDirection and ifStatus", 8)?;
                let in_octets = r.u64("ifInOctets")?;
                let in_packets = packets(&mut r)?;
                r.skip("ifIn errors", 12)?;
                let out_octets = r.u64("ifOutOctets")?;
                let out_packets = packets(&mut r)?;
                Ok(Self::Generic(Generic { index, speed, in_octets, in_packets, out_octets, out_packets }))
            }
            1005 => {
                let len = usize::try_from(r.u32("port name length")?).unwrap_or(usize::MAX);
                r.bytes("port name", len).map(Self::PortName)
            }
            _ => Ok(Self::Other),
        }
    }
}

/// Unicast, multicast and broadcast; a counter that the agent does not support is all ones.
fn packets(r: &mut Reader<'_>) -> Result<u64, Fault> {
    let counts: [u32; 3] = words(r, "packet counters")?;
    Ok(counts.iter().filter(|n| **n != u32::MAX).map(|n| u64::from(*n)).sum())
}
