//! XARF v4 (specification 4.2.0): one report per source, to whoever can do something about it.
//!
//! | source | report |
//! |---|---|
//! | reflector | `vulnerability/open_service`, to be closed by its owner; never `connection/ddos`, for it did not attack |
//! | bot, TCP or UDP | `connection/infected_host`, the evidence of the infection attached |
//! | bot, other protocols | `infrastructure/botnet`, with `compromise_evidence` |
//! | host that floods, TCP, UDP or SCTP with ports | `connection/ddos` |
//! | host that floods, ICMP, GRE and others | `reputation/threat_intelligence`: the schema of `connection/ddos` wants a port from 1 on even of ICMP, has no GRE, and no port is invented here |
//! | on a list of shared addresses (C1) | as above, with less confidence and the tag `severity:low`; without a source port none: nobody could tell who of them it was |
//! | forged | none; the neighbour over whom forged packets came gets `vulnerability/misconfiguration` about its missing source address validation |
//!
//! `confidence` is 0 to 1, as the schema has it; the Python library `xarf` 1.0.0 finds no error in that, but its model takes whole
//! numbers only.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::uuid::Uuid;
use super::{Document, Format, Shared, pcap, pretty, share, time};
use crate::dossier::{Incident, Ingress, VectorFacts};
use crate::finding::{Bot, Finding, Real, Reason, Reflector, Verified};
use ledger::text::{base64, hex};

/// One file per source.
pub const FORMAT: Format = Format { name: "xarf", write };

const VERSION: &str = "4.2.0";

/// A report, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is about, fit for a file's name: an address with `-` for `:`, or `neighbour-AS64500`.
    pub name: String,
    /// What it is about in a sentence, for people.
    pub subject: String,
    /// For people: what happened and what to do.
    pub text: String,
    /// The report.
    pub value: Value,
}

/// All reports of a dossier.
pub fn reports(shared: &Shared<'_>) -> Vec<Report> {
    let tellable = |one: &&Verified<'_>| !is_shared(one.finding()) || port(one.finding()).is_some();
    let of_sources = shared.sources.iter().filter(tellable).map(|one| match one {
        Verified::Reflector(one) => reflector(shared, *one),
        Verified::Bot(one) => bot(shared, *one),
        Verified::Real(one) => real(shared, *one),
    });
    let of_neighbours = shared.incident.ingress.iter().filter_map(|one| neighbour(shared, one));
    of_sources.chain(of_neighbours).collect()
}

fn write(shared: &Shared<'_>) -> Vec<Document> {
    let file = |report: Report| Document {
        path: format!("xarf/{}.json", report.name),
        bytes: pretty(&report.value),
    };
    reports(shared).into_iter().map(file).collect()
}

/// A host whose service was used by somebody who forged our address.
pub fn reflector(shared: &Shared<'_>, source: Reflector<'_>) -> Report {
    let finding = source.finding();
    let service = finding.reflects.as_deref().unwrap_or("unknown");
    let (said, remedy) = match service {
        "tcp-synack" => (
            "answered TCP connection requests that somebody sent under our address",
            "The service itself may be meant to be public. Limit how often a SYN-ACK is repeated, and filter requests that do not \
             come from where their address belongs.",
        ),
        "tcp-middlebox" => (
            "holds a device that answered TCP packets of connections that never were, sent under our address",
            "Let the device answer only connections whose handshake it has seen.",
        ),
        _ => (
            "runs a service that answered requests which somebody sent under our address, with more than was asked",
            "Close the service to the Internet, or let it answer its own network only.",
        ),
    };
    // Where its answers were not seen as such, a list speaks for them.
    let (said, listed) = if finding.reasons.contains(&Reason::P1) {
        (said, String::new())
    } else {
        (
            "sent what looks like answers to requests that somebody sent under our address",
            format!(" {}", proof(finding)),
        )
    };
    let text = format!("{} {said} ({service}).{listed} {remedy}", finding.address);
    let more = [("service", json!(service))];
    let tags = ["attack:reflection".to_owned()];
    report(
        shared,
        finding,
        ("vulnerability", "open_service"),
        "Open service used in an attack",
        &text,
        more,
        tags,
    )
}

/// An infected host.
pub fn bot(shared: &Shared<'_>, source: Bot<'_>) -> Report {
    let finding = source.finding();
    let tool = finding.tool.as_deref().unwrap_or("unknown");
    let proof = proof(finding);
    let sends = match &finding.tool {
        Some(tool) => format!(" and sends what the bot or tool `{tool}` sends"),
        None => String::new(),
    };
    let text = format!(
        "{} takes part in an attack{sends}. {proof} Please look for malware on this host.",
        finding.address
    );
    let tags = ["attack:ddos".to_owned(), format!("malware:{}", tag(tool))];
    let subject = "Infected host takes part in an attack";
    let Some(protocol @ ("tcp" | "udp")) = protocol(finding.ip_protocol) else {
        let more = [
            ("bot_capabilities", json!(["ddos"])),
            ("compromise_evidence", json!(proof)),
            ("malware_family", json!(tool)),
        ];
        return report(shared, finding, ("infrastructure", "botnet"), subject, &text, more, tags);
    };
    let mut more = vec![
        ("behavior_pattern", json!("mixed")),
        ("bot_name", json!(tool)),
        ("bot_type", json!("malicious")),
        ("first_seen", json!(time::zulu(finding.first))),
        ("last_seen", json!(time::zulu(finding.last))),
        ("protocol", json!(protocol)),
        ("user_agent", json!("none observed")),
        ("verification_status", json!("verified")),
    ];
    more.extend(destination(shared.incident, finding));
    report(shared, finding, ("connection", "infected_host"), subject, &text, more, tags)
}

/// A host that floods under its own address.
pub fn real(shared: &Shared<'_>, source: Real<'_>) -> Report {
    let finding = source.finding();
    let vector = vector(shared.incident, finding).map_or("flood", |vector| vector.name.as_str());
    let proof = proof(finding);
    let text = format!(
        "{} floods us ({vector}). {proof} Please find out what on this host does it.",
        finding.address
    );
    let tags = ["attack:ddos".to_owned(), format!("vector:{}", tag(vector))];
    let subject = "Host floods us";
    let ports = finding.ports.is_some_and(|(source, _)| source > 0);
    let Some(protocol @ ("tcp" | "udp" | "sctp")) = protocol(finding.ip_protocol).filter(|_| ports) else {
        let more = [("threat_type", json!(format!("ddos: {vector}")))];
        return report(shared, finding, ("reputation", "threat_intelligence"), subject, &text, more, tags);
    };
    let span = finding.last.since(finding.first);
    let mut more = vec![
        ("attack_vector", json!(vector.replace('-', "_"))),
        ("duration_seconds", json!(time::seconds(span).max(1))),
        ("first_seen", json!(time::zulu(finding.first))),
        ("last_seen", json!(time::zulu(finding.last))),
        ("peak_bps", json!(share::per_second(finding.bytes.saturating_mul(8), span).max(1))),
        ("peak_pps", json!(share::per_second(finding.packets, span).max(1))),
        ("protocol", json!(protocol)),
        ("threshold_exceeded", json!(time::zulu(shared.incident.detected))),
    ];
    more.extend(destination(shared.incident, finding));
    report(shared, finding, ("connection", "ddos"), subject, &text, more, tags)
}

/// The neighbour over whom forged packets came. It says nothing of any address in them.
pub fn neighbour(shared: &Shared<'_>, ingress: &Ingress) -> Option<Report> {
    let asn = ingress.asn.filter(|_| ingress.forged > 0)?;
    let name = format!("neighbour-AS{asn}");
    let text = format!(
        "Packets with forged sources came to us over AS{asn} (interface {}): {} of {} packets of an attack had sources that cannot be \
         there. Please validate source addresses where your customers come in (BCP 38, BCP 84).",
        ingress.interface, ingress.forged, ingress.packets
    );
    let incident = shared.incident;
    let mut value = core(shared, &name, incident.started, ("vulnerability", "misconfiguration"), &text);
    value.insert("source_identifier".into(), json!(format!("AS{asn}")));
    value.insert("service".into(), json!("source address validation (BCP 38)"));
    value.insert("evidence".into(), json!([evidence("text/plain", "What was counted", text.as_bytes())]));
    value.insert("tags".into(), json!(["attack:spoofed", label(shared)]));
    let subject = format!("AS{asn} lets forged sources out");
    Some(Report { name, subject, text, value: Value::Object(value) })
}

fn report(
    shared: &Shared<'_>,
    finding: &Finding,
    kind: (&str, &str),
    subject: &str,
    text: &str,
    more: impl IntoIterator<Item = (&'static str, Value)>,
    tags: impl IntoIterator<Item = String>,
) -> Report {
    let address = finding.address.to_string();
    let many = is_shared(finding);
    let text = &if many { format!("{text} {}", of_many(finding)) } else { text.to_owned() };
    let mut value = core(shared, &address, finding.first, kind, text);
    value.insert("source_identifier".into(), json!(address));
    if let Some(port) = port(finding) {
        value.insert("source_port".into(), json!(port));
    }
    let confidence = if many { finding.confidence * SHARED } else { finding.confidence };
    value.insert("confidence".into(), json!(share::rounded(confidence)));
    let counted = counted(shared.incident, finding);
    let mut attached = vec![evidence("text/plain", "What was seen, and why it is told", counted.as_bytes())];
    attached.extend(pcap::of(shared.incident, finding).map(|file| {
        evidence("application/vnd.tcpdump.pcap", "Packets as they came, cut behind headers", &file)
    }));
    value.insert("evidence".into(), json!(attached));
    let severity = many.then(|| "severity:low".to_owned());
    value.insert("tags".into(), tags.into_iter().chain(severity).chain([label(shared)]).collect());
    value.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    let subject = format!("{subject}: {address}");
    Report {
        name: address.replace(':', "-"),
        subject,
        text: format!("{text}\n\n{counted}"),
        value: Value::Object(value),
    }
}

/// How much less sure it is that whoever has a shared address did it. A choice, not measured.
const SHARED: f64 = 0.5;

/// Whether a list says that many people share its address.
fn is_shared(finding: &Finding) -> bool {
    finding.reasons.contains(&Reason::C1)
}

/// The port that its first packet came from.
fn port(finding: &Finding) -> Option<u16> {
    finding.ports.map(|(source, _)| source).filter(|port| *port > 0)
}

/// How one of many is found behind an address.
fn of_many(finding: &Finding) -> String {
    let port = port(finding).map_or_else(String::new, |port| format!(" from source port {port}"));
    format!(
        "Many people share this address: only the one who sent{port} at {} (UTC) is meant, so please do not block all of them.",
        finding.first
    )
}

/// How far it may go.
fn label(shared: &Shared<'_>) -> String {
    format!("tlp:{}", shared.terms.tlp.name())
}

/// What every report has.
fn core(
    shared: &Shared<'_>,
    about: &str,
    at: base::Timestamp,
    (category, kind): (&str, &str),
    text: &str,
) -> Map<String, Value> {
    let reporter = &shared.reporter;
    let contact =
        json!({"org": reporter.organisation, "contact": reporter.contact, "domain": reporter.domain});
    let id = Uuid::ours(&format!("xarf {} {} {kind} {about}", reporter.domain, shared.incident.id));
    // only sampled packets are seen by flow export
    let seen = if shared.incident.sampling.is_some_and(|rate| rate > 1) {
        "flow_analysis"
    } else {
        "traffic_monitoring"
    };
    let description: String = text.chars().take(1000).collect();
    let value = json!({
        "xarf_version": VERSION,
        "report_id": id,
        "timestamp": time::zulu(at),
        "reporter": contact.clone(),
        "sender": contact,
        "category": category,
        "type": kind,
        "evidence_source": seen,
        "description": description,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn evidence(content_type: &str, description: &str, octets: &[u8]) -> Value {
    json!({
        "content_type": content_type,
        "description": description,
        "payload": base64(octets),
        "hash": format!("sha256:{}", hex(&Sha256::digest(octets))),
        "size": octets.len(),
    })
}

/// Whom it attacked, and where: without it nobody finds anything in his logs.
fn destination(incident: &Incident, finding: &Finding) -> Vec<(&'static str, Value)> {
    let sampled = pcap::sent(incident, finding).next();
    let address = sampled.map_or_else(|| incident.target.addr(), |(_, headers)| headers.dst);
    let port = finding.ports.map(|(_, port)| port).filter(|port| *port > 0);
    let port = port.map(|port| ("destination_port", json!(port)));
    [("destination_ip", json!(address.to_string()))].into_iter().chain(port).collect()
}

/// In words: what was seen of a source.
fn counted(incident: &Incident, finding: &Finding) -> String {
    let names: Vec<&str> = finding
        .vectors
        .iter()
        .filter_map(|vector| incident.vectors.get(*vector))
        .map(|vector| vector.name.as_str())
        .collect();
    let lists = match finding.lists.join(" ") {
        names if names.is_empty() => names,
        names => format!("lists: {names}\n"),
    };
    let reasons: Vec<_> = finding.reasons.iter().map(|reason| format!("{reason:?}")).collect();
    let sampling = match incident.sampling {
        Some(1) => "each packet was seen".to_owned(),
        Some(rate) => format!("estimated from 1 packet in {rate}"),
        None => "sampling rate unknown".to_owned(),
    };
    format!(
        "attack: {}\nvectors: {}\nsource: {}\nfirst packet: {}\nlast packet: {}\npackets: {}\noctets: {}\ncounting: {sampling}\nreasons: {}\n{lists}",
        incident.id,
        names.join(", "),
        finding.address,
        finding.first,
        finding.last,
        finding.packets,
        finding.bytes,
        reasons.join(" "),
    )
}

/// Why it is sure that this host sent it.
fn proof(finding: &Finding) -> String {
    let has = |reason| finding.reasons.contains(&reason);
    let listed;
    let mut said = Vec::new();
    if has(Reason::H1) || has(Reason::H2) {
        said.push("It completed a handshake, so the address is not forged.");
    }
    if has(Reason::X1) {
        listed = format!("A list of others names it ({}).", finding.lists.join(", "));
        said.push(if finding.lists.is_empty() { "An independent source names it too." } else { &listed });
    }
    if has(Reason::F1) {
        said.push("Its packets have a header that only this tool makes.");
    }
    if has(Reason::D2) {
        said.push("It came again and again at a steady rate.");
    }
    said.join(" ")
}

fn vector<'a>(incident: &'a Incident, finding: &Finding) -> Option<&'a VectorFacts> {
    finding.vectors.first().and_then(|vector| incident.vectors.get(*vector))
}

const fn protocol(number: u8) -> Option<&'static str> {
    match number {
        6 => Some("tcp"),
        17 => Some("udp"),
        132 => Some("sctp"),
        1 | 58 => Some("icmp"),
        _ => None,
    }
}

/// A word as tags may have it.
fn tag(word: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-') { c } else { '-' };
    let text: String = word.chars().map(kept).collect::<String>().to_ascii_lowercase();
    let text = text.trim_start_matches(['_', '+', '-']).to_owned();
    if text.is_empty() { "unknown".into() } else { text }
}
