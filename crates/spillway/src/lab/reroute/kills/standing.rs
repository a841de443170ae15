//! Whether what the brain's book has in force is so, at routers and absorbers, and nothing else.

use std::collections::BTreeSet;

use base::Prefix;
use serde_json::Value;

use super::super::routes::{Led, led};
use super::super::stage::Stage;

/// `Err`: the first difference, as a sentence.
pub(super) fn agrees(stage: &Stage<'_>) -> anyhow::Result<Result<(), String>> {
    if let Err(why) = stage.brain.is_up()? {
        return Ok(Err(why));
    }
    let all = stage.brain.mitigations()?;
    let active: Vec<&Value> = all.iter().filter(|one| text(one, "state") == "active").collect();
    for one in &active {
        let peers = one.get("peers").and_then(Value::as_array).into_iter().flatten();
        if let Some(peer) = peers.into_iter().find(|peer| text(peer, "state") != "announced") {
            let (class, what, name) = (text(one, "class"), text(one, "what"), text(peer, "peer"));
            let (state, why) = (text(peer, "state"), text(peer, "reason"));
            return Ok(Err(format!("{class} of {what} is {state} at {name}: {why}")));
        }
    }
    let wanted: BTreeSet<Led> = active.iter().filter_map(|one| wanted(one)).collect();
    for edge in [1, 2] {
        let there = led(stage.map, edge)?;
        let prefixes = |of: &BTreeSet<Led>| of.iter().map(|led| led.prefix).collect::<BTreeSet<Prefix>>();
        if !there.is_subset(&wanted) || prefixes(&there) != prefixes(&wanted) {
            return Ok(Err(format!("edge{edge} has {}; the book has {}", listed(&there), listed(&wanted))));
        }
    }
    let absorbers = stage.brain.route(&["absorbers"])?;
    let absorbers = absorbers.get("absorbers").and_then(Value::as_array).cloned().unwrap_or_default();
    let held = absorbers.iter().filter_map(|one| one.get("prefixes")?.as_array()).flatten();
    let stand: BTreeSet<Prefix> = held
        .filter(|one| text(one, "state") == "stands")
        .filter_map(|one| text(one, "prefix").parse().ok())
        .collect();
    let missing = wanted.iter().find(|led| !led.discards && !stand.contains(&led.prefix));
    Ok(missing.map_or(Ok(()), |led| Err(format!("no absorber holds {}", led.prefix))))
}

fn wanted(one: &Value) -> Option<Led> {
    Some(Led { prefix: text(one, "what").parse().ok()?, discards: text(one, "class") == "blackhole" })
}

/// Routes in a sentence.
pub(super) fn listed(all: &BTreeSet<Led>) -> String {
    let of = |led: &Led| format!("{}{}", led.prefix, if led.discards { " (discarded)" } else { "" });
    let all: Vec<String> = all.iter().map(of).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}
