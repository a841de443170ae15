//! A bag that is open: packets go in as they come.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base::Timestamp;
use intel::bag::{CUSTODY, OUTER_MANIFEST};
use ledger::text::hex;
use wire::packet::Parsed;

use super::channel::{Channel, sampling};
use super::copy::{Copied, onto};
use super::custody::{self, SELF, Step};
use super::files;
use super::flows::{Flows, Row};
use super::payload::Payload;
use crate::capture::writer::{Described, Via};
use crate::capture::{Capture, Packet, Writer};

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
        Described {
            interface: self.interface.clone(),
            description: "packets of an attack, with a verdict on each one's source".to_owned(),
            filter: self.filter.clone(),
            comment: sampling(self.sampling),
            application: SELF.to_owned(),
        }
    }
}

/// An open bag.
pub struct Recorder {
    folder: PathBuf,
    about: About,
    writer: Writer,
    channels: BTreeMap<(Channel, u32), Via>,
    flows: Flows,
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
    /// SHA-256 of the capture as it was written.
    pub(super) sha256: [u8; 32],
}

/// What a bag holds that is taken up again.
pub(crate) enum Seen<'a, 'b> {
    /// A packet, and what is said of where it came from.
    Packet(&'a Packet<'b>, &'a Described),
    /// What was told without packets.
    Flow(&'a Row),
}

/// The capture in a bag.
pub(super) const CAPTURE: &str = "data/capture.pcapng";
/// The same while it gets its comments, and while it is taken up again.
pub(super) const ANNOTATED: &str = "data/annotated.pcapng";
const FRESH: &str = "data/resumed.pcapng";
/// Ways told apart in one bag; packets by further ones are of none.
const CHANNELS_MAX: usize = 1024;

/// Whether a bag is sealed: this is written last.
pub(crate) fn is_sealed(folder: &Path) -> bool {
    folder.join(OUTER_MANIFEST).is_file()
}

impl Recorder {
    /// Opens a bag in a folder that is made, or is empty; [`Self::begun`] brings it to the disk.
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
        let mut writer = Writer::evidence(&folder.join(CAPTURE), &about.described())?;
        writer.flush()?;
        let (comment, payload) = (about.described().comment, about.payload.explain());
        let detail = format!("opened on {}; {comment}; {payload}", about.interface);
        custody::note(folder, &Step { at, by: SELF, what: "opened", detail, before: None, after: None })?;
        Ok(Self {
            folder: folder.to_owned(),
            about,
            writer,
            channels: BTreeMap::new(),
            flows: Flows::new(folder),
            octets: 0,
            packets: 0,
            left_out: 0,
            last: at,
        })
    }

    /// Waits until it is on the disk that there is a bag.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn begun(&self) -> anyhow::Result<()> {
        files::settle(&self.folder, [CUSTODY, CAPTURE, "data", "", ".."])
    }

    /// Goes on with a bag that was left open, whoever left it: `seen` is shown what it holds, with what is said of where it came
    /// from. What was cut off in the middle is left off, and said.
    ///
    /// # Errors
    /// When it is no bag, is sealed, or the disk does not take it.
    pub(crate) fn resume(
        folder: &Path,
        about: About,
        at: Timestamp,
        mut seen: impl FnMut(Seen<'_, '_>),
    ) -> anyhow::Result<Self> {
        if is_sealed(folder) {
            bail!("{}: is sealed, and what was sealed stays as it is", folder.display());
        }
        let (raw, fresh) = (folder.join(CAPTURE), folder.join(FRESH));
        let _ = std::fs::remove_file(folder.join(ANNOTATED));
        let (before, _) = files::digest(&raw, false, false)?;
        let mut writer = Writer::evidence(&fresh, &about.described())?;
        let described = about.described();
        let mut comment = |packet: &Packet<'_>, said: &Described| {
            seen(Seen::Packet(packet, said));
            None
        };
        // Killed in its first moment it has nothing in it.
        let copied = if before.octets == 0 {
            Copied::default()
        } else {
            onto(Capture::open(&raw)?, &mut writer, &described, &mut comment)?
        };
        let (flows, flow_octets) = Flows::resume(folder, |row| seen(Seen::Flow(row)))?;
        writer.flush()?;
        let kept = std::fs::File::open(&fresh).and_then(|file| file.sync_all());
        kept.and_then(|()| std::fs::rename(&fresh, &raw))
            .with_context(|| format!("{}: cannot be written", raw.display()))?;
        let (after, _) = files::digest(&raw, false, false)?;
        let cut = copied.cut.map_or_else(String::new, |cut| format!("; its end was left off: {cut}"));
        let detail = format!("found open, with {} packets{}{cut}", copied.packets, told(flows.rows));
        let (before, after) = (Some(hex(&before.sha256)), Some(hex(&after.sha256)));
        custody::append(folder, &Step { at, by: SELF, what: "interrupted", detail, before, after })?;
        Ok(Self {
            folder: folder.to_owned(),
            about,
            writer,
            channels: BTreeMap::new(),
            flows,
            octets: copied.octets + flow_octets,
            packets: copied.packets,
            left_out: 0,
            last: at,
        })
    }

    /// Keeps a packet, as far as [`Payload`] allows.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn packet(&mut self, packet: &Packet<'_>, parsed: &Parsed<'_>) -> anyhow::Result<()> {
        let packet = &self.about.payload.cut(packet, parsed);
        if self.has_room(packet) { self.writer.write(packet) } else { Ok(()) }
    }

    /// Keeps a packet that came by this way.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn packet_by(&mut self, packet: &Packet<'_>, channel: Channel) -> anyhow::Result<()> {
        if !self.has_room(packet) {
            return Ok(());
        }
        let key = (channel, packet.link_number);
        let via = match self.channels.get(&key) {
            Some(via) => *via,
            None if self.channels.len() >= CHANNELS_MAX => return self.writer.write(packet),
            None => {
                let via =
                    self.writer.describe(packet.link_number, &channel.described(&self.about.described()))?;
                self.channels.insert(key, via);
                via
            }
        };
        self.writer.write_by(via, packet, None)
    }

    /// Keeps what was told without packets.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn flow(&mut self, row: &Row) -> anyhow::Result<()> {
        let line = Flows::line(row)?;
        if !self.takes(line.len()) {
            return Ok(());
        }
        self.last = self.last.max(row.at);
        self.flows.put(&line)
    }

    /// Brings what was recorded to the files.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.flows.flush()?;
        self.writer.flush()
    }

    /// Leaves the bag open for whoever goes on.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn pause(self, at: Timestamp, why: &str) -> anyhow::Result<()> {
        self.writer.finish()?;
        let flows = self.flows.finish()?;
        let detail = format!("{why}; {} packets{} so far", self.packets, told(flows));
        let step = Step { at, by: SELF, what: "paused", detail, before: None, after: None };
        custody::append(&self.folder, &step)
    }

    fn has_room(&mut self, packet: &Packet<'_>) -> bool {
        if !self.takes(packet.bytes.len()) {
            return false;
        }
        self.packets += 1;
        self.last = self.last.max(packet.at);
        true
    }

    /// Whether so many octets more fit.
    fn takes(&mut self, octets: usize) -> bool {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        if self.octets.saturating_add(octets) > OCTETS_MAX {
            self.left_out += 1;
            return false;
        }
        self.octets += octets;
        true
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(self) -> anyhow::Result<Recorded> {
        let Self { folder, about, writer, flows, packets, left_out, last, .. } = self;
        let flows = flows.finish()?;
        let sha256 = writer.close()?.context("a capture of evidence is hashed while it is written")?;
        let detail = format!("{packets} packets{} recorded, {left_out} left out", told(flows));
        let after = Some(hex(&sha256));
        custody::note(&folder, &Step { at: last, by: SELF, what: "recorded", detail, before: None, after })?;
        Ok(Recorded { folder, about, packets, left_out, sha256 })
    }
}

/// Flow records in words, where there are some.
fn told(flows: u64) -> String {
    if flows == 0 { String::new() } else { format!(" and {flows} flow records") }
}
