//! sFlow version 5 (sflow.org, `sflow_version_5.txt`): the datagram and its samples, walked in place.
//!
//! Nothing is copied and nothing is believed: counts bound loops only together with the octets that are there.

pub mod counters;
pub mod flow;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::reader::{Fault, Reader};

pub use counters::{Counter, CounterSample, Generic};
pub use flow::{DiscardSample, FlowRecord, FlowSample, RawHeader, SampledIp};

/// Datagram header: `sample_datagram_v5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Address of the agent, which is not always the sender of the datagram.
    pub agent: IpAddr,
    /// Distinguishes streams of one agent.
    pub sub_agent: u32,
    /// Number of this datagram in its stream.
    pub sequence: u32,
    /// Milliseconds since the agent booted.
    pub uptime: u32,
    /// Samples claimed.
    pub samples: u32,
}

/// A datagram: its header and the octets of its samples.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The header.
    pub header: Header,
    left: Reader<'a>,
    remaining: u32,
}

/// One sample.
#[derive(Clone, Copy, Debug)]
pub enum Sample<'a> {
    /// A sampled packet (formats 1 and 3).
    Flow(FlowSample<'a>),
    /// Interface counters (formats 2 and 4).
    Counters(CounterSample<'a>),
    /// A packet that the device dropped (format 5, "sFlow Dropped Packet Notification Structures").
    Discard(DiscardSample<'a>),
    /// A format or enterprise that we do not read.
    Other {
        /// Enterprise and format as they stand on the wire.
        tag: u32,
    },
}

/// `sflow_data_source`: what was sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataSource {
    /// 0 is an ifIndex.
    pub kind: u32,
    /// Index within the kind.
    pub index: u32,
}

/// `interface`: where a packet came in or went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// A single interface; 0 when the agent does not know which.
    Index(u32),
    /// None: the packet began or ended in the device itself (0x3fffffff).
    Local,
    /// The packet was dropped, for this reason.
    Discarded(u32),
    /// It left by so many interfaces; 0 when their number is unknown.
    Multiple(u32),
}

impl Interface {
    /// From the two formats' common meaning: `format` are the two upper bits of the compact form.
    pub const fn new(format: u32, value: u32) -> Self {
        match format {
            0 if value == LOCAL => Self::Local,
            0 => Self::Index(value),
            1 => Self::Discarded(value),
            _ => Self::Multiple(value),
        }
    }

    /// The ifIndex, where there is a single one.
    pub const fn index(self) -> Option<u32> {
        match self {
            Self::Index(index) => Some(index),
            _ => None,
        }
    }
}

const LOCAL: u32 = 0x3fff_ffff;

impl<'a> Datagram<'a> {
    /// Reads the header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut r = Reader::new(bytes);
        let version = r.u32("datagram version")?;
        if version != 5 {
            return Err(Fault::Version { found: version });
        }
        let agent = address(&mut r, "agent address")?;
        let header = Header {
            agent,
            sub_agent: r.u32("sub-agent id")?,
            sequence: r.u32("sequence number")?,
            uptime: r.u32("uptime")?,
            samples: r.u32("number of samples")?,
        };
        Ok(Self { header, left: r, remaining: header.samples })
    }

    /// Octets behind what was walked so far.
    pub const fn left(&self) -> usize {
        self.left.len()
    }

    /// The next sample. A sample that is damaged inside costs only itself; one whose length runs over the
    /// datagram ends the walk.
    #[inline(always)]
    pub fn next_sample(&mut self) -> Option<Result<Sample<'a>, Fault>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let mut step = || {
            let tag = self.left.u32("sample type")?;
            let len = self.left.u32("sample length")?;
            let body = self.left.sub("sample", usize::try_from(len).unwrap_or(usize::MAX))?;
            Ok((tag, body))
        };
        match step() {
            Ok((tag, body)) => Some(sample(tag, body)),
            Err(fault) => {
                self.remaining = 0;
                Some(Err(fault))
            }
        }
    }
}

/// `address`: a type, then 4 or 16 octets.
fn address(r: &mut Reader<'_>, what: &'static str) -> Result<IpAddr, Fault> {
    match r.u32(what)? {
        // Some agents say "unknown" (0), which carries no octets.
        0 => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        1 => Ok(IpAddr::V4(Ipv4Addr::from(r.array::<4>(what)?))),
        2 => Ok(IpAddr::V6(Ipv6Addr::from(r.array::<16>(what)?))),
        other => Err(Fault::Value { what, found: u64::from(other) }),
    }
}

#[inline(always)]
fn sample<'a>(tag: u32, mut r: Reader<'a>) -> Result<Sample<'a>, Fault> {
    match tag {
        1 => flow::compact(&mut r).map(Sample::Flow),
        2 => counters::compact(&mut r).map(Sample::Counters),
        3 => flow::expanded(&mut r).map(Sample::Flow),
        4 => counters::expanded(&mut r).map(Sample::Counters),
        5 => flow::discard(&mut r).map(Sample::Discard),
        _ => Ok(Sample::Other { tag }),
    }
}

/// The compact data source: kind in the upper octet.
const fn source(word: u32) -> DataSource {
    DataSource { kind: word >> 24, index: word & 0x00ff_ffff }
}

/// Records of a sample: a tag, a length, then so many octets.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    left: Reader<'a>,
    remaining: u32,
}

impl<'a> Records<'a> {
    fn parse(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let remaining = r.u32("number of records")?;
        Ok(Self { left: *r, remaining })
    }

    /// The next record's tag and octets. Padding behind the last record is not looked at.
    #[inline(always)]
    pub fn next_record(&mut self) -> Option<Result<(u32, Reader<'a>), Fault>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let all = self.left.rest();
        let Some((head, rest)) = all.split_first_chunk::<8>() else {
            return Some(Err(self.truncated("record header", 8)));
        };
        let [t0, t1, t2, t3, l0, l1, l2, l3] = *head;
        let len = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let Some((body, behind)) = rest.split_at_checked(len) else {
            return Some(Err(self.truncated("record", len)));
        };
        // XDR rounds opaque data up to four octets; the last record of a careless agent may lack the padding.
        let padding = len.wrapping_neg() % 4;
        self.left = Reader::new(behind.get(padding..).unwrap_or(behind));
        Some(Ok((u32::from_be_bytes([t0, t1, t2, t3]), Reader::new(body))))
    }

    #[cold]
    fn truncated(&mut self, what: &'static str, needed: usize) -> Fault {
        self.remaining = 0;
        Fault::Truncated { what, at: self.left.position(), needed, had: self.left.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_compact_interface_encodings_are_told_apart() {
        let of = |word: u32| Interface::new(word >> 30, word & 0x3fff_ffff);
        assert_eq!(of(7).index(), Some(7));
        assert_eq!(of(0x3fff_ffff), Interface::Local);
        assert_eq!(of(0x4000_0101), Interface::Discarded(0x101));
        assert_eq!(of(0x8000_0003), Interface::Multiple(3));
    }

    #[test]
    fn a_claimed_length_allocates_nothing_and_ends_the_walk() {
        let mut b: Vec<u8> = Vec::new();
        for word in [5u32, 1, 0x0a00_0001, 0, 1, 1000, 0xffff_ffff, 1, 0x7fff_ffff] {
            b.extend(word.to_be_bytes());
        }
        let mut d = Datagram::parse(&b).unwrap();
        assert!(d.next_sample().unwrap().is_err());
        assert!(d.next_sample().is_none());
    }
}
