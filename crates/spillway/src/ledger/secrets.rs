//! What entries commit to, and their salts: one file for 256 entries, one line an entry.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use ::ledger::disclosure::Record;
use ::ledger::tile::WIDTH;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, FileError, of};

/// Of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Of the entry.
    pub index: u64,
    /// In hexadecimal digits.
    pub salt: String,
    /// What the entry commits to, where it is a document and not a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What a sealed entry hides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

/// The folder of such files.
#[derive(Clone, Debug)]
pub(super) struct Secrets(pub(super) PathBuf);

impl Secrets {
    /// Writes these, whose indices follow each other.
    pub(super) fn append(&self, disk: &mut Disk, secrets: &[Secret]) -> Result<(), FileError> {
        for of_file in secrets.chunk_by(|a, b| a.index / WIDTH == b.index / WIDTH) {
            let Some(first) = of_file.first() else { continue };
            // begins a new line, whatever an interrupted append may have left
            let mut lines = String::from("\n");
            for secret in of_file {
                lines.push_str(&serde_json::to_string(secret).unwrap_or_default());
                lines.push('\n');
            }
            disk.extend(&self.file(first.index), lines.as_bytes(), 0o600)?;
        }
        Ok(())
    }

    /// The last one of this index: earlier ones are of appends that were not finished.
    pub(super) fn get(&self, index: u64) -> Result<Option<Secret>, FileError> {
        let read = |line: &str| serde_json::from_str::<Secret>(line).ok();
        Ok(self.lines(index)?.iter().rev().filter_map(|line| read(line)).find(|secret| secret.index == index))
    }

    /// Destroys what is kept of this entry; says whether there was something.
    pub(super) fn erase(&self, disk: &mut Disk, index: u64) -> Result<bool, FileError> {
        Ok(self.keep(disk, index, |secret| secret.index != index)? > 0)
    }

    /// Destroys what is kept of old entries, with their salts, file by file, until one has no old one. What a sealed entry hides stays,
    /// and so do salts without content. Says of how many.
    pub(super) fn erase_while(
        &self,
        disk: &mut Disk,
        is_old: impl Fn(u64) -> bool,
    ) -> Result<u64, FileError> {
        let mut files: Vec<u64> = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries
                .flatten()
                .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".jsonl")?.parse().ok())
                .collect(),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(cause) => return Err(of(&self.0)(cause)),
        };
        files.sort_unstable();
        let mut gone = 0;
        for file in files {
            let first = file.saturating_mul(WIDTH);
            let lines = self.lines(first)?;
            let indices =
                lines.iter().filter_map(|line| Some(serde_json::from_str::<Secret>(line).ok()?.index));
            let old: std::collections::BTreeSet<u64> = indices.filter(|index| is_old(*index)).collect();
            gone += self.keep(disk, first, |secret| {
                // A salt alone tells nothing of anybody; whoever has a file that was committed to can still show that.
                secret.record.is_some() || secret.content.is_none() || !old.contains(&secret.index)
            })?;
            if old.is_empty() {
                break;
            }
        }
        Ok(gone)
    }

    /// Destroys the lines of a file that are not to be kept, and such as cannot be read; says how many.
    fn keep(&self, disk: &mut Disk, index: u64, keep: impl Fn(&Secret) -> bool) -> Result<u64, FileError> {
        let lines = self.lines(index)?;
        let kept: Vec<&String> = lines
            .iter()
            .filter(|line| serde_json::from_str::<Secret>(line).is_ok_and(|s| keep(&s)))
            .collect();
        let gone = lines.len() - kept.len();
        let text: String = kept.into_iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let path = self.file(index);
        if gone > 0 {
            // What is replaced may stay on the disk for long, so it is written over, once the new one is in its place.
            let mut old = File::options().write(true).open(&path).map_err(of(&path))?;
            disk.replace(&path, text.as_bytes(), 0o600)?;
            let length = old.metadata().map_err(of(&path))?.len();
            let blank = vec![b'\n'; usize::try_from(length).unwrap_or(0)];
            old.write_all(&blank).and_then(|()| old.sync_all()).map_err(of(&path))?;
        }
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }

    fn lines(&self, index: u64) -> Result<Vec<String>, FileError> {
        let path = self.file(index);
        match std::fs::read(&path) {
            Ok(octets) => {
                let text = String::from_utf8_lossy(&octets);
                Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(cause) => Err(of(&path)(cause)),
        }
    }

    fn file(&self, index: u64) -> PathBuf {
        self.0.join(format!("{:09}.jsonl", index / WIDTH))
    }
}
