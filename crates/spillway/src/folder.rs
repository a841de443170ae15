//! A folder that goes when we go, and files that are whole.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// A temporary folder that others cannot read; removed with this value.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new one, named by its purpose and this process.
    pub(crate) fn new(purpose: &str) -> anyhow::Result<Self> {
        let base = std::env::temp_dir();
        for n in 0..100 {
            let path = base.join(format!("{purpose}-{}-{n}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
            }
        }
        bail!("{}: no free name for a folder; remove old {purpose}-* folders", base.display())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The end of a file in it that a program wrote its complaints to, as a part of a sentence.
    pub(crate) fn last_words(&self, file: &str) -> String {
        let text = fs::read(self.0.join(file)).unwrap_or_default();
        let tail = text.get(text.len().saturating_sub(LAST_WORDS)..).unwrap_or(&text);
        match String::from_utf8_lossy(tail).trim() {
            "" => String::new(),
            words => format!("; it said: {words}"),
        }
    }
}

/// Writes a file that is whole, or as it was, whenever we are killed.
pub(crate) fn replace(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let fresh = path.with_added_extension("new");
    fs::write(&fresh, octets).and_then(|()| fs::rename(&fresh, path))
}

/// Removes our folders of this purpose whose process is gone without its farewell.
pub(crate) fn sweep(purpose: &str) {
    let me = nix::unistd::geteuid().as_raw();
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(purpose).and_then(|rest| rest.strip_prefix('-')?.split('-').next());
        let is_gone =
            owner.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists());
        let is_ours = entry.metadata().is_ok_and(|data| data.is_dir() && data.uid() == me);
        if is_gone && is_ours {
            // What cannot be removed is tried again by the next.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Of last words, so many octets are shown.
const LAST_WORDS: usize = 2_000;

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing of value is in it; that it stays would be a pity, not an error.
        let _ = fs::remove_dir_all(&self.0);
    }
}
