//! Table dumps of routes, as collectors write them: MRT, `TABLE_DUMP_V2` (RFC 6396 §4.3).

use base::Prefix;
use wire::bgp::attribute::{PathAttribute, Segment, kind};

/// A piece of a path in order.
pub fn sequence(asns: &[u32]) -> Segment {
    Segment::sequence(asns.to_vec())
}

/// A piece of a path without order.
pub fn set(asns: &[u32]) -> Segment {
    Segment { kind: 1, asns: asns.to_vec() }
}

/// The record of a prefix, with an entry for each of these paths.
///
/// # Panics
/// When there are more than a record holds: 65,535 paths, or 255 octets of one.
pub fn record(prefix: Prefix, paths: &[Vec<Segment>]) -> Vec<u8> {
    let mut body = vec![0; 4];
    wire::bgp::nlri::write(&mut body, &prefix);
    body.extend(short(paths.len()));
    for path in paths {
        let mut value = Vec::new();
        for segment in path {
            value.extend([segment.kind, u8::try_from(segment.asns.len()).expect("a short path")]);
            segment.asns.iter().for_each(|asn| value.extend(asn.to_be_bytes()));
        }
        let mut attribute = Vec::new();
        PathAttribute { flags: 0x40, kind: kind::AS_PATH, value: &value }.write(&mut attribute);
        body.extend([0; 6]);
        body.extend(short(attribute.len()));
        body.extend(attribute);
    }
    let subtype = if prefix.is_ipv4() { 2u16 } else { 4 };
    let mut out = vec![0, 0, 0, 0, 0, 13];
    out.extend(subtype.to_be_bytes());
    out.extend(u32::try_from(body.len()).expect("a short record").to_be_bytes());
    out.extend(body);
    out
}

fn short(count: usize) -> [u8; 2] {
    u16::try_from(count).expect("what a record holds").to_be_bytes()
}
