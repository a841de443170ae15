//! Does a capture hold traffic, or reports about traffic?

use std::path::Path;

use telemetry::told::Format;
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

/// Whether a UDP payload of unknown origin is flow export. Version 5 has hardly a structure to know it by, and other
/// protocols begin like it (a DNS id, a TFTP error): it has to hold a record and to count like an exporter.
pub fn is_export(payload: &[u8]) -> bool {
    match Format::recognise(payload) {
        None => false,
        Some(Format::Netflow5) => {
            let records = payload.get(24..).map_or(0, <[u8]>::len);
            let counted = matches!(payload, [_, _, 0, 1..=30, ..]);
            records >= 48 && (counted || records.is_multiple_of(48))
        }
        Some(_) => true,
    }
}
