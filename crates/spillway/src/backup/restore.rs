//! Putting one back, into an empty folder alone. Until all of it is there and proven, a daemon refuses the folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::archive::read;
use super::{CONFIGURATION, Head, STATE, UNFINISHED, known};
use crate::ledger::{Place, View};

/// What was put back.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// What the backup says of itself.
    #[serde(flatten)]
    pub head: Head,
    /// Files.
    pub files: u64,
    /// Entries of the ledger, where there is one.
    pub ledger: Option<u64>,
}

/// Puts a backup into a folder that is empty or not there. A file that is not whole touches nothing.
///
/// # Errors
/// The backup is damaged or newer, the folder is not empty, or cannot be written.
pub fn restore(from: &Path, to: &Path) -> anyhow::Result<Restored> {
    let shown = to.display();
    if let Ok(mut there) = fs::read_dir(to) {
        if there.next().is_some() {
            bail!("{shown} is not empty; restore into a new folder, then put it in the place of the old one");
        }
    } else if to.symlink_metadata().is_ok() {
        bail!("{shown} is no folder");
    }
    let (head, files) = super::verify(from)?;
    for (name, schema) in &head.databases {
        if let Some(knows) = known(name).filter(|knows| schema > knows) {
            bail!(
                "{}: `{name}` was written by a newer build ({}; schema {schema}, this one knows {knows}); restore it with that build",
                from.display(),
                head.build
            );
        }
    }
    let is_new = !to.exists();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(to)
        .with_context(|| format!("cannot make {shown}"))?;
    let unfinished = to.join(UNFINISHED);
    let done = put(from, to, &unfinished).and_then(|ledger| {
        fs::remove_dir_all(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
        File::open(to)?.sync_all()?;
        Ok(Restored { head, files, ledger })
    });
    if done.is_err() {
        // It was empty: what is there is ours.
        let there = fs::read_dir(to).into_iter().flatten().flatten();
        there.for_each(|entry| {
            drop(fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path())))
        });
        if is_new {
            let _ = fs::remove_dir(to);
        }
    }
    done
}

/// Unpacks beside, looks at it, and moves it to its place; entries of the ledger.
fn put(from: &Path, to: &Path, unfinished: &Path) -> anyhow::Result<Option<u64>> {
    DirBuilder::new().mode(0o700).create(unfinished)?;
    let owner = fs::metadata(to)?;
    let owner = (owner.uid(), owner.gid());
    own(unfinished, owner)?;
    read(from, |name, content| unpack(&unfinished.join(name), unfinished, owner, content))?;
    let state = unfinished.join(STATE);
    for entry in fs::read_dir(&state).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "db") {
            store::examine(&path)?;
        }
    }
    let place = Place::new(&state, None, None);
    let ledger = place.checkpoint().exists().then(|| View::at(&place)).transpose();
    let ledger = ledger.map_err(|why| anyhow::anyhow!("the ledger in this backup is damaged: {why}"))?;
    let size = ledger.map(|view| view.checkpoint().size);
    for entry in fs::read_dir(&state).into_iter().flatten() {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    let configuration = unfinished.join(CONFIGURATION);
    if configuration.is_dir() {
        fs::rename(&configuration, to.join(CONFIGURATION))?;
    }
    Ok(size)
}

fn unpack(path: &Path, root: &Path, owner: (u32, u32), content: &mut dyn io::Read) -> anyhow::Result<()> {
    let what = || format!("cannot write {}", path.display());
    let mut missing = Vec::new();
    let mut folder = path.parent();
    while let Some(one) = folder.filter(|one| *one != root && !one.is_dir()) {
        missing.push(one);
        folder = one.parent();
    }
    for one in missing.into_iter().rev() {
        DirBuilder::new().mode(0o700).create(one).with_context(what)?;
        own(one, owner)?;
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(what)?;
    own(path, owner)?;
    // What cannot be read is the archive's fault, and told so.
    let mut octets = io::BufWriter::with_capacity(1 << 18, &file);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = content.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        io::Write::write_all(&mut octets, buffer.get(..count).unwrap_or_default()).with_context(what)?;
    }
    octets.into_inner().map_err(io::IntoInnerError::into_error).with_context(what)?;
    file.sync_all().with_context(what)
}

/// Whoever owns the folder owns what is in it, also where root restores.
fn own(path: &Path, (user, group): (u32, u32)) -> anyhow::Result<()> {
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(user), Some(group))
            .with_context(|| format!("cannot own {}", path.display()))?;
    }
    Ok(())
}
