//! Who writes: newest samples in memory, spilled into segments.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::{Prefix, Span, Timestamp};

use crate::batch::Batch;
use crate::error::HistoryError;
use crate::filter::ranges;
use crate::place;
use crate::recent::Recent;
use crate::sample::Sample;
use crate::segment;

/// Samples of a batch in memory.
const BATCH_MAX: usize = 8_192;

/// When memory is spilled.
#[derive(Clone, Copy, Debug)]
pub struct Spilling {
    /// Samples are in memory no longer than this: what a kill at any moment may cost.
    pub every: Span,
    /// Or until there are so many; each takes some 130 octets.
    pub rows: usize,
    /// So many are held while the disk refuses; the oldest go first and are counted.
    pub rows_max: usize,
}

impl Default for Spilling {
    fn default() -> Self {
        Self { every: Span::from_secs(60), rows: 262_144, rows_max: 1_048_576 }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples in segments.
    pub written: u64,
    /// Samples lost because the disk refused.
    pub dropped: u64,
    /// Segments written.
    pub segments: u64,
    /// Attempts that the disk refused.
    pub errors: u64,
}

/// The one who writes into a folder.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    spilling: Spilling,
    recent: Recent,
    open: Batch,
    held: usize,
    next: u64,
    networks: Vec<Prefix>,
    /// The same, as ranges.
    home: Arc<[(u128, u128)]>,
    spilled: Timestamp,
    counts: Counts,
}

impl Recorder {
    /// Goes on in a folder, which is made when needed; what a crash left half written is removed.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(folder: &Path, spilling: Spilling, now: Timestamp) -> Result<Self, HistoryError> {
        fs::create_dir_all(folder).map_err(HistoryError::disk(folder))?;
        let listing = place::list(folder)?;
        for left in listing.half.iter().chain(&listing.merged) {
            fs::remove_file(left).map_err(HistoryError::disk(left))?;
        }
        let next = listing.pieces.iter().map(|piece| piece.last.saturating_add(1)).max().unwrap_or(0);
        Ok(Self {
            folder: folder.to_owned(),
            spilling,
            recent: Recent::default(),
            open: Batch::default(),
            held: 0,
            next,
            networks: Vec::new(),
            home: Arc::new([]),
            spilled: now,
            counts: Counts::default(),
        })
    }

    /// From now on these are the own networks. The caller promises that no sample that went out went to one of them: traffic between
    /// own hosts is told once, as what came in. Questions about what an own host received then read little.
    pub fn know(&mut self, networks: &[Prefix]) {
        self.networks = networks.to_vec();
        self.home = networks.iter().flat_map(ranges).collect();
    }

    /// For those who ask while this one records.
    pub fn recent(&self) -> Recent {
        self.recent.clone()
    }

    /// What was done so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes a sample.
    pub fn push(&mut self, sample: &Sample<'_>) {
        self.open.push(sample);
        if self.open.len() >= BATCH_MAX {
            self.show();
        }
    }

    /// Lets those who ask see everything up to now; spills when it is time. Whoever calls this often keeps memory small.
    ///
    /// # Errors
    /// The disk refused: samples wait in memory for the next call, up to the bound.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), HistoryError> {
        self.show();
        let due = now.since(self.spilled) >= self.spilling.every || self.held >= self.spilling.rows;
        if due { self.spill(now) } else { Ok(()) }
    }

    /// Writes all that is in memory.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub fn spill(&mut self, now: Timestamp) -> Result<(), HistoryError> {
        self.show();
        // An attempt that failed is repeated when it is time again.
        self.spilled = now;
        let batches: Vec<Arc<Batch>> = self.recent.hold().clone();
        if batches.is_empty() {
            return Ok(());
        }
        let written = self.write(&batches);
        match &written {
            Ok(segments) => {
                self.counts.segments += segments;
                self.counts.written += count(self.held);
                self.held = 0;
                self.next += 1;
            }
            Err(_) => {
                self.counts.errors += 1;
                self.shed();
            }
        }
        written.map(|_| ())
    }

    /// What is open goes among what can be asked.
    fn show(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.open);
        batch.settle(&self.home);
        self.held += batch.len();
        self.recent.hold().push(Arc::new(batch));
        self.shed();
    }

    /// The oldest go where there are too many.
    fn shed(&mut self) {
        let mut recent = self.recent.hold();
        while self.held > self.spilling.rows_max && !recent.is_empty() {
            let batch = recent.remove(0);
            self.held = self.held.saturating_sub(batch.len());
            self.counts.dropped += count(batch.len());
        }
    }

    /// One segment for each hour, all or none of them.
    fn write(&self, batches: &[Arc<Batch>]) -> Result<u64, HistoryError> {
        let mut rows: BTreeMap<u64, usize> = BTreeMap::new();
        for at in batches.iter().flat_map(|batch| batch.instants()) {
            *rows.entry(place::hour_of(at)).or_default() += 1;
        }
        let mut hours: BTreeMap<u64, Batch> =
            rows.into_iter().map(|(hour, rows)| (hour, Batch::with_room(rows))).collect();
        for sample in batches.iter().flat_map(|batch| batch.iter()) {
            hours.entry(place::hour_of(sample.at)).or_default().push(&sample);
        }
        let mut drafts = Vec::new();
        let mut draft = || {
            for (hour, batch) in &hours {
                let path = place::path_of(&self.folder, *hour, self.next, self.next);
                let draft = place::draft_of(&path);
                let day = path.parent().unwrap_or(&self.folder);
                fs::create_dir_all(day).map_err(HistoryError::disk(day))?;
                drafts.push((draft.clone(), path));
                segment::write_sorted(batch, &draft, &self.networks)?;
            }
            Ok(())
        };
        let drafted = draft();
        if drafted.is_err() {
            for (draft, _) in &drafts {
                let _ = fs::remove_file(draft);
            }
            return drafted.map(|()| 0);
        }
        {
            let mut recent = self.recent.hold();
            for (draft, path) in &drafts {
                place::settle(draft, path)?;
            }
            recent.clear();
        }
        for (_, path) in &drafts {
            place::sync(path.parent().unwrap_or(&self.folder))?;
        }
        Ok(count(drafts.len()))
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
