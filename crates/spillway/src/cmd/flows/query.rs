//! `spillway flows query`.

use std::io::Write;
use std::time::Instant;

use ::history::rollup::{Rollups, Wanted, answer};
use ::history::{Answer, Archive, HistoryError, KeptAs, Question, Work};
use base::Span;
use serde_json::{Map, Value};

use super::range::Range;
use super::{Place, State};
use crate::cli::Context;
use crate::daemon::control;
use crate::error::{complain, usage};
use crate::history::order::{Answered, Query, Sort};
use crate::history::sums;
use crate::output::{self, Format};

/// Add samples up by what they have in common, the greatest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which samples; all, without one
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    /// Grouped by these fields, at most three
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    by: Vec<String>,
    #[command(flatten)]
    range: Range,
    /// So many groups; all others are one
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// As a series in steps of this, like 5m
    #[arg(long, value_name = "SPAN")]
    step: Option<Span>,
    /// The greatest by this
    #[arg(long, value_enum, default_value = "bytes")]
    sort: Sort,
    /// What answers
    #[arg(long, value_enum, default_value = "auto")]
    source: Source,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Source {
    /// Sums for two hours and more where they can answer, else samples
    Auto,
    /// Samples
    Samples,
    /// Sums by minute and hour
    Rollups,
}

/// Asks and prints.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let (from, to) = args.range.bounds()?;
    let query = Query {
        filter: args.filter.clone(),
        from,
        to,
        by: args.by.clone(),
        step: args.step,
        top: args.top,
        sort: args.sort,
        source: match args.source {
            Source::Auto => Wanted::Auto,
            Source::Samples => Wanted::Samples,
            Source::Rollups => Wanted::Rollups,
        },
        within: args.range.within,
    };
    let question = query.question().map_err(usage)?;
    let answer = match args.place.state()? {
        // Whoever records has the newest samples.
        Some(state) => match control::flows(&state.folder, query.clone())? {
            Some(Answered::Is(answer)) => *answer,
            Some(Answered::Wrong(wrong)) => return Err(usage(wrong)),
            None => read(args, &question, query.source, Some(&state), context)?,
        },
        None => read(args, &question, query.source, None, context)?,
    };
    let mut out = output::stdout();
    if context.csv {
        out.write_all(answer.csv().as_bytes())?;
    } else {
        match context.format(Format::Json) {
            Format::Json => output::document(&mut out, &answer)?,
            Format::Jsonl => lines(&answer).iter().try_for_each(|line| output::line(&mut out, line))?,
            Format::Text => table(&answer, &mut out)?,
        }
    }
    out.flush()?;
    warn(&answer);
    Ok(())
}

/// Reads the files.
fn read(
    args: &Args,
    question: &Question,
    wanted: Wanted,
    state: Option<&State>,
    context: &Context,
) -> anyhow::Result<Answer> {
    let folder = args.place.folder()?;
    let mut stop = stopper(args.range.within, context)?;
    let file = state.map(|state| sums(&state.folder));
    let rollups = file.as_ref().zip(state);
    let rollups = rollups.map(|(file, state)| Rollups { file, shelf: None, networks: &state.networks });
    let archive = Archive { folder: &folder, recent: None };
    match answer(archive, rollups, question, wanted, &mut Work::until(&mut stop)) {
        Err(HistoryError::Question(wrong)) => Err(usage(wrong)),
        answer => Ok(answer?),
    }
}

/// Ends a walk after a while, or when its user had enough.
pub(super) fn stopper(within: Span, context: &Context) -> anyhow::Result<impl FnMut() -> bool> {
    context.interrupt.listen()?;
    let begun = Instant::now();
    Ok(move || {
        u64::try_from(begun.elapsed().as_nanos()).is_ok_and(|nanos| nanos > within.nanos())
            || context.interrupt.asked()
    })
}

fn lines(answer: &Answer) -> Vec<Map<String, Value>> {
    let line = |row: &Vec<::history::Value>| {
        let values = row.iter().map(|value| serde_json::to_value(value).unwrap_or_default());
        answer.columns.iter().cloned().zip(values).collect()
    };
    answer.rows.iter().map(line).collect()
}

fn table(answer: &Answer, out: &mut impl Write) -> std::io::Result<()> {
    let mut rows: Vec<Vec<String>> = vec![answer.columns.clone()];
    let text = |value: &::history::Value| match value {
        ::history::Value::None => "-".to_owned(),
        value => value.to_string(),
    };
    rows.extend(answer.rows.iter().map(|row| row.iter().map(text).collect()));
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..answer.columns.len()).map(|column| width(column).unwrap_or(0)).collect();
    // The sums are the last three.
    let names = answer.columns.len().saturating_sub(3);
    for row in &rows {
        let cells = row.iter().zip(widths.iter().copied()).enumerate().map(|(column, (cell, width))| {
            if column < names { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    let total = answer.total;
    let (bytes, packets, samples) = (total.bytes, total.packets, total.samples);
    match answer.kept {
        KeptAs::Samples => writeln!(out, "total: {bytes} octets, {packets} packets, {samples} samples"),
        KeptAs::Rollups => writeln!(
            out,
            "total: {bytes} octets, {packets} packets, {samples} records, from sums of {} to {}",
            answer.from, answer.to
        ),
    }
}

/// What is not the whole truth goes to standard error, a line each.
fn warn(answer: &Answer) {
    if let Some(why) = answer.partial() {
        complain(&format!("this is not all: {why}"));
    }
    if answer.crowded {
        complain(
            "more groups than can be told apart: one that came late may be among the others; ask narrower",
        );
    }
    answer.scanned.torn_ones.iter().for_each(|torn| complain(torn));
}
