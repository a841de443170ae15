//! Values to bytes: packets and flow-export datagrams, as routers and hosts write them.
//!
//! The other direction of the decoders; worlds, tests and captures are made with it. Every function is total: a value
//! that does not fit its field is clipped, never a panic.

pub mod ipfix;
pub mod netflow5;
pub mod netflow9;
pub mod packet;
pub mod sflow;

use alloc::vec::Vec;
use core::net::IpAddr;

/// Appends fields, big-endian.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// One octet.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.out.push(value);
        self
    }

    /// Two octets.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Four octets.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Eight octets.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// As they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// 4 or 16 octets of address.
    pub fn addr(&mut self, addr: IpAddr) -> &mut Self {
        match addr {
            IpAddr::V4(v4) => self.bytes(&v4.octets()),
            IpAddr::V6(v6) => self.bytes(&v6.octets()),
        }
    }

    /// `n` zero octets.
    pub fn zeros(&mut self, n: usize) -> &mut Self {
        self.out.resize(self.out.len().saturating_add(n), 0);
        self
    }
}

/// Overwrites octets that were written before; nothing happens where there are none.
fn patch<const N: usize>(out: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = at.checked_add(N).and_then(|end| out.get_mut(at..end)) {
        place.copy_from_slice(&value);
    }
}

/// A length or count as its 16-bit field says it.
fn clip16(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// A length or count as its 32-bit field says it.
fn clip32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One field of a NetFlow v9 or IPFIX template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Information element.
    pub id: u16,
    /// Octets; 65535 = variable (IPFIX only, RFC 7011 §7).
    pub len: u16,
    /// Private enterprise number (IPFIX only).
    pub enterprise: Option<u32>,
}

impl Field {
    /// An IANA element.
    pub const fn new(id: u16, len: u16) -> Self {
        Self { id, len, enterprise: None }
    }
}

/// How many octets a fixed-length record of these fields takes.
pub fn record_len(fields: &[Field]) -> usize {
    fields.iter().map(|field| usize::from(field.len)).sum()
}
