//! The table of the aims: each event, ours beside the peer's.

use std::collections::BTreeSet;

use super::{Peer, Rows, fastnetmon, head, line, reached, seconds, seeds, spread};
use crate::event::{EVENTS, Event, Nature};
use crate::quantile::{Delays, median};
use crate::trial::{Outcome, Which};

pub(super) fn write(rows: &Rows, peer: &Peer) -> String {
    let leads: Vec<u64> = leads(rows).into_iter().collect();
    let mut text = format!(
        "sFlow 1:1000 sent every 100 ms, 100 kpps over a /16 and a /32 of IPv6, 65,536 hosts, default configuration but where it\n\
         says so; {}. Events begin at any part of a second. Seconds from the first attack packet to the decision, p50 / p95 / p99,\n\
         and how many were found; a miss is a delay without end.\n\n",
        seeds(rows.trials().filter(|(trial, _)| trial.priced).map(|(trial, _)| trial.seed))
    );
    let after: Vec<String> = leads.iter().map(|lead| format!("ours, lead-in {}", span(*lead))).collect();
    let mut heads = vec!["event", "aim"];
    heads.extend(after.iter().map(String::as_str));
    heads.extend(["FastNetMon, as shipped", "FastNetMon, best tuned", "aim reached"]);
    text.push_str(&head(&heads));
    let shown = || EVENTS.iter().filter(|event| !ours(rows, event, None).is_empty());
    for event in shown() {
        let mut cells = vec![event.says.to_owned(), aim(event)];
        let all: Vec<Vec<&Outcome>> = leads.iter().map(|lead| ours(rows, event, Some(*lead))).collect();
        cells.extend(all.iter().map(|outcomes| cell(event, outcomes)));
        cells.extend(fastnetmon::cells(rows, event, peer));
        cells.push(verdict(event, &all));
        text.push_str(&line(cells));
    }
    text.push_str(&worse(rows));
    text.push_str("\nWhat was said of them, over all worlds above:\n\n");
    text.push_str(&head(&[
        "event",
        "vector named right",
        "alarms per attack found",
        "next pulse answered",
        "other alarms, lead-in included",
    ]));
    for event in shown() {
        text.push_str(&told(event, &ours(rows, event, None)));
    }
    text.push_str(&incidents(rows, &leads));
    text
}

/// Where the peer is quicker, said plainly.
fn worse(rows: &Rows) -> String {
    let mut lines = Vec::new();
    for event in EVENTS.iter().filter(|event| event.nature != Nature::Honest) {
        let mine = delays(&ours(rows, event, None)).quantile(0.5);
        for (configuration, theirs) in fastnetmon::medians(rows, event) {
            if mine.is_none_or(|mine| theirs < mine) {
                lines.push(format!(
                    "* {}: {theirs:.2} s {configuration}, ours {} s",
                    event.says,
                    seconds(mine)
                ));
            }
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    format!("\nWhere FastNetMon is quicker (medians):\n\n{}\n", lines.join("\n"))
}

/// Lead-ins that were run.
fn leads(rows: &Rows) -> BTreeSet<u64> {
    let lead = |which: &Which| if let Which::Measured { lead, .. } = which { Some(*lead) } else { None };
    rows.trials().filter(|(trial, _)| trial.priced).filter_map(|(trial, _)| lead(&trial.world)).collect()
}

/// Outcomes of an event, of one lead-in or of all.
pub(super) fn ours<'a>(rows: &'a Rows, event: &Event, wanted: Option<u64>) -> Vec<&'a Outcome> {
    rows.trials()
        .filter(|(trial, _)| match &trial.world {
            Which::Measured { name, lead } => {
                trial.priced && *name == event.name && wanted.is_none_or(|wanted| wanted == *lead)
            }
            Which::Vector { .. } => false,
        })
        .map(|(_, outcome)| outcome)
        .collect()
}

fn delays(outcomes: &[&Outcome]) -> Delays {
    outcomes.iter().map(|outcome| outcome.delay).collect()
}

fn cell(event: &Event, outcomes: &[&Outcome]) -> String {
    match event.nature {
        Nature::Honest => {
            let alarmed = outcomes.iter().filter(|outcome| !outcome.strays.is_empty()).count();
            format!("alarm in {alarmed} of {}", outcomes.len())
        }
        Nature::Attack | Nature::Pulses => spread(&delays(outcomes)),
    }
}

fn aim(event: &Event) -> String {
    match (event.nature, event.aim) {
        (Nature::Honest, _) => "none".into(),
        (_, None) => "–".into(),
        (Nature::Pulses, Some(aim)) if aim > 10.0 => "within the second pulse".into(),
        (Nature::Pulses, Some(aim)) => format!("{aim} s, next pulse 0.25 s"),
        (Nature::Attack, Some(aim)) if event.name == "carpet-1M" => format!("{aim} s, one attack"),
        (Nature::Attack, Some(aim)) => format!("{aim} s"),
    }
}

/// The aims are medians; they hold for each lead-in.
fn verdict(event: &Event, all: &[Vec<&Outcome>]) -> String {
    if event.nature == Nature::Honest {
        return reached(all.iter().flatten().all(|outcome| outcome.strays.is_empty()));
    }
    let Some(aim) = event.aim else { return "–".into() };
    let soon = |outcomes: &Vec<&Outcome>| delays(outcomes).quantile(0.5).is_some_and(|median| median <= aim);
    let next = all.iter().flatten().flat_map(|outcome| outcome.pulses.iter().copied());
    let pulses = event.nature != Nature::Pulses
        || aim > 10.0
        || next.collect::<Delays>().quantile(0.5).is_some_and(|median| median <= 0.25);
    let one = event.name != "carpet-1M" || all.iter().flatten().all(|outcome| outcome.alarms <= 1);
    reached(all.iter().all(soon) && pulses && one)
}

fn told(event: &Event, outcomes: &[&Outcome]) -> String {
    let found: Vec<&&Outcome> = outcomes.iter().filter(|outcome| outcome.delay.is_some()).collect();
    let named = found.iter().filter(|outcome| outcome.named).count();
    let wrong: BTreeSet<&str> =
        found.iter().filter(|outcome| !outcome.named).filter_map(|o| o.called.as_deref()).collect();
    let wrong = if wrong.is_empty() {
        String::new()
    } else {
        format!(" (else {})", wrong.into_iter().collect::<Vec<_>>().join(", "))
    };
    let alarms = median(found.iter().map(|outcome| crate::quantile::count(outcome.alarms)));
    let most = found.iter().map(|outcome| outcome.alarms).max().unwrap_or(0);
    let pulses: Delays = outcomes.iter().flat_map(|outcome| outcome.pulses.iter().copied()).collect();
    let strays: Vec<String> = outcomes.iter().flat_map(|outcome| outcome.unexplained()).collect();
    let others = if strays.is_empty() {
        "none".into()
    } else {
        format!("{}: {}", strays.len(), super::few(&strays, 2))
    };
    let (named, alarms) = if event.nature == Nature::Honest {
        ("–".into(), "–".into())
    } else {
        let alarms = alarms.map_or_else(|| "–".into(), |median| format!("{median:.0}, at most {most}"));
        (format!("{named} of {}{wrong}", found.len()), alarms)
    };
    let pulses = if pulses.len() == 0 {
        "–".into()
    } else {
        let [p50, p95] = [0.5, 0.95].map(|share| seconds(pulses.quantile(share)));
        format!("{p50} / {p95} s, {} of {}", pulses.found(), pulses.len())
    };
    line([event.says.to_owned(), named, alarms, pulses, others])
}

/// Precision and recall per incident.
fn incidents(rows: &Rows, leads: &[u64]) -> String {
    let mut text = String::from(
        "\nPer incident, all events of the table together; events of one seed share their lead-in, an alarm in it counts once:\n\n",
    );
    text.push_str(&head(&["lead-in", "attacks", "found (recall)", "alarms", "justified (precision)"]));
    for lead in leads {
        let of = |which: &Which| matches!(which, Which::Measured { lead: mine, .. } if mine == lead);
        let all: Vec<(u64, &Outcome)> = rows
            .trials()
            .filter(|(trial, _)| trial.priced && of(&trial.world))
            .map(|(trial, outcome)| (trial.seed, outcome))
            .collect();
        let [attacks, found, alarms, strays] = super::feeds::incidents(&all);
        text.push_str(&line([
            span(*lead),
            attacks.to_string(),
            super::feeds::share(found, attacks),
            alarms.to_string(),
            super::feeds::share(alarms - strays, alarms),
        ]));
    }
    text
}

fn span(seconds: u64) -> String {
    if seconds.is_multiple_of(3600) { format!("{} h", seconds / 3600) } else { format!("{seconds} s") }
}
