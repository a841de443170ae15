//! The block format: sections, interfaces with their own clocks, packets (draft-ietf-opsawg-pcapng).

use base::Timestamp;
use byteorder_slice::{BigEndian, LittleEndian};
use pcap_file::pcapng::RawBlock;
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, PACKET_BLOCK, SECTION_HEADER_BLOCK,
    SIMPLE_PACKET_BLOCK,
};
use pcap_file::{Endianness, PcapError};

use super::reader::{Found, Step};
use super::writer::Described;

/// Interfaces of one section; more is damage.
const INTERFACES_MAX: usize = 65_536;
/// Octets of a block before its body.
const BLOCK_HEADER: usize = 8;

pub(super) struct Pcapng {
    endianness: Endianness,
    interfaces: Vec<Interface>,
    /// Simple packets carry no time: they get that of their forerunner.
    last: Timestamp,
}

struct Interface {
    link: u32,
    snaplen: u32,
    unit: Unit,
    offset_secs: i64,
    about: Option<Box<Described>>,
}

/// Interfaces of which it is kept what the file says of them.
const DESCRIBED_MAX: usize = 4096;
/// Octets kept of each thing that is said.
const TEXT_MAX: usize = 512;

/// Length of one unit of an interface's clock (option `if_tsresol`).
#[derive(Clone, Copy)]
enum Unit {
    /// 10⁻ⁿ s.
    Decimal(u32),
    /// 2⁻ⁿ s.
    Binary(u32),
}

impl Pcapng {
    /// Looks for a section header; `None` for another format.
    pub(super) fn begin(start: &[u8]) -> Option<Self> {
        let magic = start.starts_with(&SECTION_HEADER_BLOCK.to_be_bytes());
        let order = matches!(start.get(8..12)?, [0x1a, 0x2b, 0x3c, 0x4d] | [0x4d, 0x3c, 0x2b, 0x1a]);
        (magic && order).then(|| Self {
            endianness: Endianness::Big,
            interfaces: Vec::new(),
            last: Timestamp::ZERO,
        })
    }

    #[inline]
    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<Step, String> {
        let parsed = match self.endianness {
            Endianness::Big => RawBlock::from_slice::<BigEndian>(bytes),
            Endianness::Little => RawBlock::from_slice::<LittleEndian>(bytes),
        };
        let (rest, block) = match parsed {
            Ok(parsed) => parsed,
            Err(PcapError::IncompleteBuffer) => return Ok(Step::More { needed: self.needed(bytes) }),
            Err(PcapError::InvalidField(what)) => return Err(format!("a block that cannot be ({what})")),
            Err(e) => return Err(e.to_string()),
        };
        let used = bytes.len() - rest.len();
        match block.type_ {
            SECTION_HEADER_BLOCK => self.section(&block.body)?,
            INTERFACE_DESCRIPTION_BLOCK => self.interface(&block.body)?,
            ENHANCED_PACKET_BLOCK => return self.packet(&block.body, used, |f| (f.u32(0), 4)),
            PACKET_BLOCK => return self.packet(&block.body, used, |f| (f.u16(0).map(u32::from), 4)),
            SIMPLE_PACKET_BLOCK => return self.simple(&block.body, used),
            _ => {}
        }
        Ok(Step::Skip(used))
    }

    fn section(&mut self, body: &[u8]) -> Result<(), String> {
        self.endianness = match body.get(..4) {
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => Endianness::Big,
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => Endianness::Little,
            _ => return Err("a section of unknown byte order".into()),
        };
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), String> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(format!("more than {INTERFACES_MAX} interfaces"));
        }
        let fields = self.fields(body);
        let (Some(link), Some(snaplen)) = (fields.u16(0), fields.u32(4)) else {
            return Err("an interface description that is too short".into());
        };
        let mut found =
            Interface { link: u32::from(link), snaplen, unit: Unit::Decimal(6), offset_secs: 0, about: None };
        let mut about = Described::default();
        let mut at = 8;
        while let (Some(code @ 1..), Some(len)) = (fields.u16(at), fields.u16(at + 2)) {
            let len = usize::from(len);
            match (code, len) {
                (9, 1) => found.unit = body.get(at + 4).map_or(found.unit, |byte| Unit::of(*byte)),
                (1, _) => about.comment = text(body, at + 4, len),
                (2, _) => about.interface = text(body, at + 4, len),
                (3, _) => about.description = text(body, at + 4, len),
                // the first octet of a filter says that it is text
                (11, 1..) => about.filter = text(body, at + 5, len - 1),
                (14, 8) => found.offset_secs = fields.u64(at + 4).map_or(0, u64::cast_signed),
                _ => {}
            }
            at += 4 + len.next_multiple_of(4);
        }
        if self.interfaces.len() < DESCRIBED_MAX && about != Described::default() {
            found.about = Some(Box::new(about));
        }
        self.interfaces.push(found);
        Ok(())
    }

    /// Enhanced packets and the older kind differ in the width of the interface's number.
    #[inline]
    fn packet(
        &mut self,
        body: &[u8],
        used: usize,
        interface: impl Fn(&Fields<'_>) -> (Option<u32>, usize),
    ) -> Result<Step, String> {
        let fields = self.fields(body);
        let (id, at) = interface(&fields);
        let (Some(id), Some(high), Some(low), Some(captured), Some(original)) =
            (id, fields.u32(at), fields.u32(at + 4), fields.u32(at + 8), fields.u32(at + 12))
        else {
            return Err("a packet block that is too short".into());
        };
        let start = at + 16;
        let len = usize::try_from(captured).unwrap_or(usize::MAX);
        if len > body.len() - start {
            return Err(format!("a packet of {captured} octets in a block of {}", body.len()));
        }
        let Some(interface) = self.interfaces.get(usize::try_from(id).unwrap_or(usize::MAX)) else {
            return Err(format!("a packet of interface {id}, which was not described"));
        };
        self.last = interface.time(u64::from(high) << 32 | u64::from(low));
        Ok(Step::Packet(Found {
            used,
            back: used - BLOCK_HEADER - start,
            len,
            at: self.last,
            original_len: original.max(captured),
            link: interface.link,
            interface: id,
        }))
    }

    fn simple(&self, body: &[u8], used: usize) -> Result<Step, String> {
        let original_len = self.fields(body).u32(0).ok_or("a packet block that is too short")?;
        let interface = self.interfaces.first().ok_or("a packet before any interface was described")?;
        let limit = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
        let len = usize::try_from(original_len.min(limit)).unwrap_or(usize::MAX).min(body.len() - 4);
        Ok(Step::Packet(Found {
            used,
            back: used - BLOCK_HEADER - 4,
            len,
            at: self.last,
            original_len,
            link: interface.link,
            interface: 0,
        }))
    }

    /// What was said of an interface of this section.
    pub(super) fn described(&self, id: u32) -> Described {
        let interface = usize::try_from(id).ok().and_then(|id| self.interfaces.get(id));
        interface.and_then(|interface| interface.about.as_deref().cloned()).unwrap_or_default()
    }

    /// Length of the block that begins here, as far as it is known.
    fn needed(&self, bytes: &[u8]) -> usize {
        let announced = self.fields(bytes).u32(4).and_then(|len| usize::try_from(len).ok());
        announced.filter(|_| !bytes.starts_with(&SECTION_HEADER_BLOCK.to_be_bytes())).unwrap_or(12)
    }

    fn fields<'a>(&self, bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes, big: matches!(self.endianness, Endianness::Big) }
    }
}

/// Text of an option; what is not UTF-8 in it is replaced.
fn text(body: &[u8], at: usize, len: usize) -> String {
    let octets = body.get(at..).map_or(&[][..], |rest| rest.get(..len.min(TEXT_MAX)).unwrap_or(rest));
    String::from_utf8_lossy(octets).trim_end_matches('\0').to_owned()
}

impl Interface {
    #[inline]
    fn time(&self, units: u64) -> Timestamp {
        let nanos = match self.unit {
            Unit::Decimal(9) => u128::from(units),
            Unit::Decimal(6) => u128::from(units) * 1_000,
            Unit::Decimal(n) => u128::from(units) * 1_000_000_000 / 10u128.pow(n),
            Unit::Binary(n) => (u128::from(units) * 1_000_000_000) >> n,
        };
        let whole = i128::try_from(nanos).unwrap_or(i128::MAX);
        let moved = whole.saturating_add(i128::from(self.offset_secs) * 1_000_000_000);
        Timestamp::from_nanos(u64::try_from(moved.max(0)).unwrap_or(u64::MAX))
    }
}

impl Unit {
    /// Finer clocks than 10⁻²⁷ s and 2⁻⁹⁶ s are taken as that fine.
    fn of(byte: u8) -> Self {
        if byte & 0x80 == 0 {
            Self::Decimal(u32::from(byte).min(27))
        } else {
            Self::Binary(u32::from(byte & 0x7f).min(96))
        }
    }
}

/// Numbers of either byte order.
struct Fields<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Fields<'_> {
    #[inline]
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }

    #[inline]
    fn u16(&self, at: usize) -> Option<u16> {
        self.array(at).map(|b| if self.big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) })
    }

    #[inline]
    fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(|b| if self.big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(|b| if self.big { u64::from_be_bytes(b) } else { u64::from_le_bytes(b) })
    }
}
