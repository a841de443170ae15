//! Objects as they gather, with what all of them have in common.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::uuid::{self, Uuid};
use super::super::{Shared, time};
use super::marking;
use super::observable::{Address, AddressName, Network, NetworkName, Traffic, TrafficName};

/// An id of ours: the same for the same thing.
pub(super) fn id(kind: &str, about: &str) -> String {
    format!("{kind}--{}", Uuid::ours(&format!("{kind} {about}")))
}

/// One of them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Object {
    Domain(Value),
    Address(Address),
    Network(Network),
    Traffic(Box<Traffic>),
}

/// The version of STIX.
const VERSION: &str = "2.1";

/// What stands in a bundle, once each.
pub(super) struct Objects {
    /// By id; sorted, so that the same dossier gives the same bundle.
    all: BTreeMap<String, Object>,
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
        self.all.insert(id.clone(), Object::Domain(Value::Object(object)));
        id
    }

    /// A network, by its number.
    pub(super) fn network(&mut self, number: u32) -> String {
        let kind = "autonomous-system";
        let id = named(kind, &NetworkName { number });
        let object_marking_refs = [self.marking];
        let network = Network { id: id.clone(), number, object_marking_refs, spec_version: VERSION, kind };
        self.all.insert(id.clone(), Object::Network(network));
        id
    }

    /// An address, or the network of an IPv6 host, and by which network it is announced.
    pub(super) fn address(&mut self, v4: bool, value: String, network: Option<&str>) -> String {
        let kind = if v4 { "ipv4-addr" } else { "ipv6-addr" };
        let id = named(kind, &AddressName { value: &value });
        let address = Address {
            belongs_to_refs: network.map(|network| [network.to_owned()]),
            id: id.clone(),
            object_marking_refs: [self.marking],
            spec_version: VERSION,
            kind,
            value,
        };
        self.all.insert(id.clone(), Object::Address(address));
        id
    }

    /// What an address sent.
    pub(super) fn traffic(&mut self, name: &TrafficName<'_>, packets: u64, octets: u64) -> String {
        let kind = "network-traffic";
        let id = named(kind, name);
        let traffic = Traffic {
            dst_port: name.dst_port,
            dst_ref: name.dst_ref.map(str::to_owned),
            end: name.end.to_owned(),
            id: id.clone(),
            is_active: false,
            object_marking_refs: [self.marking],
            protocols: name.protocols,
            spec_version: VERSION,
            src_byte_count: octets,
            src_packets: packets,
            src_port: name.src_port,
            src_ref: name.src_ref.to_owned(),
            start: name.start.to_owned(),
            kind,
        };
        self.all.insert(id.clone(), Object::Traffic(Box::new(traffic)));
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
    pub(super) fn finish(self, marking: Value) -> Vec<Object> {
        std::iter::once(Object::Domain(marking)).chain(self.all.into_values()).collect()
    }
}

/// The id of an observable: made from the properties that name it, as canonical JSON (STIX 2.1 §2.9). Names are sorted, no number has
/// a fraction: this is RFC 8785's form.
fn named(kind: &str, name: &impl Serialize) -> String {
    // What holds numbers and texts has a JSON form.
    let name = serde_json::to_string(name).unwrap_or_default();
    format!("{kind}--{}", Uuid::of(uuid::STIX, &name))
}

fn common(id: &str, marking: &str) -> Map<String, Value> {
    let kind = id.split("--").next().unwrap_or_default();
    let value = json!({"type": kind, "spec_version": VERSION, "id": id, "object_marking_refs": [marking]});
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
