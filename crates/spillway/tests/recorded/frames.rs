//! Recordings in memory.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use base::{Span, Timestamp};
use spillway::capture::{Capture, Packet, Writer};
use wire::packet::{Link, Parsed, parse};

/// One packet as stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Frame {
    pub(crate) at: Timestamp,
    pub(crate) link_number: u32,
    pub(crate) original_len: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    pub(crate) fn link(&self) -> Link {
        spillway::capture::link::of(self.link_number).unwrap()
    }

    pub(crate) fn parse(&self) -> Option<Parsed<'_>> {
        parse(self.link(), &self.bytes, self.original_len).ok()
    }

    fn packet(&self, number: u64) -> Packet<'_> {
        Packet {
            number,
            at: self.at,
            link: self.link(),
            link_number: self.link_number,
            original_len: self.original_len,
            interface: 0,
            bytes: &self.bytes,
        }
    }
}

/// All packets of a file.
pub(crate) fn load(path: &Path) -> Vec<Frame> {
    collect(Capture::open(path).unwrap())
}

/// All packets of a capture in memory.
pub(crate) fn read(bytes: Vec<u8>) -> Vec<Frame> {
    collect(Capture::read("memory", Box::new(Cursor::new(bytes))).unwrap())
}

/// Captures of a folder of the test data, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "pcap" || end == "pcapng"));
    files.sort();
    files
}

/// Writes them as pcapng.
pub(crate) fn write_pcapng(frames: &[Frame], path: &Path) {
    let mut writer = Writer::create(path).unwrap();
    for (number, frame) in (1..).zip(frames) {
        writer.write(&frame.packet(number)).unwrap();
    }
    writer.finish().unwrap();
}

/// As pcap with nanoseconds; all of one link type.
pub(crate) fn to_pcap(frames: &[Frame]) -> Vec<u8> {
    let link = frames.first().map_or(1, |frame| frame.link_number);
    let mut out: Vec<u8> =
        [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, link].iter().flat_map(|w| u32::to_le_bytes(*w)).collect();
    for frame in frames {
        assert_eq!(frame.link_number, link, "pcap holds one link type");
        let nanos = frame.at.nanos();
        let words = [
            u32::try_from(nanos / 1_000_000_000).unwrap(),
            u32::try_from(nanos % 1_000_000_000).unwrap(),
            u32::try_from(frame.bytes.len()).unwrap(),
            frame.original_len,
        ];
        out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        out.extend(&frame.bytes);
    }
    out
}

/// Gaps longer than this are cut down to it: several recordings are captures of different years in one file.
const GAP_MAX: Span = Span::from_millis(1500);

/// Moves a recording to begin at `start`, with its gaps cut and its jumps back in time levelled.
pub(crate) fn rebased(frames: &[Frame], start: Timestamp) -> Vec<Frame> {
    let mut now = start;
    let mut before = frames.first().map_or(start, |frame| frame.at);
    let mut out = Vec::with_capacity(frames.len());
    for frame in frames {
        now = now.plus(frame.at.since(before).min(GAP_MAX));
        before = frame.at;
        out.push(Frame { at: now, ..frame.clone() });
    }
    out
}

/// Two recordings on one clock, in order of time.
pub(crate) fn spliced(one: &[Frame], other: &[Frame]) -> Vec<Frame> {
    let mut both = [one, other].concat();
    both.sort_by_key(|frame| frame.at);
    both
}

/// From the first to the last packet.
pub(crate) fn span(frames: &[Frame]) -> Span {
    match (frames.first(), frames.last()) {
        (Some(first), Some(last)) => last.at.since(first.at),
        _ => Span::ZERO,
    }
}

fn collect(mut capture: Capture) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(packet) = capture.next().unwrap() {
        frames.push(Frame {
            at: packet.at,
            link_number: packet.link_number,
            original_len: packet.original_len,
            bytes: packet.bytes.to_vec(),
        });
    }
    frames
}
