//! Whether a bag is as it was sealed.

use core::fmt;
use std::collections::BTreeMap;

use ledger::note::{Note, VerifierKey};
use ledger::text::hex;

use super::manifest::{Algorithm, Digests, parse};
use super::{
    BAG_INFO, BAGIT, BAGIT_TEXT, CUSTODY, MANIFEST, OUTER_MANIFEST, SIGNATURE, SIGNATURE_KEY, STAMP,
    TAG_MANIFEST, info, is_added, is_payload, is_tag_manifest, timestamp,
};

/// A bag as it was found.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Digests of all its files, by path.
    pub files: BTreeMap<String, Digests>,
    /// What stands in those that are not payload, and in the chain of custody.
    pub texts: BTreeMap<String, Vec<u8>>,
}

/// What is wrong with a bag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// What was found out about a bag.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Whether nothing is wrong.
    pub valid: bool,
    /// The attack's id.
    pub id: Option<String>,
    /// Files, all of them.
    pub files: usize,
    /// Octets of the payload.
    pub octets: u64,
    /// The SHA-256 of its tag manifest, in hexadecimal digits: its name in the ledger and in minimised derivatives.
    pub seal: Option<String>,
    /// Whose signature is under it and fits: the vkey that stands in the bag.
    pub signed_by: Option<String>,
    /// Whether that is a key that is trusted here.
    pub trusted: bool,
    /// Whether a time stamp is over the seal. `openssl ts -verify` says whose.
    pub stamped: bool,
    /// What is wrong, sorted.
    pub faults: Vec<Fault>,
}

/// Checks a bag; `trusted` is whose signatures are believed.
pub fn verify(bag: &Contents, trusted: &[VerifierKey]) -> Report {
    let mut check = Check { bag, faults: Vec::new() };
    check.declared();
    check.manifest(MANIFEST, Algorithm::Sha256, is_payload);
    check.manifest(TAG_MANIFEST, Algorithm::Sha256, |path| {
        !is_payload(path) && !is_tag_manifest(path) && !is_added(path)
    });
    check.manifest(OUTER_MANIFEST, Algorithm::Sha512, |path| !is_payload(path) && !is_tag_manifest(path));
    let octets = check.oxum();
    check.custody();
    let signed_by = check.signature();
    let stamped = check.stamp();
    let mut faults = check.faults;
    faults.sort();
    faults.dedup();
    let known = |vkey: &String| trusted.iter().any(|key| key.to_string() == *vkey);
    Report {
        valid: faults.is_empty(),
        id: bag.text(BAG_INFO).and_then(|text| info::value(text, "External-Identifier")).map(str::to_owned),
        files: bag.files.len(),
        octets,
        seal: bag.files.get(TAG_MANIFEST).map(|digests| hex(&digests.sha256)),
        trusted: signed_by.as_ref().is_some_and(known),
        signed_by,
        stamped,
        faults,
    }
}

impl Contents {
    fn text(&self, path: &str) -> Option<&[u8]> {
        self.texts.get(path).map(Vec::as_slice)
    }
}

struct Check<'a> {
    bag: &'a Contents,
    faults: Vec<Fault>,
}

impl<'a> Check<'a> {
    fn fault(&mut self, path: &str, what: impl Into<String>) {
        self.faults.push(Fault { path: path.to_owned(), what: what.into() });
    }

    fn needed(&mut self, path: &str) -> Option<&'a [u8]> {
        let text = self.bag.text(path);
        if text.is_none() {
            self.fault(path, "missing; this bag is not sealed, or was taken apart");
        }
        text
    }

    fn declared(&mut self) {
        if self.needed(BAGIT).is_some_and(|text| text != BAGIT_TEXT.as_bytes()) {
            self.fault(BAGIT, "not the declaration of BagIt 1.0");
        }
    }

    /// That a manifest lists just these files, and each has the digest that it says.
    fn manifest(&mut self, name: &str, algorithm: Algorithm, covers: impl Fn(&str) -> bool) {
        let Some(text) = self.needed(name) else { return };
        let listed = match parse(algorithm, text) {
            Ok(listed) => listed,
            Err((line, what)) => return self.fault(name, format!("line {line}: {what}")),
        };
        let bag = self.bag;
        for (path, digest) in &listed {
            match bag.files.get(*path) {
                _ if !covers(path) => self.fault(name, format!("lists {path}, which it must not")),
                None => self.fault(path, "missing"),
                Some(found) if found.by(algorithm) != Some(digest) => {
                    self.fault(path, format!("changed: not what {name} says"))
                }
                Some(_) => {}
            }
        }
        for path in bag.files.keys().filter(|path| covers(path) && !listed.contains_key(path.as_str())) {
            self.fault(path, format!("added: {name} does not list it"));
        }
    }

    fn oxum(&mut self) -> u64 {
        let payload = || self.bag.files.iter().filter(|(path, _)| is_payload(path));
        let octets = payload().map(|(_, digests)| digests.octets).sum();
        let found = format!("{octets}.{}", payload().count());
        if let Some(text) = self.needed(BAG_INFO) {
            let said = info::value(text, "Payload-Oxum").unwrap_or_default();
            if said != found {
                self.fault(BAG_INFO, format!("Payload-Oxum is {said}, found {found}"));
            }
            if info::value(text, "External-Identifier").is_none() {
                self.fault(BAG_INFO, "no External-Identifier");
            }
        }
        octets
    }

    /// That each step of the chain is one JSON object, and the last one is the sealing.
    fn custody(&mut self) {
        let Some(text) = self.needed(CUSTODY) else { return };
        let mut last = None;
        for (at, line) in text.split(|octet| *octet == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            match serde_json::from_slice::<Step>(line) {
                Ok(step) => last = Some(step.what),
                Err(wrong) => self.fault(CUSTODY, format!("line {}: {wrong}", at + 1)),
            }
        }
        if last.as_deref() != Some("sealed") {
            self.fault(CUSTODY, "its last step is not the sealing");
        }
    }

    fn signature(&mut self) -> Option<String> {
        let (note, key) = match (self.bag.text(SIGNATURE), self.bag.text(SIGNATURE_KEY)) {
            (None, None) => return None,
            (Some(note), Some(key)) => (note, key),
            _ => {
                self.fault(SIGNATURE, "signature and key go together, and one is missing");
                return None;
            }
        };
        let vkey = core::str::from_utf8(key).unwrap_or_default().trim_end();
        let signed = self.bag.text(TAG_MANIFEST).unwrap_or_default();
        let checked = VerifierKey::parse(vkey).and_then(|key| {
            let note = Note::parse(core::str::from_utf8(note).unwrap_or_default())?;
            Ok(note.text.as_bytes() == signed && key.has_signed(&note)?)
        });
        match checked {
            Ok(true) => return Some(vkey.to_owned()),
            Ok(false) => self.fault(SIGNATURE, format!("does not stand under {TAG_MANIFEST}")),
            Err(wrong) => self.fault(SIGNATURE, wrong.to_string()),
        }
        None
    }

    fn stamp(&mut self) -> bool {
        let Some(stamp) = self.bag.text(STAMP) else { return false };
        let seal = self.bag.files.get(TAG_MANIFEST).map(|digests| digests.sha256).unwrap_or_default();
        match timestamp::granted(stamp, &seal) {
            Ok(()) => true,
            Err(wrong) => {
                self.fault(STAMP, wrong.to_string());
                false
            }
        }
    }
}

/// A step of the chain of custody; it may say more.
#[derive(serde::Deserialize)]
struct Step {
    what: String,
}
