//! `spillway flows query`.

use std::io::Write;
use std::time::Instant;

use ::history::{Answer, Archive, Field, HistoryError, Measure, Question, Work, ask};
use base::Span;
use serde_json::{Map, Value};

use super::range::Range;
use super::{Place, filter};
use crate::cli::Context;
use crate::error::{complain, usage};
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
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sort {
    /// Octets
    Bytes,
    /// Packets
    Packets,
    /// Samples
    Samples,
}

/// Asks and prints.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let (from, to) = args.range.bounds()?;
    let question = Question {
        filter: filter(&args.filter)?,
        from,
        to,
        by: args.by.iter().map(|name| field(name)).collect::<anyhow::Result<_>>()?,
        step: args.step,
        top: args.top,
        order: match args.sort {
            Sort::Bytes => Measure::Bytes,
            Sort::Packets => Measure::Packets,
            Sort::Samples => Measure::Samples,
        },
    };
    let folder = args.place.folder()?;
    let mut stop = stopper(args.range.within, context)?;
    let answer = ask(Archive { folder: &folder, recent: None }, &question, &mut Work::until(&mut stop));
    let answer = match answer {
        Err(HistoryError::Question(wrong)) => return Err(usage(wrong)),
        answer => answer?,
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

/// Ends a walk after a while, or when its user had enough.
pub(super) fn stopper(within: Span, context: &Context) -> anyhow::Result<impl FnMut() -> bool> {
    context.interrupt.listen()?;
    let begun = Instant::now();
    Ok(move || {
        u64::try_from(begun.elapsed().as_nanos()).is_ok_and(|nanos| nanos > within.nanos())
            || context.interrupt.asked()
    })
}

fn field(name: &str) -> anyhow::Result<Field> {
    Field::named(name.trim()).ok_or_else(|| {
        let hint = Field::nearest(name).map_or(String::new(), |near| format!("did you mean `{near}`? "));
        usage(format!("--by: there is no field `{name}`; {hint}fields are {}", Field::names().join(", ")))
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
    writeln!(out, "total: {} octets, {} packets, {} samples", total.bytes, total.packets, total.samples)
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
