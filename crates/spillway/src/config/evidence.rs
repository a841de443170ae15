//! Who speaks in reports, and who stamps evidence.

use intel::dossier::Reporter;
use intel::export::Tlp;
use serde::Deserialize;
use toml::Spanned;

use super::check::Problems;
use super::values::Octets;
use crate::evidence::stamp::Authority;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    organisation: String,
    contact: String,
    domain: String,
    tsa: Option<Spanned<String>>,
    tlp: Option<Spanned<String>>,
    record: bool,
    space: Option<Octets>,
}

/// Octets of all bags when the file does not say.
const SPACE: usize = 10 << 30;

/// Who speaks in reports, and who stamps evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Name, mail address and domain of who reports; empty where the file does not say.
    pub reporter: Reporter,
    /// The time stamping authority (RFC 3161); `None`: evidence is not stamped.
    pub authority: Option<Authority>,
    /// How far documents for others may go.
    pub tlp: Tlp,
    /// The daemon keeps packets of attacks while they run.
    pub record: bool,
    /// Octets that bags may take in the state folder; what is sealed stays, and no more is recorded.
    pub space: u64,
}

pub(super) fn checked(problems: &mut Problems<'_>, section: Section) -> Evidence {
    let Section { organisation, contact, domain, tsa, tlp, record, space } = section;
    let authority = tsa.and_then(|tsa| {
        let read = tsa.get_ref().parse();
        read.map_err(|message| problems.at(tsa.span().start, message)).ok()
    });
    let tlp = tlp.and_then(|tlp| {
        let read = tlp.get_ref().parse();
        read.map_err(|message: String| problems.at(tlp.span().start, message)).ok()
    });
    let space = u64::try_from(space.map_or(SPACE, |space| space.0)).unwrap_or(u64::MAX);
    Evidence {
        reporter: Reporter { organisation, contact, domain },
        authority,
        tlp: tlp.unwrap_or_default(),
        record,
        space,
    }
}
