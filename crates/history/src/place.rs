//! Where segments lie: `DAY/HOUR-FIRST-LAST.parquet`, by the hour of their samples (UTC) and the numbers of the spills in them.
//!
//! A merged segment carries the range of what it was made of, so a reader that finds both leaves the smaller ones out, whenever the
//! merging was cut off. What is being written has a name that begins with a dot.

use std::fs;
use std::path::{Path, PathBuf};

use base::{Span, Timestamp};

use crate::error::HistoryError;

/// Files that are looked at; what is beyond waits for retention. At one segment a minute these are three months.
const FILES_MAX: usize = 131_072;
const HOUR: Span = Span::from_secs(3_600);

/// A segment on the disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    /// Hours since 1970.
    pub(crate) hour: u64,
    /// First spill in it.
    pub(crate) first: u64,
    /// Last spill in it.
    pub(crate) last: u64,
    /// The file.
    pub(crate) path: PathBuf,
    /// Its size in octets.
    pub(crate) bytes: u64,
}

impl Piece {
    /// When its hour began.
    pub(crate) const fn from(&self) -> Timestamp {
        Timestamp::ZERO.plus(HOUR.times(self.hour))
    }

    /// When its hour ended.
    pub(crate) const fn to(&self) -> Timestamp {
        self.from().plus(HOUR)
    }

    fn holds(&self, other: &Self) -> bool {
        self.hour == other.hour && self.first <= other.first && other.last <= self.last && self != other
    }
}

/// What lies in the folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// Segments by hour, then by their first spill.
    pub(crate) pieces: Vec<Piece>,
    /// Segments that a merged one holds.
    pub(crate) merged: Vec<PathBuf>,
    /// Files that a crash left half written.
    pub(crate) half: Vec<PathBuf>,
    /// Files and folders that are none of ours: they are left alone.
    pub(crate) foreign: u64,
}

/// The hour of an instant.
pub(crate) const fn hour_of(at: Timestamp) -> u64 {
    at.tick(HOUR)
}

/// Folder and name of a segment.
pub(crate) fn path_of(folder: &Path, hour: u64, first: u64, last: u64) -> PathBuf {
    let begins = Timestamp::ZERO.plus(HOUR.times(hour)).to_string();
    let (day, clock) = begins.split_once('T').unwrap_or((&begins, "00"));
    let hour = clock.get(..2).unwrap_or("00");
    folder.join(day).join(format!("{hour}-{first:010}-{last:010}.parquet"))
}

/// The name under which it is written.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

/// Looks at the folder; one that is not there is empty.
pub(crate) fn list(folder: &Path) -> Result<Listing, HistoryError> {
    list_within(folder, Timestamp::ZERO, Timestamp::from_nanos(u64::MAX))
}

/// The same of hours that this time meets alone: a question about the last minute looks at one day's names, and asks the disk about
/// one hour's files.
pub(crate) fn list_within(folder: &Path, from: Timestamp, to: Timestamp) -> Result<Listing, HistoryError> {
    let meets = |begin: Timestamp, span: Span| begin < to && begin.plus(span) > from;
    let mut listing = Listing::default();
    let Some(days) = entries(folder)? else { return Ok(listing) };
    let mut files = 0;
    for day in days {
        let name = day.file_name().to_string_lossy().into_owned();
        let Ok(midnight) = format!("{name}T00:00:00Z").parse::<Timestamp>() else {
            listing.foreign += 1;
            continue;
        };
        if !meets(midnight, HOUR.times(24)) {
            continue;
        }
        for file in entries(&day.path())?.into_iter().flatten() {
            files += 1;
            if files > FILES_MAX {
                break;
            }
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') && name.ends_with(".parquet.tmp") {
                listing.half.push(file.path());
                continue;
            }
            let Some((clock, first, last)) = numbers(&name) else {
                listing.foreign += 1;
                continue;
            };
            let hour = hour_of(midnight) + clock;
            if !meets(Timestamp::ZERO.plus(HOUR.times(hour)), HOUR) {
                continue;
            }
            // Gone meanwhile: merged, or too old.
            let Ok(data) = file.metadata() else { continue };
            listing.pieces.push(Piece { hour, first, last, path: file.path(), bytes: data.len() });
        }
    }
    listing.pieces.sort_by(|a, b| (a.hour, a.first, b.last).cmp(&(b.hour, b.first, a.last)));
    let mut kept: Vec<Piece> = Vec::with_capacity(listing.pieces.len());
    for piece in listing.pieces {
        // In this order, what holds others comes before them.
        if kept.last().is_some_and(|last| last.holds(&piece)) {
            listing.merged.push(piece.path);
        } else {
            kept.push(piece);
        }
    }
    listing.pieces = kept;
    Ok(listing)
}

fn entries(folder: &Path) -> Result<Option<Vec<fs::DirEntry>>, HistoryError> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let mut entries: Vec<fs::DirEntry> = entries.filter_map(Result::ok).take(FILES_MAX).collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            Ok(Some(entries))
        }
        Err(cause)
            if matches!(cause.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(cause) => Err(HistoryError::disk(folder)(cause)),
    }
}

/// Hour of the day, first and last spill.
fn numbers(name: &str) -> Option<(u64, u64, u64)> {
    let mut parts = name.strip_suffix(".parquet")?.split('-').map(str::parse);
    let (hour, first, last) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    (hour < 24 && first <= last && parts.next().is_none()).then_some((hour, first, last))
}

/// Gives a draft its name, for good.
pub(crate) fn settle(draft: &Path, path: &Path) -> Result<(), HistoryError> {
    fs::rename(draft, path).map_err(HistoryError::disk(path))
}

/// Lets the disk have the names in a folder.
pub(crate) fn sync(folder: &Path) -> Result<(), HistoryError> {
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(HistoryError::disk(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_is_in_it() {
        let at: Timestamp = "2026-11-26T16:20:00Z".parse().unwrap();
        let path = path_of(Path::new("f"), hour_of(at), 7, 12);
        assert_eq!(path, Path::new("f/2026-11-26/16-0000000007-0000000012.parquet"));
        assert_eq!(draft_of(&path), Path::new("f/2026-11-26/.16-0000000007-0000000012.parquet.tmp"));
        assert_eq!(numbers("16-0000000007-0000000012.parquet"), Some((16, 7, 12)));
        for foreign in
            ["24-1-1.parquet", "1-3-2.parquet", "x.parquet", "1-2.parquet", "1-2-3-4.parquet", "1-2-3"]
        {
            assert_eq!(numbers(foreign), None, "{foreign}");
        }
    }
}
