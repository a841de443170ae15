//! Where questions about flow samples go in, whatever run of the daemon it is.

use std::path::PathBuf;
use std::sync::Arc;

use ::history::rollup::{Rollups, Wanted, answer};
use ::history::{Answer, Archive, Filter, HistoryError, Question, Sample, Scanned, Work, walk};
use api::{Flows, FlowsError};
use base::{Prefix, Timestamp};

use super::{Board, lock};
use crate::desk::Place;

/// Samples that one question looks at, so that it leaves the core some room: some two seconds.
const ROWS_MAX: u64 = 100_000_000;
/// Groups that one question tells apart. Some 50 MB.
const GROUPS_MAX: usize = 524_288;

/// What is asked; empty where no samples are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door(Place<Inside>);

#[derive(Clone, Debug)]
pub(super) struct Inside {
    pub(super) folder: PathBuf,
    pub(super) sums: PathBuf,
    pub(super) networks: Arc<[Prefix]>,
    pub(super) board: Arc<Board>,
}

impl Door {
    /// From now on this is asked.
    pub(super) fn open(&self, inside: Option<Inside>) {
        self.0.set(inside);
    }

    fn inside(&self) -> Result<Inside, FlowsError> {
        let why = "no flow samples are kept: `history.enabled` is false, or the daemon is being reloaded";
        self.0.get().ok_or_else(|| FlowsError::Absent(why.to_owned()))
    }
}

impl Flows for Door {
    fn ask(
        &self,
        question: &Question,
        wanted: Wanted,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Answer, FlowsError> {
        let inside = self.inside()?;
        let recent = lock(&inside.board.recent).clone();
        let archive = Archive { folder: &inside.folder, recent: Some(&recent) };
        let shelf = Some(&inside.board.shelf);
        let rollups = Rollups { file: &inside.sums, shelf, networks: &inside.networks };
        let mut work = Work { rows_max: ROWS_MAX, groups_max: GROUPS_MAX, stop };
        answer(archive, Some(rollups), question, wanted, &mut work).map_err(refused)
    }

    fn walk(
        &self,
        filter: &Filter,
        range: (Timestamp, Timestamp),
        stop: &mut dyn FnMut() -> bool,
        show: &mut dyn FnMut(&Sample<'_>),
    ) -> Result<Scanned, FlowsError> {
        let inside = self.inside()?;
        let recent = lock(&inside.board.recent).clone();
        let archive = Archive { folder: &inside.folder, recent: Some(&recent) };
        let mut work = Work { rows_max: ROWS_MAX, groups_max: GROUPS_MAX, stop };
        let mut each = |sample: &Sample<'_>| {
            show(sample);
            Ok::<(), HistoryError>(())
        };
        walk(archive, filter, range, &mut work, &mut each).map_err(refused)
    }
}

fn refused(error: HistoryError) -> FlowsError {
    match error {
        HistoryError::Question(_) | HistoryError::Filter(_) => FlowsError::Wrong(error.to_string()),
        HistoryError::Disk { .. } | HistoryError::Torn { .. } | HistoryError::Store(_) => {
            FlowsError::Broken(error.to_string())
        }
    }
}
