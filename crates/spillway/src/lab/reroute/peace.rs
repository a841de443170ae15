//! Whether all is as it was before the first attack: routes at the edges, prefixes and rules at absorbers, and the playbook.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::routes::{Led, led};
use super::stage::Stage;

/// What is in force anywhere, and what was measured ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peace {
    /// Routes for victims in the kernels of the edges.
    routes: [BTreeSet<Led>; 2],
    /// By absorber: rules in force, and prefixes that do not idle.
    held: BTreeMap<String, (u64, BTreeSet<String>)>,
    /// Announcements that the playbook knows.
    played: BTreeSet<String>,
}

impl Peace {
    /// As it is now.
    pub(super) fn of(stage: &Stage<'_>) -> anyhow::Result<Self> {
        let routes = [led(stage.map, 1)?, led(stage.map, 2)?];
        let mut held = BTreeMap::new();
        for one in list(&stage.brain.route(&["absorbers"])?, "absorbers") {
            let prefixes = list(&one, "prefixes");
            let busy = prefixes.iter().filter(|prefix| text(prefix, "state") != "idle");
            let busy = busy.map(|prefix| format!("{} {}", text(prefix, "prefix"), text(prefix, "state")));
            let rules = one.get("rules").and_then(Value::as_u64).unwrap_or(0);
            held.insert(text(&one, "name"), (rules, busy.collect()));
        }
        let played = list(&stage.brain.route(&["playbook"])?, "playbook");
        Ok(Self { routes, held, played: played.iter().map(|one| text(one, "announcement")).collect() })
    }

    /// What is not as it was, in a sentence. What diversions were measured to move is kept for the next time: more of that is well.
    pub(super) fn broken(&self, now: &Self) -> Option<String> {
        for (edge, (was, is)) in (1..).zip(self.routes.iter().zip(&now.routes)) {
            if was != is {
                return Some(format!(
                    "edge{edge} has other routes for victims than before: {is:?}, not {was:?}"
                ));
            }
        }
        if self.held != now.held {
            return Some(format!("absorbers hold {:?}, not {:?}", now.held, self.held));
        }
        let lost: Vec<&String> = self.played.difference(&now.played).collect();
        (!lost.is_empty()).then(|| format!("the playbook has lost {lost:?}"))
    }
}

fn list(of: &Value, key: &str) -> Vec<Value> {
    of.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text(of: &Value, key: &str) -> String {
    of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_left_anywhere_is_said_and_what_was_learned_is_none_of_that() {
        let peace = Peace {
            routes: Default::default(),
            held: BTreeMap::from([("scrub".to_owned(), (0, BTreeSet::new()))]),
            played: BTreeSet::from(["a".to_owned()]),
        };
        assert_eq!(peace.broken(&peace), None);
        let learned = Peace { played: BTreeSet::from(["a".to_owned(), "b".to_owned()]), ..peace.clone() };
        assert_eq!(peace.broken(&learned), None);
        assert!(learned.broken(&peace).unwrap().contains("has lost [\"b\"]"));
        let rules =
            Peace { held: BTreeMap::from([("scrub".to_owned(), (3, BTreeSet::new()))]), ..peace.clone() };
        assert!(peace.broken(&rules).unwrap().contains("absorbers hold"), "rules stand");
        let mut routed = peace.clone();
        let prefix = "2001:db8:1::/48".parse().unwrap();
        routed.routes[1].insert(Led { prefix, discards: true });
        assert!(peace.broken(&routed).unwrap().starts_with("edge2 has other routes"));
    }
}
