//! UDP datagrams out of IP fragments, as the kernel would have handed them to a socket (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Exporters send datagrams longer than a packet; a capture shows the pieces. Only these are put together, never the
//! traffic that is judged.

use std::collections::VecDeque;
use std::net::IpAddr;

use wire::packet::{Parsed, UDP};

use super::Packet;

/// Datagrams waiting for their pieces. The oldest goes first, as if its rest had been lost.
const WAITING_MAX: usize = 256;
/// Longest datagram with its header.
const LENGTH_MAX: usize = 65_535;
/// Octets of a UDP header.
const UDP_HEADER: usize = 8;

/// Collects fragments.
#[derive(Debug, Default)]
pub struct Reassembly {
    waiting: VecDeque<Datagram>,
}

/// What all fragments of a datagram share.
type Key = (IpAddr, IpAddr, u32);

#[derive(Debug)]
struct Datagram {
    key: Key,
    bytes: Vec<u8>,
    /// Parts that are there, without overlap.
    parts: Vec<(usize, usize)>,
    /// Known when the last fragment is there.
    length: Option<usize>,
}

impl Reassembly {
    /// Takes a fragment; gives the UDP payload when it was the missing one.
    pub fn take(&mut self, packet: &Packet<'_>, parsed: &Parsed<'_>) -> Option<Vec<u8>> {
        let h = &parsed.headers;
        if h.protocol != UDP || h.fragment.is_whole() || parsed.transport.is_empty() {
            return None;
        }
        let key = (h.src, h.dst, identification(packet, parsed)?);
        let at = self.waiting.iter().position(|d| d.key == key).unwrap_or_else(|| {
            if self.waiting.len() >= WAITING_MAX {
                self.waiting.pop_front();
            }
            self.waiting.push_back(Datagram { key, bytes: Vec::new(), parts: Vec::new(), length: None });
            self.waiting.len() - 1
        });
        let datagram = self.waiting.get_mut(at)?;
        let start = usize::from(h.fragment.offset) * 8;
        if !datagram.add(start, parsed.transport, !h.fragment.more) {
            self.waiting.remove(at);
            return None;
        }
        let whole = datagram.length.is_some_and(|length| datagram.covers(length));
        if !whole {
            return None;
        }
        let mut bytes = self.waiting.remove(at)?.bytes;
        (bytes.len() >= UDP_HEADER).then(|| bytes.split_off(UDP_HEADER))
    }
}

impl Datagram {
    /// False when the piece contradicts what is there: nobody honest sends overlaps (RFC 5722).
    fn add(&mut self, start: usize, piece: &[u8], last: bool) -> bool {
        let end = start + piece.len();
        if end > LENGTH_MAX || self.length.is_some_and(|length| end > length) {
            return false;
        }
        if self.parts.contains(&(start, end)) {
            return true;
        }
        if self.parts.iter().any(|(s, e)| start < *e && *s < end) || (last && self.bytes.len() > end) {
            return false;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(piece);
        }
        self.parts.push((start, end));
        if last {
            self.length = Some(end);
        }
        true
    }

    fn covers(&self, length: usize) -> bool {
        self.parts.iter().map(|(start, end)| end - start).sum::<usize>() == length
    }
}

/// The number that the fragments of a datagram share. It stands before the transport part: in the IPv4 header at octet
/// 4, in the IPv6 fragment header (which is the last one) in its last four octets.
fn identification(packet: &Packet<'_>, parsed: &Parsed<'_>) -> Option<u32> {
    let place = parsed.transport.as_ptr().addr().checked_sub(packet.bytes.as_ptr().addr())?;
    let before = packet.bytes.get(..place)?;
    match parsed.headers.src {
        IpAddr::V4(src) => {
            // The header is 20 to 60 octets long: the one whose version, length and source fit.
            let header = (5usize..16).find_map(|words| {
                let header = before.get(before.len().checked_sub(4 * words)?..)?;
                let fits =
                    usize::from(*header.first()?) == 0x40 | words && header.get(12..16)? == src.octets();
                fits.then_some(header)
            })?;
            header.get(4..6)?.first_chunk().map(|id| u32::from(u16::from_be_bytes(*id)))
        }
        IpAddr::V6(_) => before.last_chunk().map(|id| u32::from_be_bytes(*id)),
    }
}
