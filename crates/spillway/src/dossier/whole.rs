//! A file that is read whole.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use base::Timestamp;

/// When it was changed last, by the clock of whoever wrote it, and what stands in it: of more than `max` octets one more.
pub(super) fn read(path: &Path, max: u64) -> io::Result<(Timestamp, Vec<u8>)> {
    let file = File::open(path)?;
    let modified = file.metadata()?.modified()?;
    let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut octets = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut octets)?;
    Ok((Timestamp::from_secs(modified.as_secs()), octets))
}
