//! A bag that is open: packets go in as they come.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base::Timestamp;
use wire::packet::Parsed;

use super::custody::{self, SELF, Step};
use super::files;
use super::payload::Payload;
use crate::capture::writer::Described;
use crate::capture::{Packet, Writer};

/// Octets of packets of one bag.
pub const OCTETS_MAX: u64 = 1 << 30;

/// How the packets of a bag were come by.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Interface, exporter or file.
    pub interface: String,
    /// Which packets were kept, as a capture filter would say it.
    pub filter: String,
    /// N of 1:N; `None` where nobody told.
    pub sampling: Option<u32>,
    /// What is kept of each packet.
    pub payload: Payload,
}

impl About {
    /// What stands in the capture.
    pub(super) fn described(&self) -> Described {
        let sampling = match self.sampling {
            Some(rate) => format!("sampling 1:{rate}"),
            None => "sampling unknown".to_owned(),
        };
        Described {
            interface: self.interface.clone(),
            description: "packets of an attack, with a verdict on each one's source".to_owned(),
            filter: self.filter.clone(),
            comment: sampling,
            application: SELF.to_owned(),
        }
    }
}

/// An open bag.
pub struct Recorder {
    folder: PathBuf,
    about: About,
    writer: Writer,
    octets: u64,
    packets: u64,
    left_out: u64,
    last: Timestamp,
}

/// What [`Recorder`] left for the sealing.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The bag.
    pub folder: PathBuf,
    /// How the packets were come by.
    pub about: About,
    /// Packets kept.
    pub packets: u64,
    /// Packets that found no place, for [`OCTETS_MAX`].
    pub left_out: u64,
}

/// The capture in a bag.
pub(super) const CAPTURE: &str = "data/capture.pcapng";

impl Recorder {
    /// Opens a bag in a folder that is made, or is empty.
    ///
    /// # Errors
    /// When it has something in it, or cannot be written.
    pub fn open(folder: &Path, about: About, at: Timestamp) -> anyhow::Result<Self> {
        let shown = folder.display();
        let data = folder.join("data");
        std::fs::create_dir_all(&data)
            .with_context(|| format!("{shown}: cannot be made; name a folder that can"))?;
        if std::fs::read_dir(folder)?.count() > 1 || std::fs::read_dir(&data)?.count() > 0 {
            bail!("{shown}: there is a bag already, and what was sealed stays as it is; name another folder");
        }
        let writer = Writer::evidence(&folder.join(CAPTURE), &about.described())?;
        let (comment, payload) = (about.described().comment, about.payload.explain());
        let detail = format!("opened on {}; {comment}; {payload}", about.interface);
        custody::append(folder, &Step { at, by: SELF, what: "opened", detail, before: None, after: None })?;
        Ok(Self { folder: folder.to_owned(), about, writer, octets: 0, packets: 0, left_out: 0, last: at })
    }

    /// Keeps a packet, as far as [`Payload`] allows.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn packet(&mut self, packet: &Packet<'_>, parsed: &Parsed<'_>) -> anyhow::Result<()> {
        let packet = &self.about.payload.cut(packet, parsed);
        let octets = u64::try_from(packet.bytes.len()).unwrap_or(u64::MAX);
        if self.octets.saturating_add(octets) > OCTETS_MAX {
            self.left_out += 1;
            return Ok(());
        }
        self.octets += octets;
        self.packets += 1;
        self.last = self.last.max(packet.at);
        self.writer.write(packet)
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(self) -> anyhow::Result<Recorded> {
        let Self { folder, about, writer, packets, left_out, last, .. } = self;
        writer.finish()?;
        let (digests, _) = files::digest(&folder.join(CAPTURE), false)?;
        let detail = format!("{packets} packets recorded, {left_out} left out");
        let after = Some(ledger::text::hex(&digests.sha256));
        custody::append(
            &folder,
            &Step { at: last, by: SELF, what: "recorded", detail, before: None, after },
        )?;
        Ok(Recorded { folder, about, packets, left_out })
    }
}
