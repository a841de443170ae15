//! A payload is looked into before it is approved and before it is sent: whom it names, in text, in captures, and in what is
//! encoded in texts. Honest, forged and unknown sources of an attack never leave in a report; an order is another thing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use ::ledger::disclosure::{DataClass, Draft, Extent, Profile};
use ::ledger::text::from_base64;
use anyhow::{Context as _, bail};
use base::Prefix;
use intel::export::mentions;
use serde::{Deserialize, Serialize};

use super::known::{Known, folders};
use crate::capture::{Capture, is_magic};

/// Addresses and networks that one payload may name.
const NAMED_MAX: usize = 4 << 20;
/// What is encoded in what is encoded is gone into this often.
const DEPTH_MAX: u8 = 3;
/// Characters of a word that may be base64 of something that names somebody.
const ENCODED_MIN: usize = 12;
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
            if let Some(parsed) = packet.parse() {
                for address in [parsed.headers.src, parsed.headers.dst] {
                    self.add(Prefix::host(address), place);
                }
                // Names in what they carry, like questions about hosts.
                mentions(parsed.payload, |_, what| self.add(what, place));
            }
        }
        Ok(())
    }
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

/// What is encoded in base64 in a text, in one word or over lines as mails have it, with the line where it begins.
fn encoded(text: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let is_digit = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    let mut close = |open: &mut Option<(usize, String)>| {
        if let Some((line, octets)) = open.take().and_then(|(line, text)| Some((line, from_base64(&text)?))) {
            found.push((line, octets));
        }
    };
    for (at, line) in text.split(|octet| *octet == b'\n').enumerate() {
        let line = line.trim_ascii();
        let whole = line.len() >= 4 && line.iter().all(is_digit);
        if !whole {
            close(&mut open);
        }
        for word in line.split(|octet| !is_digit(octet)).filter(|word| whole || word.len() >= ENCODED_MIN) {
            let word = String::from_utf8_lossy(word);
            match &mut open {
                Some((_, text)) if whole => text.push_str(&word),
                _ => {
                    open = Some((at + 1, word.into_owned()));
                    if !whole {
                        close(&mut open);
                    }
                }
            }
        }
    }
    close(&mut open);
    found
}

#[cfg(test)]
mod tests {
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
