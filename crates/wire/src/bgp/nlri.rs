//! Prefixes of unicast routes (RFC 4271 §4.3, RFC 4760 §5).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;

use crate::reader::{Fault, Reader};

/// Reads prefixes of one family, one after the other. After a fault there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Prefixes<'a> {
    reader: Reader<'a>,
    v6: bool,
}

impl<'a> Prefixes<'a> {
    /// Of these octets.
    pub const fn new(octets: &'a [u8], v6: bool) -> Self {
        Self { reader: Reader::new(octets), v6 }
    }

    fn take(&mut self) -> Result<Prefix, Fault> {
        let bits = self.reader.u8("Length")?;
        let most = if self.v6 { 128 } else { 32 };
        if bits > most {
            return Err(Fault::Length { what: "Length", found: usize::from(bits) });
        }
        let octets = self.reader.bytes("Prefix", usize::from(bits.div_ceil(8)))?;
        let addr = if self.v6 {
            let mut whole = [0; 16];
            whole.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
            IpAddr::V6(Ipv6Addr::from(whole))
        } else {
            let mut whole = [0; 4];
            whole.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
            IpAddr::V4(Ipv4Addr::from(whole))
        };
        // Bits behind the length mean nothing (RFC 4271 §4.3).
        Ok(Prefix::of(addr, bits))
    }
}

impl Iterator for Prefixes<'_> {
    type Item = Result<Prefix, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(taken)
    }
}

/// Appends one.
pub fn write(out: &mut Vec<u8>, prefix: &Prefix) {
    out.push(prefix.bits());
    let octets = usize::from(prefix.bits().div_ceil(8));
    match prefix.addr() {
        IpAddr::V4(addr) => out.extend(addr.octets().iter().take(octets)),
        IpAddr::V6(addr) => out.extend(addr.octets().iter().take(octets)),
    }
}
