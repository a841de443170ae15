//! What an order gets: the complete sealed bag as one file, or exactly the files of it that the order names.
//!
//! The archive is the same octets for the same bag: files in the order of their names, with nobody's name and no time. Of named files
//! the manifests go along, which hold digests alone: by them whoever gets it sees that the files are those of the bag whose seal
//! stands in the ledger.

use std::path::{Path, PathBuf};

use ::ledger::Hash;
use anyhow::{Context as _, bail};
use intel::bag::{self, MANIFEST, TAG_MANIFEST};

use super::case::PAYLOAD_MAX;
use crate::evidence::{contents, is_sealed};
use crate::witness::Place;

/// What was packed.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// SHA-256 of the bag's tag manifest.
    pub(crate) seal: Hash,
    /// The one file, where one was asked for.
    pub(crate) archive: Vec<u8>,
}

/// A sealed bag: by its attack's id in this state folder, or by its path or that of a folder that has it.
///
/// # Errors
/// There is none.
pub(crate) fn find(state_dir: &Path, named: &str) -> anyhow::Result<PathBuf> {
    let kept = Place::of(state_dir, named).map(|place| place.bag());
    let path = PathBuf::from(named);
    let places = kept.into_iter().chain([path.join("evidence"), path]);
    let found = places.into_iter().find(|bag| is_sealed(bag));
    let bag = found.with_context(|| {
        format!("`{named}`: no sealed bag; name one, or an attack that is over (`spillway attack list`)")
    })?;
    Ok(std::path::absolute(bag)?)
}

/// The seal of a bag that is as it was sealed.
///
/// # Errors
/// It is not.
pub(crate) fn seal(bag: &Path) -> anyhow::Result<Hash> {
    Ok(checked(bag)?.0)
}

fn checked(bag: &Path) -> anyhow::Result<(Hash, bag::Contents)> {
    let contents = contents(bag)?;
    let report = bag::verify(&contents, &[]);
    if let Some(fault) = report.faults.first() {
        bail!("{}: not as it was sealed: {fault}; `spillway evidence verify` says all", bag.display());
    }
    let text = report.seal.with_context(|| format!("{}: not sealed", bag.display()))?;
    Ok((serde_json::from_value(serde_json::Value::String(text)).context("its seal")?, contents))
}

/// Packs it whole, or these files of it.
///
/// # Errors
/// It is not as it was sealed, a file is not there, or it is too long.
pub(crate) fn pack(bag: &Path, files: Option<&[String]>) -> anyhow::Result<Packed> {
    let (seal, found) = checked(bag)?;
    let there = found.files;
    let wanted: Vec<&str> = match files {
        None => there.keys().map(String::as_str).collect(),
        Some(files) => {
            if let Some(missing) = files.iter().find(|file| !there.contains_key(*file)) {
                let all: Vec<&str> = there.keys().map(String::as_str).collect();
                bail!("`{missing}` is no file of the bag; it has: {}", all.join(", "));
            }
            let mut files: Vec<&str> =
                files.iter().map(String::as_str).chain([MANIFEST, TAG_MANIFEST]).collect();
            files.sort_unstable();
            files.dedup();
            files
        }
    };
    let mut archive = tar::Builder::new(Vec::new());
    let mut octets = 0;
    for name in wanted {
        let path = bag.join(name);
        let failed = || format!("{}: cannot be read", path.display());
        let length = std::fs::metadata(&path).with_context(failed)?.len();
        octets += length;
        if octets > PAYLOAD_MAX {
            bail!(
                "{}: more than {PAYLOAD_MAX} octets; name `files`, and hand it out in parts",
                bag.display()
            );
        }
        let content = std::fs::read(&path).with_context(failed)?;
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
        header.set_mode(0o644);
        archive
            .append_data(&mut header, Path::new("evidence").join(name), content.as_slice())
            .with_context(failed)?;
    }
    // What was read is what was sealed: nobody changed it meanwhile.
    if self::seal(bag)? != seal {
        bail!("{}: changed while it was packed; try again", bag.display());
    }
    Ok(Packed { seal, archive: archive.into_inner().context("the archive")? })
}
