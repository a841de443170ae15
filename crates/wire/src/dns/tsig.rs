//! Transaction signatures (RFC 8945): the record, and which octets its MAC is of. What makes the MAC lives elsewhere.

use alloc::vec::Vec;

use super::{Name, class, kind};
use crate::emit::Writer;
use crate::reader::{Fault, Reader};

/// Errors (RFC 8945 §3).
pub mod error {
    /// The MAC is wrong.
    pub const BADSIG: u16 = 16;
    /// The key is not known.
    pub const BADKEY: u16 = 17;
    /// The clocks differ.
    pub const BADTIME: u16 = 18;
    /// The MAC is too short.
    pub const BADTRUNC: u16 = 22;
}

/// A TSIG record (RFC 8945 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tsig {
    /// The key's name.
    pub key: Name,
    /// The algorithm's name.
    pub algorithm: Name,
    /// When it was signed: seconds since 1970, 48 bits.
    pub time: u64,
    /// How far clocks may differ, seconds.
    pub fudge: u16,
    /// The MAC.
    pub mac: Vec<u8>,
    /// The message's ID when it was signed.
    pub id: u16,
    /// What was wrong.
    pub error: u16,
    /// The server's time, with BADTIME.
    pub other: Vec<u8>,
}

impl Tsig {
    /// From its RDATA; names in it are not compressed.
    pub(super) fn read(key: Name, rdata: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(rdata);
        let algorithm = Name::read(rdata, &mut reader)?;
        let time = u64::from(reader.u16("Time Signed")?) << 32 | u64::from(reader.u32("Time Signed")?);
        let fudge = reader.u16("Fudge")?;
        let size = reader.u16("MAC Size")?;
        let mac = reader.bytes("MAC", usize::from(size))?.to_vec();
        let id = reader.u16("Original ID")?;
        let error = reader.u16("Error")?;
        let length = reader.u16("Other Len")?;
        let other = reader.bytes("Other Data", usize::from(length))?.to_vec();
        match reader.len() {
            0 => Ok(Self { key, algorithm, time, fudge, mac, id, error, other }),
            left => Err(Fault::Length { what: "TSIG RDLENGTH", found: left }),
        }
    }

    /// The octets that the MAC is of (RFC 8945 §4.3): those of the request's MAC where this is an answer, the message
    /// without signature, and what the record itself says.
    pub fn digest(&self, request: Option<&[u8]>, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        if let Some(mac) = request {
            writer.u16(super::clip(mac.len())).bytes(mac);
        }
        writer.bytes(message).bytes(self.key.octets()).u16(class::ANY).u32(0);
        writer.bytes(self.algorithm.octets());
        self.times(&mut writer);
        writer.u16(self.error).u16(super::clip(self.other.len())).bytes(&self.other);
        out
    }

    /// Puts it at the end of a message that has no signature yet.
    pub fn append(&self, message: &mut Vec<u8>) {
        let mut rdata = Vec::new();
        let mut writer = Writer::new(&mut rdata);
        writer.bytes(self.algorithm.octets());
        self.times(&mut writer);
        writer.u16(super::clip(self.mac.len())).bytes(&self.mac).u16(self.id).u16(self.error);
        writer.u16(super::clip(self.other.len())).bytes(&self.other);
        count(message, |count| count.saturating_add(1));
        let mut writer = Writer::new(message);
        writer.bytes(self.key.octets()).u16(kind::TSIG).u16(class::ANY).u32(0);
        writer.u16(super::clip(rdata.len())).bytes(&rdata);
    }

    /// The message as it was before it was signed; `at` is where the signature begins.
    pub fn unsigned(&self, message: &[u8], at: usize) -> Vec<u8> {
        let mut out = message.get(..at).unwrap_or_default().to_vec();
        count(&mut out, |count| count.saturating_sub(1));
        if let Some(id) = out.first_chunk_mut() {
            *id = self.id.to_be_bytes();
        }
        out
    }

    /// The server's time, seconds since 1970, where it says so.
    pub fn server_time(&self) -> Option<u64> {
        let octets: [u8; 6] = self.other.as_slice().try_into().ok()?;
        Some(octets.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)))
    }

    fn times(&self, writer: &mut Writer<'_>) {
        let [_, _, time @ ..] = self.time.to_be_bytes();
        writer.bytes(&time).u16(self.fudge);
    }
}

/// Changes how many additional records a message says that it has.
fn count(message: &mut [u8], change: impl Fn(u16) -> u16) {
    if let Some(place) = message.get_mut(10..12).and_then(|place| <&mut [u8; 2]>::try_from(place).ok()) {
        *place = change(u16::from_be_bytes(*place)).to_be_bytes();
    }
}
