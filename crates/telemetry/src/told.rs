//! What an exporter literally said of a flow or a packet, before anybody interprets it.

use core::net::IpAddr;

use base::Timestamp;
use wire::packet::Link;

use crate::record::Sampling;

/// The formats of flow export that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// NetFlow version 5.
    Netflow5,
    /// NetFlow version 9 (RFC 3954).
    Netflow9,
    /// IPFIX (RFC 7011).
    Ipfix,
    /// sFlow version 5.
    Sflow5,
}

impl Format {
    /// As `decode` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Netflow5 => "netflow5",
            Self::Netflow9 => "netflow9",
            Self::Ipfix => "ipfix",
            Self::Sflow5 => "sflow5",
        }
    }

    /// Recognises a datagram by its content, whatever port it came to. Looks at versions and at lengths that must
    /// agree, so that other traffic is rarely taken for flow export; a damaged export is still recognised.
    pub fn recognise(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| bytes.get(at..)?.first_chunk::<2>().map(|b| u16::from_be_bytes(*b));
        let set_plausible = |at: usize, templates: core::ops::RangeInclusive<u16>| {
            let (Some(id), Some(len)) = (word(at), word(at + 2)) else { return bytes.len() == at };
            let fits = at + usize::from(len) <= bytes.len();
            len >= 4 && (templates.contains(&id) || id >= 256 && fits)
        };
        match word(0)? {
            // sFlow's version is a word of four octets, then the agent's address type.
            0 => {
                let known = word(2)? == 5 && word(4)? == 0 && word(6)? <= 2;
                (known && bytes.len() >= 28).then_some(Self::Sflow5)
            }
            5 => (bytes.len() >= 24 && word(2)? > 0).then_some(Self::Netflow5),
            9 => (bytes.len() >= 20 && set_plausible(20, 0..=1)).then_some(Self::Netflow9),
            10 => {
                let fits = bytes.len() >= 16 && word(2)? >= 16;
                (fits && set_plausible(16, 2..=3)).then_some(Self::Ipfix)
            }
            _ => None,
        }
    }
}

/// One flow record or packet sample in the exporter's own words; what it did not say is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// In which format.
    pub format: Format,
    /// Who: the address that the datagram came from.
    pub exporter: IpAddr,
    /// Observation domain (IPFIX), source id (v9), engine type and id (v5; RFC 3954 §5.1 calls these the
    /// equivalent) or sub-agent (sFlow).
    pub domain: u32,
    /// Source address.
    pub src: Option<IpAddr>,
    /// Destination address.
    pub dst: Option<IpAddr>,
    /// Source port as exported, whatever the protocol.
    pub src_port: Option<u16>,
    /// Destination port as exported, whatever the protocol.
    pub dst_port: Option<u16>,
    /// IP protocol.
    pub protocol: Option<u8>,
    /// TCP flags as exported, whatever the protocol.
    pub tcp_flags: Option<u16>,
    /// Packets, before scaling.
    pub packets: Option<u64>,
    /// Octets, before scaling: layer 3 for flows, the frame for sFlow.
    pub bytes: Option<u64>,
    /// The sampling as announced.
    pub sampling: Sampling,
    /// First packet.
    pub start: Option<Timestamp>,
    /// Last packet.
    pub end: Option<Timestamp>,
    /// Interface it came in by.
    pub input_if: Option<u32>,
    /// Interface it left by.
    pub output_if: Option<u32>,
    /// The exporter said that it did not forward this.
    pub dropped: bool,
    /// Where the front of the packet stands in the datagram, where it does.
    pub raw: Option<Raw>,
}

/// The front of a sampled packet, as it stands in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw {
    /// How it begins.
    pub link: Link,
    /// Octets of the datagram before it.
    pub at: usize,
    /// Octets of it.
    pub len: usize,
    /// Octets that the packet had on the wire, from its link layer on.
    pub frame: u32,
}

impl Raw {
    /// `front` is a part of `datagram`; `None` where it is not.
    pub(crate) fn of(datagram: &[u8], link: Link, front: &[u8], frame: u32) -> Option<Self> {
        let at = front.as_ptr().addr().checked_sub(datagram.as_ptr().addr())?;
        (at.checked_add(front.len())? <= datagram.len()).then_some(Self { link, at, len: front.len(), frame })
    }

    /// Its octets, of the datagram that it was told in.
    pub fn octets<'a>(&self, datagram: &'a [u8]) -> &'a [u8] {
        self.at.checked_add(self.len).and_then(|end| datagram.get(self.at..end)).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn formats_are_known_by_their_content() {
        let mut v5 = vec![0u8; 72];
        v5[1] = 5;
        v5[3] = 1;
        assert_eq!(Format::recognise(&v5), Some(Format::Netflow5));
        let mut sflow = vec![0u8; 28];
        sflow[3] = 5;
        sflow[7] = 1;
        assert_eq!(Format::recognise(&sflow), Some(Format::Sflow5));
        let dns_with_id_9 =
            b"\x00\x09\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01";
        assert_eq!(Format::recognise(dns_with_id_9), None);
        assert_eq!(Format::recognise(b""), None);
    }
}
