//! Domain names.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::reader::{Fault, Reader};

/// Octets of a name at most, with its lengths (RFC 1035 §2.3.4).
const NAME_MAX: usize = 255;
/// Octets of a label at most.
const LABEL_MAX: usize = 63;
/// Places that one name may be gathered from. Compressors point at most once per label; each place lies before the last one.
const POINTERS_MAX: usize = 127;

/// A domain name, in lower case (RFC 4343: case means nothing) and without compression; at most 255 octets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The name of names.
    pub fn root() -> Self {
        Self([0].to_vec())
    }

    /// As it stands in a message.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is this zone's own name or one below it.
    pub fn lies_in(&self, zone: &Self) -> bool {
        let mut rest = self.0.as_slice();
        loop {
            if rest == zone.0 {
                return true;
            }
            match rest.split_first() {
                Some((length, tail)) if *length > 0 => match tail.get(usize::from(*length)..) {
                    Some(parent) => rest = parent,
                    None => return false,
                },
                _ => return false,
            }
        }
    }

    /// Reads a name that may point to others before it in `message` (RFC 1035 §4.1.4).
    pub(super) fn read<'a>(message: &'a [u8], reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut name = Vec::new();
        let mut behind: Option<Reader<'a>> = None;
        let mut pointers = 0;
        // A place may be pointed to only from behind it, so this ends.
        let mut before = reader.position();
        loop {
            let place = behind.as_mut().unwrap_or(reader);
            let length = place.u8("label")?;
            match length {
                0 => {
                    name.push(0);
                    return Ok(Self(name));
                }
                1..=63 => {
                    let label = place.bytes("label", usize::from(length))?;
                    if name.len() + label.len() + 2 > NAME_MAX {
                        return Err(Fault::Length { what: "name", found: name.len() + label.len() + 2 });
                    }
                    name.push(length);
                    name.extend(label.iter().map(u8::to_ascii_lowercase));
                }
                0xc0.. => {
                    let low = place.u8("pointer")?;
                    let at = usize::from(length & 0x3f) << 8 | usize::from(low);
                    pointers += 1;
                    if at >= before || pointers > POINTERS_MAX {
                        return Err(Fault::Value { what: "pointer", found: at as u64 });
                    }
                    before = at;
                    behind = Some(Reader::new(message.get(at..).unwrap_or_default()));
                }
                _ => return Err(Fault::Value { what: "label", found: u64::from(length) }),
            }
        }
    }
}

impl fmt::Display for Name {
    /// With its last dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reader = Reader::new(&self.0);
        let mut first = true;
        while let Ok(length @ 1..) = reader.u8("label") {
            first = false;
            for octet in reader.bytes("label", usize::from(length)).unwrap_or_default() {
                match octet {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(*octet))?,
                    0x21..=0x7e => write!(f, "{}", char::from(*octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        if first { f.write_str(".") } else { Ok(()) }
    }
}

/// A text that is no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName(String);

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "`{text}` is not the name of a host or a zone; write it like \"www.example.net\", letters, digits, - and _ alone"
        )
    }
}

impl core::error::Error for BadName {}

impl FromStr for Name {
    type Err = BadName;

    /// Of a host or a zone, with or without its last dot.
    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName(text.chars().take(NAME_MAX).collect());
        let mut name = Vec::new();
        for label in text.strip_suffix('.').unwrap_or(text).split('.') {
            let plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
            let length = u8::try_from(label.len()).map_err(|_| bad())?;
            if !(1..=LABEL_MAX).contains(&label.len()) || !label.as_bytes().iter().all(plain) {
                return Err(bad());
            }
            name.push(length);
            name.extend(label.bytes().map(|octet| octet.to_ascii_lowercase()));
        }
        name.push(0);
        if name.len() > NAME_MAX { Err(bad()) } else { Ok(Self(name)) }
    }
}
