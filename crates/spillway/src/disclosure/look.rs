//! A payload is looked into before it is approved and before it is sent: whom it names, in text, in captures and what ICMP errors
//! in them quote, and in what is encoded in texts (base64 and base64url, padded or not). Honest, forged and unknown sources of an attack never leave in a report; an order is another thing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use ::ledger::disclosure::{DataClass, Draft, Extent, Profile};
use anyhow::{Context as _, bail};
use base::Prefix;
use intel::export::mentions;
use intel::quoted;
use serde::{Deserialize, Serialize};
use wire::packet::{Link, Parsed, parse, parse_inner};

use super::encoded::encoded;
use super::known::{Known, folders};
use crate::capture::{Capture, is_magic};

/// Addresses and networks that one payload may name.
const NAMED_MAX: usize = 4 << 20;
/// What is encoded in what is encoded is gone into this often.
const DEPTH_MAX: u8 = 3;
/// What is quoted in what is quoted, or carried in what is carried, is gone into this often.
const QUOTES_MAX: u8 = 4;
/// Named in one complaint.
const SAID_MAX: usize = 3;

/// What a payload was compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The attack that was named; `None`: all that are kept here.
    pub attack: Option<String>,
    /// SHA-256 of the payload that was looked into.
    pub payload: ::ledger::Hash,
    /// Attacks whose sources were looked at.
    pub attacks: usize,
    /// Addresses and networks that the payload names.
    pub names: usize,
    /// Those of them that sent by proof.
    pub told: usize,
}

/// Looks into it; `None`: an order gets what it names, whoever is in it.
///
/// # Errors
/// It names somebody who must not leave, with the place; or it cannot be looked into.
pub(super) fn compare(
    state_dir: &Path,
    draft: &Draft,
    attack: Option<&str>,
    payload: &[u8],
) -> anyhow::Result<Option<Compared>> {
    if draft.extent != Extent::Minimised {
        return Ok(None);
    }
    let mut named = Named::default();
    named.gather(payload, "", 0).context("payload")?;
    let all: BTreeSet<Prefix> = named.0.keys().copied().collect();
    let mut known = Known::default();
    for folder in folders(state_dir, attack)? {
        known.look(&folder, &all)?;
    }
    let mut faults = Vec::new();
    for (what, place) in &named.0 {
        if known.told.contains(what) {
            if !draft.data.contains(&DataClass::SourceAddresses) {
                faults.push(format!(
                    "{place}: {} is a source, and the draft says that none is in it",
                    shown(what)
                ));
            }
        } else if let Some((class, attack)) = known.secret.get(what) {
            let class = intel::export::csv::word(*class);
            faults.push(format!("{place}: {} is {class} in attack {attack}", shown(what)));
        } else if draft.profile == Profile::TargetHidden
            && known.targets.iter().any(|target| target.covers(what))
        {
            faults.push(format!("{place}: {} is the target, which the draft hides", shown(what)));
        }
    }
    let more = faults.len().saturating_sub(SAID_MAX);
    faults.truncate(SAID_MAX);
    if !faults.is_empty() {
        let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
        bail!("payload: {}{rest}; take them out, only an order gets such", faults.join("; "));
    }
    Ok(Some(Compared {
        attack: attack.map(str::to_owned),
        payload: ::ledger::Hash::of(payload),
        attacks: known.attacks.len(),
        names: named.0.len(),
        told: known.told.len(),
    }))
}

fn shown(what: &Prefix) -> String {
    if what.is_host() { what.addr().to_string() } else { what.to_string() }
}

/// Whom a payload names, and where first.
#[derive(Debug, Default)]
struct Named(BTreeMap<Prefix, String>);

impl Named {
    fn add(&mut self, what: Prefix, place: impl FnOnce() -> String) {
        if self.0.len() <= NAMED_MAX {
            self.0.entry(what).or_insert_with(place);
        }
    }

    /// `before` is the place of what this is encoded in.
    fn gather(&mut self, octets: &[u8], before: &str, depth: u8) -> anyhow::Result<()> {
        if is_magic(octets) {
            self.packets(octets, before)?;
        } else if is_text(octets) {
            mentions(octets, |line, what| self.add(what, || format!("{before}line {line}")));
            if depth < DEPTH_MAX {
                for (line, encoded) in encoded(octets) {
                    self.gather(&encoded, &format!("{before}line {line}, encoded there: "), depth + 1)?;
                }
            }
        } else if depth == 0 || is_archive(octets) {
            bail!(
                "{}neither text nor a capture, so nobody can say whom it names; hand out what is in it, unpacked: JSON, CSV, text, pcap",
                if before.is_empty() { "it is " } else { before }
            );
        }
        if self.0.len() > NAMED_MAX {
            bail!("it names more than {NAMED_MAX} addresses; hand it out in parts");
        }
        Ok(())
    }

    fn packets(&mut self, octets: &[u8], before: &str) -> anyhow::Result<()> {
        let mut capture = Capture::read("its packets", Box::new(Cursor::new(octets.to_vec())))?;
        while let Some(packet) = capture.next()? {
            let place = || format!("{before}packet {}", packet.number);
            let mut next = packet.parse();
            for _ in 0..QUOTES_MAX {
                let Some(parsed) = next else { break };
                for address in [parsed.headers.src, parsed.headers.dst] {
                    self.add(Prefix::host(address), place);
                }
                // Names in what they carry, like questions about hosts.
                let carried = if parsed.payload.is_empty() { parsed.transport } else { parsed.payload };
                mentions(carried, |_, what| self.add(what, place));
                next = inside(&parsed);
            }
        }
        Ok(())
    }
}

/// The packet that another one quotes (ICMP errors) or carries (GRE, IP in IP, VXLAN), as far as it was captured.
fn inside<'a>(outer: &Parsed<'a>) -> Option<Parsed<'a>> {
    let Some(octets) = quoted(&outer.headers, outer.transport) else { return parse_inner(outer) };
    parse(Link::Ip, octets, u32::try_from(octets.len()).unwrap_or(u32::MAX)).ok()
}

pub(super) fn is_text(octets: &[u8]) -> bool {
    let odd = |octet: &u8| *octet < 0x20 && !matches!(octet, b'\n' | b'\r' | b'\t' | 0x0c);
    core::str::from_utf8(octets).is_ok() && !octets.iter().any(odd)
}

/// gzip, zip, zstd, xz, bzip2, and tar at its place.
fn is_archive(octets: &[u8]) -> bool {
    let fronts: [&[u8]; 5] = [b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"];
    fronts.iter().any(|front| octets.starts_with(front))
        || octets.get(257..262).is_some_and(|magic| magic == b"ustar")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn named(payload: &[u8]) -> anyhow::Result<BTreeMap<String, String>> {
        let mut named = Named::default();
        named.gather(payload, "", 0)?;
        Ok(named.0.iter().map(|(what, place)| (shown(what), place.clone())).collect())
    }

    #[test]
    fn who_is_named_is_found_in_what_is_encoded_too() {
        let inside = ::ledger::text::base64(b"{\"source\":\"203.0.113.9\"}");
        let json = format!("{{\"a\":1,\n\"payload\":\"{inside}\"}}");
        assert_eq!(named(json.as_bytes()).unwrap()["203.0.113.9"], "line 2, encoded there: line 1");
        let long = ::ledger::text::base64(
            "x\n".repeat(60).as_bytes().iter().chain(b"2001:db8::9").copied().collect::<Vec<_>>().as_slice(),
        );
        let (front, back) = long.split_at(76);
        let mail = format!("Content-Transfer-Encoding: base64\r\n\r\n{front}\r\n{back}\r\n\r\n--end\r\n");
        assert_eq!(named(mail.as_bytes()).unwrap()["2001:db8::9"], "line 3, encoded there: line 61");
    }

    /// IPv4 or IPv6 from one address to another, with this behind its header.
    fn packet(from: &str, to: &str, protocol: u8, behind: &[u8]) -> Vec<u8> {
        let len = |more: usize| u16::try_from(behind.len() + more).unwrap().to_be_bytes();
        match (from.parse().unwrap(), to.parse().unwrap()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let [high, low] = len(20);
                let head = [0x45, 0, high, low, 0, 0, 0, 0, 60, protocol, 0, 0];
                [&head[..], &from.octets(), &to.octets(), behind].concat()
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let [high, low] = len(0);
                let head = [0x60, 0, 0, 0, high, low, protocol, 60];
                [&head[..], &from.octets(), &to.octets(), behind].concat()
            }
            _ => unreachable!("one family"),
        }
    }

    /// A capture of one packet, of link type "raw IP".
    fn capture(packet: &[u8]) -> Vec<u8> {
        let len = u32::try_from(packet.len()).unwrap();
        let words = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 101, 1, 0, len, len];
        words.iter().flat_map(|word: &u32| word.to_le_bytes()).chain(packet.iter().copied()).collect()
    }

    #[test]
    fn who_is_quoted_by_an_icmp_error_is_named() {
        let udp = [0x9c, 0x40, 0, 53, 0, 8, 0, 0];
        let error = |kind: u8, quoted: &[u8]| [&[kind, 3, 0, 0, 0, 0, 0, 0][..], quoted].concat();
        let inner = packet("203.0.113.9", "198.51.100.7", 17, &udp);
        let outer = packet("192.0.2.1", "198.51.100.7", 1, &error(3, &inner));
        let found = named(&capture(&outer)).unwrap();
        assert_eq!(found["203.0.113.9"], "packet 1");
        assert_eq!(found.len(), 3);
        // cut right behind the quoted addresses, and quoted once more
        assert!(named(&capture(&outer[..outer.len() - 8])).unwrap().contains_key("203.0.113.9"));
        let twice = packet("192.0.2.2", "192.0.2.1", 1, &error(11, &outer));
        assert!(named(&capture(&twice)).unwrap().contains_key("203.0.113.9"));
        let inner = packet("2001:db8::9", "2001:db8:1::7", 17, &udp);
        let outer = packet("2001:db8:2::1", "2001:db8:1::7", 58, &error(1, &inner));
        assert!(named(&capture(&outer)).unwrap().contains_key("2001:db8::9"));
        // carried, not quoted
        let tunnel = packet("192.0.2.3", "192.0.2.4", 41, &inner);
        assert!(named(&capture(&tunnel)).unwrap().contains_key("2001:db8::9"));
        let gre = packet("192.0.2.3", "192.0.2.4", 47, &[&[0, 0, 0x86, 0xdd][..], &inner].concat());
        assert!(named(&capture(&gre)).unwrap().contains_key("2001:db8::9"));
        // an echo quotes nobody, and noise names nobody
        let echo =
            packet("192.0.2.1", "198.51.100.7", 1, &error(8, &packet("203.0.113.8", "192.0.2.1", 17, &udp)));
        assert_eq!(named(&capture(&echo)).unwrap().len(), 2);
        let noise = packet("192.0.2.1", "198.51.100.7", 1, &error(3, &[0x4f; 19]));
        assert_eq!(named(&capture(&noise)).unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_looked_into_is_refused() {
        for payload in [&b"\x1f\x8b\x08\0\0"[..], b"PK\x03\x04", b"a\0b", b"\xff\xfe1\x002\0"] {
            assert!(named(payload).unwrap_err().to_string().contains("neither text nor a capture"));
        }
        let inside = ::ledger::text::base64(b"\x1f\x8b\x08\0\0\0\0\0\0\0\0\0");
        let said = named(format!("\n{{\"a\":\"{inside}\"}}").as_bytes()).unwrap_err().to_string();
        assert!(said.starts_with("line 2, encoded there: neither"), "{said}");
        // octets that are encoded and no archive, like digests, name nobody
        let digest = ::ledger::text::base64(&[0xf3; 32]);
        assert_eq!(named(digest.as_bytes()).unwrap().len(), 0);
    }
}
