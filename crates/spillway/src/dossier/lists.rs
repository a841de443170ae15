//! The lists of `[intel]`, opened: one by one, so that a bad one takes none of the others away.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use base::Timestamp;
use intel::enrich::{List, Lists};

use super::whole;
use crate::config::ListFile;

/// Octets of a list's file at most.
const FILE_MAX: u64 = 256 << 20;

/// A list that was read, and when its file was changed last.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What stands in it.
    pub list: Arc<List>,
    /// By the clock of whoever wrote it.
    pub modified: Timestamp,
}

/// Opens all of them.
///
/// # Errors
/// The first that cannot be used, with its file, the line and the reason.
pub fn open(files: &[ListFile]) -> anyhow::Result<Lists> {
    let lists = files.iter().map(|file| Ok(read(file)?.list)).collect::<anyhow::Result<_>>()?;
    Ok(Lists(lists))
}

/// Opens one.
///
/// # Errors
/// It cannot be used: its file, the line and the reason.
pub fn read(from: &ListFile) -> anyhow::Result<Opened> {
    let shown = from.file.display();
    let failed = || format!("{shown}: cannot be read; name a file in [[intel.lists]] that can");
    let (modified, octets) = whole::read(&from.file, FILE_MAX).with_context(failed)?;
    if octets.len() as u64 > FILE_MAX {
        bail!("{shown}: more than {} MiB; a list has addresses and little else", FILE_MAX >> 20);
    }
    let text = String::from_utf8_lossy(&octets);
    let list = List::read(&from.name.get_ref().0, from.kind, &text)
        .map_err(|wrong| anyhow::anyhow!("{shown}: {wrong}"))?;
    Ok(Opened { list: Arc::new(list), modified })
}
