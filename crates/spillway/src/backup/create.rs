//! Making one, beside a daemon that runs or none.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

use super::archive::Writer;
use super::contents::{Contents, Item};
use super::{CONFIGURATION, Extent, FOLDER, FORMAT, HEAD, Head, STATE};
use crate::config::{Config, veiled};

/// Backups that the daemon keeps of those it made itself; the oldest go.
const KEPT: usize = 8;

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// Where it is.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Files in it.
    pub files: u64,
    /// What it has.
    #[serde(flatten)]
    pub extent: Extent,
}

/// Makes one in the state folder's own place, without keys, and lets the oldest there go.
///
/// # Errors
/// As [`create`].
pub fn create_in(config: &Config, now: Timestamp) -> anyhow::Result<Made> {
    let folder = config.state_dir.join(FOLDER);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let name: String = now.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let made = create(config, &folder.join(format!("{name}.tar")), Extent::default(), now)?;
    let there = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> =
        there.filter(|path| path.extension().is_some_and(|end| end == "tar")).collect();
    all.sort();
    for old in all.iter().rev().skip(KEPT) {
        fs::remove_file(old).with_context(|| format!("cannot remove {}", old.display()))?;
    }
    Ok(made)
}

/// Makes one at `to`, which must not be there yet; it has its name only when it is whole and on the disk.
///
/// # Errors
/// Something cannot be read or written: which file.
pub fn create(config: &Config, to: &Path, extent: Extent, now: Timestamp) -> anyhow::Result<Made> {
    let shown = to.display();
    if to.symlink_metadata().is_ok() {
        bail!("{shown} exists; name a new file");
    }
    if !config.state_dir.is_dir() {
        bail!("there is no state folder {}; `spillway run` makes it", config.state_dir.display());
    }
    let part = to.with_added_extension("part");
    let what = || format!("cannot write {}", part.display());
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&part);
    let Ok(file) = Flock::lock(open.with_context(what)?, FlockArg::LockExclusiveNonblock) else {
        bail!("another backup is being written to {shown}; wait for it, or name another file");
    };
    // What one that was killed has left.
    file.set_len(0).with_context(what)?;
    let copies = Copies::make(&to.with_added_extension("copies"))?;
    let done = write(config, &file, &copies, extent, now).and_then(|files| {
        file.sync_all().with_context(what)?;
        fs::rename(&part, to).with_context(|| format!("cannot name {shown}"))?;
        let folder =
            to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("cannot sync {}", folder.display()))?;
        Ok(Made { file: to.to_path_buf(), bytes: file.metadata()?.len(), files, extent })
    });
    if done.is_err() {
        // Half of it is worth nothing.
        let _ = fs::remove_file(&part);
    }
    done
}

fn write(
    config: &Config,
    file: &File,
    copies: &Copies,
    extent: Extent,
    now: Timestamp,
) -> anyhow::Result<u64> {
    let folder = &config.state_dir;
    let seconds = now.secs();
    let Contents { databases, .. } =
        Contents::of(folder, extent).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut head = Head {
        format: FORMAT,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now.to_string(),
        extent,
        databases: Default::default(),
    };
    let mut copied = Vec::new();
    for item in databases {
        let copy = copies.0.join(item.name.file_name().unwrap_or_default());
        let schema =
            store::copy(&item.path, &copy).with_context(|| format!("cannot copy {}", item.path.display()))?;
        head.databases.insert(item.name.display().to_string(), schema);
        copied.push(Item { path: copy, name: item.name });
    }
    let mut out = Writer::new(BufWriter::with_capacity(1 << 18, file));
    let text = serde_json::to_vec_pretty(&head)?;
    out.put(Path::new(HEAD), u64::try_from(text.len()).unwrap_or(u64::MAX), seconds, text.as_slice())?;
    copied.iter().try_for_each(|item| add(&mut out, item))?;
    let place = config.ledger_place();
    // Before the ledger's files are listed, so that they go together; the scribe's queue waits meanwhile, and nobody for it.
    let held = place.root().is_dir().then(|| crate::ledger::hold(&place)).transpose()?;
    let Contents { ledger, files, .. } =
        Contents::of(folder, extent).with_context(|| format!("cannot read {}", folder.display()))?;
    ledger.iter().try_for_each(|item| add(&mut out, item))?;
    drop(held);
    files.iter().try_for_each(|item| add(&mut out, item))?;
    let written = &config.written.0;
    let text = if extent.keys { written.to_string() } else { veiled(written) };
    let name = Path::new(CONFIGURATION)
        .join(config.path.file_name().map_or_else(|| Path::new("spillway.toml"), Path::new));
    out.put(&name, u64::try_from(text.len()).unwrap_or(u64::MAX), seconds, text.as_bytes())?;
    let count = out.files;
    out.finish(seconds)?.flush()?;
    Ok(count)
}

/// A file as it is now. One that is gone meanwhile went by retention, or was replaced by its writer.
fn add<W: std::io::Write>(out: &mut Writer<W>, item: &Item) -> anyhow::Result<()> {
    let what = || format!("cannot take {}", item.path.display());
    let file = match File::open(&item.path) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        file => file.with_context(what)?,
    };
    let about = file.metadata().with_context(what)?;
    let modified = u64::try_from(about.mtime()).unwrap_or(0);
    out.put(&Path::new(STATE).join(&item.name), about.len(), modified, file).with_context(what)
}

/// A folder for copies of databases that goes with us.
struct Copies(PathBuf);

impl Copies {
    fn make(path: &Path) -> anyhow::Result<Self> {
        let _ = fs::remove_dir_all(path);
        DirBuilder::new()
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path.to_path_buf()))
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
