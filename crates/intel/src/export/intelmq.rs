//! IntelMQ: one event a line, in its data harmonisation.

use serde_json::{Map, Value, json};

use super::{Document, Format, Shared, csv, share, time};
use crate::finding::{Finding, Verified};

/// One line per source.
pub const FORMAT: Format = Format { name: "intelmq", write };

fn write(shared: &Shared<'_>) -> Vec<Document> {
    let mut text = String::new();
    for one in &shared.sources {
        text.push_str(&Value::Object(event(shared, one)).to_string());
        text.push('\n');
    }
    vec![Document { path: "intelmq.jsonl".into(), bytes: text.into_bytes() }]
}

fn event(shared: &Shared<'_>, one: &Verified<'_>) -> Map<String, Value> {
    let finding = one.finding();
    // the reference incident taxonomy that IntelMQ checks types against
    let (taxonomy, kind) = match one {
        Verified::Reflector(_) => ("vulnerable", "ddos-amplifier"),
        Verified::Bot(_) => ("malicious-code", "infected-system"),
        Verified::Real(_) => ("availability", "ddos"),
    };
    let incident = shared.incident;
    let vectors: Vec<&str> = finding
        .vectors
        .iter()
        .filter_map(|vector| incident.vectors.get(*vector))
        .map(|vector| vector.name.as_str())
        .collect();
    let mut event = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            event.insert(key.to_owned(), value);
        }
    };
    put("feed.name", json!("Spillway"));
    put("feed.provider", json!(shared.reporter.organisation));
    put("feed.accuracy", json!(share::rounded(finding.confidence) * 100.0));
    put("classification.taxonomy", json!(taxonomy));
    put("classification.type", json!(kind));
    put("classification.identifier", json!(identifier(finding, &vectors)));
    put("time.source", json!(time::offset(finding.first)));
    put("time.observation", json!(time::offset(incident.detected.max(finding.first))));
    put("source.ip", json!(finding.address));
    put("source.port", json!(finding.ports.map(|(source, _)| source).filter(|port| *port > 0)));
    put("source.asn", json!(finding.asn.filter(|asn| *asn > 0)));
    put("source.network", json!(finding.prefix));
    put("source.geolocation.cc", json!(finding.country));
    put("source.geolocation.city", json!(finding.city));
    put("destination.port", json!(finding.ports.map(|(_, port)| port).filter(|port| *port > 0)));
    if let Some(target) = shared.target() {
        let key = if target.is_host() { "destination.ip" } else { "destination.network" };
        let text = if target.is_host() { target.addr().to_string() } else { target.to_string() };
        put(key, json!(text));
    }
    put("protocol.transport", json!(transport(finding.ip_protocol)));
    put("protocol.application", json!(finding.reflects));
    put("malware.name", json!(finding.tool.as_deref().map(str::to_lowercase)));
    put("event_description.text", json!(format!("{} in {}", csv::word(finding.class), vectors.join(", "))));
    put("extra.attack", json!(incident.id));
    put("extra.packets", json!(finding.packets));
    put("extra.bytes", json!(finding.bytes));
    put("extra.reasons", json!(finding.reasons));
    if !finding.lists.is_empty() {
        put("extra.lists", json!(finding.lists.iter().map(AsRef::as_ref).collect::<Vec<&str>>()));
    }
    put("extra.tlp", json!(shared.terms.tlp.name()));
    event
}

fn identifier(finding: &Finding, vectors: &[&str]) -> String {
    match (&finding.reflects, &finding.tool, vectors.first()) {
        (Some(service), ..) => format!("open-{service}"),
        (None, Some(tool), _) => tool.to_lowercase(),
        (None, None, vector) => (*vector.unwrap_or(&"ddos")).to_owned(),
    }
}

/// Names of `protocol.transport`.
const fn transport(number: u8) -> Option<&'static str> {
    match number {
        1 => Some("icmp"),
        4 => Some("ipencap"),
        6 => Some("tcp"),
        17 => Some("udp"),
        41 => Some("ipv6"),
        47 => Some("gre"),
        50 => Some("esp"),
        58 => Some("ipv6-icmp"),
        132 => Some("sctp"),
        _ => None,
    }
}
