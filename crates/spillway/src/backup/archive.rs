//! The archive: written from the first entry to the sums, and read back entry by entry, never by what it claims.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use super::{FORMAT, HEAD, Head, SUMS};

/// What a backup says of itself is no longer.
const HEAD_MAX: u64 = 1 << 20;
/// Nor are its sums.
const SUMS_MAX: u64 = 256 << 20;
/// Files in a backup at most.
const ENTRIES_MAX: usize = 1_000_000;

/// Writes entries and their sums.
pub(super) struct Writer<W: Write> {
    tar: tar::Builder<W>,
    sums: String,
    /// Entries so far.
    pub(super) files: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        Self { tar: tar::Builder::new(out), sums: String::new(), files: 0 }
    }

    /// An entry of these octets, exactly so many.
    pub(super) fn put(
        &mut self,
        name: &Path,
        length: u64,
        modified: u64,
        content: impl Read,
    ) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_mtime(modified);
        let mut content = Summed { inner: content.take(length), sum: Sha256::new(), octets: 0 };
        self.tar.append_data(&mut header, name, &mut content)?;
        if content.octets != length {
            return Err(io::Error::other(format!(
                "{} became shorter while it was read; try again",
                name.display()
            )));
        }
        self.files += 1;
        self.sums.push_str(&format!("{}  {}\n", hex(content.sum), name.display()));
        Ok(())
    }

    /// The sums, and the end.
    pub(super) fn finish(mut self, modified: u64) -> io::Result<W> {
        let sums = std::mem::take(&mut self.sums);
        let length = u64::try_from(sums.len()).unwrap_or(u64::MAX);
        self.put(Path::new(SUMS), length, modified, sums.as_bytes())?;
        self.tar.into_inner()
    }
}

/// Reads a whole backup and holds it against its sums.
///
/// # Errors
/// It is none, is of a newer format, or is damaged: where.
pub fn verify(path: &Path) -> anyhow::Result<(Head, u64)> {
    read(path, |_, _| Ok(()))
}

/// Reads a whole backup and shows each entry of its state and configuration; what is shown is proven at the end only. Gives its
/// head and the number of files.
pub(super) fn read(
    path: &Path,
    mut show: impl FnMut(&Path, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<(Head, u64)> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 18, file));
    let mut sums: BTreeMap<String, String> = BTreeMap::new();
    let (mut head, mut last) = (None, String::new());
    for entry in archive.entries()? {
        let mut entry = entry.map_err(|cause| damaged(path, &last, &cause))?;
        let place = entry.path().with_context(|| format!("{shown} is damaged behind `{last}`"))?.into_owned();
        let name = place.display().to_string();
        if !place.components().all(|part| matches!(part, Component::Normal(_))) {
            bail!("{shown} is no backup: it has an entry that leaves its folder, `{name}`");
        }
        if name == SUMS {
            let mut text = String::new();
            let read = (&mut entry).take(SUMS_MAX).read_to_string(&mut text);
            read.map_err(|cause| damaged(path, SUMS, &cause))?;
            compare(path, &sums, &text)?;
            let head =
                head.with_context(|| format!("{shown} is no backup: it does not begin with `{HEAD}`"))?;
            return Ok((head, u64::try_from(sums.len()).unwrap_or(u64::MAX)));
        }
        if sums.len() >= ENTRIES_MAX {
            bail!("{shown} has more than {ENTRIES_MAX} files; this is no backup");
        }
        let mut content = Summed { inner: &mut entry, sum: Sha256::new(), octets: 0 };
        if head.is_none() {
            head = Some(begin(path, &name, &mut content)?);
        } else {
            show(&place, &mut content).map_err(|cause| of_entry(path, &name, cause))?;
        }
        io::copy(&mut content, &mut io::sink()).map_err(|cause| damaged(path, &name, &cause))?;
        if sums.insert(name.clone(), hex(content.sum)).is_some() {
            bail!("{shown} is damaged: `{name}` is in it twice");
        }
        last = name;
    }
    bail!(
        "{shown} ends behind `{last}`, before its sums: it was cut off, or its writing was interrupted; take another one"
    )
}

/// What it says of itself.
fn begin(path: &Path, name: &str, content: &mut impl Read) -> anyhow::Result<Head> {
    let shown = path.display();
    if name != HEAD {
        bail!("{shown} is no backup: it does not begin with `{HEAD}`");
    }
    let mut text = String::new();
    content.take(HEAD_MAX).read_to_string(&mut text).map_err(|cause| damaged(path, HEAD, &cause))?;
    // The number first: the rest may have changed its form.
    let loose: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{shown} is damaged: `{HEAD}`"))?;
    let format = loose.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if format > u64::from(FORMAT) {
        bail!(
            "{shown} was made by a newer build (format {format}, this one knows {FORMAT}); restore it with that build"
        );
    }
    serde_json::from_value(loose).with_context(|| format!("{shown} is damaged: `{HEAD}`"))
}

fn compare(path: &Path, found: &BTreeMap<String, String>, sums: &str) -> anyhow::Result<()> {
    let shown = path.display();
    let mut left: BTreeMap<&str, &str> =
        sums.lines().filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name, sum)).collect();
    for (name, sum) in found {
        match left.remove(name.as_str()) {
            Some(noted) if noted == sum => {}
            Some(_) => bail!("{shown} is damaged: `{name}` is not what was written; take another one"),
            None => bail!("{shown} is damaged: `{name}` is not among its sums"),
        }
    }
    match left.keys().next() {
        Some(name) => bail!("{shown} is damaged: `{name}` is missing"),
        None => Ok(()),
    }
}

fn damaged(path: &Path, name: &str, cause: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{} is damaged at or behind `{name}`: {cause}; take another one", path.display())
}

fn of_entry(path: &Path, name: &str, cause: anyhow::Error) -> anyhow::Error {
    match cause.downcast::<io::Error>() {
        Ok(cause) => damaged(path, name, &cause),
        Err(cause) => cause,
    }
}

/// Adds up what is read through it.
struct Summed<R> {
    inner: R,
    sum: Sha256,
    octets: u64,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(room)?;
        self.sum.update(room.get(..count).unwrap_or_default());
        self.octets += u64::try_from(count).unwrap_or(0);
        Ok(count)
    }
}

fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|octet| format!("{octet:02x}")).collect()
}
