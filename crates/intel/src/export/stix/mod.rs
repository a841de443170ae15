//! STIX 2.1: a bundle of what was seen, who sent it, and by what technique.
//!
//! Ids are made from content: of observables as STIX 2.1 §2.9 says, so that everybody names the same address alike; of all else
//! in a namespace of ours. Reflectors and bots stand in different infrastructures, for the one has to be closed and the other cleaned.

mod object;
mod observable;
mod observed;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use object::{Object, Objects, id};

use super::uuid::Uuid;
use super::{Document, Format, Shared, Tlp, pretty, share, time, words};
use crate::finding::{Finding, Verified};

/// One bundle.
pub const FORMAT: Format = Format { name: "stix", write };

/// The extension by which STIX 2.1 says TLP 2.0 (OASIS, cti-stix-common-objects).
const TLP_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";

fn write(shared: &Shared<'_>) -> Vec<Document> {
    let objects = bundle(shared);
    // What holds numbers and texts has a JSON form.
    let text = serde_json::to_string(&objects).unwrap_or_default();
    let id = format!("bundle--{}", Uuid::ours(&text));
    drop(text);
    let bytes = pretty(&Bundle { id, objects: &objects, kind: "bundle" });
    vec![Document { path: "stix.json".into(), bytes }]
}

/// Fields in the order of their names.
#[derive(Serialize)]
struct Bundle<'a> {
    id: String,
    objects: &'a [Object],
    #[serde(rename = "type")]
    kind: &'static str,
}

/// OASIS's fixed marking of a TLP 2.0 label; there are no others.
pub(super) const fn marking(tlp: Tlp) -> &'static str {
    match tlp {
        Tlp::Clear => "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
        Tlp::Green => "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        Tlp::Amber => "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
        Tlp::AmberStrict => "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
        Tlp::Red => "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    }
}

/// What sources were used as.
struct Role {
    infrastructure: &'static str,
    name: &'static str,
    indicates: &'static str,
    picked: fn(&Verified<'_>) -> bool,
}

const ROLES: &[Role] = &[
    Role {
        infrastructure: "amplification",
        name: "Reflectors that were used",
        indicates: "anomalous-activity",
        picked: |one| matches!(one, Verified::Reflector(_)),
    },
    Role {
        infrastructure: "botnet",
        name: "Infected hosts",
        indicates: "malicious-activity",
        picked: |one| matches!(one, Verified::Bot(_)),
    },
    Role {
        infrastructure: "unknown",
        name: "Hosts that flood under their own address",
        indicates: "malicious-activity",
        picked: |one| matches!(one, Verified::Real(_)),
    },
];

fn bundle(shared: &Shared<'_>) -> Vec<Object> {
    let mut objects = Objects::new(shared);
    let identity = objects.reporter.clone();
    let techniques: BTreeSet<words::Technique> =
        shared.incident.vectors.iter().map(|vector| words::technique(&vector.name)).collect();
    let patterns: Vec<String> =
        techniques.iter().map(|technique| technique_of(&mut objects, shared, *technique)).collect();
    let mut seen = Vec::new();
    for role in ROLES {
        let picked: Vec<&Finding> =
            shared.sources.iter().filter(|one| (role.picked)(one)).map(|one| one.finding()).collect();
        if !picked.is_empty() {
            seen.push(role_of(&mut objects, shared, role, &picked, &patterns));
        }
    }
    for pattern in &patterns {
        objects.sighting(pattern, &seen, &identity, shared);
    }
    measures(&mut objects, shared, &patterns);
    note(&mut objects, shared, &patterns);
    objects.finish(marking_of(shared.terms.tlp))
}

fn marking_of(tlp: Tlp) -> Value {
    json!({
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": marking(tlp),
        "created": "2022-10-01T00:00:00.000Z",
        "name": format!("TLP:{}", tlp.name().to_ascii_uppercase()),
        "extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp.name()}},
    })
}

fn technique_of(objects: &mut Objects, shared: &Shared<'_>, technique: words::Technique) -> String {
    let value = json!({
        "name": technique.name,
        "external_references": [
            {"source_name": "mitre-attack", "external_id": technique.attack},
            {"source_name": "capec", "external_id": technique.capec},
        ],
    });
    // the same in all of this reporter's bundles
    let id = id("attack-pattern", &format!("{} {}", shared.reporter.domain, technique.attack));
    objects.domain(id, value)
}

/// What is said of all sources of one role; gives what was observed.
fn role_of(
    objects: &mut Objects,
    shared: &Shared<'_>,
    role: &Role,
    picked: &[&Finding],
    patterns: &[String],
) -> String {
    let attack = &shared.incident.id;
    let about = |what: &str| format!("{} {attack} {} {what}", shared.reporter.domain, role.infrastructure);
    let refs = observed::of(objects, shared, picked);
    let packets: u64 = picked.iter().map(|finding| finding.packets).sum();
    let first = picked.iter().map(|finding| finding.first).min().unwrap_or_default();
    let last = picked.iter().map(|finding| finding.last).max().unwrap_or_default();
    let observed = objects.domain(
        id("observed-data", &about("observed")),
        json!({
            "first_observed": time::zulu(first),
            "last_observed": time::zulu(last),
            "number_observed": packets.clamp(1, 999_999_999),
            "object_refs": refs,
        }),
    );
    let infrastructure = objects.domain(
        id("infrastructure", &about("infrastructure")),
        json!({
            "name": format!("{} in attack {attack}", role.name),
            "infrastructure_types": [role.infrastructure],
            "first_seen": time::zulu(first),
            "last_seen": time::zulu(last),
        }),
    );
    objects.relation("consists-of", &infrastructure, &observed);
    let places: BTreeSet<_> =
        picked.iter().map(|finding| super::ddosch::Place::of(finding.address)).collect();
    let places: Vec<_> = places.into_iter().collect();
    for (at, some) in places.chunks(INDICATOR_MAX).enumerate() {
        let kind = |v4: bool| {
            let texts: Vec<_> = some
                .iter()
                .filter(|place| place.0.is_ipv4() == v4)
                .map(|place| format!("'{place}'"))
                .collect();
            let family = if v4 { "ipv4-addr" } else { "ipv6-addr" };
            (!texts.is_empty()).then(|| format!("[{family}:value IN ({})]", texts.join(", ")))
        };
        let pattern: Vec<String> = [kind(true), kind(false)].into_iter().flatten().collect();
        let indicator = objects.domain(
            id("indicator", &about(&format!("indicator {at}"))),
            json!({
                "name": format!("{}, attack {attack}, part {}", role.name, at + 1),
                "description": format!(
                    "{}: sources that sent by proof. What they do now is not known; look again before acting.", role.name
                ),
                "indicator_types": [role.indicates],
                "pattern": pattern.join(" OR "),
                "pattern_type": "stix",
                "pattern_version": "2.1",
                "valid_from": time::zulu(first),
                "valid_until": time::zulu(last.plus(VALID)),
                "confidence": confidence(picked),
            }),
        );
        objects.relation("based-on", &indicator, &observed);
        for pattern in patterns {
            objects.relation("indicates", &indicator, pattern);
        }
    }
    observed
}

/// Sources in one indicator: a parser of patterns takes time for each.
const INDICATOR_MAX: usize = 100;
/// How long an indicator holds after the last packet: addresses of households change hands within days.
const VALID: base::Span = base::Span::from_secs(7 * 86_400);

/// STIX's confidence, 0 to 100: the least of the sources'.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clamped percentage")]
fn confidence(picked: &[&Finding]) -> u8 {
    let least = picked.iter().map(|finding| finding.confidence).fold(1.0, f64::min);
    (share::rounded(least) * 100.0) as u8
}

/// Filters that were derived, where they name no source.
fn measures(objects: &mut Objects, shared: &Shared<'_>, patterns: &[String]) {
    for (at, rule) in shared.rules().enumerate() {
        let about = format!("{} {} rule {at}", shared.reporter.domain, shared.incident.id);
        let value = json!({"name": format!("Filter {}", at + 1), "description": rule});
        let measure = objects.domain(id("course-of-action", &about), value);
        for pattern in patterns {
            objects.relation("mitigates", &measure, pattern);
        }
    }
}

/// The attack in figures, which stand in no other object.
fn note(objects: &mut Objects, shared: &Shared<'_>, patterns: &[String]) {
    let incident = shared.incident;
    let vectors: Vec<Value> = incident
        .vectors
        .iter()
        .map(|vector| {
            let forged = vector.spoofed.map(|one| [one.low, one.estimate, one.high].map(share::rounded));
            json!({
                "name": vector.name,
                "packets": vector.packets,
                "bytes": vector.bytes,
                "share": share::rounded(vector.share),
                "forged": forged,
            })
        })
        .collect();
    let mut figures = Map::new();
    figures.insert("attack".into(), json!(incident.id));
    figures.insert("started_at".into(), json!(incident.started));
    figures.insert("last_packet_at".into(), json!(incident.last));
    figures.insert("packets".into(), json!(incident.packets));
    figures.insert("bytes".into(), json!(incident.bytes));
    figures.insert("peak_pps".into(), json!(incident.peak_pps));
    figures.insert("peak_bps".into(), json!(incident.peak_bps));
    figures.insert("sampling".into(), json!(incident.sampling));
    figures.insert("sources".into(), json!(incident.source_count));
    figures.insert("sources_told_of".into(), json!(shared.sources.len()));
    figures.insert("sources_left_out".into(), json!(shared.left_out));
    figures.insert("target".into(), json!(shared.target()));
    figures.insert("vectors".into(), json!(vectors));
    let refs = if patterns.is_empty() { vec![objects.reporter.clone()] } else { patterns.to_vec() };
    let value = json!({
        "abstract": "The attack in figures",
        "content": Value::Object(figures).to_string(),
        "object_refs": refs,
    });
    objects.domain(id("note", &format!("{} {} figures", shared.reporter.domain, incident.id)), value);
}
