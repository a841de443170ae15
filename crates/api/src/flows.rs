//! `/api/v1/flows/query`: who sent most, over what time, by what; and the same of one attack.
//!
//! A customer's question is narrowed before it is asked: rows are of its own targets, who of the operator's other networks talked to
//! them is left out as soon as the other end is asked about, and where it enters the network is not its business.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{Span, Timestamp};
use history::rollup::Wanted;
use history::{Answer, BadFilter, Column, Field, Filter, Measure, Question, Sample, Scanned};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use crate::attacks;
use crate::body::{Asked, Document, Part};
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{Count, FieldName, FieldNames, FilterText, Limit, Patience, Seconds, TimeText};

/// Questions that are answered at a time: each may take a core and some 50 MB.
static QUESTIONS: Semaphore = Semaphore::const_new(2);
/// Whoever comes then waits so long.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Rows of an answer: groups times steps.
const ROWS_MAX: u64 = 100_000;
/// Without a word, the last hour.
const USUAL: Span = Span::from_secs(3_600);
/// An attack begins before it is seen, and its last samples come late.
const MARGIN: Span = Span::from_secs(60);
/// What of a sample is the operator's alone.
const HIDDEN: [Column; 3] = [Column::Exporter, Column::InputIf, Column::OutputIf];
/// Why an answer in CSV is not all.
pub(crate) const PARTIAL: HeaderName = HeaderName::from_static("spillway-partial");

/// Whoever keeps flow samples. Calls take as long as `stop` lets them; they are made beside the server's own thread.
pub trait Flows: Send + Sync + 'static {
    /// Answers, what is in memory included.
    ///
    /// # Errors
    /// Why not.
    fn ask(
        &self,
        question: &Question,
        wanted: Wanted,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Answer, FlowsError>;

    /// Shows each sample that is asked for, until `show` says `false`.
    ///
    /// # Errors
    /// Why not.
    fn walk(
        &self,
        filter: &Filter,
        range: (Timestamp, Timestamp),
        stop: &mut dyn FnMut() -> bool,
        show: &mut dyn FnMut(&Sample<'_>),
    ) -> Result<Scanned, FlowsError>;
}

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowsError {
    /// Nothing is kept.
    Absent(String),
    /// It has to be asked otherwise.
    Wrong(String),
    /// What is kept cannot be read.
    Broken(String),
}

impl From<FlowsError> for Problem {
    fn from(error: FlowsError) -> Self {
        match error {
            FlowsError::Absent(why) => Self::missing(why, "`[history] enabled = true` keeps flow samples"),
            FlowsError::Wrong(why) => wrong(why),
            FlowsError::Broken(why) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, why, "look at the daemon's log and at its disk")
            }
        }
    }
}

fn wrong(why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, why, "`spillway flows --help` shows fields and filters")
}

/// By what the greatest are found.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FlowSort {
    /// Octets.
    #[default]
    Bytes,
    /// Packets.
    Packets,
    /// Samples.
    Samples,
}

/// What shall answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FlowSource {
    /// Sums by minute and hour, where the question is for two hours or more and they can answer it; else samples.
    #[default]
    Auto,
    /// Samples.
    Samples,
    /// Sums.
    Rollups,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FlowForm {
    /// A document.
    #[default]
    Json,
    /// The rows, with a header; what is missing stands in the header `Spillway-Partial`.
    Csv,
}

/// What is asked of flow samples.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowQuery {
    /// Which samples, in the filter language of `spillway flows query`; all, without one.
    #[serde(default)]
    filter: FilterText,
    /// From here on, RFC 3339; without it, `last`.
    from: Option<TimeText>,
    /// Before here; without it, now.
    to: Option<TimeText>,
    /// So many seconds before `to`; an hour without `from` and this.
    last: Option<Seconds>,
    /// Grouped by these fields, at most three.
    #[serde(default)]
    by: FieldNames,
    /// As a series in steps of so many seconds.
    step: Option<Seconds>,
    /// So many groups, 10 without it; all others are one.
    top: Option<Count>,
    /// The greatest by this.
    #[serde(default)]
    sort: FlowSort,
    /// What shall answer.
    #[serde(default)]
    source: FlowSource,
    /// The answer may take so many seconds; what was not looked at by then is said.
    #[serde(default)]
    within: Patience,
    /// How the answer is written.
    #[serde(default)]
    format: FlowForm,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowAnswer {
    /// What stands in each column: `time` in a series, the fields of the grouping, then bytes, packets, samples.
    columns: Vec<String>,
    /// The greatest first, or by time and then the greatest first; `(other)` is all the rest.
    #[schema(value_type = Vec<Vec<Value>>)]
    rows: Vec<Value>,
    /// Of all that was asked for.
    total: FlowSum,
    /// Groups were too many to be told apart: one that came late may be among the others.
    crowded: bool,
    /// `samples` or `rollups`: sums by minute and hour, of all that was told; their `samples` are records.
    kept: String,
    /// From here on: as asked, or rounded out to what sums are of.
    from: String,
    /// Before here.
    to: String,
    /// What was looked at, and whether it is all.
    scanned: FlowScan,
}

/// What samples add up to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowSum {
    /// Octets of layer 3, scaled.
    bytes: u64,
    /// Packets, scaled.
    packets: u64,
    /// Samples.
    samples: u64,
}

impl FlowSum {
    pub(crate) const fn of(sum: history::Sum) -> Self {
        Self { bytes: sum.bytes, packets: sum.packets, samples: sum.samples }
    }
}

/// What was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowScan {
    /// Segments opened.
    segments: u64,
    /// Row groups read.
    groups: u64,
    /// Row groups left out by their statistics.
    pruned: u64,
    /// Samples, or sums, looked at.
    rows: u64,
    /// How many of these were in memory alone.
    memory: u64,
    /// Segments and row groups left out because they are torn.
    torn: u64,
    /// Which ones and why, the first few; not for customers.
    torn_ones: Vec<String>,
    /// Files that are none of ours; not for customers.
    foreign: u64,
    /// Why it is not all; `null`: it is.
    partial: Option<String>,
}

impl FlowAnswer {
    fn of(answer: Answer, is_clear: bool) -> Self {
        let Scanned { segments, groups, pruned, rows, memory, torn, torn_ones, foreign, partial } =
            answer.scanned;
        Self {
            columns: answer.columns,
            rows: answer.rows.into_iter().filter_map(|row| serde_json::to_value(row).ok()).collect(),
            total: FlowSum::of(answer.total),
            crowded: answer.crowded,
            kept: match answer.kept {
                history::KeptAs::Samples => "samples".to_owned(),
                history::KeptAs::Rollups => "rollups".to_owned(),
            },
            from: answer.from.to_string(),
            to: answer.to.to_string(),
            scanned: FlowScan {
                segments,
                groups,
                pruned,
                rows,
                memory,
                torn,
                torn_ones: if is_clear { torn_ones } else { Vec::new() },
                foreign: if is_clear { foreign } else { 0 },
                partial,
            },
        }
    }
}

/// Add flow samples up by what they have in common: the greatest first, the newest minute included. A customer's answer is of its
/// own targets.
#[utoipa::path(
    post, path = "/api/v1/flows/query", tag = "flows", request_body = FlowQuery,
    responses(
        (status = 200, content((FlowAnswer = "application/json"), (String = "text/csv")),
            headers(("Spillway-Partial" = String, description = "With CSV: why it is not all"))),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn query(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<FlowQuery>,
) -> Result<Response, Problem> {
    let (from, to) = range(asked.from, asked.to, asked.last, shared.now())?;
    let question = Question {
        filter: filter(&asked.filter.0)?,
        from,
        to,
        by: asked.by.0.iter().map(|name| name.0).collect(),
        step: asked.step.map(|step| Span::from_secs(step.0)),
        top: asked.top.map_or(10, |top| top.0),
        order: match asked.sort {
            FlowSort::Bytes => Measure::Bytes,
            FlowSort::Packets => Measure::Packets,
            FlowSort::Samples => Measure::Samples,
        },
    };
    let wanted = match asked.source {
        FlowSource::Auto => Wanted::Auto,
        FlowSource::Samples => Wanted::Samples,
        FlowSource::Rollups => Wanted::Rollups,
    };
    let is_clear = caller.actor.scope().is_everything();
    let answer = ask(&shared, &caller, question, wanted, asked.within).await?;
    if asked.format == FlowForm::Json {
        return Ok(Json(FlowAnswer::of(answer, is_clear)).into_response());
    }
    let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present");
    let mut response = ([kind], answer.csv()).into_response();
    if let Some(why) = answer.partial().and_then(|why| HeaderValue::from_str(why).ok()) {
        response.headers_mut().insert(PARTIAL, why);
    }
    Ok(response)
}

/// By what, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Top {
    /// Grouped by this field; by sources without it.
    #[param(inline)]
    by: Option<FieldName>,
    /// So many groups, 10 without it; all others are one.
    #[param(inline)]
    limit: Option<Limit>,
}

/// Who, from where and to what an attack sent most, of the samples that are kept of it: sources, networks (`asn`), countries, ports.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}/top", tag = "attacks",
    params(("id" = String, Path, description = "The attack's id"), Top),
    responses(
        (status = 200, body = FlowAnswer),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn top(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Asked(asked): Asked<Top>,
) -> Result<Json<FlowAnswer>, Problem> {
    let document = attacks::find(&shared, &caller, &id)?;
    let document: Value = serde_json::from_str(document.get()).unwrap_or_default();
    let time = |key: &str| document.get(key).and_then(Value::as_str).and_then(|text| text.parse().ok());
    let to: Timestamp = time("ended_at").unwrap_or_else(|| shared.now()).plus(MARGIN);
    let from: Timestamp = time("started_at").unwrap_or_else(|| to.minus(USUAL)).minus(MARGIN);
    let question = Question {
        filter: Filter::attack(&id),
        from: from.min(to.minus(MARGIN)),
        to,
        by: vec![asked.by.map_or(Field::Of(Column::Foreign), |by| by.0)],
        step: None,
        top: asked.limit.map_or(10, |top| usize::try_from(top.0).unwrap_or(usize::MAX)),
        order: Measure::Packets,
    };
    let is_clear = caller.actor.scope().is_everything();
    let answer = ask(&shared, &caller, question, Wanted::Samples, Patience::default()).await?;
    Ok(Json(FlowAnswer::of(answer, is_clear)))
}

/// A time as RFC 3339 has it.
pub(crate) fn range(
    from: Option<TimeText>,
    to: Option<TimeText>,
    last: Option<Seconds>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Problem> {
    let time = |name: &str, text: Option<TimeText>| {
        let read = |text: TimeText| {
            text.0.parse::<Timestamp>().map_err(|why| wrong(format!("`{name}`: `{}` is {why}", text.0)))
        };
        text.map(read).transpose()
    };
    let to = time("to", to)?.unwrap_or(now);
    let from = match (time("from", from)?, last) {
        (Some(_), Some(_)) => return Err(wrong("`from` and `last` both say where it begins: leave one out")),
        (Some(from), None) => from,
        (None, last) => to.minus(last.map_or(USUAL, |last| Span::from_secs(last.0))),
    };
    if from >= to {
        return Err(wrong(format!("the time from {from} to {to} is empty: `from` is before `to`")));
    }
    Ok((from, to))
}

/// The filter, or where it is wrong.
pub(crate) fn filter(text: &str) -> Result<Filter, Problem> {
    text.parse().map_err(|bad: BadFilter| {
        // What was written comes back as little as possible: it may name what only its writer knows.
        wrong(format!("filter: {bad}"))
    })
}

async fn ask(
    shared: &Shared,
    caller: &Caller,
    question: Question,
    wanted: Wanted,
    within: Patience,
) -> Result<Answer, Problem> {
    let steps = question.step.map_or(0, |step| question.to.tick(step) - question.from.tick(step)) + 1;
    let top = u64::try_from(question.top).unwrap_or(u64::MAX);
    if steps.saturating_mul(top.saturating_add(1)) > ROWS_MAX {
        return Err(wrong(format!("more than {ROWS_MAX} rows: ask for fewer groups or longer steps")));
    }
    let filter = narrowed(shared, caller, question.filter.clone(), &question.by)?;
    let question = Question { filter, ..question };
    let work = move |shared: &Shared| {
        let mut stop = stopper(within);
        shared.flows.ask(&question, wanted, &mut stop).map_err(Problem::from)
    };
    asked(shared, work).await
}

/// Does what takes a core, when it is its turn.
pub(crate) async fn asked<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce(&Shared) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let turn = timeout(WAIT_MAX, QUESTIONS.acquire()).await;
    let Ok(Ok(turn)) = turn else {
        let hint = "ask again, or for less time and narrower";
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "others ask already, for longer than this can wait",
            hint,
        )
        .with(header::RETRY_AFTER, "5"));
    };
    // Whoever goes away leaves its work to end by itself: the turn goes with the work.
    shared
        .ask(move |shared| {
            let _turn = turn;
            work(shared)
        })
        .await
}

/// Ends a walk after a while.
pub(crate) fn stopper(within: Patience) -> impl FnMut() -> bool {
    #[expect(clippy::disallowed_methods, reason = "how long a client waits is no decision")]
    let begun = Instant::now();
    move || begun.elapsed() > Duration::from_secs(within.0)
}

/// The filter as far as it is this caller's business.
pub(crate) fn narrowed(
    shared: &Shared,
    caller: &Caller,
    filter: Filter,
    by: &[Field],
) -> Result<Filter, Problem> {
    let scope = caller.actor.scope();
    if scope.is_everything() {
        return Ok(filter);
    }
    let names =
        |column: Column| filter.tests(column) || by.iter().any(|field| field.columns().contains(&column));
    if HIDDEN.into_iter().any(names) {
        let hint = "ask for what is about your own prefixes";
        let why = "exporters and interfaces are the operator's";
        return Err(Problem::new(StatusCode::FORBIDDEN, why, hint));
    }
    let names_others = names(Column::Foreign);
    let mut own = filter;
    let mut seen = Filter::ALL;
    for set in scope.sets() {
        own = own.and(Filter::targets(set));
        seen = seen.and(Filter::foreigns(set));
    }
    if names_others {
        let others = Filter::foreigns(&shared.operate.networks()).and(seen.negated());
        own = own.and(others.negated());
    }
    Ok(own)
}
