//! The attacks of a recording: what was known when.

use std::collections::BTreeMap;

use base::Timestamp;
use engine::report::{Attack, Severity};

/// Attacks by order of their first report, each with its history of rules.
#[derive(Debug, Default)]
pub struct Findings {
    order: Vec<String>,
    last: BTreeMap<String, Attack>,
    changes: Vec<Change>,
}

/// From some time on, an attack has these rules.
#[derive(Clone, Debug)]
pub struct Change {
    /// When it was decided.
    pub at: Timestamp,
    /// Whose rules they are.
    pub attack: String,
    /// Text and end of the lease of each.
    pub rules: Vec<(String, Timestamp)>,
}

impl Findings {
    /// Notes a report that was decided at `at`.
    pub fn note(&mut self, at: Timestamp, attack: Attack) {
        let rules = active_rules(&attack);
        let known = self.changes.iter().rev().find(|c| c.attack == attack.id);
        if known.map_or(!rules.is_empty(), |c| c.rules != rules) {
            self.changes.push(Change { at: at.max(attack.detected_at), attack: attack.id.clone(), rules });
        }
        if !self.last.contains_key(&attack.id) {
            self.order.push(attack.id.clone());
        }
        self.last.insert(attack.id.clone(), attack);
    }

    /// Final states, in order of first report.
    pub fn attacks(&self) -> impl Iterator<Item = &Attack> {
        self.order.iter().filter_map(|id| self.last.get(id))
    }

    /// Incidents of severity `attack`.
    pub fn attack_count(&self) -> usize {
        self.attacks().filter(|a| a.severity == Severity::Attack).count()
    }

    /// Changes of rules in order of time.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = self.changes.clone();
        changes.sort_by_key(|c| c.at);
        changes
    }

    /// Rules of the final states.
    pub fn final_rules(&self) -> Vec<(String, Timestamp)> {
        self.attacks().flat_map(active_rules).collect()
    }
}

/// A mere suspicion acts on nothing.
fn active_rules(attack: &Attack) -> Vec<(String, Timestamp)> {
    let rules = attack.rules.iter().filter(|_| attack.severity == Severity::Attack);
    rules.map(|r| (r.text.clone(), r.expires_at)).collect()
}
