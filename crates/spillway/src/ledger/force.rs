//! Rules that came into force and went, as decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ::ledger::entry::{Act, By};
use ::rules::Rule;
use base::Prefix;
use serde_json::json;

use super::scribe::{Deed, Pen};
use crate::enforce::Wanted;

/// Rules that are in force as far as the ledger knows. It outlives reloads, so that none is written down twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct InForce(Arc<Mutex<BTreeMap<String, Known>>>);

#[derive(Clone, Debug)]
struct Known {
    text: String,
    dst: Option<Prefix>,
}

impl InForce {
    /// Writes down what changed: these ids are in the kernel now, and these rules are wanted.
    pub(crate) fn look(&self, pen: &Pen, backend: &'static str, actual: &BTreeSet<String>, wanted: &Wanted) {
        let Some(now) = pen.now() else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<String> = known.keys().filter(|id| !actual.contains(*id)).cloned().collect();
        let deed = |act, id: &str, rule: &Known| Deed {
            at: now,
            act,
            by: By::Product,
            about: rule.dst,
            content: json!({"rule": rule.text, "id": id, "enforcer": backend, "dry": wanted.dry}),
            counts: BTreeMap::from([("rules".to_owned(), 1)]),
        };
        for id in gone {
            if let Some(rule) = known.remove(&id) {
                pen.write(deed(Act::MitigationEnd, &id, &rule));
            }
        }
        for rule in wanted.rules.iter().filter(|rule| actual.contains(&rule.id)) {
            let now = Known::of(rule);
            // the same id with another text is another rule
            if known.get(&rule.id).is_none_or(|old| old.text != now.text) {
                if let Some(old) = known.insert(rule.id.clone(), now.clone()) {
                    pen.write(deed(Act::MitigationEnd, &rule.id, &old));
                }
                pen.write(deed(Act::Mitigation, &rule.id, &now));
            }
        }
    }
}

impl Known {
    fn of(rule: &Rule) -> Self {
        // what is left of the lease changes from second to second
        let text = Rule { lease: None, ..rule.clone() }.to_string();
        Self { text, dst: rule.matches.dst }
    }
}
