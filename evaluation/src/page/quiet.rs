//! False alarms, with what their number bounds.

use std::fmt::Write as _;

use super::{Rows, few, head, line, reached};
use crate::poisson::{interval95, upper95};
use crate::quiet::{Days, Peace};

/// The default budget: false alarms a week.
const BUDGET: f64 = 1.0;

pub(super) fn write(rows: &Rows) -> String {
    let mut text = String::from(
        "sFlow 1:1000, 100 kpps with the swing of the day, 65,536 hosts, restless ones, four bulk transfers an hour, each day a\n\
         flash crowd of ten minutes and a single transfer of 80 kpps; default configuration, learned from nothing. Long flows:\n\
         NetFlow v9 from a router that tells flows only at their end, three of them after 22 hours, 20 kpps beside them. Intervals\n\
         are exact for a Poisson count (Garwood), two-sided; the bound is one-sided.\n\n",
    );
    text.push_str(&head(&[
        "days",
        "simulated",
        "host-days",
        "false alarms",
        "a week, 95 % interval",
        "upper 95 % bound a week",
        "per million host-days, 95 % interval",
        "at most twice the budget",
        "suspicions",
    ]));
    let mut examples = Vec::new();
    for (kind, name) in [
        (Days::Ordinary, "ordinary"),
        (Days::LowFloor, "ordinary, `floor = \"low\"`"),
        (Days::LongFlows, "long flows"),
    ] {
        let all: Vec<&Peace> =
            rows.quiet().filter(|(quiet, _)| quiet.kind == kind).map(|(_, peace)| peace).collect();
        if all.is_empty() {
            continue;
        }
        let hours: f64 = all.iter().map(|peace| f64::from(peace.hours)).sum();
        let hosts = all.iter().map(|peace| f64::from(peace.hosts)).fold(0.0, f64::max);
        let (weeks, host_days) = (hours / 168.0, hours / 24.0 * hosts);
        let alarms: Vec<String> = all.iter().flat_map(|peace| peace.alarms.iter().cloned()).collect();
        let k = u32::try_from(alarms.len()).unwrap_or(u32::MAX);
        let (low, high) = interval95(k);
        let bound = upper95(k) / weeks;
        text.push_str(&line([
            name.to_owned(),
            if weeks >= 1.0 { format!("{weeks:.1} weeks") } else { format!("{hours:.0} h") },
            format!("{host_days:.0}"),
            k.to_string(),
            format!("{:.3} to {:.3}", low / weeks, high / weeks),
            format!("{bound:.3}"),
            format!("{:.3} to {:.3}", low / host_days * 1e6, high / host_days * 1e6),
            if weeks >= 1.0 { reached(bound <= 2.0 * BUDGET) } else { "too short to tell".into() },
            all.iter().map(|peace| peace.suspicions).sum::<usize>().to_string(),
        ]));
        if !alarms.is_empty() {
            examples.push(format!("{name}: {}", few(&alarms, 12)));
        }
    }
    for example in examples {
        let _ = write!(text, "\nCalled attacks, {example}.\n");
    }
    text
}

/// What the quick run must not see.
pub(super) fn broken(peace: &Peace) -> Option<String> {
    (!peace.alarms.is_empty()).then(|| format!("alarmed: {}", few(&peace.alarms, 3)))
}
