//! The walk over segments and memory.
//!
//! Reading and adding up cost about the same, so one thread reads ahead while the other adds up, in the order of the segments: what a question
//! answers does not depend on it. The reader is there for one question, and ends with it.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Builder;

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
/// Row groups that are read ahead.
const AHEAD: usize = 2;
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
        let Some((chunk, mask)) = remember(batch, node, columns) else { continue };
        scanned.rows += rows(chunk.rows());
        scanned.memory += rows(chunk.rows());
        visit(&chunk, mask.as_deref())?;
    }
    let (tell, told) = sync_channel(AHEAD);
    std::thread::scope(|scope| {
        let read = move || read(files, node, columns, &tell);
        let reader = Builder::new().name("history-read".to_owned()).spawn_scoped(scope, read);
        reader.map_err(HistoryError::disk(archive.folder))?;
        // Where this ends before all is told, the channel does, and so does the reader.
        for one in told {
            match one {
                Told::Opened => scanned.segments += 1,
                Told::Pruned => scanned.pruned += 1,
                Told::Torn(cause) => scanned.leave_out(&cause),
                Told::Group { chunk, mask, before } => {
                    scanned.partial = enough(&scanned, work, before);
                    if scanned.partial.is_some() {
                        break;
                    }
                    // A damaged page: the row group is left out, the others are as good as before.
                    let chunk = match chunk {
                        Ok(chunk) => chunk,
                        Err(cause) => {
                            scanned.leave_out(&cause);
                            continue;
                        }
                    };
                    scanned.groups += 1;
                    scanned.rows += rows(chunk.rows());
                    if mask.as_ref().is_none_or(|mask| mask.contains(&true)) {
                        visit(&chunk, mask.as_deref())?;
                    }
                }
            }
        }
        Ok(scanned)
    })
}

/// What of a batch in memory has to be looked at, and which of it is asked for (`None`: all of it).
fn remember(batch: &Batch, node: &Node, columns: &[Column]) -> Option<(Chunk, Option<Vec<bool>>)> {
    let left = match batch.order().map_or_else(|| Left::Some(node.clone()), |order| node.reduce(order)) {
        Left::Never => return None,
        Left::Always => return Some((Chunk::of(batch, None, columns), None)),
        Left::Some(left) => left,
    };
    let places = batch.order().zip(left.targets()).map(|(order, targets)| order.within(&targets));
    if places.as_ref().is_some_and(Vec::is_empty) {
        return None;
    }
    let chunk = Chunk::of(batch, places.as_deref(), &with(&left, columns));
    let mask = left.mask(&chunk);
    Some((chunk, Some(mask)))
}

/// Why it is enough, and what is missing then.
fn enough(scanned: &Scanned, work: &mut Work<'_>, before: Timestamp) -> Option<String> {
    let why = if scanned.rows >= work.rows_max {
        format!("{} samples were looked at", scanned.rows)
    } else if (work.stop)() {
        "its time is over".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "{why}: nothing before {before} is in it, and not all of the hour behind; ask for less time or narrower"
    ))
}

/// What the reader tells, in the order in which it reads.
enum Told {
    Opened,
    Pruned,
    /// A file that is no segment of ours any more.
    Torn(HistoryError),
    /// A row group that statistics do not exclude, which of its samples are asked for (`None`: all), and where its file begins.
    Group {
        chunk: Result<Box<Chunk>, HistoryError>,
        mask: Option<Vec<bool>>,
        before: Timestamp,
    },
}

/// Reads what may hold samples that are asked for, newest first, until nobody wants more of it.
fn read(files: Vec<(Piece, Option<File>)>, node: &Node, columns: &[Column], tell: &SyncSender<Told>) {
    for (piece, file) in files.into_iter().rev() {
        let opened = match file {
            Some(file) => Segment::from_file(file, &piece.path),
            None => Segment::open(&piece.path),
        };
        let told = match opened {
            Ok(segment) => one(&segment, &piece, node, columns, tell),
            Err(cause) => tell.send(Told::Torn(cause)).ok(),
        };
        if told.is_none() {
            return;
        }
    }
}

/// `None`: nobody wants more.
fn one(
    segment: &Segment,
    piece: &Piece,
    node: &Node,
    columns: &[Column],
    tell: &SyncSender<Told>,
) -> Option<()> {
    tell.send(Told::Opened).ok()?;
    for group in 0..segment.groups() {
        let left = match node.reduce(&segment.bounds(group)) {
            Left::Never => {
                tell.send(Told::Pruned).ok()?;
                continue;
            }
            Left::Always => None,
            Left::Some(node) => Some(node),
        };
        let needed = left.as_ref().map_or_else(|| columns.to_vec(), |node| with(node, columns));
        let chunk = segment.read(group, &needed).map(Box::new);
        let mask = left.and_then(|node| chunk.as_ref().ok().map(|chunk| node.mask(chunk)));
        tell.send(Told::Group { chunk, mask, before: piece.to() }).ok()?;
    }
    Some(())
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
        let listing = place::list_within(archive.folder, from, to)?;
        let batches = memory.as_ref().map(|batches| batches.to_vec()).unwrap_or_default();
        scanned.foreign = listing.foreign;
        let mut files = Vec::new();
        let mut moved = false;
        for (number, piece) in listing.pieces.into_iter().enumerate() {
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
