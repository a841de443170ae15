//! What the API shows of the sources of attacks: as they were concluded last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::Timestamp;
use engine::report::{Attack, Direction, State};
use intel::dossier::Dossier;
use serde_json::Value;
use serde_json::value::RawValue;

use super::insight::Insight;
use super::origins;
use crate::dossier::document;

/// Attacks whose sources are shown; the one that was concluded longest ago gives way.
const SHOWN_MAX: usize = 16;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<BTreeMap<String, One>>);

/// What is shown of one attack.
#[derive(Debug)]
struct One {
    at: Timestamp,
    sources: Arc<api::Sources>,
    packets: Arc<api::Packets>,
    insight: Insight,
    /// Where they are; `None`: the attack is over, or goes out.
    origins: Option<Arc<api::Origins>>,
}

impl Shown {
    /// Shows this from now on.
    pub(super) fn show(&self, at: Timestamp, attack: &Attack, dossier: &Dossier, packets: api::Packets) {
        let document = document::document(attack, dossier).unwrap_or_default();
        let sources = Arc::new(sources(at, attack, dossier, &document));
        let insight = Insight::of(attack, dossier, &document);
        let mut shown = self.lock();
        let before = shown.get(&attack.id).and_then(|one| Some((one.at, one.origins.as_deref()?)));
        let runs = attack.state == State::Active && attack.direction == Direction::In;
        let origins = runs.then(|| Arc::new(origins::of(&dossier.findings, at, before)));
        let one = One { at, sources, packets: Arc::new(packets), insight, origins };
        shown.insert(attack.id.clone(), one);
        if shown.len() > SHOWN_MAX
            && let Some(oldest) = shown.iter().min_by_key(|(_, one)| one.at).map(|(id, _)| id.clone())
        {
            shown.remove(&oldest);
        }
    }

    /// Nothing came since the last time.
    pub(super) fn rest(&self, at: Timestamp, attack: &str) {
        let mut shown = self.lock();
        let Some(one) = shown.get_mut(attack) else { return };
        one.at = at;
        if let Some(known) = one.origins.as_deref().filter(|known| origins::moves(known)) {
            one.origins = Some(Arc::new(origins::at_rest(known)));
        }
    }

    /// What is shown of an attack.
    pub(super) fn of(&self, attack: &str) -> Option<Arc<api::Sources>> {
        self.lock().get(attack).map(|one| Arc::clone(&one.sources))
    }

    /// Where the sources of an attack that goes on are.
    pub(super) fn origins(&self, attack: &str) -> Option<Arc<api::Origins>> {
        self.lock().get(attack)?.origins.clone()
    }

    /// Some packets of an attack.
    pub(super) fn packets(&self, attack: &str) -> Option<Arc<api::Packets>> {
        self.lock().get(attack).map(|one| Arc::clone(&one.packets))
    }

    /// What of each attack is compared with others.
    pub(super) fn insights(&self) -> Vec<Insight> {
        self.lock().values().map(|one| one.insight.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, One>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sources(at: Timestamp, attack: &Attack, dossier: &Dossier, document: &Value) -> api::Sources {
    let rows = document::lines(dossier)
        .filter_map(|(packets, line)| Some((packets, RawValue::from_string(line).ok()?)))
        .collect();
    of(&attack.id, at, attack.state == State::Over, document, rows)
}

/// Of an attack's document as `document::document` makes it, and its lines.
pub(super) fn of(
    id: &str,
    at: Timestamp,
    over: bool,
    document: &Value,
    mut rows: Vec<(u64, Box<RawValue>)>,
) -> api::Sources {
    // Lines come in the order of their addresses, which equals keep.
    rows.sort_by_key(|(packets, _)| std::cmp::Reverse(*packets));
    let of = |key: &str| document.pointer(&format!("/sources/{key}")).cloned().unwrap_or_default();
    api::Sources {
        attack: id.to_owned(),
        as_of: at.to_string(),
        over,
        nature: of("nature").as_str().unwrap_or("unknown").to_owned(),
        confidence: of("confidence").as_f64().unwrap_or(0.0),
        count: of("count").as_u64().unwrap_or(0),
        verdicts: of("verdicts"),
        countries: of("countries"),
        networks: of("networks"),
        prefixes: of("prefixes"),
        items: rows.into_iter().map(|(_, line)| line).collect(),
    }
}
