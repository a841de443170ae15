//! Sealing: each packet gets its verdict, then manifests, signature, time stamp and proof.

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use base::Timestamp;
use intel::bag::{self, Algorithm, Contents, Info};
use ledger::Signer;
use ledger::text::hex;

use super::copy::copy;
use super::custody::{self, SELF, Step};
use super::files::{self, contents};
use super::recorder::{ANNOTATED, CAPTURE, Recorded};
use super::stamp::Authority;

/// What a bag is sealed with.
pub struct Sealing<'a> {
    /// The attack's id.
    pub id: String,
    /// Who seals it.
    pub organisation: String,
    /// Where he is reached.
    pub contact: String,
    /// Why it was kept.
    pub reason: String,
    /// When it is sealed.
    pub at: Timestamp,
    /// Further files: path in the bag, and octets.
    pub files: Vec<(String, Vec<u8>)>,
    /// What is said of a source, as a packet's comment.
    pub verdict: &'a dyn Fn(IpAddr) -> Option<String>,
    /// Who signs.
    pub signer: Option<&'a Signer>,
    /// Who stamps.
    pub authority: Option<&'a Authority>,
}

/// Seals a bag that was recorded; gives the SHA-256 of its tag manifest, its name in the ledger.
///
/// # Errors
/// When the disk does not take it, or the time stamping authority does not answer. The bag is not valid then.
pub fn seal(recorded: &Recorded, sealing: &Sealing<'_>) -> anyhow::Result<[u8; 32]> {
    let folder = recorded.folder.as_path();
    annotate(recorded, sealing)?;
    for (path, octets) in &sealing.files {
        files::put(folder, path, octets)?;
    }
    let detail = format!("sealed: {}", sealing.reason);
    custody::append(
        folder,
        &Step { at: sealing.at, by: SELF, what: "sealed", detail, before: None, after: None },
    )?;
    files::put(folder, bag::BAGIT, bag::BAGIT_TEXT.as_bytes())?;
    let found = contents(folder)?;
    let payload = || found.files.iter().filter(|(path, _)| bag::is_payload(path));
    let info = Info {
        id: sealing.id.clone(),
        organisation: sealing.organisation.clone(),
        contact: sealing.contact.clone(),
        reason: sealing.reason.clone(),
        day: sealing.at.to_string().split('T').next().unwrap_or_default().to_owned(),
        software: SELF.to_owned(),
        octets: payload().map(|(_, digests)| digests.octets).sum(),
        files: u64::try_from(payload().count()).unwrap_or(u64::MAX),
    };
    files::put(folder, bag::BAG_INFO, info.text().as_bytes())?;
    manifest(folder, bag::MANIFEST, Algorithm::Sha256, &found, bag::is_payload)?;
    let tags = |path: &str| !bag::is_payload(path) && !bag::is_tag_manifest(path) && !bag::is_added(path);
    manifest(folder, bag::TAG_MANIFEST, Algorithm::Sha256, &contents(folder)?, tags)?;
    let (digests, text) = files::digest(&folder.join(bag::TAG_MANIFEST), true)?;
    if let Some(signer) = sealing.signer {
        let text = String::from_utf8(text).context("a manifest is text")?;
        let note = format!("{text}\n{}", signer.signature(&text));
        files::put(folder, bag::SIGNATURE, note.as_bytes())?;
        files::put(folder, bag::SIGNATURE_KEY, format!("{}\n", signer.verifier()).as_bytes())?;
    }
    if let Some(authority) = sealing.authority {
        let (query, answer) = authority.stamp(&digests.sha256)?;
        files::put(folder, bag::STAMP_QUERY, &query)?;
        files::put(folder, bag::STAMP, &answer)?;
    }
    close(folder)?;
    Ok(digests.sha256)
}

/// Adds the ledger's proof of a bag's seal.
///
/// # Errors
/// When there is no sealed bag, or the disk does not take it.
pub fn add_proof(folder: &Path, id: &str, proof: &str) -> anyhow::Result<()> {
    let report = bag::verify(&contents(folder)?, &[]);
    if let Some(fault) = report.faults.first() {
        bail!("{}: {fault}; a proof can only be added to a bag that is whole", folder.display());
    }
    let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    files::put(folder, &format!("ledger/{plain}.tlog-proof"), proof.as_bytes())?;
    close(folder)
}

/// Writes the manifest that covers what was added, too.
fn close(folder: &Path) -> anyhow::Result<()> {
    let tags = |path: &str| !bag::is_payload(path) && !bag::is_tag_manifest(path);
    manifest(folder, bag::OUTER_MANIFEST, Algorithm::Sha512, &contents(folder)?, tags)
}

fn manifest(
    folder: &Path,
    name: &str,
    algorithm: Algorithm,
    found: &Contents,
    covers: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let files = found.files.iter().filter(|(path, _)| covers(path));
    let text = bag::manifest(algorithm, files.map(|(path, digests)| (path.as_str(), digests)));
    files::put(folder, name, text.as_bytes())
}

/// Writes the capture anew, with a comment on each packet.
fn annotate(recorded: &Recorded, sealing: &Sealing<'_>) -> anyhow::Result<()> {
    let folder = recorded.folder.as_path();
    let (raw, done) = (folder.join(CAPTURE), folder.join(ANNOTATED));
    let (before, _) = files::digest(&raw, false)?;
    let copied = copy(&raw, &done, &recorded.about.described(), |packet, _| {
        let source = packet.parse().map(|parsed| parsed.headers.src);
        source.and_then(|source| (sealing.verdict)(source))
    })?;
    let cut = copied.cut.map_or_else(String::new, |cut| format!("; its end was left off: {cut}"));
    let kept = std::fs::File::open(&done).and_then(|file| file.sync_all());
    kept.and_then(|()| std::fs::rename(&done, &raw))
        .with_context(|| format!("{}: cannot be written", raw.display()))?;
    let (after, _) = files::digest(&raw, false)?;
    let step = Step {
        at: sealing.at,
        by: SELF,
        what: "annotated",
        detail: format!(
            "{} packets, each with the verdict on its source as a comment; octets and times unchanged{cut}",
            copied.packets
        ),
        before: Some(hex(&before.sha256)),
        after: Some(hex(&after.sha256)),
    };
    custody::append(folder, &step)
}
