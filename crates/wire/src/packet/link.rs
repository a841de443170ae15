//! Layer 2: Ethernet, tags, labels, and what captures have instead.

use super::{Link, NESTING_MAX};
use crate::reader::{Fault, Reader};

/// Layer 2 of captures and of rare samples.
pub(super) fn uncommon(link: Link, r: &mut Reader<'_>) -> Result<Option<u16>, Fault> {
    match link {
        Link::Ip => Ok(None),
        Link::Ethernet => ethernet(r),
        Link::Null => r.skip("address family", 4).map(|()| None),
        Link::LinuxSll => {
            r.skip("cooked header", 14)?;
            let kind = r.u16("protocol type")?;
            network(r, kind)
        }
        Link::LinuxSll2 => {
            let kind = r.u16("protocol type")?;
            r.skip("cooked header", 18)?;
            network(r, kind)
        }
        Link::Ppp => {
            if r.rest().starts_with(&[0xff, 0x03]) {
                r.skip("HDLC address and control", 2)?;
            }
            ppp(r).map(|()| None)
        }
        Link::Mpls => mpls(r).map(|()| None),
    }
}

#[inline]
pub(super) fn ethernet(r: &mut Reader<'_>) -> Result<Option<u16>, Fault> {
    let mut header = r.sub("Ethernet header", 14)?;
    header.skip("MAC addresses", 12)?;
    match header.u16("EtherType")? {
        0x0800 | 0x86dd => Ok(None),
        kind => network(r, kind),
    }
}

/// Walks tags and labels until an IP header stands in front.
fn network(r: &mut Reader<'_>, mut kind: u16) -> Result<Option<u16>, Fault> {
    let mut vlan = None;
    for _ in 0..NESTING_MAX {
        match kind {
            0x0800 | 0x86dd => return Ok(vlan),
            // 802.1Q, 802.1ad and the older QinQ types.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                let tag = r.u16("VLAN tag")?;
                vlan = vlan.or(Some(tag & 0x0fff));
                kind = r.u16("EtherType")?;
            }
            0x8847 | 0x8848 => {
                mpls(r)?;
                return Ok(vlan);
            }
            // PPPoE session (RFC 2516 §4): version/type, code, session, length, then PPP.
            0x8864 => {
                r.skip("PPPoE header", 6)?;
                ppp(r)?;
                return Ok(vlan);
            }
            // 802.3 length: LLC/SNAP carries an EtherType.
            0..=0x05dc => {
                let llc = r.array::<6>("LLC/SNAP")?;
                if llc != [0xaa, 0xaa, 0x03, 0, 0, 0] {
                    return Err(Fault::Value { what: "LLC header", found: u64::from(llc[0]) });
                }
                kind = r.u16("EtherType")?;
            }
            other => return Err(Fault::Value { what: "EtherType", found: u64::from(other) }),
        }
    }
    Err(Fault::Length { what: "tag nesting", found: NESTING_MAX })
}

fn ppp(r: &mut Reader<'_>) -> Result<(), Fault> {
    // RFC 1661 §6.5: the protocol field may be compressed to one octet.
    let protocol = match r.rest().first() {
        Some(first) if first & 1 == 1 => u16::from(r.u8("PPP protocol")?),
        _ => r.u16("PPP protocol")?,
    };
    match protocol {
        0x0021 | 0x0057 => Ok(()),
        other => Err(Fault::Value { what: "PPP protocol", found: u64::from(other) }),
    }
}

/// RFC 3032: labels until the bottom-of-stack bit; then IP, or Ethernet with or without a control word (RFC 4448).
fn mpls(r: &mut Reader<'_>) -> Result<(), Fault> {
    for _ in 0..NESTING_MAX {
        let entry = r.u32("MPLS label")?;
        if entry & 0x100 == 0 {
            continue;
        }
        return match r.rest().first().map(|b| b >> 4) {
            Some(4 | 6) if inner_ip_plausible(r.rest()) => Ok(()),
            Some(0) if r.rest().starts_with(&[0, 0]) || r.len() > 18 => {
                let mut with_word = *r;
                with_word.skip("control word", 4)?;
                let plain = ethernet(&mut with_word).is_ok() && inner_ip_plausible(with_word.rest());
                if plain {
                    *r = with_word;
                    return Ok(());
                }
                ethernet(r).map(|_| ())
            }
            _ => ethernet(r).map(|_| ()),
        };
    }
    Err(Fault::Length { what: "MPLS label stack", found: NESTING_MAX })
}

/// Whether this begins like an IP header rather than a MAC address that happens to start with 4 or 6.
fn inner_ip_plausible(bytes: &[u8]) -> bool {
    match bytes {
        [first, _, hi, lo, ..] if first >> 4 == 4 => {
            first & 0x0f >= 5 && u16::from_be_bytes([*hi, *lo]) >= 20
        }
        [first, ..] => first >> 4 == 6,
        [] => false,
    }
}
