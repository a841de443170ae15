//! MISP: an event with one `ddos` object (template version 10) per vector.

use base::Timestamp;
use serde_json::{Value, json};

use super::ddosch::Place;
use super::uuid::Uuid;
use super::{Document, Format, Shared, pretty, share, time, words};
use crate::dossier::VectorFacts;
use crate::finding::Verified;

/// One event.
pub const FORMAT: Format = Format { name: "misp", write };

const TEMPLATE: &str = "e2f124d6-f57c-4f93-99e6-8450545fa05d";
const TEMPLATE_VERSION: &str = "10";

/// Share of a vector's packets from which on a port is listed; random ones say nothing.
const PORTS_MIN: f64 = 0.05;

fn write(shared: &Shared<'_>) -> Vec<Document> {
    let bytes = pretty(&event(shared));
    vec![Document { path: "misp.json".into(), bytes }]
}

fn event(shared: &Shared<'_>) -> Value {
    let incident = shared.incident;
    let name = |what: &str| Uuid::ours(&format!("misp {} {what}", incident.id));
    let organisation = format!("organisation {}", shared.reporter.domain);
    let names: Vec<&str> = incident.vectors.iter().map(|vector| vector.name.as_str()).collect();
    let objects: Vec<Value> =
        incident.vectors.iter().enumerate().map(|(at, vector)| object(shared, at, vector)).collect();
    let mut tags = vec![
        format!("tlp:{}", shared.terms.tlp.name()),
        "rsit:availability=\"ddos\"".to_owned(),
        format!("spillway:attack=\"{}\"", incident.id),
    ];
    tags.extend(names.iter().map(|name| format!("spillway:vector=\"{name}\"")));
    let tags: Vec<Value> = tags.into_iter().map(|name| json!({"name": name})).collect();
    json!({"Event": {
        "uuid": name("event"),
        "info": format!("DDoS attack {}: {}", incident.id, names.join(", ")),
        "date": time::day(incident.started),
        "timestamp": stamp(incident.last),
        "analysis": if incident.over { "2" } else { "1" },
        "threat_level_id": "2",
        "distribution": "0",
        "published": false,
        "Orgc": {"name": shared.reporter.organisation, "uuid": Uuid::ours(&organisation)},
        "Tag": tags,
        "Object": objects,
    }})
}

fn object(shared: &Shared<'_>, at: usize, vector: &VectorFacts) -> Value {
    let incident = shared.incident;
    let name = |what: &str| Uuid::ours(&format!("misp {} vector {at} {what}", incident.id));
    let mut attributes = Vec::new();
    let mut put = |relation: &str, kind: &str, value: String, correlates: bool, comment: &str| {
        // as MISP files the types that occur here
        let network = matches!(kind, "ip-src" | "ip-dst" | "port");
        attributes.push(json!({
            "uuid": name(&format!("{relation} {value}")),
            "object_relation": relation,
            "type": kind,
            "category": if network { "Network activity" } else { "Other" },
            "value": value,
            "to_ids": false,
            "disable_correlation": !correlates,
            "distribution": "5",
            "timestamp": stamp(incident.last),
            "comment": comment,
        }));
    };
    for word in words::misp(&vector.name) {
        put("type", "text", word.into(), false, "");
    }
    let protocol = words::protocol(vector.ip_protocol);
    put("protocol", "text", protocol, false, "");
    put("first-seen", "datetime", time::offset(vector.started), false, "");
    put("last-seen", "datetime", time::offset(vector.last), false, "");
    put("total-packets-sent", "counter", vector.packets.to_string(), false, "");
    put("total-bytes-sent", "size-in-bytes", vector.bytes.to_string(), false, "");
    let span = vector.last.since(vector.started);
    let bits = vector.bytes.saturating_mul(8);
    put("total-pps", "integer", share::per_second(vector.packets, span).to_string(), false, "average");
    put("total-bps", "integer", share::per_second(bits, span).to_string(), false, "average");
    put("capture-origin", "text", "Direct network capture".into(), false, "");
    for (relation, ports) in [("src-port", &vector.src_ports), ("dst-port", &vector.dst_ports)] {
        for (port, _) in share::outliers(ports, PORTS_MIN, false) {
            put(relation, "port", port.to_string(), false, "");
        }
    }
    if let Some(target) = shared.target() {
        let text = if target.is_host() { target.addr().to_string() } else { target.to_string() };
        put("ip-dst", "ip-dst", text, true, "");
    }
    let mut last = String::new();
    for one in shared.sources.iter().filter(|one| one.finding().vectors.contains(&at)) {
        let place = Place::of(one.finding().address).to_string();
        // sources of one /64 stand side by side
        if place != last {
            put("ip-src", "ip-src", place.clone(), true, role(one));
            last = place;
        }
    }
    put("text", "text", said(shared, vector), false, "");
    json!({
        "uuid": name("object"),
        "name": "ddos",
        "meta-category": "network",
        "description": "DDoS object describes a current DDoS activity from a specific or/and to a specific target. Type of DDoS can be attached to the object as a taxonomy or using the type field.",
        "template_uuid": TEMPLATE,
        "template_version": TEMPLATE_VERSION,
        "distribution": "5",
        "timestamp": stamp(incident.last),
        "comment": vector.name,
        "Attribute": attributes,
    })
}

/// What a source is, so that a reflector is not taken for an attacker.
const fn role(one: &Verified<'_>) -> &'static str {
    match one {
        Verified::Reflector(_) => "reflector: its service was used, it did not attack",
        Verified::Bot(_) => "infected host",
        Verified::Real(_) => "floods under its own address",
    }
}

fn said(shared: &Shared<'_>, vector: &VectorFacts) -> String {
    let forged = vector.spoofed.map_or_else(
        || "share of forged sources not measurable".to_owned(),
        |forged| {
            let [low, high] = [forged.low, forged.high].map(|end| share::rounded(end) * 100.0);
            format!("{low:.1} to {high:.1} % of sources forged")
        },
    );
    format!(
        "{}: {} of the attack's packets; {forged}. {} distinct sources; only those that sent by proof are listed ({} left out for \
         length).",
        vector.name,
        share::rounded(vector.share),
        shared.incident.source_count,
        shared.left_out
    )
}

fn stamp(at: Timestamp) -> String {
    at.secs().to_string()
}
