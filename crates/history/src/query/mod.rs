//! Questions: who sent most, over what time, by what.
//!
//! A question walks over segments, newest hour first, leaves out what statistics exclude, and adds up the rest ([`group`]). Its work
//! is bounded twice: by samples looked at and by whoever asks ([`Work`]). What was cut off is said ([`Answer::partial`]).

mod answer;
mod group;
mod names;
mod scan;
mod tally;

use std::path::Path;

use base::{Span, Timestamp};

use crate::column::{Column, Field};
use crate::error::HistoryError;
use crate::filter::Filter;
use crate::recent::Recent;
use crate::sample::Sample;

pub(crate) use answer::line;
pub use answer::{Answer, Kept, Scanned, Sum, Value};
pub(crate) use group::Groups;

/// Fields of a grouping.
const FIELDS_MAX: usize = 3;
/// Steps of a series.
const STEPS_MAX: u64 = 10_000;
/// Groups that are told apart while it is added up; the rest is `other`. Some 50 MB.
const GROUPS_MAX: usize = 524_288;
/// Samples that one question looks at: some ten seconds.
const ROWS_MAX: u64 = 500_000_000;

/// Where samples are.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    /// The folder of segments.
    pub folder: &'a Path,
    /// What is in memory; `None`: this is not the process that records.
    pub recent: Option<&'a Recent>,
}

/// How much a question may cost.
pub struct Work<'a> {
    /// Samples looked at.
    pub rows_max: u64,
    /// Groups told apart.
    pub groups_max: usize,
    /// Asked between row groups: `true` ends it.
    pub stop: &'a mut dyn FnMut() -> bool,
}

impl<'a> Work<'a> {
    /// The usual bounds; `stop` ends it sooner.
    pub fn until(stop: &'a mut dyn FnMut() -> bool) -> Self {
        Self { rows_max: ROWS_MAX, groups_max: GROUPS_MAX, stop }
    }
}

/// By what the greatest are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Octets.
    #[default]
    Bytes,
    /// Packets.
    Packets,
    /// Samples.
    Samples,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which samples.
    pub filter: Filter,
    /// From here on.
    pub from: Timestamp,
    /// Before here.
    pub to: Timestamp,
    /// Grouped by these.
    pub by: Vec<Field>,
    /// As a series in steps of this; they begin at multiples of it.
    pub step: Option<Span>,
    /// So many groups by name; the rest is one.
    pub top: usize,
    /// The greatest by this.
    pub order: Measure,
}

impl Question {
    pub(crate) fn check(&self) -> Result<(), HistoryError> {
        let wrong = |what: String| Err(HistoryError::Question(what));
        if self.from >= self.to {
            return wrong(format!("the time from {} to {} is empty", self.from, self.to));
        }
        if self.by.len() > FIELDS_MAX {
            return wrong(format!("a grouping has at most {FIELDS_MAX} fields"));
        }
        for field in &self.by {
            match field {
                Field::Either(..) => {
                    return wrong(
                        "`host` and `port` name two things; group by target, foreign, src or dst".to_owned(),
                    );
                }
                Field::Of(Column::Time | Column::Packets | Column::Bytes) => {
                    return wrong(
                        "time, packets and bytes are no groups; use a step for a series".to_owned(),
                    );
                }
                _ => {}
            }
        }
        let Some(step) = self.step else { return Ok(()) };
        if step < Span::from_secs(1) {
            return wrong("a step is at least 1s".to_owned());
        }
        if self.to.tick(step) - self.from.tick(step) >= STEPS_MAX {
            return wrong(format!("more than {STEPS_MAX} steps; use a longer step or less time"));
        }
        Ok(())
    }
}

/// Answers.
///
/// # Errors
/// The question makes no sense, or the folder cannot be read. A segment that is torn is left out and said in the answer.
pub fn ask(archive: Archive<'_>, question: &Question, work: &mut Work<'_>) -> Result<Answer, HistoryError> {
    question.check()?;
    let mut groups = Groups::new(question, work.groups_max);
    let node = question.filter.between(question.from, question.to);
    let columns = groups.columns();
    let scanned = scan::scan::<HistoryError>(
        archive,
        &node,
        (question.from, question.to),
        &columns,
        work,
        &mut |chunk, mask| {
            groups.add(chunk, mask);
            Ok(())
        },
    )?;
    Ok(groups.answer(question, scanned))
}

/// Shows each sample that is asked for, in the order of the segments; what `show` returns as an error ends it.
///
/// # Errors
/// Those of `show`, and a folder that cannot be read.
pub fn walk<E: From<HistoryError>>(
    archive: Archive<'_>,
    filter: &Filter,
    (from, to): (Timestamp, Timestamp),
    work: &mut Work<'_>,
    show: &mut dyn FnMut(&Sample<'_>) -> Result<(), E>,
) -> Result<Scanned, E> {
    let node = filter.between(from, to);
    scan::scan(archive, &node, (from, to), &Column::ALL, work, &mut |chunk, mask| {
        for place in 0..chunk.rows() {
            let wanted = mask.is_none_or(|mask| mask.get(place).copied().unwrap_or(false));
            if wanted && let Some(sample) = chunk.sample(place) {
                show(&sample)?;
            }
        }
        Ok(())
    })
}
