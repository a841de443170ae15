//! Samples or sums: which of both answers.

use base::Span;

use super::ask::{Rollups, ask, why_not};
use super::book::Reader;
use crate::error::HistoryError;
use crate::query::{self, Answer, Archive, Question, Work};
use crate::retain::usage;

/// What shall answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Sums, where the question is for two hours or more, they can answer it and reach as far back as samples do; else samples.
    #[default]
    Auto,
    /// Samples.
    Samples,
    /// Sums.
    Rollups,
}

/// A shorter time is read from samples, which know its seconds.
const SHORT: Span = Span::from_secs(2 * 3_600);

/// Answers from samples or from sums, and says from which.
///
/// # Errors
/// The question makes no sense, or what was wanted cannot answer it or be read.
pub fn answer(
    archive: Archive<'_>,
    rollups: Option<Rollups<'_>>,
    question: &Question,
    wanted: Wanted,
    work: &mut Work<'_>,
) -> Result<Answer, HistoryError> {
    match (wanted, rollups) {
        (Wanted::Rollups, Some(rollups)) => ask(rollups, question, work),
        (Wanted::Rollups, None) => {
            Err(HistoryError::Question("there are no sums here, only samples".to_owned()))
        }
        (Wanted::Auto, Some(rollups)) if fits(archive, rollups, question)? => ask(rollups, question, work),
        _ => query::ask(archive, question, work),
    }
}

fn fits(archive: Archive<'_>, rollups: Rollups<'_>, question: &Question) -> Result<bool, HistoryError> {
    if question.to.since(question.from) < SHORT
        || why_not(question, rollups.networks).is_some()
        || !rollups.file.exists()
    {
        return Ok(false);
    }
    // A file that cannot be used now leaves the samples.
    let marks = Reader::open(rollups.file).and_then(|reader| reader.marks());
    let Some(since) = marks.ok().and_then(|marks| marks.since) else { return Ok(false) };
    Ok(since <= question.from
        || usage(archive.folder)?.oldest.is_none_or(|oldest| oldest.plus(super::HOUR) > since))
}
