//! A capture file as a stream of packets.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base::Timestamp;
use wire::packet::{self, Link, Parsed};

use super::chunk::{Chunks, More, RECORD_MAX};
use super::fault::{self, CaptureError};
use super::link;
use super::pcap::Pcap;
use super::pcapng::Pcapng;
use super::writer::Described;

/// One packet as stored.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Counted from 1, over this file.
    pub number: u64,
    /// Capture time.
    pub at: Timestamp,
    /// How `bytes` begin.
    pub link: Link,
    /// The link type's number, for writing it again.
    pub link_number: u32,
    /// Length on the wire.
    pub original_len: u32,
    /// Which interface of a pcapng section it came by, from 0.
    pub interface: u32,
    /// What was captured of it.
    pub bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Its headers, where it is IP.
    #[inline]
    pub fn parse(&self) -> Option<Parsed<'a>> {
        packet::parse(self.link, self.bytes, self.original_len).ok()
    }

    /// Octets behind layer 2 of a packet that is not IP, on the wire.
    pub const fn layer3_len(&self) -> u32 {
        self.original_len.saturating_sub(link::header_len(self.link))
    }
}

/// An open capture. Memory does not depend on its length.
pub struct Capture {
    file: String,
    chunks: Chunks,
    format: Format,
    packets: u64,
    unreadable: Option<CaptureError>,
    done: bool,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A packet's place in front of a parser, without holding on to the buffer.
pub(super) struct Found {
    /// Octets of the record.
    pub(super) used: usize,
    /// Octets from the packet's first to the record's end.
    pub(super) back: usize,
    /// Octets captured.
    pub(super) len: usize,
    pub(super) at: Timestamp,
    pub(super) original_len: u32,
    pub(super) link: u32,
    pub(super) interface: u32,
}

/// What a format makes of the octets in front of it.
pub(super) enum Step {
    Packet(Found),
    Skip(usize),
    /// The record needs so many octets in all.
    More {
        needed: usize,
    },
}

impl Capture {
    /// Opens a file; `-` is standard input.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let file = path.display().to_string();
        let failed = |e: io::Error| opening(&file, &e);
        if path.as_os_str() == "-" {
            return Self::read("standard input", Box::new(io::stdin()));
        }
        let source = File::open(path).map_err(failed)?;
        Self::read(&file, Box::new(source))
    }

    /// Reads a capture from anywhere; `file` names it in errors.
    pub fn read(file: &str, source: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let mut chunks = Chunks::new(source);
        while chunks.rest().len() < 24 {
            match chunks.more() {
                Ok(More::Some) => {}
                Ok(_) => break,
                Err(e) => return Err(opening(file, &e)),
            }
        }
        let bad = |what: &str, remedy| CaptureError { file: file.into(), what: what.into(), remedy };
        let start = chunks.rest();
        if start.is_empty() {
            return Err(bad("the file is empty", fault::GIVE_CAPTURE));
        }
        let (format, used) = if let Some((pcap, used)) = Pcap::begin(start) {
            (Format::Pcap(pcap), used)
        } else if let Some(pcapng) = Pcapng::begin(start) {
            (Format::Pcapng(pcapng), 0)
        } else if is_magic(start) {
            let what = format!("cut short inside the file header, at offset {}", start.len());
            return Err(bad(&what, "copy the file again"));
        } else {
            let (what, remedy) = fault::describe(start.get(..64).unwrap_or(start));
            return Err(bad(what, remedy));
        };
        chunks.advance(used);
        Ok(Self { file: file.into(), chunks, format, packets: 0, unreadable: None, done: false })
    }

    /// The next packet; `None` at the end. An error ends the stream, everything before it was good.
    #[expect(
        clippy::should_implement_trait,
        reason = "a packet borrows the buffer, which `Iterator` cannot say"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        while !self.done {
            let rest = self.chunks.rest();
            let step = match &mut self.format {
                Format::Pcap(pcap) => pcap.step(rest),
                Format::Pcapng(pcapng) => pcapng.step(rest),
            };
            match step {
                Ok(Step::Packet(found)) => {
                    self.chunks.advance(found.used);
                    self.packets += 1;
                    let Some(link) = link::of(found.link) else {
                        self.unreadable_link(found.link);
                        continue;
                    };
                    return Ok(Some(Packet {
                        number: self.packets,
                        at: found.at,
                        link,
                        link_number: found.link,
                        original_len: found.original_len,
                        interface: found.interface,
                        bytes: self.chunks.behind(found.back, found.len),
                    }));
                }
                Ok(Step::Skip(used)) => self.chunks.advance(used),
                Ok(Step::More { needed }) => self.more(needed)?,
                Err(what) => return Err(self.damaged(&what)),
            }
        }
        self.unreadable.take().map_or(Ok(None), Err)
    }

    /// What the file says of an interface of this section, as far as it says something.
    pub fn interface(&self, id: u32) -> Described {
        match &self.format {
            Format::Pcap(_) => Described::default(),
            Format::Pcapng(pcapng) => pcapng.described(id),
        }
    }

    /// Octets of the file behind us.
    pub fn offset(&self) -> u64 {
        self.chunks.offset()
    }

    /// As the user named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    fn more(&mut self, needed: usize) -> Result<(), CaptureError> {
        match self.chunks.more() {
            Ok(More::Some) => Ok(()),
            Ok(More::End) if self.chunks.rest().is_empty() => {
                self.done = true;
                Ok(())
            }
            Ok(More::End) => {
                let there = self.chunks.rest().len();
                Err(self.damaged(&format!(
                    "the file ends inside a record: {needed} octets announced, {there} there"
                )))
            }
            Ok(More::Full) => {
                Err(self.damaged(&format!("a record of {needed} octets, more than {RECORD_MAX}")))
            }
            Err(e) => Err(self.damaged(&e.to_string())),
        }
    }

    fn damaged(&mut self, what: &str) -> CaptureError {
        self.done = true;
        let place = format!("{what}, at packet {}, offset {}", self.packets + 1, self.chunks.offset());
        CaptureError { file: self.file.clone(), what: place, remedy: fault::USED_BEFORE }
    }

    /// Other interfaces may be readable, so this is told at the end.
    fn unreadable_link(&mut self, number: u32) {
        // A classic capture has one link type for all: reading on would be in vain.
        self.done |= matches!(self.format, Format::Pcap(_));
        let packet = self.packets;
        self.unreadable.get_or_insert_with(|| CaptureError {
            file: self.file.clone(),
            what: format!("link type {number} ({}) cannot be read, at packet {packet}", link::name(number)),
            remedy: "capture on an interface with Ethernet, PPP, cooked or raw IP framing",
        });
    }
}

/// Begins like a capture, complete or not.
pub(crate) fn is_magic(start: &[u8]) -> bool {
    let magics: [[u8; 4]; 5] = [
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x4d, 0x3c, 0xb2, 0xa1],
        [0x0a, 0x0d, 0x0d, 0x0a],
    ];
    start.first_chunk().is_some_and(|first: &[u8; 4]| magics.contains(first))
}

fn opening(file: &str, e: &io::Error) -> CaptureError {
    let (what, remedy) = match e.kind() {
        io::ErrorKind::NotFound => ("no such file".into(), "check the name"),
        io::ErrorKind::PermissionDenied => ("permission denied".into(), "make it readable for you"),
        io::ErrorKind::IsADirectory => ("is a directory".into(), "name the files in it"),
        _ => (e.to_string(), "check the file"),
    };
    CaptureError { file: file.into(), what, remedy }
}
