//! What is written: tables from results. Each part of the page has its file; a part says nothing that its rows do not.

mod comparison;
mod fastnetmon;
mod feeds;
mod price;
mod quiet;
mod recorded;
mod resources;
mod vectors;

use crate::plan::{Job, Row};
use crate::quantile::Delays;
use crate::quiet::{Peace, Quiet};
use crate::recorded::{Seen, Splice};
use crate::trial::{Outcome, Trial};

pub(crate) use fastnetmon::best;

/// Work and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Rows(pub(crate) Vec<(Job, Row)>);

impl Rows {
    fn trials(&self) -> impl Iterator<Item = (&Trial, &Outcome)> {
        self.0.iter().filter_map(|pair| match pair {
            (Job::Trial(trial), Row::Trial(outcome)) => Some((trial, outcome)),
            _ => None,
        })
    }

    fn quiet(&self) -> impl Iterator<Item = (&Quiet, &Peace)> {
        self.0.iter().filter_map(|pair| match pair {
            (Job::Quiet(quiet), Row::Quiet(peace)) => Some((quiet, peace)),
            _ => None,
        })
    }

    fn splices(&self) -> impl Iterator<Item = (&Splice, &Seen)> {
        self.0.iter().filter_map(|pair| match pair {
            (Job::Splice(splice), Row::Splice(seen)) => Some((splice, seen)),
            _ => None,
        })
    }
}

/// A part of the page.
pub(crate) struct Part {
    /// As its marks name it.
    pub(crate) name: &'static str,
    /// The parts of the work that it is made of.
    pub(crate) of: &'static [&'static str],
    /// Whether its figures are the same on every machine.
    pub(crate) fixed: bool,
    pub(crate) write: fn(&Rows, &Peer) -> String,
}

/// FastNetMon's version, or why it was not measured.
pub(crate) type Peer = Result<String, String>;

/// All of them, in the order of the page.
pub(crate) const PARTS: &[Part] = &[
    Part { name: "comparison", of: &["delays", "fastnetmon"], fixed: true, write: comparison::write },
    Part { name: "feeds", of: &["feeds"], fixed: true, write: |rows, _| feeds::write(rows) },
    Part { name: "vectors", of: &["vectors"], fixed: true, write: |rows, _| vectors::write(rows) },
    Part { name: "false-alarms", of: &["quiet"], fixed: true, write: |rows, _| quiet::write(rows) },
    Part { name: "collateral", of: &["delays"], fixed: true, write: |rows, _| price::write(rows) },
    Part { name: "recorded", of: &["recorded"], fixed: true, write: |rows, _| recorded::write(rows) },
    Part { name: "fastnetmon", of: &["fastnetmon"], fixed: false, write: fastnetmon::write },
    Part {
        name: "resources",
        of: &["resources", "delays"],
        fixed: false,
        write: |rows, _| resources::write(rows),
    },
];

/// Attacks that were missed outright and peaceful worlds that were not left in peace, of those that must not be.
pub(crate) fn broken(rows: &Rows) -> Vec<String> {
    let mut broken = Vec::new();
    for (job, row) in &rows.0 {
        let wrong = match (job, row) {
            (Job::Trial(trial), Row::Trial(outcome)) => feeds::broken(trial, outcome),
            (Job::Quiet(_), Row::Quiet(peace)) => quiet::broken(peace),
            (Job::Splice(splice), Row::Splice(seen)) => recorded::broken(splice, seen),
            _ => None,
        };
        broken.extend(wrong.map(|wrong| format!("{}: {wrong}", job.key())));
    }
    broken
}

/// Seconds, or that it never came.
fn seconds(delay: Option<f64>) -> String {
    delay.map_or_else(|| "∞".into(), |delay| format!("{delay:.2}"))
}

/// `p50 / p95 / p99 s, found of trials`.
fn spread(delays: &Delays) -> String {
    if delays.len() == 0 {
        return "not measured".into();
    }
    if delays.found() == 0 {
        return format!("never, 0 of {}", delays.len());
    }
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| seconds(delays.quantile(share)));
    format!("{p50} / {p95} / {p99} s, {} of {}", delays.found(), delays.len())
}

/// A share as percent.
fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// One row of a table.
fn line<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    cells.into_iter().fold("|".to_owned(), |line, cell| format!("{line} {} |", cell.as_ref())) + "\n"
}

/// The head of a table.
fn head(cells: &[&str]) -> String {
    line(cells) + &"|---".repeat(cells.len()) + "|\n"
}

/// Whether an aim was reached.
fn reached(yes: bool) -> String {
    if yes { "yes".into() } else { "**no**".into() }
}

/// The first of many, and how many more there are.
fn few(all: &[String], most: usize) -> String {
    let shown = all.iter().take(most).cloned().collect::<Vec<_>>().join("; ");
    match all.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// `seeds 1 to 20`, or each of them.
fn seeds(seeds: impl Iterator<Item = u64>) -> String {
    let all: Vec<u64> = seeds.collect::<std::collections::BTreeSet<u64>>().into_iter().collect();
    match all.as_slice() {
        [one] => format!("seed {one}"),
        [first, .., last] if all.len() > 2 && last - first + 1 == all.len() as u64 => {
            format!("seeds {first} to {last}")
        }
        _ => format!("seeds {}", all.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}
