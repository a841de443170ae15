//! Objects as they gather, with what all of them have in common.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::uuid::{self, Uuid};
use super::super::{Shared, time};
use super::marking;

/// An id of ours: the same for the same thing.
pub(super) fn id(kind: &str, about: &str) -> String {
    format!("{kind}--{}", Uuid::ours(&format!("{kind} {about}")))
}

/// What stands in a bundle, once each.
pub(super) struct Objects {
    /// By id; sorted, so that the same dossier gives the same bundle.
    all: BTreeMap<String, Value>,
    /// Who says so.
    pub(super) reporter: String,
    marking: &'static str,
    created: String,
}

impl Objects {
    pub(super) fn new(shared: &Shared<'_>) -> Self {
        let reporter = &shared.reporter;
        let mut objects = Self {
            all: BTreeMap::new(),
            reporter: id("identity", &format!("{} {}", reporter.domain, reporter.organisation)),
            marking: marking(shared.terms.tlp),
            created: time::millis(shared.incident.last.max(shared.incident.detected)),
        };
        let identity = json!({
            "name": reporter.organisation,
            "identity_class": "organization",
            "contact_information": reporter.contact,
        });
        objects.domain(objects.reporter.clone(), identity).clone_into(&mut objects.reporter);
        objects
    }

    /// A domain object: adds what all of them have.
    pub(super) fn domain(&mut self, id: String, value: Value) -> String {
        let mut object = common(&id, self.marking);
        object.insert("created".into(), json!(self.created));
        object.insert("modified".into(), json!(self.created));
        object.insert("created_by_ref".into(), json!(self.reporter));
        if let Value::Object(value) = value {
            object.extend(value);
        }
        self.all.insert(id.clone(), Value::Object(object));
        id
    }

    /// An observable: its id is made from the properties that name it, as canonical JSON (STIX 2.1 §2.9).
    pub(super) fn observable(&mut self, kind: &str, naming: Value, more: Value) -> String {
        // keys of maps are sorted, no number has a fraction: this is RFC 8785's form
        let id = format!("{kind}--{}", Uuid::of(uuid::STIX, &naming.to_string()));
        let mut object = common(&id, self.marking);
        for part in [naming, more] {
            if let Value::Object(part) = part {
                object.extend(part);
            }
        }
        self.all.insert(id.clone(), Value::Object(object));
        id
    }

    pub(super) fn relation(&mut self, kind: &str, source: &str, target: &str) {
        let id = id("relationship", &format!("{kind} {source} {target}"));
        let value = json!({"relationship_type": kind, "source_ref": source, "target_ref": target});
        self.domain(id, value);
    }

    /// That a technique was seen here.
    pub(super) fn sighting(&mut self, of: &str, observed: &[String], by: &str, shared: &Shared<'_>) {
        let incident = shared.incident;
        let id = id("sighting", &format!("{} {of}", incident.id));
        let mut value = json!({
            "sighting_of_ref": of,
            "where_sighted_refs": [by],
            "first_seen": time::zulu(incident.started),
            "last_seen": time::zulu(incident.last),
            "count": incident.packets.clamp(1, 999_999_999),
            "summary": false,
        });
        if let (Value::Object(value), false) = (&mut value, observed.is_empty()) {
            value.insert("observed_data_refs".into(), json!(observed));
        }
        self.domain(id, value);
    }

    /// All of them, the marking first.
    pub(super) fn finish(self, marking: Value) -> Vec<Value> {
        std::iter::once(marking).chain(self.all.into_values()).collect()
    }
}

fn common(id: &str, marking: &str) -> Map<String, Value> {
    let kind = id.split("--").next().unwrap_or_default();
    let value = json!({"type": kind, "spec_version": "2.1", "id": id, "object_marking_refs": [marking]});
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
