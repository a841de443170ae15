//! What leaves the house, into the folder of an attack: documents for others, and the evidence bag.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context as _;
use base::Timestamp;
use intel::Finding;
use intel::dossier::Dossier;
use intel::export::{Terms, Withheld, csv, documents};
use ledger::Signer;

use crate::evidence::custody::SELF;
use crate::evidence::recorder::Recorded;
use crate::evidence::stamp::Authority;
use crate::evidence::{Sealing, files, seal};

/// What goes with a dossier.
pub struct Extra<'a> {
    /// The attack's own document, as it is in `attack.json`.
    pub attack: &'a [u8],
    /// The configuration in force, as it was written; `None`: there was none.
    pub config: Option<&'a [u8]>,
    /// On what terms documents for others are made.
    pub terms: Terms,
    /// When the bag is sealed.
    pub at: Timestamp,
    /// Why it is kept.
    pub reason: &'a str,
    /// Who signs.
    pub signer: Option<&'a Signer>,
    /// Who stamps.
    pub authority: Option<&'a Authority>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Documents for others.
    pub documents: usize,
    /// Documents that were not given out.
    pub withheld: Vec<Withheld>,
    /// The SHA-256 of the bag's tag manifest, in hexadecimal digits.
    pub seal: Option<String>,
}

/// Writes `stix.json`, `misp.json`, `ddosch.json`, `intelmq.jsonl`, `sources.csv` and `xarf/*.json` into a folder, and seals the
/// bag in it, where packets were recorded: `Recorder::open(FOLDER/evidence, …)`.
///
/// # Errors
/// When the disk does not take it, or the time stamping authority does not answer.
pub fn write(
    folder: &Path,
    dossier: &Dossier,
    recorded: Option<&Recorded>,
    extra: &Extra<'_>,
) -> anyhow::Result<Written> {
    let (documents, withheld) = documents(dossier, extra.terms);
    let mut written = Written { documents: documents.len(), withheld, seal: None };
    for document in &documents {
        let path = folder.join(&document.path);
        let failed = || format!("{}: cannot be written; name a folder that can", path.display());
        std::fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(failed)?;
        std::fs::write(&path, &document.bytes).with_context(failed)?;
    }
    if let Some(recorded) = recorded {
        let stix = documents.into_iter().find(|document| document.path == "stix.json");
        let mut files = payload(dossier, extra);
        files.extend(stix.map(|stix| ("metadata/stix.json".to_owned(), stix.bytes)));
        let of: BTreeMap<IpAddr, &Finding> = dossier.findings.iter().map(|one| (one.address, one)).collect();
        let verdict = |source: IpAddr| of.get(&source).map(|finding| comment(finding));
        let sealing = Sealing {
            id: dossier.incident.id.clone(),
            organisation: dossier.reporter.organisation.clone(),
            contact: dossier.reporter.contact.clone(),
            reason: extra.reason.to_owned(),
            at: extra.at,
            files,
            verdict: &verdict,
            signer: extra.signer,
            authority: extra.authority,
        };
        written.seal = Some(ledger::text::hex(&seal(recorded, &sealing)?));
    }
    Ok(written)
}

fn payload(dossier: &Dossier, extra: &Extra<'_>) -> Vec<(String, Vec<u8>)> {
    let rules: String = dossier.incident.rules.iter().map(|rule| format!("{rule}\n")).collect();
    let config = match extra.config {
        Some(text) => ("data/config.toml", text.to_vec()),
        None => (
            "data/config.json",
            format!("{{\"software\":\"{SELF}\",\"profile\":\"capture\"}}\n").into_bytes(),
        ),
    };
    [
        ("data/attack.json", extra.attack.to_vec()),
        ("data/sources.csv", csv::complete(dossier)),
        ("data/rules.txt", rules.into_bytes()),
        config,
    ]
    .map(|(path, octets)| (path.to_owned(), octets))
    .into()
}

/// A packet's comment: what is said of its source.
fn comment(finding: &Finding) -> String {
    let reasons: Vec<String> = finding.reasons.iter().map(|reason| format!("{reason:?}")).collect();
    files::comment(csv::word(finding.class), finding.confidence, &reasons)
}
