//! IP headers, extension headers and fragments.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::transport::transport;
use super::{Behind, Fragment, Headers, NESTING_MAX};
use crate::reader::{Fault, Reader};

/// Parses from the IP header on. `l3_len` is what the frame leaves for layer 3, used where the length field is 0.
#[inline(always)]
pub(super) fn ip<'a>(
    bytes: &'a [u8],
    l3_len: u32,
    headers: &mut Headers,
    behind: &mut Behind<'a>,
) -> Result<(), Fault> {
    match bytes.first().map(|b| b >> 4) {
        Some(4) => ipv4(bytes, l3_len, headers, behind),
        Some(6) => ipv6(bytes, l3_len, headers, behind),
        Some(other) => Err(Fault::Version { found: u32::from(other) }),
        None => Err(Fault::Truncated { what: "IP version", at: 0, needed: 1, had: 0 }),
    }
}

/// RFC 791 §3.1.
#[inline(always)]
fn ipv4<'a>(
    bytes: &'a [u8],
    l3_len: u32,
    headers: &mut Headers,
    behind: &mut Behind<'a>,
) -> Result<(), Fault> {
    let mut whole = Reader::new(bytes);
    // Looked at once whether it is all there.
    let mut r = whole.sub("IPv4 header", 20)?;
    let [first, tos] = r.array::<2>("version and type of service")?;
    let ihl = usize::from(first & 0x0f) * 4;
    if ihl < 20 {
        return Err(Fault::Length { what: "IHL", found: ihl });
    }
    let total = u32::from(r.u16("total length")?);
    r.skip("identification", 2)?;
    let frag = r.u16("flags and fragment offset")?;
    let [ttl, protocol] = r.array::<2>("time to live and protocol")?;
    r.skip("header checksum", 2)?;
    let src = IpAddr::V4(Ipv4Addr::from(r.array::<4>("source address")?));
    let dst = IpAddr::V4(Ipv4Addr::from(r.array::<4>("destination address")?));
    // Options may be cut off by the capture; then there is no transport part either.
    let cut = whole.skip("options", ihl - 20).is_err();
    let length = if total == 0 { l3_len } else { total };
    *headers = Headers {
        src,
        dst,
        protocol,
        length,
        ttl,
        dscp: tos >> 2,
        fragment: Fragment { offset: frag & 0x1fff, more: frag & 0x2000 != 0, dont: frag & 0x4000 != 0 },
        ports: None,
        icmp: None,
        tcp: None,
        payload_len: None,
    };
    let ihl = u32::try_from(ihl).unwrap_or(60);
    let rest: &[u8] = if cut { &[] } else { clip(whole.rest(), length.saturating_sub(ihl)) };
    transport(headers, behind, rest, length.saturating_sub(ihl));
    Ok(())
}

/// RFC 8200 §3 and §4: the extension headers are walked to the upper layer.
fn ipv6<'a>(
    bytes: &'a [u8],
    l3_len: u32,
    headers: &mut Headers,
    behind: &mut Behind<'a>,
) -> Result<(), Fault> {
    let mut r = Reader::new(bytes);
    let mut fixed = r.sub("IPv6 header", 40)?;
    let word = fixed.u32("version, class and flow label")?;
    let payload = u32::from(fixed.u16("payload length")?);
    let [mut next, ttl] = fixed.array::<2>("next header and hop limit")?;
    let src = IpAddr::V6(Ipv6Addr::from(fixed.array::<16>("source address")?));
    let dst = IpAddr::V6(Ipv6Addr::from(fixed.array::<16>("destination address")?));
    // A payload length of 0 is a jumbogram (RFC 2675) or segmentation offload: the frame tells.
    let length = if payload == 0 && l3_len > 40 { l3_len } else { payload + 40 };
    let mut fragment = Fragment::default();
    let mut after = length.saturating_sub(40);
    let mut cut = false;
    for _ in 0..NESTING_MAX {
        let step = match next {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: length in units of 8 less one.
            0 | 43 | 60 | 135 | 139 | 140 => extension(&mut r, |len| (usize::from(len) + 1) * 8),
            // Authentication header (RFC 4302 §2.2): length in units of 4 less two.
            51 => extension(&mut r, |len| (usize::from(len) + 2) * 4),
            44 => {
                let start = r.position();
                match fragment_header(&mut r) {
                    Ok((upper, found)) => {
                        fragment = found;
                        Some((upper, r.position() - start))
                    }
                    Err(_) => None,
                }
            }
            _ => break,
        };
        let Some((upper, len)) = step else {
            cut = true;
            break;
        };
        next = upper;
        after = after.saturating_sub(u32::try_from(len).unwrap_or(u32::MAX));
        if fragment.is_later() {
            break;
        }
    }
    *headers = Headers {
        src,
        dst,
        protocol: next,
        length,
        ttl,
        dscp: u8::try_from(word >> 22 & 0x3f).unwrap_or(0),
        fragment,
        ports: None,
        icmp: None,
        tcp: None,
        payload_len: None,
    };
    let rest: &[u8] = if cut { &[] } else { clip(r.rest(), after) };
    transport(headers, behind, rest, after);
    Ok(())
}

fn extension(r: &mut Reader<'_>, octets: impl Fn(u8) -> usize) -> Option<(u8, usize)> {
    let [next, len] = r.array::<2>("extension header").ok()?;
    let total = octets(len);
    r.skip("extension header", total.checked_sub(2)?).ok()?;
    Some((next, total))
}

/// RFC 8200 §4.5.
fn fragment_header(r: &mut Reader<'_>) -> Result<(u8, Fragment), Fault> {
    let [next, _] = r.array::<2>("fragment header")?;
    let word = r.u16("fragment offset")?;
    r.skip("identification", 4)?;
    Ok((next, Fragment { offset: word >> 3, more: word & 1 != 0, dont: false }))
}

/// Not more than the IP length says: the rest is Ethernet padding.
#[inline]
fn clip(bytes: &[u8], len: u32) -> &[u8] {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    bytes.get(..len).unwrap_or(bytes)
}
