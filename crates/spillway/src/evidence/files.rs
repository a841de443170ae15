//! A bag's files: found, read once, digested.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use intel::bag::{CUSTODY, Contents, Digests, FILES_MAX, PATH_MAX, is_payload};
use sha2::{Digest as _, Sha256, Sha512};

/// Octets of texts that are kept of one bag; payload is only digested, whatever its length.
const TEXT_MAX: u64 = 64 << 20;
/// Folders within folders.
const DEPTH_MAX: usize = 16;

/// All of a bag's files with their digests, and its texts.
///
/// # Errors
/// It is no folder, has too many files, or something in it cannot be read or is no file.
pub fn contents(folder: &Path) -> anyhow::Result<Contents> {
    contents_but(folder, &BTreeMap::new())
}

/// Likewise, but what was `known` the moment it was written is not read again.
pub(super) fn contents_but(folder: &Path, known: &BTreeMap<&str, Digests>) -> anyhow::Result<Contents> {
    if !folder.is_dir() {
        bail!("{}: no bag; name a folder that `spillway evidence build` made", folder.display());
    }
    let mut bag = Contents::default();
    walk(folder, "", DEPTH_MAX, known, &mut bag)?;
    Ok(bag)
}

fn walk(
    folder: &Path,
    inside: &str,
    depth: usize,
    known: &BTreeMap<&str, Digests>,
    bag: &mut Contents,
) -> anyhow::Result<()> {
    let shown = folder.display();
    if depth == 0 {
        bail!("{shown}: folders within folders; this is no bag of ours");
    }
    for entry in fs::read_dir(folder).with_context(|| format!("{shown}: cannot be read"))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().with_context(|| format!("{shown}: a name that is not UTF-8"))?;
        let path = format!("{inside}{name}");
        let kind = entry.file_type()?;
        if path.len() > PATH_MAX || bag.files.len() >= FILES_MAX {
            bail!("{shown}: more than {FILES_MAX} files, or a path of more than {PATH_MAX} octets");
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), depth - 1, known, bag)?;
        } else if kind.is_file() {
            let kept = !is_payload(&path) || path == CUSTODY;
            let before: usize = bag.texts.values().map(Vec::len).sum();
            let left = TEXT_MAX.saturating_sub(u64::try_from(before).unwrap_or(u64::MAX));
            if kept && entry.metadata()?.len() > left {
                bail!("{}: too long for what a bag says of itself", entry.path().display());
            }
            let known = known.get(path.as_str()).filter(|_| !kept);
            let (digests, text) = match known {
                Some(known) => (known.clone(), Vec::new()),
                None => digest(&entry.path(), !is_payload(&path), kept)?,
            };
            bag.files.insert(path.clone(), digests);
            if kept {
                bag.texts.insert(path, text);
            }
        } else {
            bail!("{}: neither file nor folder; a bag has no links", entry.path().display());
        }
    }
    Ok(())
}

/// Reads a file through once; `both`: its SHA-512 is wanted too.
pub(super) fn digest(path: &Path, both: bool, keep: bool) -> anyhow::Result<(Digests, Vec<u8>)> {
    let failed = || format!("{}: cannot be read", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let (mut sha256, mut sha512) = (Sha256::new(), both.then(Sha512::new));
    let mut octets = 0;
    let mut text = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let some = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).with_context(failed),
        };
        sha256.update(some);
        if let Some(sha512) = &mut sha512 {
            sha512.update(some);
        }
        octets += u64::try_from(some.len()).unwrap_or(0);
        if keep {
            text.extend_from_slice(some);
        }
    }
    let sha512 = sha512.map(|sha512| sha512.finalize().into());
    Ok((Digests { sha256: sha256.finalize().into(), sha512, octets }, text))
}

/// Writes a file of a bag that is no payload, and notes what it is.
pub(super) fn put_tag(folder: &Path, path: &str, octets: &[u8], bag: &mut Contents) -> anyhow::Result<()> {
    put(folder, path, octets)?;
    let digests = Digests {
        sha256: Sha256::digest(octets).into(),
        sha512: Some(Sha512::digest(octets).into()),
        octets: u64::try_from(octets.len()).unwrap_or(u64::MAX),
    };
    bag.files.insert(path.to_owned(), digests);
    Ok(())
}

/// Writes a file of a bag, with its folder; [`settle`] brings it to the disk.
pub(super) fn put(folder: &Path, path: &str, octets: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(path);
    let failed = || format!("{}: cannot be written", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    fs::write(&path, octets).with_context(failed)
}

/// Files and folders that wait for the disk at once.
const SYNCED_MAX: usize = 16;

/// Waits until these files and folders of a bag are on the disk. They wait side by side: a journal that is written for one is
/// written for all of them.
pub(super) fn settle<'p>(folder: &Path, paths: impl IntoIterator<Item = &'p str>) -> anyhow::Result<()> {
    let paths: Vec<&str> = paths.into_iter().collect();
    let sync = |path: &&str| {
        let path = folder.join(path);
        let synced = File::open(&path).and_then(|file| file.sync_all());
        synced.with_context(|| format!("{}: cannot be written", path.display()))
    };
    let share = paths.len().div_ceil(SYNCED_MAX).max(1);
    std::thread::scope(|scope| {
        let shares = paths.chunks(share).map(|share| scope.spawn(move || share.iter().try_for_each(sync)));
        let under_way: Vec<_> = shares.collect();
        let ended = under_way
            .into_iter()
            .map(|one| one.join().map_err(|_| anyhow!("a thread gave up; please report this"))?);
        ended.collect()
    })
}

/// The folders within a bag that these files are in, and the bag's own, which is the empty path.
pub(super) fn folders<'p>(paths: impl IntoIterator<Item = &'p str>) -> BTreeSet<&'p str> {
    let above =
        |path: &'p str| path.match_indices('/').map(move |(at, _)| path.get(..at).unwrap_or_default());
    paths.into_iter().flat_map(above).chain([""]).collect()
}

/// What stands at a packet of a source: `verdict=bot confidence=0.950 reasons=D2,F1`.
pub fn comment(verdict: &str, confidence: f64, reasons: &[String]) -> String {
    let reasons = if reasons.is_empty() { "none".to_owned() } else { reasons.join(",") };
    format!("verdict={verdict} confidence={confidence:.3} reasons={reasons}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bag_waits_for_is_its_files_and_the_folders_above_them() {
        let bag = std::env::temp_dir().join(format!("spillway-settle-{}", std::process::id()));
        // More than wait at once.
        let paths: Vec<String> = (0..3 * SYNCED_MAX)
            .map(|n| format!("data/{}/{n}", n % 2))
            .chain(["bagit.txt".to_owned()])
            .collect();
        paths.iter().for_each(|path| put(&bag, path, b"x").unwrap());
        let paths = || paths.iter().map(String::as_str);
        assert_eq!(folders(paths()), BTreeSet::from(["", "data", "data/0", "data/1"]));
        settle(&bag, paths().chain(folders(paths())).chain([".."])).unwrap();
        settle(&bag, []).unwrap();
        let lost = settle(&bag, paths().chain(["data/lost"])).unwrap_err().to_string();
        assert!(lost.ends_with("data/lost: cannot be written"), "{lost}");
        fs::remove_dir_all(bag).unwrap();
    }
}
