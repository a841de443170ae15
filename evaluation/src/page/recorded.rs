//! Recordings of real traffic, by themselves.

use super::{Rows, few, head, line, percent, spread};
use crate::recorded::{self, Seen, Splice, VIEWS, View};

pub(super) fn write(rows: &Rows) -> String {
    if rows.splices().next().is_none() {
        return "Not measured: the recordings are not here (`SPILLWAY_TEST_DATA`).\n".into();
    }
    let mut text = String::from(
        "Each recorded attack begins ten to eleven seconds into all recordings of ordinary traffic and of look-alikes played beside each\n\
         other. Most recordings last less than a second and hold some thousands of packets: a router that samples 1:100 sees dozens\n\
         of them, and the daemon's harm floor (2,500 packets/s) lies above some. Delays from the recording's first packet.\n\n",
    );
    for (view, _) in VIEWS {
        let of = |attack: Option<&'static str>| -> Vec<&Seen> {
            let mine = |splice: &Splice| splice.view == view && splice.attack == attack;
            rows.splices().filter(|(splice, _)| mine(splice)).map(|(_, seen)| seen).collect()
        };
        let peace = of(None);
        let Some(one) = peace.first() else { continue };
        text.push_str(&format!("### Seen as {}\n\n", view.name()));
        text.push_str(&head(&[
            "recording",
            "delay, p50 / p95 / p99",
            "named right",
            "attack removed",
            "honest packets hit",
            "honest peers hit",
            "other alarms",
        ]));
        for attack in recorded::attacks() {
            let all = of(Some(attack));
            if !all.is_empty() {
                text.push_str(&row(attack, &all));
            }
        }
        let alarms: Vec<String> = peace.iter().flat_map(|seen| seen.strays.iter().cloned()).collect();
        text.push_str(&format!(
            "\nThe ordinary traffic alone ({} packets in {:.0} s, {} runs): {}.\n\n",
            one.packets,
            one.seconds,
            peace.len(),
            if alarms.is_empty() { "no alarm".into() } else { few(&alarms, 4) }
        ));
    }
    text
}

fn row(attack: &str, all: &[&Seen]) -> String {
    let found = all.iter().filter(|seen| seen.delay.is_some()).count();
    let named = all.iter().filter(|seen| seen.delay.is_some() && seen.named).count();
    let must = all.iter().all(|seen| seen.must);
    let strays: Vec<String> = all.iter().flat_map(|seen| seen.strays.iter().cloned()).collect();
    let hit = |part: fn((f64, f64, f64)) -> f64| {
        let shares = all.iter().filter(|seen| seen.delay.is_some()).filter_map(|seen| seen.hit.map(part));
        crate::quantile::median(shares).map_or_else(|| "–".into(), percent)
    };
    line([
        format!("{}{}", attack.trim_end_matches(".pcap"), if must { "" } else { " (need not be found)" }),
        spread(&all.iter().map(|seen| seen.delay).collect()),
        if must { format!("{named} of {found}") } else { "–".into() },
        hit(|(removed, _, _)| removed),
        hit(|(_, packets, _)| packets),
        hit(|(_, _, peers)| peers),
        if strays.is_empty() { "none".into() } else { format!("{}: {}", strays.len(), few(&strays, 2)) },
    ])
}

/// What the quick run must not see.
pub(super) fn broken(splice: &Splice, seen: &Seen) -> Option<String> {
    if splice.attack.is_none() && !seen.strays.is_empty() {
        return Some(format!("alarmed: {}", few(&seen.strays, 3)));
    }
    (splice.view == View::Capture && seen.must && seen.delay.is_none()).then(|| "missed".into())
}
