//! What leaves the house, into the folder of an attack: documents for others, and the evidence bag.

use std::path::Path;

use anyhow::Context as _;
use base::Timestamp;
use base::map::{Map, Seed};
use intel::dossier::Dossier;
use intel::export::{Terms, Withheld, csv, documents};
use intel::finding::{Class, Finding, Reason};
use ledger::Signer;

use crate::evidence::custody::SELF;
use crate::evidence::recorder::Recorded;
use crate::evidence::seal::{There, put};
use crate::evidence::stamp::Authority;
use crate::evidence::{Annotating, Comments, Sealing, files, seal};

/// What goes with a dossier.
pub struct Extra<'a> {
    /// The attack's own document, as it is in `attack.json`.
    pub attack: &'a [u8],
    /// The configuration in force, without its secrets; `None`: there was none.
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

/// Begins to write at each packet what is said of its source; `at` is when the bag is sealed.
///
/// # Errors
/// When there can be no thread.
pub fn annotate(recorded: Recorded, dossier: &Dossier, at: Timestamp) -> anyhow::Result<Annotating> {
    let mut comments = Comments::default();
    let mut places: Map<(Class, u64, Vec<Reason>), usize> = Map::new(Seed::default());
    for finding in &dossier.findings {
        let said = (finding.class, finding.confidence.to_bits(), finding.reasons.clone());
        let place = *places.get_or_insert_with(said, || comments.text(comment(finding)));
        comments.say(finding.address, place);
    }
    Annotating::start(recorded, at, comments)
}

/// What is in a folder, or can go into its bag, before the attack's own document is made.
pub struct Prepared {
    id: String,
    organisation: String,
    contact: String,
    written: Written,
    there: Vec<There>,
    files: Vec<(String, Vec<u8>)>,
}

/// Writes `stix.json`, `misp.json`, `ddosch.json`, `intelmq.jsonl`, `sources.csv` and `xarf/*.json` into a folder, and seals the
/// bag in it, where packets were recorded, `Recorder::open(FOLDER/evidence, …)`, and get their comments, [`annotate`].
///
/// # Errors
/// When the disk does not take it, or the time stamping authority does not answer.
pub fn write(
    folder: &Path,
    dossier: &Dossier,
    recorded: Option<&mut Annotating>,
    extra: &Extra<'_>,
) -> anyhow::Result<Written> {
    let prepared =
        prepare(folder, dossier, extra.terms, recorded.as_deref().map(Annotating::folder), extra.config)?;
    finish(prepared, recorded, extra)
}

/// The first part of [`write`]: documents for others, and what goes into this bag.
///
/// # Errors
/// When the disk does not take it.
pub fn prepare(
    folder: &Path,
    dossier: &Dossier,
    terms: Terms,
    bag: Option<&Path>,
    config: Option<&[u8]>,
) -> anyhow::Result<Prepared> {
    let (documents, withheld) = documents(dossier, terms);
    let written = Written { documents: documents.len(), withheld, seal: None };
    let mut made = None;
    for document in &documents {
        let path = folder.join(&document.path);
        let failed = || format!("{}: cannot be written; name a folder that can", path.display());
        let parent = path.parent().unwrap_or(folder);
        // A report per source: there may be a hundred thousand of them in one folder.
        if made.as_deref() != Some(parent) {
            std::fs::create_dir_all(parent).with_context(failed)?;
            made = Some(parent.to_owned());
        }
        std::fs::write(&path, &document.bytes).with_context(failed)?;
    }
    let (mut there, mut files) = (Vec::new(), Vec::new());
    if let Some(bag) = bag {
        // As long as the attack has sources; the rest is short.
        there.push(put(bag, "data/sources.csv", &csv::complete(dossier))?);
        let stix = documents.into_iter().find(|document| document.path == "stix.json");
        files = payload(dossier, config);
        files.extend(stix.map(|stix| ("metadata/stix.json".to_owned(), stix.bytes)));
    }
    Ok(Prepared {
        id: dossier.incident.id.clone(),
        organisation: dossier.reporter.organisation.clone(),
        contact: dossier.reporter.contact.clone(),
        written,
        there,
        files,
    })
}

/// The second part of [`write`]: seals the bag. The dossier need not be there any more.
///
/// # Errors
/// When the disk does not take it, or the time stamping authority does not answer.
pub fn finish(
    prepared: Prepared,
    recorded: Option<&mut Annotating>,
    extra: &Extra<'_>,
) -> anyhow::Result<Written> {
    let Prepared { id, organisation, contact, mut written, there, mut files } = prepared;
    if let Some(annotating) = recorded {
        files.push(("data/attack.json".to_owned(), extra.attack.to_vec()));
        let sealing = Sealing {
            id,
            organisation,
            contact,
            reason: extra.reason.to_owned(),
            at: extra.at,
            files,
            there,
            signer: extra.signer,
            authority: extra.authority,
        };
        written.seal = Some(ledger::text::hex(&seal(annotating.wait()?, &sealing)?));
    }
    Ok(written)
}

/// What goes into a bag beside its packets, its sources and the attack's own document.
fn payload(dossier: &Dossier, config: Option<&[u8]>) -> Vec<(String, Vec<u8>)> {
    let rules: String = dossier.incident.rules.iter().map(|rule| format!("{rule}\n")).collect();
    let config = match config {
        Some(text) => ("data/config.toml", text.to_vec()),
        None => (
            "data/config.json",
            format!("{{\"software\":\"{SELF}\",\"profile\":\"capture\"}}\n").into_bytes(),
        ),
    };
    [("data/rules.txt", rules.into_bytes()), config].map(|(path, octets)| (path.to_owned(), octets)).into()
}

/// A packet's comment: what is said of its source.
fn comment(finding: &Finding) -> String {
    let reasons: Vec<String> = finding.reasons.iter().map(|reason| format!("{reason:?}")).collect();
    files::comment(csv::word(finding.class), finding.confidence, &reasons)
}
