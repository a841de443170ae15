//! Documents for others: one file per format, one line in the list. A dossier goes in, named files come out.
//!
//! Each format is handed a [`Shared`], which holds the sources that may be told of and nothing of the others, so no format can
//! tell of a forged address, an honest client or one that nobody knows. [`documents`] looks once more at what was written.

pub mod csv;
pub mod ddosch;
pub mod intelmq;
pub mod mail;
mod mention;
pub mod misp;
mod pcap;
mod share;
pub mod stix;
mod time;
mod uuid;
pub mod words;
pub mod xarf;

use std::collections::BTreeSet;
use std::net::IpAddr;

use base::Prefix;

pub use mention::mentions;

use crate::dossier::{Dossier, Incident, Reporter};
use crate::finding::{Class, Finding, Verified};

/// Sources that one dossier's documents tell of; those with the most packets. The documents say how many were left out.
pub const SOURCES_MAX: usize = 100_000;

/// How far the documents may go (FIRST, Traffic Light Protocol 2.0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tlp {
    /// To everybody.
    Clear,
    /// In the community.
    Green,
    /// To those who need to know it, and their clients.
    Amber,
    /// To those in the organisation who need to know it.
    #[default]
    AmberStrict,
    /// To the eyes of the recipient.
    Red,
}

impl Tlp {
    /// All five, from the widest.
    pub const ALL: [Self; 5] = [Self::Clear, Self::Green, Self::Amber, Self::AmberStrict, Self::Red];

    /// As it is written in tags: `amber+strict`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::AmberStrict => "amber+strict",
            Self::Red => "red",
        }
    }
}

impl core::str::FromStr for Tlp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| format!("`{text}` is none of: {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// On what terms documents are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How far they may go.
    pub tlp: Tlp,
    /// Whether communities learn who was attacked. Whoever has to act on a single source always learns it, for without it he
    /// finds nothing in his logs.
    pub target_named: bool,
}

/// A file to be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its path in the dossier's folder.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What one types.
    pub name: &'static str,
    /// Its files.
    pub write: fn(&Shared<'_>) -> Vec<Document>,
}

/// All formats.
pub const FORMATS: &[Format] =
    &[stix::FORMAT, misp::FORMAT, ddosch::FORMAT, intelmq::FORMAT, csv::FORMAT, xarf::FORMAT];

/// What of a dossier may be told.
#[derive(Debug)]
pub struct Shared<'a> {
    /// What happened.
    pub incident: &'a Incident,
    /// Who says so.
    pub reporter: Reporter,
    /// On what terms.
    pub terms: Terms,
    /// Sources that may be told of, sorted by address; at most [`SOURCES_MAX`].
    pub sources: Vec<Verified<'a>>,
    /// Sources that might be told of but found no place.
    pub left_out: usize,
    /// See [`ddosch`]: names the set of all that attacked, without naming one.
    set: [u8; 2],
}

impl<'a> Shared<'a> {
    /// Takes from a dossier what may be told.
    pub fn new(dossier: &'a Dossier, terms: Terms) -> Self {
        let mut sources: Vec<_> = dossier.findings.iter().filter_map(Finding::verified).collect();
        let left_out = sources.len().saturating_sub(SOURCES_MAX);
        if left_out > 0 {
            sources.sort_by_key(|one| (core::cmp::Reverse(one.finding().packets), one.finding().address));
            sources.truncate(SOURCES_MAX);
        }
        sources.sort_by_key(|one| one.finding().address);
        let set = ddosch::set(&dossier.findings);
        Self {
            incident: &dossier.incident,
            reporter: named(&dossier.reporter),
            terms,
            sources,
            left_out,
            set,
        }
    }

    /// The target as communities learn it.
    fn target(&self) -> Option<Prefix> {
        self.terms.target_named.then_some(self.incident.target)
    }

    /// Rules that name no source: one that does would tell of it.
    fn rules(&self) -> impl Iterator<Item = &'a str> {
        let named = self.terms.target_named;
        self.incident
            .rules
            .iter()
            .map(String::as_str)
            .filter(move |rule| named && !rule.split_whitespace().any(|word| word == "src"))
    }
}

/// Who says so. Formats want a name and an address that can be one; where nobody is configured, they are such that lead nowhere
/// (RFC 2606), so that a draft is valid and cannot be sent by mistake.
fn named(reporter: &Reporter) -> Reporter {
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    let domain = or(&reporter.domain, "reporter.invalid");
    Reporter {
        organisation: or(&reporter.organisation, "Unnamed reporter"),
        contact: or(&reporter.contact, &format!("abuse@{domain}")),
        domain,
    }
}

/// JSON for people, with a line's end behind it.
fn pretty(document: &impl serde::Serialize) -> Vec<u8> {
    // What holds numbers and texts has a JSON form.
    let mut bytes = serde_json::to_vec_pretty(document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A document that named somebody whom it must not name. It was not given out; this is a fault of the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} is withheld: it names a source that must not be told of; report this with the dossier's id")]
pub struct Withheld {
    /// Which document.
    pub path: String,
}

/// All documents of a dossier, and those that were withheld.
pub fn documents(dossier: &Dossier, terms: Terms) -> (Vec<Document>, Vec<Withheld>) {
    let shared = Shared::new(dossier, terms);
    let secret = secret(dossier);
    let (mut good, mut withheld) = (Vec::new(), Vec::new());
    for document in FORMATS.iter().flat_map(|format| (format.write)(&shared)) {
        if names_any(&document.bytes, &secret) {
            withheld.push(Withheld { path: document.path });
        } else {
            good.push(document);
        }
    }
    (good, withheld)
}

/// Addresses that no document may hold.
pub fn secret(dossier: &Dossier) -> BTreeSet<IpAddr> {
    let mut secret: BTreeSet<IpAddr> = dossier
        .findings
        .iter()
        .filter(|finding| finding.verified().is_none() || matches!(finding.class, Class::Spoofed))
        .map(|finding| finding.address)
        .collect();
    // the target is no source, whatever was written into packets
    secret.retain(|address| !dossier.incident.targets.contains(&Prefix::host(*address)));
    secret
}

/// Whether a text names one of these, in whatever spelling. A network of several hosts is another thing.
pub fn names_any(text: &[u8], secret: &BTreeSet<IpAddr>) -> bool {
    let mut found = false;
    mentions(text, |_, what| found |= what.is_host() && secret.contains(&what.addr()));
    found
}
