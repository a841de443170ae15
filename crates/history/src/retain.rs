//! What is kept: by age, by size, and so that the disk never fills.

use std::fs;
use std::path::Path;

use base::{Span, Timestamp};
use serde::Serialize;

use crate::error::HistoryError;
use crate::place::{self, Piece};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Segments go when their whole hour is older than this.
    pub age: Span,
    /// Octets of all segments.
    pub bytes: u64,
    /// Octets that the disk keeps free for others.
    pub free: u64,
}

/// What a look at the limits did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Segments deleted.
    pub segments: u64,
    /// Their octets.
    pub bytes: u64,
    /// The disk has less free than it should, though nothing is left that could be deleted: nothing more may be written.
    pub full: bool,
}

/// How much is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Segments.
    pub segments: u64,
    /// Their octets.
    pub bytes: u64,
    /// Beginning of the oldest hour.
    pub oldest: Option<Timestamp>,
    /// End of the newest hour.
    pub newest: Option<Timestamp>,
    /// Files that are none of ours; they are not deleted.
    pub foreign: u64,
}

/// Looks at what is there, by names alone.
///
/// # Errors
/// The folder cannot be read.
pub fn usage(folder: &Path) -> Result<Usage, HistoryError> {
    let listing = place::list(folder)?;
    Ok(Usage {
        segments: u64::try_from(listing.pieces.len()).unwrap_or(u64::MAX),
        bytes: listing.pieces.iter().map(|piece| piece.bytes).sum(),
        oldest: listing.pieces.first().map(Piece::from),
        newest: listing.pieces.last().map(Piece::to),
        foreign: listing.foreign,
    })
}

/// Deletes whole segments, oldest hour first, until all limits hold. `free` says how many octets the disk has left; `None`: unknown,
/// and no reason to delete.
///
/// # Errors
/// The folder cannot be read, or a file not be deleted.
pub fn retain(
    folder: &Path,
    limits: Limits,
    now: Timestamp,
    free: &mut dyn FnMut() -> Option<u64>,
) -> Result<Retained, HistoryError> {
    let listing = place::list(folder)?;
    let mut bytes: u64 = listing.pieces.iter().map(|piece| piece.bytes).sum();
    let mut done = Retained::default();
    let mut short = || free().is_some_and(|free| free < limits.free);
    for piece in &listing.pieces {
        let old = now.since(piece.to()) > limits.age;
        if !old && bytes <= limits.bytes && !short() {
            return Ok(done);
        }
        fs::remove_file(&piece.path).map_err(HistoryError::disk(&piece.path))?;
        bytes = bytes.saturating_sub(piece.bytes);
        done.segments += 1;
        done.bytes += piece.bytes;
        // The day's folder goes with its last file; it stays where something else is in it.
        let _ = piece.path.parent().map(fs::remove_dir);
    }
    done.full = short();
    Ok(done)
}
