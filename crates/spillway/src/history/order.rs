//! A question in the words of the control socket: what the command line asks the daemon, or the files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ::history::rollup::Wanted;
use ::history::{Answer, BadFilter, Field, Measure, Question};
use api::{Flows as _, FlowsError};
use base::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::door::Door;

/// Questions that are answered at a time.
const AT_ONCE_MAX: usize = 2;
/// No answer takes longer.
const WITHIN_MAX: Span = Span::from_secs(600);

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// In the filter language.
    pub(crate) filter: String,
    /// From here on.
    pub(crate) from: Timestamp,
    /// Before here.
    pub(crate) to: Timestamp,
    /// Names of fields.
    pub(crate) by: Vec<String>,
    /// As a series.
    pub(crate) step: Option<Span>,
    /// So many groups.
    pub(crate) top: usize,
    /// The greatest by this.
    pub(crate) sort: Sort,
    /// Samples or sums.
    pub(crate) source: Wanted,
    /// The answer may take so long.
    pub(crate) within: Span,
}

/// By what the greatest are found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sort {
    /// Octets
    Bytes,
    /// Packets
    Packets,
    /// Samples
    Samples,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answered {
    /// This.
    Is(Box<Answer>),
    /// It has to be asked otherwise.
    Wrong(String),
}

impl Query {
    /// With fields and filter read.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn question(&self) -> Result<Question, String> {
        Ok(Question {
            filter: self.filter.parse().map_err(|bad: BadFilter| marked(&self.filter, &bad))?,
            from: self.from,
            to: self.to,
            by: self.by.iter().map(|name| field(name)).collect::<Result<_, _>>()?,
            step: self.step,
            top: self.top,
            order: match self.sort {
                Sort::Bytes => Measure::Bytes,
                Sort::Packets => Measure::Packets,
                Sort::Samples => Measure::Samples,
            },
        })
    }
}

/// Where a filter is wrong.
pub(crate) fn marked(text: &str, wrong: &BadFilter) -> String {
    let (before, behind) = text.split_at_checked(wrong.at).unwrap_or((text, ""));
    format!(
        "filter, octet {}, behind `{}`, at `{}`: {}",
        wrong.at,
        end(before),
        behind.chars().take(20).collect::<String>(),
        wrong.message
    )
}

/// The last words.
fn end(text: &str) -> String {
    let from = text.char_indices().rev().nth(19).map_or(0, |(at, _)| at);
    text.get(from..).unwrap_or_default().trim().to_owned()
}

fn field(name: &str) -> Result<Field, String> {
    Field::named(name.trim()).ok_or_else(|| {
        let hint = Field::nearest(name).map_or(String::new(), |near| format!("did you mean `{near}`? "));
        format!("--by: there is no field `{name}`; {hint}fields are {}", Field::names().join(", "))
    })
}

/// Who answers at the control socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clerk {
    pub(crate) door: Door,
    under_way: Arc<AtomicUsize>,
}

impl Clerk {
    /// Answers. Takes as long as it was given.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) fn answer(&self, query: &Query) -> Result<Answered, String> {
        let question = match query.question() {
            Ok(question) => question,
            Err(wrong) => return Ok(Answered::Wrong(wrong)),
        };
        let _turn = Turn::take(&self.under_way)?;
        let begun = Instant::now();
        let within = Duration::from_nanos(query.within.min(WITHIN_MAX).nanos());
        match self.door.ask(&question, query.source, &mut || begun.elapsed() > within) {
            Ok(answer) => Ok(Answered::Is(Box::new(answer))),
            Err(FlowsError::Wrong(wrong)) => Ok(Answered::Wrong(wrong)),
            Err(FlowsError::Absent(why) | FlowsError::Broken(why)) => Err(why),
        }
    }
}

impl Clerk {
    /// What rules would have hit, by the samples of this last time; an hour without it.
    ///
    /// # Errors
    /// Why it cannot be said.
    pub(crate) fn preview(&self, rules: &str, last: Option<Span>) -> Result<serde_json::Value, String> {
        let _turn = Turn::take(&self.under_way)?;
        api::preview_samples(&self.door, rules, crate::daemon::clock::Clock::start().now(), last)
    }
}

struct Turn<'a>(&'a AtomicUsize);

impl<'a> Turn<'a> {
    fn take(count: &'a AtomicUsize) -> Result<Self, String> {
        if count.fetch_add(1, Ordering::Relaxed) < AT_ONCE_MAX {
            return Ok(Self(count));
        }
        count.fetch_sub(1, Ordering::Relaxed);
        Err("others ask already: try again, or read the files with --dir".to_owned())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
