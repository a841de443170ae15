//! Many small segments of an hour become one.

use std::fs::{self, File};
use std::path::Path;

use base::{Span, Timestamp};

use crate::batch::Batch;
use crate::chunk::Chunk;
use crate::column::Column;
use crate::error::HistoryError;
use crate::place::{self, Piece};
use crate::segment::{GROUP, Segment, Sink};

/// Segments that become one at once: each takes a row group of memory, some 2 MB.
const FAN: usize = 16;
/// An hour that goes on has at most so many segments before some of them become one.
const OPEN_MAX: usize = 32;
/// An hour is over so long after its end: by then its last samples are spilled.
const GRACE: Span = Span::from_secs(180);

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Segments that were read, and are gone.
    pub from: u64,
    /// Samples in the new one.
    pub rows: u64,
}

/// Merges once, where something is to be merged: an hour that is over becomes one segment, one that goes on does not become too many.
/// To be called again until it merges nothing. `room` says how many octets the disk has left; what does not fit waits. `stop` is asked
/// between row groups: `true` leaves everything as it was.
///
/// # Errors
/// The disk refused; nothing is lost, for the old ones go when the new one is there.
pub fn merge(
    folder: &Path,
    now: Timestamp,
    room: u64,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Merged, HistoryError> {
    let listing = place::list(folder)?;
    // What a merge left that was cut off behind its last step.
    for left in &listing.merged {
        fs::remove_file(left).map_err(HistoryError::disk(left))?;
    }
    let mut pieces = listing.pieces.as_slice();
    while let Some(first) = pieces.first() {
        let same = pieces.iter().take_while(|piece| piece.hour == first.hour).count();
        let (hour, rest) = pieces.split_at(same);
        pieces = rest;
        let is_over = now > first.to().plus(GRACE);
        if hour.len() < 2 || (!is_over && hour.len() <= OPEN_MAX) {
            continue;
        }
        for run in candidates(hour) {
            if run.iter().map(|piece| piece.bytes).sum::<u64>() > room {
                continue;
            }
            let merged = of(folder, run, stop)?;
            if merged.from > 0 {
                return Ok(merged);
            }
        }
    }
    Ok(Merged::default())
}

/// Runs of neighbours, the smallest first. What is torn parts them.
fn candidates(hour: &[Piece]) -> Vec<&[Piece]> {
    let whole = |piece: &Piece| Segment::open(&piece.path).is_ok();
    let mut runs: Vec<&[Piece]> = Vec::new();
    for whole_run in hour.split(|piece| !whole(piece)) {
        runs.extend(whole_run.windows(FAN.min(whole_run.len()).max(1)).filter(|run| run.len() > 1));
    }
    runs.sort_by_key(|run| run.iter().map(|piece| piece.bytes).sum::<u64>());
    runs
}

/// Makes one of these.
fn of(folder: &Path, run: &[Piece], stop: &mut dyn FnMut() -> bool) -> Result<Merged, HistoryError> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(Merged::default()) };
    let path = place::path_of(folder, first.hour, first.first, last.last);
    let draft = place::draft_of(&path);
    let written = write(&draft, run, stop);
    let rows = match written {
        Ok(Some(rows)) => rows,
        Ok(None) => {
            let _ = fs::remove_file(&draft);
            return Ok(Merged::default());
        }
        Err(cause) => {
            let _ = fs::remove_file(&draft);
            return match cause {
                // Torn behind a good footer: what can be read of it stays where it is.
                HistoryError::Torn { .. } => Ok(Merged::default()),
                cause => Err(cause),
            };
        }
    };
    place::settle(&draft, &path)?;
    place::sync(path.parent().unwrap_or(folder))?;
    for piece in run {
        fs::remove_file(&piece.path).map_err(HistoryError::disk(&piece.path))?;
    }
    Ok(Merged { from: u64::try_from(run.len()).unwrap_or(u64::MAX), rows })
}

/// Samples written; `None`: it was stopped.
fn write(draft: &Path, run: &[Piece], stop: &mut dyn FnMut() -> bool) -> Result<Option<u64>, HistoryError> {
    let file = File::create(draft).map_err(HistoryError::disk(draft))?;
    let mut sink = Sink::new(file, draft, true)?;
    let mut heads = Vec::new();
    for piece in run {
        heads.extend(Head::open(&piece.path)?);
    }
    // What was an own network in each of them.
    let of = |head: &Head| head.segment.networks().to_vec();
    let mut networks = heads.first().map(of).unwrap_or_default();
    networks.retain(|network| heads.iter().all(|head| head.segment.networks().contains(network)));
    let places: Vec<usize> = (0..GROUP).collect();
    let mut batch = Batch::default();
    // Few heads: the least is found by looking at each.
    while let Some(at) = heads.iter().enumerate().min_by_key(|(_, head)| head.key).map(|(at, _)| at) {
        let Some(head) = heads.get_mut(at) else { break };
        if let Some(sample) = head.chunk.sample(head.place) {
            batch.push(&sample);
        }
        if !head.next()? {
            heads.remove(at);
        }
        if batch.len() == GROUP {
            sink.group(&std::mem::take(&mut batch), &places)?;
            if stop() {
                return Ok(None);
            }
        }
    }
    sink.group(&batch, places.get(..batch.len()).unwrap_or(&[]))?;
    let rows = sink.rows();
    let file = sink.finish(&networks)?;
    file.sync_all().map_err(HistoryError::disk(draft))?;
    Ok(Some(rows))
}

/// Where the reading of a segment stands.
struct Head {
    segment: Segment,
    group: usize,
    chunk: Chunk,
    place: usize,
    /// Target and time of the sample at `place`.
    key: (u128, u64),
}

impl Head {
    /// At the first sample; `None`: there is none.
    fn open(path: &Path) -> Result<Option<Self>, HistoryError> {
        let segment = Segment::open(path)?;
        let mut head = Self { segment, group: 0, chunk: Chunk::new(0), place: 0, key: (0, 0) };
        Ok(head.load()?.then_some(head))
    }

    /// Goes to the next sample; `false`: there is none.
    fn next(&mut self) -> Result<bool, HistoryError> {
        self.place += 1;
        if self.place >= self.chunk.rows() {
            return self.load();
        }
        self.look();
        Ok(true)
    }

    fn load(&mut self) -> Result<bool, HistoryError> {
        if self.group >= self.segment.groups() {
            return Ok(false);
        }
        self.chunk = self.segment.read(self.group, &Column::ALL)?;
        self.group += 1;
        self.place = 0;
        self.look();
        Ok(true)
    }

    fn look(&mut self) {
        let target = self.chunk.address(Column::Target, self.place).unwrap_or(0);
        self.key = (target, self.chunk.number(Column::Time, self.place).unwrap_or(0));
    }
}
