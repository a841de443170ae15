//! What is written down: ledger, store, flow samples, notifications.

use api::Finding;

use super::facts::Facts;
use super::{error, note, ok, warning};

/// The log of decisions.
pub(super) fn ledger(facts: &Facts) -> Vec<Finding> {
    if !facts.config.ledger.enabled {
        return vec![
            note("ledger", "decisions are not written into a ledger")
                .why("nobody can be shown later what was decided and when")
                .cure("`ledger.enabled = true`"),
        ];
    }
    let Some(running) = &facts.running else { return Vec::new() };
    if let Some(why) = &running.ledger {
        return vec![
            error("ledger", format!("it cannot be written: {why}"))
                .why("decisions are not on record, and nothing is disclosed until they are")
                .cure("mend what it names (room, owner, mount); it is tried again by itself"),
        ];
    }
    let Some(numbers) = &running.metrics.ledger else { return Vec::new() };
    if numbers.lost > 0 {
        return vec![
            warning("ledger", format!("{} decisions found no room on their way to it", numbers.lost))
                .why("they are not on record")
                .cure("its disk is too slow; move `state_dir` to another"),
        ];
    }
    vec![ok("ledger", format!("it is written; entries: {}", numbers.size))]
}

/// Attacks and rules.
pub(super) fn store(facts: &Facts) -> Vec<Finding> {
    let Some(running) = &facts.running else { return Vec::new() };
    let errors = running.metrics.store_errors;
    if errors == 0 {
        return Vec::new();
    }
    vec![
        warning("store", format!("{errors} writes failed and were tried again"))
            .why("until one succeeds, the newest attacks are in memory alone")
            .cure(
                "look at the disk of the state folder, and for a program that holds its files (`fuser -v`)",
            ),
    ]
}

/// Flow samples.
pub(super) fn history(facts: &Facts) -> Vec<Finding> {
    let Some(numbers) = facts.running.as_ref().and_then(|running| running.metrics.history.as_ref()) else {
        return Vec::new();
    };
    if numbers.full {
        return vec![
            error("history", "the disk is too full: no flow samples are kept")
                .why("questions about these hours will have no answer")
                .cure("make room, or lower `history.min_free`"),
        ];
    }
    if numbers.errors > 0 {
        return vec![
            warning("history", format!("the disk refused to take flow samples {} times", numbers.errors))
                .why("samples wait in memory, and the oldest are lost when it is full")
                .cure("the daemon's log names the cause"),
        ];
    }
    let quota = facts.config.history.quota;
    vec![ok("history", format!("flow samples take {} MiB of {} MiB", numbers.bytes >> 20, quota >> 20))]
}

/// Notifications that were given up.
pub(super) fn letters(facts: &Facts) -> Vec<Finding> {
    let dead = facts.running.iter().flat_map(|running| &running.dead).filter(|(_, count, _)| *count > 0);
    let found = dead.map(|(channel, count, said)| {
        let said = said.as_deref().unwrap_or("nothing");
        warning("dead-letters", format!("{count} notifications were given up; the last answer was: {said}"))
            .about(channel)
            .why("somebody was not told of an attack")
            .cure(format!("`spillway notify test {channel}` tries it now; give it a `fallback`"))
    });
    found.collect()
}
