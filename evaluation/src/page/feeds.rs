//! The same events through other samplings and other formats.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Rows, head, line, reached, spread};
use crate::event::{self, EVENTS, Event, Nature};
use crate::feed::Feed;
use crate::quantile::{Delays, count};
use crate::trial::{Outcome, Trial, Which};

pub(super) fn write(rows: &Rows) -> String {
    let mut text = String::new();
    let ways = ways(rows);
    for (feed, sampling, lead) in &ways {
        let mine = rows.trials().filter(|(trial, _)| of(trial, *feed, *sampling));
        let worlds = super::seeds(mine.map(|(trial, _)| trial.seed));
        let cache = matches!(feed, Feed::Cache60 | Feed::Cache10);
        let _ = writeln!(
            text,
            "### {}, 1:{sampling}\n\nLead-in {lead} s, {worlds}.{}\n",
            feed.name(),
            if cache {
                " A cache tells late; \"told\" is the first datagram with a flow of the attack."
            } else {
                ""
            }
        );
        let mut heads = vec!["event", "from the first packet, p50 / p95 / p99"];
        if cache {
            heads.extend([
                "told after, p50",
                "decided after it was told, p50 / p95 / p99",
                "told + 1 s reached",
            ]);
        }
        heads.extend(["named right", "other alarms"]);
        text.push_str(&head(&heads));
        for event in EVENTS {
            let all = outcomes(rows, event, *feed, *sampling);
            if !all.is_empty() {
                text.push_str(&row(event, &all, cache));
            }
        }
        text.push('\n');
    }
    text.push_str("### Per incident\n\n");
    text.push_str(&head(&["feed", "attacks", "found (recall)", "alarms", "justified (precision)"]));
    for (feed, sampling, _) in &ways {
        let mine = rows.trials().filter(|(trial, _)| of(trial, *feed, *sampling));
        let all: Vec<(u64, &Outcome)> = mine.map(|(trial, outcome)| (trial.seed, outcome)).collect();
        let [attacks, found, alarms, strays] = incidents(&all);
        text.push_str(&line([
            format!("{}, 1:{sampling}", feed.name()),
            attacks.to_string(),
            share(found, attacks),
            alarms.to_string(),
            share(alarms - strays, alarms),
        ]));
    }
    text
}

/// Attacks, those found, alarms, and alarms without a cause. Events of one seed have one lead-in in common: what was
/// called an attack in it counts once.
pub(super) fn incidents(all: &[(u64, &Outcome)]) -> [usize; 4] {
    let attacks = all.iter().filter(|(_, outcome)| outcome.attack).count();
    let found = all.iter().filter(|(_, outcome)| outcome.delay.is_some()).count();
    let early: BTreeSet<(u64, &String)> = all
        .iter()
        .flat_map(|(seed, outcome)| outcome.early.iter().map(move |stray| (*seed, stray)))
        .collect();
    let strays = early.len() + all.iter().map(|(_, outcome)| outcome.strays.len()).sum::<usize>();
    let justified: usize = all.iter().map(|(_, outcome)| outcome.alarms).sum();
    [attacks, found, justified + strays, strays]
}

/// `19 (95.0 %)`.
pub(super) fn share(part: usize, whole: usize) -> String {
    if whole == 0 { "–".into() } else { format!("{part} ({:.1} %)", 100.0 * count(part) / count(whole)) }
}

/// What the quick run must not see.
pub(super) fn broken(trial: &Trial, outcome: &Outcome) -> Option<String> {
    let Which::Measured { name, .. } = &trial.world else { return None };
    let event = event::named(name)?;
    if event.nature == Nature::Honest {
        let alarms = outcome.unexplained();
        return (!alarms.is_empty()).then(|| format!("alarmed: {}", super::few(&alarms, 3)));
    }
    let usual = trial.feed == Feed::Sflow && trial.sampling <= 1000;
    (usual && outcome.delay.is_none()).then(|| "missed".into())
}

fn row(event: &Event, all: &[&Outcome], cache: bool) -> String {
    let strays: usize = all.iter().map(|outcome| outcome.unexplained().len()).sum();
    let mut cells = vec![event.says.to_owned()];
    if event.nature == Nature::Honest {
        let alarmed = all.iter().filter(|outcome| !outcome.strays.is_empty()).count();
        cells.push(format!("alarm in {alarmed} of {}", all.len()));
        cells.extend(std::iter::repeat_n("–".to_owned(), if cache { 3 } else { 0 }));
        cells.extend(["–".to_owned(), strays.to_string()]);
        return line(cells);
    }
    cells.push(spread(&all.iter().map(|outcome| outcome.delay).collect()));
    if cache {
        let told: Delays = all.iter().map(|outcome| outcome.told).collect();
        // An alarm before the first flow of the attack would be luck; it counts as one at that instant.
        let after: Delays =
            all.iter().map(|outcome| Some((outcome.delay? - outcome.told?).max(0.0))).collect();
        cells.push(format!("{} s", super::seconds(told.quantile(0.5))));
        cells.push(spread(&after));
        cells.push(reached(after.quantile(0.5).is_some_and(|median| median <= 1.0)));
    }
    let found = all.iter().filter(|outcome| outcome.delay.is_some()).count();
    let named = all.iter().filter(|outcome| outcome.delay.is_some() && outcome.named).count();
    cells.extend([format!("{named} of {found}"), strays.to_string()]);
    line(cells)
}

/// Feed, sampling and lead-in of everything that was run, in order.
fn ways(rows: &Rows) -> Vec<(Feed, u32, u64)> {
    let mut ways: Vec<_> = rows
        .trials()
        .filter(|(trial, _)| !trial.priced)
        .filter_map(|(trial, _)| match trial.world {
            Which::Measured { lead, .. } => Some((trial.feed, trial.sampling, lead)),
            Which::Vector { .. } => None,
        })
        .collect();
    ways.sort_unstable();
    ways.dedup();
    ways
}

/// Whether a trial of the comparison's events went this way.
fn of(trial: &Trial, feed: Feed, sampling: u32) -> bool {
    let event = matches!(trial.world, Which::Measured { .. });
    event && !trial.priced && trial.feed == feed && trial.sampling == sampling
}

fn outcomes<'a>(rows: &'a Rows, event: &Event, feed: Feed, sampling: u32) -> Vec<&'a Outcome> {
    rows.trials()
        .filter(|(trial, _)| {
            let mine = matches!(&trial.world, Which::Measured { name, .. } if *name == event.name);
            mine && of(trial, feed, sampling)
        })
        .map(|(_, outcome)| outcome)
        .collect()
}
