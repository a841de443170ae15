//! NetFlow version 9 datagrams (RFC 3954).

use alloc::vec::Vec;

use super::{Field, Writer, clip16, patch};

/// RFC 3954 §5.1, without its count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Milliseconds since boot.
    pub uptime: u32,
    /// Seconds since the epoch.
    pub secs: u32,
    /// Datagrams exported before this one.
    pub sequence: u32,
    /// Observation domain.
    pub source_id: u32,
}

/// A datagram that grows by flow sets.
#[derive(Clone, Debug)]
pub struct Datagram {
    bytes: Vec<u8>,
    records: u16,
}

impl Datagram {
    /// An empty datagram.
    pub fn new(header: &Header) -> Self {
        let mut bytes = Vec::with_capacity(1500);
        let mut w = Writer::new(&mut bytes);
        w.u16(9).u16(0).u32(header.uptime).u32(header.secs).u32(header.sequence).u32(header.source_id);
        Self { bytes, records: 0 }
    }

    /// RFC 3954 §5.2.
    pub fn template(&mut self, id: u16, fields: &[Field]) {
        self.set(0, 1, |w| {
            w.u16(id).u16(clip16(fields.len()));
            for field in fields {
                w.u16(field.id).u16(field.len);
            }
        });
    }

    /// RFC 3954 §6.1: scope fields, then option fields.
    pub fn options_template(&mut self, id: u16, scopes: &[Field], options: &[Field]) {
        self.set(1, 1, |w| {
            w.u16(id).u16(clip16(4 * scopes.len())).u16(clip16(4 * options.len()));
            for field in scopes.iter().chain(options) {
                w.u16(field.id).u16(field.len);
            }
        });
    }

    /// RFC 3954 §5.3: `records` data records, written by `body`.
    pub fn data(&mut self, template: u16, records: u16, body: impl FnOnce(&mut Writer<'_>)) {
        self.set(template, records, body);
    }

    /// Octets so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was added.
    pub const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The octets to send.
    pub fn finish(mut self) -> Vec<u8> {
        patch(&mut self.bytes, 2, self.records.to_be_bytes());
        self.bytes
    }

    fn set(&mut self, id: u16, records: u16, body: impl FnOnce(&mut Writer<'_>)) {
        set(&mut self.bytes, id, body);
        self.records = self.records.saturating_add(records);
    }
}

/// A set of NetFlow v9 or IPFIX, padded to four octets.
pub(super) fn set(bytes: &mut Vec<u8>, id: u16, body: impl FnOnce(&mut Writer<'_>)) {
    let start = bytes.len();
    Writer::new(bytes).u16(id).u16(0);
    body(&mut Writer::new(bytes));
    let len = bytes.len() - start;
    let padded = len.next_multiple_of(4);
    bytes.resize(start + padded, 0);
    patch(bytes, start + 2, clip16(padded).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_counted_and_padded() {
        let mut d = Datagram::new(&Header::default());
        d.template(256, &[Field::new(8, 4), Field::new(4, 1)]);
        d.data(256, 1, |w| {
            w.u32(1).u8(17);
        });
        let bytes = d.finish();
        assert_eq!(bytes.len(), 20 + 16 + 12);
        assert_eq!(&bytes[..4], [0, 9, 0, 2]);
        assert_eq!(&bytes[36..40], [1, 0, 0, 12]);
    }
}
