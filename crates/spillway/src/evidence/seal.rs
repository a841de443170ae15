//! Sealing: manifests over a bag whose packets have their comments, signature, time stamp and proof.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use base::Timestamp;
use intel::bag::{self, Algorithm, Contents, Digests, Info};
use ledger::Signer;
use sha2::{Digest as _, Sha256};

use super::annotate::Annotated;
use super::custody::{self, SELF, Step};
use super::files::{self, contents};
use super::recorder::CAPTURE;
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
    /// Files of the payload that are in it by now, by [`put`].
    pub there: Vec<There>,
    /// Who signs.
    pub signer: Option<&'a Signer>,
    /// Who stamps.
    pub authority: Option<&'a Authority>,
}

/// A file that was put into a bag.
#[derive(Debug)]
pub struct There {
    path: String,
    digests: Digests,
}

/// Puts a file of the payload into a bag before it is sealed, and waits until it is on the disk: the sealing need not.
///
/// # Errors
/// When the disk does not take it.
pub fn put(folder: &Path, path: &str, octets: &[u8]) -> anyhow::Result<There> {
    files::put(folder, path, octets)?;
    files::settle(folder, [path])?;
    let octets_long = u64::try_from(octets.len()).unwrap_or(u64::MAX);
    let digests = Digests { sha256: Sha256::digest(octets).into(), sha512: None, octets: octets_long };
    Ok(There { path: path.to_owned(), digests })
}

/// Seals a bag; gives the SHA-256 of its tag manifest, its name in the ledger.
///
/// # Errors
/// When the disk does not take it, or the time stamping authority does not answer. The bag is not valid then.
pub fn seal(annotated: &Annotated, sealing: &Sealing<'_>) -> anyhow::Result<[u8; 32]> {
    let folder = annotated.folder.as_path();
    for (path, octets) in &sealing.files {
        files::put(folder, path, octets)?;
    }
    let detail = format!("sealed: {}", sealing.reason);
    custody::note(
        folder,
        &Step { at: sealing.at, by: SELF, what: "sealed", detail, before: None, after: None },
    )?;
    files::put(folder, bag::BAGIT, bag::BAGIT_TEXT.as_bytes())?;
    // What takes long has a digest that is known: it was hashed while it was written.
    let there = sealing.there.iter().map(|one| (one.path.as_str(), one.digests.clone()));
    let known: BTreeMap<_, _> = there.chain([(CAPTURE, annotated.capture.clone())]).collect();
    let mut found = files::contents_but(folder, &known)?;
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
    files::put_tag(folder, bag::BAG_INFO, info.text().as_bytes(), &mut found)?;
    manifest(folder, bag::MANIFEST, Algorithm::Sha256, &mut found, bag::is_payload)?;
    let tags = |path: &str| !bag::is_payload(path) && !bag::is_tag_manifest(path) && !bag::is_added(path);
    let text = manifest(folder, bag::TAG_MANIFEST, Algorithm::Sha256, &mut found, tags)?;
    let digest = found.files.get(bag::TAG_MANIFEST).context("the manifest that was written")?.sha256;
    if let Some(signer) = sealing.signer {
        let note = format!("{text}\n{}", signer.signature(&text));
        files::put_tag(folder, bag::SIGNATURE, note.as_bytes(), &mut found)?;
        let key = format!("{}\n", signer.verifier());
        files::put_tag(folder, bag::SIGNATURE_KEY, key.as_bytes(), &mut found)?;
    }
    if let Some(authority) = sealing.authority {
        let (query, answer) = authority.stamp(&digest)?;
        files::put_tag(folder, bag::STAMP_QUERY, &query, &mut found)?;
        files::put_tag(folder, bag::STAMP, &answer, &mut found)?;
    }
    let files: Vec<String> = found.files.keys().cloned().collect();
    close(folder, &files, &mut found)?;
    Ok(digest)
}

/// Adds the ledger's proof of a bag's seal.
///
/// # Errors
/// When there is no sealed bag, or the disk does not take it.
pub fn add_proof(folder: &Path, id: &str, proof: &str) -> anyhow::Result<()> {
    let mut found = contents(folder)?;
    let report = bag::verify(&found, &[]);
    if let Some(fault) = report.faults.first() {
        bail!("{}: {fault}; a proof can only be added to a bag that is whole", folder.display());
    }
    let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let path = format!("ledger/{plain}.tlog-proof");
    files::put_tag(folder, &path, proof.as_bytes(), &mut found)?;
    close(folder, &[path], &mut found)
}

/// Writes the manifest that covers what was added, too, as soon as all that was written is on the disk: where it is, there is a
/// whole bag.
fn close(folder: &Path, written: &[String], found: &mut Contents) -> anyhow::Result<()> {
    let written = || written.iter().map(String::as_str);
    files::settle(folder, written().chain(files::folders(written())).chain([".."]))?;
    let tags = |path: &str| !bag::is_payload(path) && !bag::is_tag_manifest(path);
    manifest(folder, bag::OUTER_MANIFEST, Algorithm::Sha512, found, tags)?;
    files::settle(folder, [bag::OUTER_MANIFEST, ""])
}

fn manifest(
    folder: &Path,
    name: &str,
    algorithm: Algorithm,
    found: &mut Contents,
    covers: impl Fn(&str) -> bool,
) -> anyhow::Result<String> {
    let files = found.files.iter().filter(|(path, _)| covers(path));
    let text = bag::manifest(algorithm, files.map(|(path, digests)| (path.as_str(), digests)));
    files::put_tag(folder, name, text.as_bytes(), found)?;
    Ok(text)
}
