//! The walk over segments and memory.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use base::Timestamp;

use super::{Archive, Scanned, Work};
use crate::batch::Batch;
use crate::chunk::Chunk;
use crate::column::Column;
use crate::error::HistoryError;
use crate::filter::{Left, Node};
use crate::place::{self, Piece};
use crate::segment::Segment;

/// Files that are held open from the beginning, so that merging and retention take nothing away meanwhile.
const HELD_MAX: usize = 512;
/// Looks at a folder that changes while it is looked at.
const LOOKS_MAX: u32 = 8;

type Visit<'a, E> = &'a mut dyn FnMut(&Chunk, Option<&[bool]>) -> Result<(), E>;

/// Shows chunks with `columns` and which of their samples are asked for (`None`: all of them).
pub(super) fn scan<E: From<HistoryError>>(
    archive: Archive<'_>,
    node: &Node,
    (from, to): (Timestamp, Timestamp),
    columns: &[Column],
    work: &mut Work<'_>,
    visit: Visit<'_, E>,
) -> Result<Scanned, E> {
    let mut scanned = Scanned::default();
    let (files, recent) = hold(archive, (from, to), &mut scanned)?;
    for batch in recent.iter().rev() {
        if batch.times().is_none_or(|(first, last)| last < from || first >= to) {
            continue;
        }
        let chunk = Chunk::of(batch, &with(node, columns));
        scanned.rows += rows(chunk.rows());
        scanned.memory += rows(chunk.rows());
        visit(&chunk, Some(&node.mask(&chunk)))?;
    }
    for (piece, file) in files.into_iter().rev() {
        if scanned.partial.is_some() {
            break;
        }
        let opened = match file {
            Some(file) => Segment::from_file(file, &piece.path),
            None => Segment::open(&piece.path),
        };
        match opened {
            Ok(segment) => {
                scanned.segments += 1;
                one(&segment, &piece, node, columns, work, &mut scanned, visit)?;
            }
            Err(cause) => scanned.leave_out(&cause),
        }
    }
    Ok(scanned)
}

fn one<E: From<HistoryError>>(
    segment: &Segment,
    piece: &Piece,
    node: &Node,
    columns: &[Column],
    work: &mut Work<'_>,
    scanned: &mut Scanned,
    visit: Visit<'_, E>,
) -> Result<(), E> {
    for group in 0..segment.groups() {
        let left = match node.reduce(&segment.bounds(group)) {
            Left::Never => {
                scanned.pruned += 1;
                continue;
            }
            Left::Always => None,
            Left::Some(node) => Some(node),
        };
        let why = if scanned.rows >= work.rows_max {
            Some(format!("{} samples were looked at", scanned.rows))
        } else if (work.stop)() {
            Some("its time is over".to_owned())
        } else {
            None
        };
        if let Some(why) = why {
            scanned.partial = Some(format!(
                "{why}: nothing before {} is in it, and not all of the hour behind; ask for less time or narrower",
                piece.to()
            ));
            return Ok(());
        }
        let needed = left.as_ref().map_or_else(|| columns.to_vec(), |node| with(node, columns));
        // A damaged page: the row group is left out, the others are as good as before.
        let chunk = match segment.read(group, &needed) {
            Ok(chunk) => chunk,
            Err(cause) => {
                scanned.leave_out(&cause);
                continue;
            }
        };
        scanned.groups += 1;
        scanned.rows += rows(chunk.rows());
        let mask = left.map(|node| node.mask(&chunk));
        if mask.as_ref().is_none_or(|mask| mask.contains(&true)) {
            visit(&chunk, mask.as_deref())?;
        }
    }
    Ok(())
}

/// The columns that are asked for, and those that decide.
fn with(node: &Node, columns: &[Column]) -> Vec<Column> {
    let mut all = columns.to_vec();
    node.columns(&mut all);
    all
}

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

type Held = (Vec<(Piece, Option<File>)>, Vec<Arc<Batch>>);

/// Files and batches that hold samples of this time, each sample once.
fn hold(
    archive: Archive<'_>,
    (from, to): (Timestamp, Timestamp),
    scanned: &mut Scanned,
) -> Result<Held, HistoryError> {
    let mut looks = 0;
    loop {
        looks += 1;
        let memory = archive.recent.map(|recent| recent.hold());
        let listing = place::list(archive.folder)?;
        let batches = memory.as_ref().map(|batches| batches.to_vec()).unwrap_or_default();
        scanned.foreign = listing.foreign;
        let wanted = listing.pieces.into_iter().filter(|piece| piece.from() < to && piece.to() > from);
        let mut files = Vec::new();
        let mut moved = false;
        for (number, piece) in wanted.enumerate() {
            let file = if number < HELD_MAX { Some(File::open(&piece.path)) } else { None };
            match file {
                Some(Err(cause)) if cause.kind() == ErrorKind::NotFound && looks < LOOKS_MAX => {
                    moved = true;
                    break;
                }
                Some(Err(cause)) => scanned.leave_out(&HistoryError::disk(&piece.path)(cause)),
                Some(Ok(file)) => files.push((piece, Some(file))),
                None => files.push((piece, None)),
            }
        }
        if !moved {
            return Ok((files, batches));
        }
    }
}
