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
    /// Whose it is; `None`: a person's.
    attack: Option<String>,
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
            content: json!({"rule": rule.text, "id": id, "enforcer": backend, "dry": wanted.dry.contains(id), "by_hand": wanted.by_hand.contains(id)}),
            counts: BTreeMap::from([("rules".to_owned(), 1)]),
        };
        for id in gone {
            if let Some(rule) = known.remove(&id) {
                let attack = rule.attack.as_deref();
                tracing::info!(
                    rule_id = id,
                    attack_id = attack,
                    enforcer = backend,
                    "a rule is not in force any more"
                );
                pen.write(deed(Act::MitigationEnd, &id, &rule));
            }
        }
        for rule in wanted.rules.iter().filter(|rule| actual.contains(&rule.id)) {
            let now = Known::of(rule, wanted.attacks.get(&rule.id));
            // the same id with another text is another rule
            if known.get(&rule.id).is_none_or(|old| old.text != now.text) {
                if let Some(old) = known.insert(rule.id.clone(), now.clone()) {
                    pen.write(deed(Act::MitigationEnd, &rule.id, &old));
                }
                let attack = now.attack.as_deref();
                tracing::info!(
                    rule_id = rule.id,
                    attack_id = attack,
                    enforcer = backend,
                    rule = now.text,
                    "a rule is in force"
                );
                pen.write(deed(Act::Mitigation, &rule.id, &now));
            }
        }
    }
}

impl Known {
    fn of(rule: &Rule, attack: Option<&String>) -> Self {
        // what is left of the lease changes from second to second
        let text = Rule { lease: None, ..rule.clone() }.to_string();
        Self { text, dst: rule.matches.dst, attack: attack.cloned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::clock::Clock;
    use crate::ledger::{Place, Scribe, View};

    #[test]
    fn rules_that_come_and_go_are_decisions() {
        let folder = std::env::temp_dir().join(format!("spillway-force-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let place = Place::new(&folder, None, None);
        let scribe = Scribe::start(place.clone(), Clock::start()).unwrap();
        let (pen, in_force) = (scribe.pen(), InForce::default());
        pen.know(&[("acme".to_owned(), vec!["198.51.100.0/24".parse().unwrap()])]);
        let wanted = |text: &str| Wanted { rules: ::rules::parse::rules(text).unwrap(), ..Wanted::default() };
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        let two =
            wanted("a dst 198.51.100.1/32 proto udp -> drop for 10m\nb dst 203.0.113.1/32 -> drop for 10m\n");
        in_force.look(&pen, "test", &ids(&["a"]), &two);
        // its lease runs, and it is the same rule; the other one comes into the kernel now
        let later =
            wanted("a dst 198.51.100.1/32 proto udp -> drop for 9m\nb dst 203.0.113.1/32 -> drop for 9m\n");
        in_force.look(&pen, "test", &ids(&["a", "b"]), &later);
        // after a reload another thread looks, and nothing is written twice
        in_force.clone().look(&pen, "test", &ids(&["a", "b"]), &later);
        in_force.look(&pen, "test", &ids(&["b"]), &wanted("b dst 203.0.113.1/32 -> drop for 8m\n"));
        in_force.look(&pen, "test", &ids(&["b"]), &wanted("b dst 203.0.113.1/32 proto tcp -> drop for 8m\n"));
        drop(scribe);
        let view = View::at(&place).unwrap();
        let mut acts = Vec::new();
        view.audit(|index, entry| {
            let entry: serde_json::Value = serde_json::from_slice(entry).unwrap();
            let decision = &entry["what"]["decision"];
            let content = view.secret(index).unwrap().unwrap().content.unwrap();
            let content: serde_json::Value = serde_json::from_str(&content).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            acts.push((text(&decision["act"]), text(&content["id"]), decision["customer"].is_string()));
        })
        .unwrap();
        let act = |act: &str, id: &str, of_customer| (act.to_owned(), id.to_owned(), of_customer);
        assert_eq!(
            acts,
            [
                act("mitigation", "a", true),
                act("mitigation", "b", false),
                act("mitigation-end", "a", true),
                act("mitigation-end", "b", false),
                act("mitigation", "b", false),
            ]
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
