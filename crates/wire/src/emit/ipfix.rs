//! IPFIX messages (RFC 7011).

use alloc::vec::Vec;

use super::{Field, Writer, clip16, netflow9::set, patch};

/// RFC 7011 §3.1, without its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Seconds since the epoch.
    pub export_time: u32,
    /// Data records exported before this message.
    pub sequence: u32,
    /// Observation domain.
    pub domain: u32,
}

/// A message that grows by sets.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
    sets: u16,
}

impl Message {
    /// An empty message.
    pub fn new(header: &Header) -> Self {
        let mut bytes = Vec::with_capacity(1500);
        let mut w = Writer::new(&mut bytes);
        w.u16(10).u16(0).u32(header.export_time).u32(header.sequence).u32(header.domain);
        Self { bytes, sets: 0 }
    }

    /// RFC 7011 §3.4.1.
    pub fn template(&mut self, id: u16, fields: &[Field]) {
        self.set(2, |w| {
            w.u16(id).u16(clip16(fields.len()));
            fields.iter().for_each(|f| field(w, f));
        });
    }

    /// RFC 7011 §3.4.2: scope fields, then option fields.
    pub fn options_template(&mut self, id: u16, scopes: &[Field], options: &[Field]) {
        self.set(3, |w| {
            w.u16(id).u16(clip16(scopes.len() + options.len())).u16(clip16(scopes.len()));
            scopes.iter().chain(options).for_each(|f| field(w, f));
        });
    }

    /// RFC 7011 §3.4.3: data records, written by `body`.
    pub fn data(&mut self, template: u16, body: impl FnOnce(&mut Writer<'_>)) {
        self.set(template, body);
    }

    /// Octets so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was added.
    pub const fn is_empty(&self) -> bool {
        self.sets == 0
    }

    /// The octets to send.
    pub fn finish(mut self) -> Vec<u8> {
        let len = clip16(self.bytes.len());
        patch(&mut self.bytes, 2, len.to_be_bytes());
        self.bytes
    }

    fn set(&mut self, id: u16, body: impl FnOnce(&mut Writer<'_>)) {
        set(&mut self.bytes, id, body);
        self.sets = self.sets.saturating_add(1);
    }
}

/// RFC 7011 §7: a value of variable length with its length in front, in the short form where it fits.
pub fn variable(w: &mut Writer<'_>, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(len) if len < 255 => w.u8(len),
        _ => w.u8(255).u16(clip16(value.len())),
    };
    w.bytes(value);
}

/// RFC 7011 §3.2.
fn field(w: &mut Writer<'_>, field: &Field) {
    match field.enterprise {
        Some(number) => w.u16(field.id | 0x8000).u16(field.len).u32(number),
        None => w.u16(field.id & 0x7fff).u16(field.len),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_counts_the_header_too() {
        let mut m = Message::new(&Header::default());
        m.template(256, &[Field::new(8, 4), Field { id: 137, len: 65535, enterprise: Some(2636) }]);
        m.data(256, |w| {
            w.u32(1);
            variable(w, b"ge-0/0/0");
        });
        let bytes = m.finish();
        assert_eq!(bytes.len(), 16 + (4 + 4 + 4 + 8) + (4 + 4 + 9 + 3));
        assert_eq!(&bytes[..4], [0, 10, 0, 56]);
    }
}
