//! The RPKI to Router protocol (RFC 8210; its version 0 is RFC 6810), as the router speaks it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;

use crate::emit::Writer;
use crate::reader::{Fault, Reader};

/// Octets of the header: version, type, session or flags, length (RFC 8210 §5.1).
pub const HEADER: usize = 8;
/// No PDU that is read here is longer; error reports quote a PDU and carry a text.
pub const PDU_MAX: usize = 65_536;

/// Numbers of errors (RFC 8210 §12).
pub mod error {
    #![expect(missing_docs, reason = "the names are the registry's")]
    pub const CORRUPT_DATA: u16 = 0;
    pub const NO_DATA_AVAILABLE: u16 = 2;
    pub const INVALID_REQUEST: u16 = 3;
    pub const UNSUPPORTED_VERSION: u16 = 4;
    pub const UNSUPPORTED_TYPE: u16 = 5;
    pub const UNEXPECTED_VERSION: u16 = 8;
}

/// Who may originate a prefix: a validated ROA payload (RFC 6811 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vrp {
    /// What it covers.
    pub prefix: Prefix,
    /// The longest prefix inside it that may be announced, in bits.
    pub max_length: u8,
    /// The AS that may; 0: nobody (RFC 6483 §4).
    pub asn: u32,
}

/// A PDU of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// There is something new (§5.2).
    SerialNotify {
        /// Session.
        session: u16,
        /// Its newest serial number.
        serial: u32,
    },
    /// An answer begins (§5.5).
    CacheResponse {
        /// Session.
        session: u16,
    },
    /// One payload (§5.6, §5.7).
    Prefix {
        /// Whether it holds from now on, or no longer.
        announce: bool,
        /// The payload.
        vrp: Vrp,
    },
    /// An answer is whole (§5.8).
    EndOfData {
        /// Session.
        session: u16,
        /// What the router knows now.
        serial: u32,
        /// Seconds until it shall ask again, until it shall try again, and until what it knows is too old. Version 0 has none.
        timing: Option<[u32; 3]>,
    },
    /// The cache cannot tell the difference: ask for all (§5.9).
    CacheReset,
    /// Of no use here: router keys, and what later versions add.
    Other(u8),
    /// The cache gives up (§5.11).
    Error {
        /// See [`error`].
        code: u16,
        /// For people; what is no UTF-8 is replaced, and the length bounded.
        text: String,
    },
}

/// The first PDU of a stream with its version and its octets; `None` while it has not come whole.
///
/// # Errors
/// The stream is of no use from here on.
pub fn read(stream: &[u8]) -> Result<Option<(u8, Pdu, usize)>, Fault> {
    let Some((header, _)) = stream.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [version, kind, high, low, length @ ..] = *header;
    if version > 2 {
        return Err(Fault::Version { found: u32::from(version) });
    }
    let session = u16::from_be_bytes([high, low]);
    let length = u32::from_be_bytes(length);
    let impossible =
        || Fault::Length { what: "Length", found: usize::try_from(length).unwrap_or(usize::MAX) };
    let length = usize::try_from(length).map_err(|_| impossible())?;
    if !(HEADER..=PDU_MAX).contains(&length) {
        return Err(impossible());
    }
    let Some(body) = stream.get(HEADER..length) else { return Ok(None) };
    let mut reader = Reader::new(body);
    let pdu = match kind {
        0 => Pdu::SerialNotify { session, serial: reader.u32("Serial Number")? },
        3 => Pdu::CacheResponse { session },
        4 => payload(&mut reader, false)?,
        6 => payload(&mut reader, true)?,
        7 => {
            let serial = reader.u32("Serial Number")?;
            let timing = match version {
                0 => None,
                _ => Some([
                    reader.u32("Refresh Interval")?,
                    reader.u32("Retry Interval")?,
                    reader.u32("Expire Interval")?,
                ]),
            };
            Pdu::EndOfData { session, serial, timing }
        }
        8 => Pdu::CacheReset,
        10 => {
            let quoted = usize::try_from(reader.u32("Length of Encapsulated PDU")?).unwrap_or(usize::MAX);
            reader.skip("Erroneous PDU", quoted)?;
            let length = usize::try_from(reader.u32("Length of Error Text")?).unwrap_or(usize::MAX);
            let text = reader.bytes("Error Text", length)?;
            let text = String::from_utf8_lossy(text.get(..512).unwrap_or(text)).into_owned();
            Pdu::Error { code: session, text }
        }
        // What only routers say.
        1 | 2 => return Err(Fault::Value { what: "PDU Type", found: u64::from(kind) }),
        other => Pdu::Other(other),
    };
    match pdu {
        Pdu::Other(_) | Pdu::Error { .. } => {}
        _ if !reader.is_empty() => return Err(impossible()),
        _ => {}
    }
    Ok(Some((version, pdu, length)))
}

fn payload(reader: &mut Reader<'_>, v6: bool) -> Result<Pdu, Fault> {
    let flags = reader.u8("Flags")?;
    let length = reader.u8("Prefix Length")?;
    let max_length = reader.u8("Max Length")?;
    reader.skip("zero", 1)?;
    let addr = if v6 {
        IpAddr::V6(Ipv6Addr::from(reader.array::<16>("IPv6 Prefix")?))
    } else {
        IpAddr::V4(Ipv4Addr::from(reader.array::<4>("IPv4 Prefix")?))
    };
    let asn = reader.u32("Autonomous System Number")?;
    let most = if v6 { 128 } else { 32 };
    if max_length > most || length > max_length {
        return Err(Fault::Length { what: "Max Length", found: usize::from(max_length) });
    }
    let vrp = Vrp { prefix: Prefix::of(addr, length), max_length, asn };
    Ok(Pdu::Prefix { announce: flags & 1 != 0, vrp })
}

/// Reset Query (§5.4): tell all.
pub fn reset_query(version: u8) -> Vec<u8> {
    pdu(version, 2, 0, &[])
}

/// Serial Query (§5.3): tell what changed since.
pub fn serial_query(version: u8, session: u16, serial: u32) -> Vec<u8> {
    pdu(version, 1, session, &serial.to_be_bytes())
}

/// Error Report (§5.11) with a text and no quotation.
pub fn error_report(version: u8, code: u16, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Writer::new(&mut body).u32(0).u32(u32::try_from(text.len()).unwrap_or(0)).bytes(text.as_bytes());
    pdu(version, 10, code, &body)
}

fn pdu(version: u8, kind: u8, session: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(HEADER + body.len());
    Writer::new(&mut out).u8(version).u8(kind).u16(session).u32(length).bytes(body);
    out
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    /// RFC 8210 §5.6, the figure filled in: 192.0.2.0/24-26, AS 65536.
    const IPV4: [u8; 20] = [1, 4, 0, 0, 0, 0, 0, 20, 1, 24, 26, 0, 192, 0, 2, 0, 0, 1, 0, 0];

    fn one(octets: &[u8]) -> Pdu {
        let (_, pdu, length) = read(octets).unwrap().unwrap();
        assert_eq!(length, octets.len());
        pdu
    }

    #[test]
    fn what_a_cache_says_is_read() {
        let vrp = Vrp { prefix: "192.0.2.0/24".parse().unwrap(), max_length: 26, asn: 65536 };
        assert_eq!(one(&IPV4), Pdu::Prefix { announce: true, vrp });
        let mut six = vec![1, 6, 0, 0, 0, 0, 0, 32, 0, 32, 48, 0, 0x20, 1, 0xd, 0xb8];
        six.extend([0; 12]);
        six.extend(64_500u32.to_be_bytes());
        let vrp = Vrp { prefix: "2001:db8::/32".parse().unwrap(), max_length: 48, asn: 64_500 };
        assert_eq!(one(&six), Pdu::Prefix { announce: false, vrp });
        let end = [1, 7, 0, 9, 0, 0, 0, 24, 0, 0, 0, 5, 0, 0, 14, 16, 0, 0, 2, 88, 0, 0, 28, 32];
        let timing = Some([3600, 600, 7200]);
        assert_eq!(one(&end), Pdu::EndOfData { session: 9, serial: 5, timing });
        let old = [0, 7, 0, 9, 0, 0, 0, 12, 0, 0, 0, 5];
        assert_eq!(one(&old), Pdu::EndOfData { session: 9, serial: 5, timing: None });
        let report = error_report(1, error::NO_DATA_AVAILABLE, "not yet");
        assert_eq!(one(&report), Pdu::Error { code: 2, text: "not yet".to_string() });
        assert_eq!(one(&[1, 9, 0, 0, 0, 0, 0, 8]), Pdu::Other(9));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let wrong = |at: usize, octet: u8| {
            let mut octets = IPV4;
            octets[at] = octet;
            read(&octets)
        };
        assert_eq!(wrong(0, 3), Err(Fault::Version { found: 3 }));
        assert!(matches!(wrong(7, 7), Err(Fault::Length { .. })), "shorter than its header");
        assert!(matches!(wrong(7, 19), Err(Fault::Truncated { .. })), "an octet too few");
        assert!(matches!(wrong(4, 1), Err(Fault::Length { .. })), "16 MiB");
        assert!(matches!(wrong(10, 33), Err(Fault::Length { .. })), "maximum beyond the family");
        assert!(matches!(wrong(10, 23), Err(Fault::Length { .. })), "maximum below the prefix");
        assert!(matches!(read(&reset_query(1)), Err(Fault::Value { .. })), "only routers ask");
        let mut long = IPV4.to_vec();
        long[7] = 21;
        long.push(0);
        assert!(matches!(read(&long), Err(Fault::Length { .. })), "an octet too many");
        for cut in 0..IPV4.len() {
            assert_eq!(read(&IPV4[..cut]), Ok(None), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_give_a_value_or_a_fault(
            version in 0u8..4, kind in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let octets = pdu(version, kind, 0, &body);
            if let Ok(Some((_, pdu, length))) = read(&octets) {
                prop_assert_eq!(length, octets.len());
                if let Pdu::Prefix { vrp, .. } = pdu {
                    prop_assert!(vrp.prefix.bits() <= vrp.max_length);
                }
            }
        }
    }
}
