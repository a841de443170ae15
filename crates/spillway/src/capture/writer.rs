//! Packets into a pcapng file, as they were: link type, time in nanoseconds, original length.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError};

use super::Packet;
use super::sink::Sink;

/// A pcapng file being written. Same packets, same bytes, on every machine.
pub struct Writer {
    name: String,
    file: PcapNgWriter<Sink>,
    /// Link type of each interface, in order of first packet.
    links: Vec<u32>,
    /// What is said of an interface that nothing else was said of.
    options: Vec<InterfaceDescriptionOption<'static>>,
}

/// An interface of the file, as [`Writer::describe`] gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via(u32);

/// How packets that are kept as evidence were come by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Interface, exporter or file.
    pub interface: String,
    /// In words.
    pub description: String,
    /// Which packets were kept.
    pub filter: String,
    /// The sampling.
    pub comment: String,
    /// By what they were written.
    pub application: String,
}

impl Writer {
    /// Creates or overwrites the file.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        Self::begun(path, Vec::new(), |path| Sink::create(path, false))
    }

    fn begun(
        path: &Path,
        options: Vec<SectionHeaderOption<'static>>,
        sink: impl FnOnce(&Path) -> io::Result<Sink>,
    ) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let sink = sink(path).with_context(|| format!("{name}: cannot be created"))?;
        let section = SectionHeaderBlock { endianness: Endianness::Little, options, ..Default::default() };
        let file = PcapNgWriter::with_section_header(sink, section)
            .map_err(io_error)
            .with_context(|| name.clone())?;
        Ok(Self { name, file, links: Vec::new(), options: Vec::new() })
    }

    /// Likewise, for evidence: says by what it was written, and how the packets were come by.
    pub fn evidence(path: &Path, about: &Described) -> anyhow::Result<Self> {
        Self::kept(path, about, |path| Sink::create(path, true))
    }

    /// Likewise, for what is written in one go and has to be on the disk then; the caller syncs it.
    pub fn lasting(path: &Path, about: &Described) -> anyhow::Result<Self> {
        Self::kept(path, about, Sink::past)
    }

    fn kept(
        path: &Path,
        about: &Described,
        sink: impl FnOnce(&Path) -> io::Result<Sink>,
    ) -> anyhow::Result<Self> {
        let owned = |text: &String| Cow::Owned(text.clone());
        let section = vec![
            SectionHeaderOption::Hardware(Cow::Borrowed(std::env::consts::ARCH)),
            SectionHeaderOption::OS(Cow::Borrowed(std::env::consts::OS)),
            SectionHeaderOption::UserApplication(owned(&about.application)),
        ];
        let mut writer = Self::begun(path, section, sink)?;
        writer.options = options(about);
        Ok(writer)
    }

    /// One more interface, with packets of this link type and with this said of it.
    pub fn describe(&mut self, link: u32, about: &Described) -> anyhow::Result<Via> {
        let id = self.interface(link, options(about))?;
        Ok(Via(u32::try_from(id).unwrap_or(u32::MAX)))
    }

    /// Appends a packet that came by an interface of its link type.
    pub fn write_by(
        &mut self,
        Via(id): Via,
        packet: &Packet<'_>,
        comment: Option<&str>,
    ) -> anyhow::Result<()> {
        self.put_packet(id, packet, comment)
    }

    /// Brings what was written so far to the file.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.file.get_mut().flush().with_context(|| format!("{}: cannot be written", self.name))
    }

    /// Likewise, for packets of one interface: says in the file what it is and how they were chosen.
    pub fn described(path: &Path, interface: &str, description: &str) -> anyhow::Result<Self> {
        let mut writer = Self::create(path)?;
        writer.options = vec![
            InterfaceDescriptionOption::IfName(Cow::Owned(interface.to_owned())),
            InterfaceDescriptionOption::IfDescription(Cow::Owned(description.to_owned())),
        ];
        Ok(writer)
    }

    /// Appends a packet.
    pub fn write(&mut self, packet: &Packet<'_>) -> anyhow::Result<()> {
        self.write_with(packet, None)
    }

    /// Appends a packet with a comment, which dissectors show.
    pub fn write_with(&mut self, packet: &Packet<'_>, comment: Option<&str>) -> anyhow::Result<()> {
        let id = match self.links.iter().position(|link| *link == packet.link_number) {
            Some(id) => id,
            None => self.interface(packet.link_number, self.options.clone())?,
        };
        self.put_packet(u32::try_from(id).unwrap_or(u32::MAX), packet, comment)
    }

    /// Brings everything to the file.
    pub fn finish(self) -> anyhow::Result<()> {
        self.close().map(drop)
    }

    /// Likewise; the SHA-256 of the file, where it is evidence.
    pub fn close(self) -> anyhow::Result<Option<[u8; 32]>> {
        self.file.into_inner().close().with_context(|| format!("{}: cannot be written", self.name))
    }

    /// There are many of them, so this is done by hand.
    #[inline]
    fn put_packet(&mut self, id: u32, packet: &Packet<'_>, comment: Option<&str>) -> anyhow::Result<()> {
        let sink = self.file.get_mut();
        enhanced(sink.room(), id, packet, comment);
        sink.settle().with_context(|| format!("{}: cannot be written", self.name))
    }

    fn interface(
        &mut self,
        link: u32,
        mut options: Vec<InterfaceDescriptionOption<'static>>,
    ) -> anyhow::Result<usize> {
        options.push(InterfaceDescriptionOption::IfTsResol(9));
        self.put(InterfaceDescriptionBlock { linktype: DataLink::from(link), snaplen: 0, options })?;
        self.links.push(link);
        Ok(self.links.len() - 1)
    }

    fn put<'a>(&mut self, block: impl PcapNgBlock<'a>) -> anyhow::Result<()> {
        self.file
            .write_block(&block.into_block())
            .map(|_| ())
            .map_err(io_error)
            .with_context(|| format!("{}: cannot be written", self.name))
    }
}

fn options(about: &Described) -> Vec<InterfaceDescriptionOption<'static>> {
    let owned = |text: &String| Cow::Owned(text.clone());
    // the first octet of a filter says that it is text
    let filter = [b"\0", about.filter.as_bytes()].concat();
    vec![
        InterfaceDescriptionOption::Comment(owned(&about.comment)),
        InterfaceDescriptionOption::IfName(owned(&about.interface)),
        InterfaceDescriptionOption::IfDescription(owned(&about.description)),
        InterfaceDescriptionOption::IfFilter(Cow::Owned(filter)),
    ]
}

/// An enhanced packet block, in the order of octets of the section (draft-ietf-opsawg-pcapng, section 4.3).
#[inline]
fn enhanced(out: &mut Vec<u8>, id: u32, packet: &Packet<'_>, comment: Option<&str>) {
    let comment = comment.map(|text| text.as_bytes().get(..usize::from(u16::MAX)).unwrap_or(text.as_bytes()));
    let captured = packet.bytes.len();
    // The comment with its header, and the end of options.
    let options = comment.map_or(0, |text| 4 + text.len().next_multiple_of(4) + 4);
    let length = 32 + captured.next_multiple_of(4) + options;
    let words = |out: &mut Vec<u8>, words: &[u32]| {
        words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    };
    let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let nanos = packet.at.nanos();
    let [high, low] = [nanos >> 32, nanos & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
    out.reserve(length);
    words(out, &[6, short(length), id, high, low, short(captured), packet.original_len]);
    padded(out, packet.bytes);
    if let Some(text) = comment {
        // opt_comment is 1; its length stands above it
        words(out, &[1 | short(text.len()) << 16]);
        padded(out, text);
        words(out, &[0]);
    }
    words(out, &[short(length)]);
}

fn padded(out: &mut Vec<u8>, octets: &[u8]) {
    out.extend_from_slice(octets);
    let rest = octets.len().next_multiple_of(4) - octets.len();
    out.extend_from_slice([0; 3].get(..rest).unwrap_or_default());
}

fn io_error(e: PcapError) -> io::Error {
    match e {
        PcapError::IoError(e) => e,
        other => io::Error::other(other),
    }
}
