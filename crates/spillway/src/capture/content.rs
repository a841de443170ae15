//! Does a capture hold traffic, or reports about traffic?

use std::path::Path;

use wire::packet::UDP;

use super::{Capture, CaptureError, datagram};

/// Packets looked at before deciding.
const PACKETS_LOOKED_AT: u64 = 20_000;

/// What a file is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The traffic itself.
    Packets,
    /// sFlow, NetFlow or IPFIX.
    FlowExport,
}

/// Decides by the front of the file: export, when most UDP datagrams are, and they are not a by-catch.
pub fn of(path: &Path) -> Result<Content, CaptureError> {
    if datagram::read(path)?.is_some() {
        return Ok(Content::FlowExport);
    }
    let mut capture = Capture::open(path)?;
    let (mut packets, mut udp, mut export) = (0u64, 0u64, 0u64);
    // Damage is reported by whoever reads the whole.
    while let Ok(Some(packet)) = capture.next() {
        if packet.number > PACKETS_LOOKED_AT {
            break;
        }
        packets += 1;
        let Some(parsed) = packet.parse().filter(|p| p.headers.protocol == UDP) else { continue };
        udp += 1;
        export += u64::from(is_export(parsed.payload));
    }
    Ok(if export * 2 > udp && export * 8 >= packets { Content::FlowExport } else { Content::Packets })
}

/// Whether a payload is built like an export datagram: version, counts and the first length agree.
pub fn is_export(payload: &[u8]) -> bool {
    let at = |i: usize| payload.get(i..).and_then(|b| b.first_chunk::<2>()).map(|b| u16::from_be_bytes(*b));
    let (Some(version), Some(count)) = (at(0), at(2)) else { return false };
    let len = payload.len();
    let fits = |start: usize, ids: fn(u16) -> bool| {
        at(start).is_some_and(ids) && at(start + 2).is_some_and(|n| n >= 4 && start + usize::from(n) <= len)
    };
    match version {
        // NetFlow v5: 24 octets, then 48 for each record.
        5 => count >= 1 && 24 + 48 * usize::from(count) <= len,
        // RFC 3954: template, options template or data flow set.
        9 => count >= 1 && fits(20, |id| id <= 1 || id >= 256),
        // RFC 7011: the message's length, then sets.
        10 => (16..=len).contains(&usize::from(count)) && fits(16, |id| id == 2 || id == 3 || id >= 256),
        // sFlow v5: a 32-bit version, then the agent's address family.
        0 if count == 5 => at(4) == Some(0) && matches!(at(6), Some(1 | 2)) && len >= 28,
        _ => false,
    }
}
