//! The comparison for people: a row for each incident that is not the same.

use std::fmt::Write as _;

use base::Timestamp;

use super::compare::collateral;
use super::{Change, Incident, Row};
use crate::output::Paint;

/// Titles of the columns.
const TITLES: [&str; 6] = ["CHANGE", "TARGET", "WAY", "VECTOR", "OLD", "NEW"];

/// The table as text, or one line where there is no difference.
pub fn table(rows: &[Row], paint: Paint) -> String {
    let different: Vec<&Row> = rows.iter().filter(|row| row.change != Change::Same).collect();
    let same = rows.len() - different.len();
    if different.is_empty() {
        let both = match same {
            0 => "neither finds anything".to_owned(),
            1 => "both find the same incident".to_owned(),
            n => format!("both find the same {n} incidents"),
        };
        return format!("{}: {both}\n", paint.green("no difference"));
    }
    let cells: Vec<[String; 6]> = different.iter().map(|row| cells(row)).collect();
    let mut widths = TITLES.map(str::len);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut out = String::new();
    let titles = TITLES.iter().zip(widths).map(|(title, width)| format!("{title:width$}"));
    let _ = writeln!(out, "{}", paint.dim(titles.collect::<Vec<_>>().join("  ").trim_end()));
    for (row, cells) in different.iter().zip(&cells) {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let [change, rest @ ..] = padded.as_slice() else { continue };
        let _ = writeln!(out, "{}  {}", painted(row.change, change, paint), rest.join("  ").trim_end());
        details(&mut out, row, paint);
    }
    if same > 0 {
        let _ = writeln!(out, "{}", paint.dim(format!("and {same} as before")));
    }
    out
}

fn cells(row: &Row) -> [String; 6] {
    let named = if row.change == Change::Merged { &row.old } else { &row.new };
    let vector = named.as_ref().or(row.old.as_ref()).and_then(|incident| incident.vectors.first());
    [
        row.change.name().to_owned(),
        row.target.to_string(),
        row.direction.name().to_owned(),
        vector.cloned().unwrap_or_default(),
        side(row.old.as_ref(), row.since()),
        side(row.new.as_ref(), row.since()),
    ]
}

/// How sure, how soon, and how many rules.
fn side(incident: Option<&Incident>, since: Timestamp) -> String {
    let Some(incident) = incident else { return "-".to_owned() };
    let at = incident.attack_at.unwrap_or(incident.detected_at);
    let rules = match incident.rules.len() {
        0 => "no rule".to_owned(),
        1 => "1 rule".to_owned(),
        n => format!("{n} rules"),
    };
    format!("{} after {:.2} s, {rules}", incident.certainty(), at.since(since).as_secs_f64())
}

fn details(out: &mut String, row: &Row, paint: Paint) {
    let mut line = |what: &str, text: &str| {
        let _ = writeln!(out, "  {} {text}", paint.dim(format!("{what:<10}")));
    };
    for difference in &row.differences {
        line(difference.what, &format!("{} {} {}", difference.old, paint.dim("->"), difference.new));
    }
    let only = match row.change {
        Change::Appears => row.new.as_ref(),
        Change::Vanishes => row.old.as_ref(),
        _ => None,
    };
    for rule in only.iter().flat_map(|incident| &incident.rules) {
        line("rule", &paint.cyan(&rule.text));
    }
    if let Some(incident) = only.filter(|incident| !incident.rules.is_empty()) {
        line("collateral", &collateral(&incident.rules));
    }
    let whole = match row.change {
        Change::Merged => row.new.as_ref(),
        Change::Split => row.old.as_ref(),
        _ => None,
    };
    if let Some(whole) = whole {
        line("part of", &whole.target.to_string());
    }
}

fn painted(change: Change, text: &str, paint: Paint) -> String {
    match change {
        Change::Appears => paint.red(text),
        Change::Vanishes => paint.yellow(text),
        _ => paint.bold(text),
    }
}
