//! Who speaks in reports, and who stamps evidence.

use intel::dossier::Reporter;
use serde::Deserialize;
use toml::Spanned;

use super::check::Problems;
use crate::evidence::stamp::Authority;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    organisation: String,
    contact: String,
    domain: String,
    tsa: Option<Spanned<String>>,
}

/// Who speaks in reports, and who stamps evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Name, mail address and domain of who reports; empty where the file does not say.
    pub reporter: Reporter,
    /// The time stamping authority (RFC 3161); `None`: evidence is not stamped.
    pub authority: Option<Authority>,
}

pub(super) fn checked(problems: &mut Problems<'_>, section: Section) -> Evidence {
    let Section { organisation, contact, domain, tsa } = section;
    let authority = tsa.and_then(|tsa| {
        let read = tsa.get_ref().parse();
        read.map_err(|message| problems.at(tsa.span().start, message)).ok()
    });
    Evidence { reporter: Reporter { organisation, contact, domain }, authority }
}
