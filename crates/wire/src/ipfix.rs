//! IPFIX (RFC 7011): header and templates. Sets and field specifiers are those of [`crate::netflow9`].

use crate::netflow9::{Template, fields, padding};
use crate::reader::{Fault, Reader};

/// Octets of the header.
pub const HEADER_LEN: usize = 16;

/// Message header, RFC 7011 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of the message with this header.
    pub length: u16,
    /// Seconds since 1970.
    pub export_time: u32,
    /// Data records sent before this message, modulo 2³².
    pub sequence: u32,
    /// Observation Domain ID.
    pub domain: u32,
}

impl Header {
    /// Reads the header; the Sets follow.
    pub fn parse(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let version = r.u16("Version Number")?;
        if version != 10 {
            return Err(Fault::Version { found: u32::from(version) });
        }
        Ok(Self {
            length: r.u16("Length")?,
            export_time: r.u32("Export Time")?,
            sequence: r.u32("Sequence Number")?,
            domain: r.u32("Observation Domain ID")?,
        })
    }
}

/// The next record of a Template Set (RFC 7011 §3.4.1). A withdrawal (§8.1) has a count of 0.
pub fn template<'a>(r: &mut Reader<'a>) -> Option<Result<Template<'a>, Fault>> {
    (!padding(r)).then(|| {
        let id = r.u16("Template ID")?;
        let count = r.u16("Field Count")?;
        Ok(Template { id, scopes: None, count, fields: fields(r, count, true)? })
    })
}

/// The next record of an Options Template Set (RFC 7011 §3.4.2.2).
pub fn options_template<'a>(r: &mut Reader<'a>) -> Option<Result<Template<'a>, Fault>> {
    (!padding(r)).then(|| {
        let id = r.u16("Template ID")?;
        let count = r.u16("Field Count")?;
        if count == 0 {
            return Ok(Template { id, scopes: Some(0), count, fields: fields(r, 0, true)? });
        }
        let scopes = r.u16("Scope Field Count")?;
        if scopes > count {
            return Err(Fault::Length { what: "Scope Field Count", found: usize::from(scopes) });
        }
        Ok(Template { id, scopes: Some(scopes), count, fields: fields(r, count, true)? })
    })
}

/// The octets of a variable-length field (RFC 7011 §7): one octet of length, or 255 and two.
#[inline]
pub fn variable<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let len = match r.u8("length")? {
        255 => usize::from(r.u16("long length")?),
        short => usize::from(short),
    };
    r.bytes("variable-length field", len)
}
