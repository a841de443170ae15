//! Packets inside tunnels.

use super::ip::ip;
use super::{Behind, GRE, Headers, IPV4_IN_IP, IPV6_IN_IP, Link, Parsed, UDP, parse};
use crate::reader::Reader;

/// The packet inside a GRE, IP-in-IP or VXLAN packet, where there is one.
pub fn parse_inner<'a>(outer: &Parsed<'a>) -> Option<Parsed<'a>> {
    let left = |r: &Reader<'_>| {
        let header = outer.transport.len().saturating_sub(r.len());
        let l3 = outer.headers.length.saturating_sub(ip_header_len(outer));
        l3.saturating_sub(u32::try_from(header).unwrap_or(u32::MAX))
    };
    if outer.headers.fragment.is_later() {
        return None;
    }
    let mut r = Reader::new(outer.transport);
    match outer.headers.protocol {
        IPV4_IN_IP | IPV6_IN_IP => inner_ip(r.rest(), left(&r), outer.vlan),
        GRE => {
            let bits = r.u16("GRE flags").ok()?;
            let kind = r.u16("GRE protocol type").ok()?;
            // RFC 2890 §2: checksum, key and sequence number, four octets each.
            let options = (bits & 0xb000).count_ones();
            r.skip("GRE options", 4 * usize::try_from(options).ok()?).ok()?;
            match kind {
                0x0800 | 0x86dd => inner_ip(r.rest(), left(&r), outer.vlan),
                0x6558 => parse(Link::Ethernet, r.rest(), left(&r)).ok(),
                _ => None,
            }
        }
        // RFC 7348 §5: the I flag, then the VNI, then an Ethernet frame.
        UDP if outer.headers.dst_port() == Some(4789) => {
            let mut r = Reader::new(outer.payload);
            let [bits, ..] = r.array::<8>("VXLAN header").ok()?;
            (bits & 0x08 != 0).then_some(())?;
            parse(Link::Ethernet, r.rest(), outer.headers.payload_len?.saturating_sub(8)).ok()
        }
        _ => None,
    }
}

fn inner_ip(bytes: &[u8], l3_len: u32, vlan: Option<u16>) -> Option<Parsed<'_>> {
    let mut headers = Headers::NOTHING;
    let mut behind = Behind { vlan, ..Behind::NOTHING };
    ip(bytes, l3_len, &mut headers, &mut behind).ok()?;
    Some(behind.with(headers))
}

/// Octets of IP header, as far as lengths tell: total length less what the transport part is known to hold.
fn ip_header_len(parsed: &Parsed<'_>) -> u32 {
    if parsed.headers.src.is_ipv4() { 20 } else { 40 }
}
