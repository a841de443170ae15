//! NetFlow version 9 (RFC 3954): header, FlowSets and templates. What IPFIX shares with it lives here too.

use crate::reader::{Fault, Reader};

/// Packet header, RFC 3954 §5.1. `Count` is kept but means different things to different exporters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Records (or, with some, FlowSets) claimed.
    pub count: u16,
    /// Milliseconds since the device booted.
    pub uptime: u32,
    /// Seconds since 1970.
    pub unix_secs: u32,
    /// Number of this packet.
    pub sequence: u32,
    /// Source ID.
    pub source_id: u32,
}

impl Header {
    /// Reads the header; the FlowSets follow.
    pub fn parse(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let version = r.u16("Version Number")?;
        if version != 9 {
            return Err(Fault::Version { found: u32::from(version) });
        }
        Ok(Self {
            count: r.u16("Count")?,
            uptime: r.u32("sysUpTime")?,
            unix_secs: r.u32("UNIX Secs")?,
            sequence: r.u32("Sequence Number")?,
            source_id: r.u32("Source ID")?,
        })
    }
}

/// A FlowSet (RFC 3954 §5.2) or Set (RFC 7011 §3.3): its id and what is behind its header.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// Set id.
    pub id: u16,
    /// Contents.
    pub body: Reader<'a>,
    /// The length ran over the end of the message: the contents are what is there.
    pub cut: bool,
}

/// Walks sets.
#[derive(Clone, Copy, Debug)]
pub struct Sets<'a> {
    left: Reader<'a>,
}

impl<'a> Sets<'a> {
    /// Over what is behind the message header.
    pub const fn new(left: Reader<'a>) -> Self {
        Self { left }
    }

    /// The next set. A length below four ends the walk: nobody knows where the next set would begin.
    #[inline]
    pub fn next_set(&mut self) -> Option<Result<Set<'a>, Fault>> {
        if self.left.is_empty() {
            return None;
        }
        let mut step = || {
            let id = self.left.u16("Set ID")?;
            let len = usize::from(self.left.u16("Set Length")?);
            let Some(len) = len.checked_sub(4) else {
                return Err(Fault::Length { what: "Set Length", found: len });
            };
            let cut = len > self.left.len();
            let body = self.left.sub("Set", len.min(self.left.len()))?;
            Ok(Set { id, body, cut })
        };
        let result = step();
        if result.is_err() {
            // Up to three octets behind the last set, or zeros, are padding that somebody forgot to put into a set.
            let padding = self.left.len() < 4 && self.left.rest().iter().all(|b| *b == 0);
            self.left = Reader::new(&[]);
            if padding && matches!(result, Err(Fault::Truncated { .. })) {
                return None;
            }
        }
        Some(result)
    }
}

/// Length of a field whose length stands in the record (RFC 7011 §7).
pub const VARIABLE: u16 = 0xffff;

/// One field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Private enterprise number; 0 is IANA's registry.
    pub enterprise: u32,
    /// Information element, or NetFlow v9 field type.
    pub element: u16,
    /// Octets, or [`VARIABLE`].
    pub length: u16,
}

/// A template record of either kind and either protocol.
#[derive(Clone, Copy, Debug)]
pub struct Template<'a> {
    /// Template id, 256 or above.
    pub id: u16,
    /// Fields that are scopes, at the front. `None` for a template of data records.
    pub scopes: Option<u16>,
    /// Fields in all.
    pub count: u16,
    /// The field specifiers as they stand on the wire.
    pub fields: Fields<'a>,
}

/// Field specifiers.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    left: Reader<'a>,
    /// Whether the upper bit of an element announces an enterprise number (RFC 7011 §3.2).
    enterprises: bool,
}

impl<'a> Fields<'a> {
    /// Over octets that were a template's.
    pub const fn new(bytes: &'a [u8], enterprises: bool) -> Self {
        Self { left: Reader::new(bytes), enterprises }
    }

    /// The octets.
    pub const fn bytes(&self) -> &'a [u8] {
        self.left.rest()
    }
}

impl Iterator for Fields<'_> {
    type Item = Field;

    #[inline]
    fn next(&mut self) -> Option<Field> {
        field(&mut self.left, self.enterprises).ok()
    }
}

#[inline]
pub(crate) fn field(r: &mut Reader<'_>, enterprises: bool) -> Result<Field, Fault> {
    let element = r.u16("Information Element identifier")?;
    let length = r.u16("Field Length")?;
    if enterprises && element & 0x8000 != 0 {
        let enterprise = r.u32("Enterprise Number")?;
        return Ok(Field { enterprise, element: element & 0x7fff, length });
    }
    Ok(Field { enterprise: 0, element, length })
}

/// Takes `count` field specifiers off the front.
pub(crate) fn fields<'a>(r: &mut Reader<'a>, count: u16, enterprises: bool) -> Result<Fields<'a>, Fault> {
    let all = r.rest();
    let start = r.position();
    for _ in 0..count {
        field(r, enterprises)?;
    }
    let taken = all.get(..r.position() - start).unwrap_or(all);
    Ok(Fields::new(taken, enterprises))
}

/// Whether the rest of a template set is padding: too short for a record, or zeros.
pub(crate) fn padding(r: &Reader<'_>) -> bool {
    r.len() < 4 || matches!(r.rest(), [0, 0, ..])
}

/// The next record of a Template FlowSet (RFC 3954 §5.2).
pub fn template<'a>(r: &mut Reader<'a>) -> Option<Result<Template<'a>, Fault>> {
    (!padding(r)).then(|| {
        let id = r.u16("Template ID")?;
        let count = r.u16("Field Count")?;
        Ok(Template { id, scopes: None, count, fields: fields(r, count, false)? })
    })
}

/// The next record of an Options Template FlowSet (RFC 3954 §6.1). Its lengths are octets of specifiers.
pub fn options_template<'a>(r: &mut Reader<'a>) -> Option<Result<Template<'a>, Fault>> {
    (!padding(r) && r.len() >= 6).then(|| {
        let id = r.u16("Template ID")?;
        let scopes = r.u16("Option Scope Length")? / 4;
        let options = r.u16("Option Length")? / 4;
        let count = scopes.saturating_add(options);
        Ok(Template { id, scopes: Some(scopes), count, fields: fields(r, count, false)? })
    })
}
