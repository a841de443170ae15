//! The peer, in figures of its own and in cells beside ours.

use std::fmt::Write as _;

use super::{Peer, Rows, few, head, line, spread};
use crate::event::{EVENTS, Event, Nature};
use crate::peer::{Bans, SEEDS, THRESHOLDS, TUNING_SEED, Variant};
use crate::plan::{Job, Row};
use crate::quantile::Delays;

/// Runs of one configuration on these worlds.
fn runs(rows: &Rows, variant: Variant, tuning: bool) -> impl Iterator<Item = (&'static str, &Bans)> {
    rows.0.iter().filter_map(move |pair| match pair {
        (Job::Duel(duel), Row::Duel(bans))
            if duel.variant == variant && (duel.seed == TUNING_SEED) == tuning =>
        {
            Some((duel.event, bans))
        }
        _ => None,
    })
}

/// Attacks found less innocents banned, on the tuning world; `None` while an event is missing.
fn score(rows: &Rows, pps: u32) -> Option<(i64, usize, usize)> {
    let (mut found, mut innocents, mut events) = (0, 0, 0);
    for (_, bans) in runs(rows, Variant::Tuned(pps), true) {
        events += 1;
        found += usize::from(bans.delay.is_some());
        innocents += bans.innocents.len();
    }
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    (events == EVENTS.len()).then(|| (signed(found) - signed(innocents), found, innocents))
}

/// The threshold with the best score; of equals the highest.
pub(crate) fn best(rows: &Rows) -> Option<u32> {
    THRESHOLDS.into_iter().filter_map(|pps| Some((score(rows, pps)?.0, pps))).max().map(|(_, pps)| pps)
}

/// As shipped and best tuned.
pub(super) fn cells(rows: &Rows, event: &Event, peer: &Peer) -> [String; 2] {
    let variants = [Some(Variant::Shipped), best(rows).map(Variant::Tuned)];
    variants.map(|variant| {
        let Some(variant) = variant.filter(|_| peer.is_ok()) else { return "not measured".to_owned() };
        let all: Vec<&Bans> = runs(rows, variant, false)
            .filter(|(name, _)| *name == event.name)
            .map(|(_, bans)| bans)
            .collect();
        if all.is_empty() { "not measured".to_owned() } else { cell(event, &all) }
    })
}

/// Its median delay in each configuration in which it found the event.
pub(super) fn medians(rows: &Rows, event: &Event) -> Vec<(&'static str, f64)> {
    let variants = [("as shipped", Some(Variant::Shipped)), ("tuned", best(rows).map(Variant::Tuned))];
    let median = |variant| {
        let mine = runs(rows, variant, false).filter(|(name, _)| *name == event.name);
        mine.map(|(_, bans)| bans.delay).collect::<Delays>().quantile(0.5)
    };
    variants.into_iter().filter_map(|(name, variant)| Some((name, median(variant?)?))).collect()
}

fn cell(event: &Event, all: &[&Bans]) -> String {
    let innocents: usize = all.iter().map(|bans| bans.innocents.len()).sum();
    if event.nature == Nature::Honest {
        let banned = all.iter().filter(|bans| !bans.innocents.is_empty()).count();
        return format!("bans in {banned} of {}", all.len());
    }
    let delays: Delays = all.iter().map(|bans| bans.delay).collect();
    let victims = all.iter().map(|bans| bans.victims).max().unwrap_or(0);
    let mut text = match delays.found() {
        0 => format!("never, 0 of {}", all.len()),
        found => {
            let each: Vec<String> = all.iter().map(|bans| super::seconds(bans.delay)).collect();
            format!("{} s, {found} of {}", each.join(" and "), all.len())
        }
    };
    if victims > 1 {
        let _ = write!(text, ", as {victims} bans");
    }
    if innocents > 0 {
        let _ = write!(text, ", {innocents} innocents banned");
    }
    text
}

pub(super) fn write(rows: &Rows, peer: &Peer) -> String {
    let version = match peer {
        Ok(version) => version,
        Err(why) => return format!("Not measured: {why}.\n"),
    };
    let mut text = format!(
        "{}\n\nFastNetMon community {version}, Debian's package unmodified, with its sFlow collector on and its API, its usage reports and\n\
         its watching of local addresses off. It gets the datagrams of the table above in real time over a loopback of its own, lead-in\n\
         10 s; its delay ends when its notify script has started. Real time is dear: {SEEDS} worlds (seeds 1 to {SEEDS}) per event.\n\n",
        peers::machine::line()
    );
    text.push_str(
        "Tuned: `average_calculation_time = 1` and the threshold that did best on another world (seed 101), attacks found\n\
         less innocents banned:\n\n",
    );
    text.push_str(&head(&["threshold_pps", "attacks found", "innocents banned"]));
    for pps in THRESHOLDS {
        if let Some((_, found, innocents)) = score(rows, pps) {
            let mark = if best(rows) == Some(pps) { " (taken)" } else { "" };
            text.push_str(&line([format!("{pps}{mark}"), found.to_string(), innocents.to_string()]));
        }
    }
    text.push_str("\nIn all measured worlds:\n\n");
    text.push_str(&head(&[
        "configuration",
        "event",
        "delay, p50 / p95 / p99",
        "called",
        "innocents banned",
        "datagrams lost",
    ]));
    for variant in [Some(Variant::Shipped), best(rows).map(Variant::Tuned)].into_iter().flatten() {
        for event in EVENTS {
            let all: Vec<&Bans> = runs(rows, variant, false)
                .filter(|(name, _)| *name == event.name)
                .map(|(_, bans)| bans)
                .collect();
            if all.is_empty() {
                continue;
            }
            let mut called: Vec<String> = all.iter().filter_map(|bans| bans.called.clone()).collect();
            called.sort();
            called.dedup();
            let innocents: Vec<String> = all.iter().flat_map(|bans| bans.innocents.iter().cloned()).collect();
            let delays = match event.nature {
                Nature::Honest => "–".into(),
                _ => spread(&all.iter().map(|bans| bans.delay).collect()),
            };
            let configuration = match variant {
                Variant::Shipped => "as shipped".to_owned(),
                Variant::Tuned(pps) => format!("1 s, {pps} pps"),
            };
            text.push_str(&line([
                configuration,
                event.says.to_owned(),
                delays,
                if called.is_empty() { "–".into() } else { called.join(", ") },
                if innocents.is_empty() { "none".into() } else { few(&innocents, 2) },
                all.iter().map(|bans| bans.lost).sum::<u64>().to_string(),
            ]));
        }
    }
    text
}
