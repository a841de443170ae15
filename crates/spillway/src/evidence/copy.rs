//! A capture written anew, packet by packet: interfaces, octets and times stay, comments are added, and a cut end is left off.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::capture::writer::{Described, Via};
use crate::capture::{Capture, Packet, Writer};

/// What was copied.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    /// Packets.
    pub(crate) packets: u64,
    /// Octets of packets.
    pub(crate) octets: u64,
    /// Where the file was cut, in words; `None`: it was whole.
    pub(crate) cut: Option<String>,
    /// SHA-256 of what was written; `None`: it goes on.
    pub(crate) after: Option<[u8; 32]>,
}

/// Copies `from`, a name and its octets, to `to`, which the caller syncs; what is said of an interface that `from` says nothing of is `about`. `comment` sees each packet in order.
///
/// # Errors
/// When the disk does not take it, or `from` is no capture.
pub(crate) fn copy<'c>(
    from: (&Path, Box<dyn Read + Send>),
    to: &Path,
    about: &Described,
    comment: impl FnMut(&Packet<'_>, &Described) -> Option<&'c str>,
) -> anyhow::Result<Copied> {
    let mut writer = Writer::lasting(to, about)?;
    let capture = Capture::read(&from.0.display().to_string(), from.1)?;
    let copied = onto(capture, &mut writer, about, comment)?;
    Ok(Copied { after: writer.close()?, ..copied })
}

/// Likewise, to the end of a file that is being written.
pub(crate) fn onto<'c>(
    mut capture: Capture,
    writer: &mut Writer,
    about: &Described,
    mut comment: impl FnMut(&Packet<'_>, &Described) -> Option<&'c str>,
) -> anyhow::Result<Copied> {
    let mut copied = Copied::default();
    let mut described: BTreeMap<(u32, u32), (Via, Described)> = BTreeMap::new();
    let mut first = Vec::new();
    loop {
        let packet = match capture.next() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(cut) => {
                copied.cut = Some(cut.to_string());
                break;
            }
        };
        copied.packets += 1;
        copied.octets += u64::try_from(packet.bytes.len()).unwrap_or(0);
        let key = (packet.interface, packet.link_number);
        if let Some((via, said)) = described.get(&key) {
            let text = comment(&packet, said);
            writer.write_by(*via, &packet, text)?;
            continue;
        }
        // The first packet of an interface: the capture has to be asked, so the packet has to be let go of.
        first.clear();
        first.extend_from_slice(packet.bytes);
        let (number, at, link, link_number) = (packet.number, packet.at, packet.link, packet.link_number);
        let (original_len, interface) = (packet.original_len, packet.interface);
        let mut said = capture.interface(interface);
        if said == Described::default() {
            said = about.clone();
        }
        let via = writer.describe(link_number, &said)?;
        let packet = Packet { number, at, link, link_number, original_len, interface, bytes: &first };
        let text = comment(&packet, &said);
        writer.write_by(via, &packet, text)?;
        described.insert(key, (via, said));
    }
    Ok(copied)
}
