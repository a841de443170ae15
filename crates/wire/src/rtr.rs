//! The RPKI to router protocol, versions 0 and 1 (RFC 6810, RFC 8210): what a cache tells a router of who may announce what.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;

use crate::emit::Writer;
use crate::reader::{Fault, Reader};

/// The newest version that is spoken here.
pub const VERSION: u8 = 1;
/// Octets of the header that all have (RFC 8210 §5.1).
pub const HEADER: usize = 8;
/// Octets of a PDU at most: router keys and error reports are the only ones without a length of their own.
pub const PDU_MAX: usize = 64 << 10;
/// Characters kept of an error's text.
const TEXT_MAX: usize = 256;

/// Which AS may announce a prefix, and how long its parts may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrp {
    /// The prefix.
    pub prefix: Prefix,
    /// The longest part of it that may be announced.
    pub max_length: u8,
    /// The AS; 0 means nobody (RFC 6483 §4).
    pub asn: u32,
}

/// What the cache asks for between updates, in seconds (RFC 8210 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Until the router asks again.
    pub refresh: u32,
    /// Until it asks again after it failed.
    pub retry: u32,
    /// Until what it has is not to be used any more.
    pub expire: u32,
}

impl Default for Timing {
    /// Those that RFC 8210 §6 recommends.
    fn default() -> Self {
        Self { refresh: 3600, retry: 600, expire: 7200 }
    }
}

/// A PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// The cache has news.
    SerialNotify {
        /// Session.
        session: u16,
        /// Of the news.
        serial: u32,
    },
    /// The router wants what came after this.
    SerialQuery {
        /// Session.
        session: u16,
        /// That it has.
        serial: u32,
    },
    /// The router wants all.
    ResetQuery,
    /// The cache begins to answer.
    CacheResponse {
        /// Session.
        session: u16,
    },
    /// Something may be announced, or no longer.
    Prefix {
        /// It begins; else it ends.
        announce: bool,
        /// What.
        vrp: Vrp,
    },
    /// The answer is whole.
    EndOfData {
        /// Session.
        session: u16,
        /// That the router has now.
        serial: u32,
        /// Not in version 0.
        timing: Option<Timing>,
    },
    /// The cache cannot tell news: the router has to ask for all.
    CacheReset,
    /// A key for BGPsec; not kept.
    RouterKey,
    /// Something is wrong.
    Error {
        /// Which (RFC 8210 §12).
        code: u16,
        /// What it says.
        text: String,
    },
}

/// Error codes (RFC 8210 §12).
pub mod error {
    /// What was sent cannot be.
    pub const CORRUPT_DATA: u16 = 0;
    /// The cache has nothing yet.
    pub const NO_DATA: u16 = 2;
    /// The version is not spoken.
    pub const UNSUPPORTED_VERSION: u16 = 4;
}

/// The first PDU of a stream, the version that it is of, and its octets; `None` while it has not come whole.
///
/// # Errors
/// When the stream cannot be followed any more.
pub fn read(stream: &[u8]) -> Result<Option<(Pdu, u8, usize)>, Fault> {
    let Some((header, _)) = stream.split_first_chunk::<HEADER>() else { return Ok(None) };
    let mut reader = Reader::new(header);
    let version = reader.u8("Protocol Version")?;
    let kind = reader.u8("PDU Type")?;
    let field = reader.u16("Session ID")?;
    let length = usize::try_from(reader.u32("Length")?).unwrap_or(usize::MAX);
    // An error report tells a router of a version that it does not speak.
    if version > VERSION && kind != 10 {
        return Err(Fault::Version { found: u32::from(version) });
    }
    let fits = match (kind, version) {
        (0 | 1, _) | (7, 0) => length == 12,
        (2 | 3 | 8, _) => length == HEADER,
        (4, _) => length == 20,
        (6, _) => length == 32,
        (7, _) => length == 24,
        (9 | 10, _) => (HEADER..=PDU_MAX).contains(&length),
        _ => return Err(Fault::Value { what: "PDU Type", found: u64::from(kind) }),
    };
    if !fits {
        return Err(Fault::Length { what: "Length", found: length });
    }
    let Some(body) = stream.get(HEADER..length) else { return Ok(None) };
    let mut reader = Reader::new(body);
    let pdu = match kind {
        0 => Pdu::SerialNotify { session: field, serial: reader.u32("Serial Number")? },
        1 => Pdu::SerialQuery { session: field, serial: reader.u32("Serial Number")? },
        2 => Pdu::ResetQuery,
        3 => Pdu::CacheResponse { session: field },
        4 | 6 => prefix(&mut reader, kind == 6)?,
        7 => {
            let serial = reader.u32("Serial Number")?;
            let timing = (version > 0).then(|| timing(&mut reader)).transpose()?;
            Pdu::EndOfData { session: field, serial, timing }
        }
        8 => Pdu::CacheReset,
        9 => Pdu::RouterKey,
        _ => Pdu::Error { code: field, text: text(&mut reader)? },
    };
    Ok(Some((pdu, version, length)))
}

fn prefix(reader: &mut Reader<'_>, v6: bool) -> Result<Pdu, Fault> {
    let announce = reader.u8("Flags")? & 1 != 0;
    let length = reader.u8("Prefix Length")?;
    let max_length = reader.u8("Max Length")?;
    reader.skip("zero", 1)?;
    let (addr, most) = if v6 {
        (IpAddr::V6(Ipv6Addr::from(reader.array::<16>("IPv6 Prefix")?)), 128)
    } else {
        (IpAddr::V4(Ipv4Addr::from(reader.array::<4>("IPv4 Prefix")?)), 32)
    };
    if length > max_length || max_length > most {
        return Err(Fault::Value { what: "Max Length", found: u64::from(max_length) });
    }
    let asn = reader.u32("Autonomous System Number")?;
    Ok(Pdu::Prefix { announce, vrp: Vrp { prefix: Prefix::of(addr, length), max_length, asn } })
}

fn timing(reader: &mut Reader<'_>) -> Result<Timing, Fault> {
    Ok(Timing {
        refresh: reader.u32("Refresh Interval")?,
        retry: reader.u32("Retry Interval")?,
        expire: reader.u32("Expire Interval")?,
    })
}

fn text(reader: &mut Reader<'_>) -> Result<String, Fault> {
    let length = |found: u32| usize::try_from(found).unwrap_or(usize::MAX);
    let quoted = length(reader.u32("Length of Encapsulated PDU")?);
    reader.skip("Erroneous PDU", quoted)?;
    let said = length(reader.u32("Length of Error Text")?);
    let octets = reader.bytes("Error Text", said)?;
    let octets = octets.get(..TEXT_MAX).unwrap_or(octets);
    Ok(String::from_utf8_lossy(octets).chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

impl Pdu {
    /// Appends it, in a version.
    pub fn write(&self, out: &mut Vec<u8>, version: u8) {
        let mut put = |kind: u8, field: u16, body: &[u8]| {
            let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
            Writer::new(out).u8(version).u8(kind).u16(field).u32(length).bytes(body);
        };
        match self {
            Self::SerialNotify { session, serial } => put(0, *session, &serial.to_be_bytes()),
            Self::SerialQuery { session, serial } => put(1, *session, &serial.to_be_bytes()),
            Self::ResetQuery => put(2, 0, &[]),
            Self::CacheResponse { session } => put(3, *session, &[]),
            Self::Prefix { announce, vrp } => {
                let mut body = Vec::new();
                let mut writer = Writer::new(&mut body);
                writer.u8(u8::from(*announce)).u8(vrp.prefix.bits()).u8(vrp.max_length).u8(0);
                let kind = match vrp.prefix.addr() {
                    IpAddr::V4(v4) => {
                        writer.bytes(&v4.octets());
                        4
                    }
                    IpAddr::V6(v6) => {
                        writer.bytes(&v6.octets());
                        6
                    }
                };
                writer.u32(vrp.asn);
                put(kind, 0, &body);
            }
            Self::EndOfData { session, serial, timing } => {
                let mut body = Vec::new();
                let mut writer = Writer::new(&mut body);
                writer.u32(*serial);
                if version > 0 {
                    let Timing { refresh, retry, expire } = timing.unwrap_or_default();
                    writer.u32(refresh).u32(retry).u32(expire);
                }
                put(7, *session, &body);
            }
            Self::CacheReset => put(8, 0, &[]),
            // Nobody here makes keys.
            Self::RouterKey => {}
            Self::Error { code, text } => {
                let mut body = Vec::new();
                let length = u32::try_from(text.len()).unwrap_or(0);
                Writer::new(&mut body).u32(0).u32(length).bytes(text.as_bytes());
                put(10, *code, &body);
            }
        }
    }
}

#[cfg(test)]
mod tests;
