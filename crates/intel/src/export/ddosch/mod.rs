//! Fingerprints of the DDoS Clearing House (`fingerprint_format.md` of its dissector), written and read.
//!
//! Differences on purpose: `key` is the SHA-256 of what the fingerprint says, so that different attacks have different keys;
//! `source_ips` holds only sources that sent by proof; averages are of exact durations. What the format lacks stands below
//! `spillway`, which its readers pass over. Lengths are those of Ethernet frames, 14 octets more than layer 3, as the dissector counts.

mod fingerprint;
mod read;
mod spread;
mod trace;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

pub use fingerprint::{Fingerprint, Ours, OursOfVector, Place, Vector};
pub use read::{OCTETS_MAX, Refused, read};
pub use spread::Spread;
pub use trace::trace;

use super::{Document, Format, Shared, share, time, words};
use crate::dossier::{Counts, VectorFacts};
use crate::finding::{Class, Finding};
use ledger::text::hex;

/// One fingerprint.
pub const FORMAT: Format = Format { name: "ddosch", write };

/// Octets before layer 3 in an Ethernet frame.
const ETHERNET: u64 = 14;

fn write(shared: &Shared<'_>) -> Vec<Document> {
    let mut bytes = serde_json::to_vec_pretty(&fingerprint(shared)).unwrap_or_default();
    bytes.push(b'\n');
    vec![Document { path: "ddosch.json".into(), bytes }]
}

/// The fingerprint of an attack.
pub fn fingerprint(shared: &Shared<'_>) -> Fingerprint {
    let incident = shared.incident;
    let span = incident.last.since(incident.started);
    let octets = framed(incident.bytes, incident.packets);
    let total: u64 = incident.vectors.iter().map(|vector| framed(vector.bytes, vector.packets)).sum();
    let attack_vectors =
        incident.vectors.iter().enumerate().map(|(at, facts)| vector(shared, at, facts, total)).collect();
    let target = shared.target().map_or_else(|| "Anonymous".into(), |target| Place(target).to_string());
    let mut fingerprint = Fingerprint {
        attack_vectors,
        target,
        tags: tags(shared),
        key: String::new(),
        time_start: time::offset(incident.started),
        time_end: time::offset(incident.last),
        duration_seconds: span.secs(),
        total_flows: None,
        total_megabytes: octets / 1_000_000,
        total_packets: incident.packets,
        total_ips: incident.source_count,
        avg_bps: share::per_second(octets.saturating_mul(8), span),
        avg_pps: share::per_second(incident.packets, span),
        avg_octets_per_packet: octets.checked_div(incident.packets).unwrap_or(0),
        spillway: Some(Ours {
            attack: incident.id.clone(),
            sources: hex(&shared.set),
            left_out: u64::try_from(shared.left_out).unwrap_or(u64::MAX),
            peak_bps: incident.peak_bps,
            peak_pps: incident.peak_pps,
            sampling: incident.sampling,
            tlp: shared.terms.tlp.name().to_owned(),
        }),
    };
    fingerprint.key = fingerprint.content_key();
    fingerprint
}

/// Names the set of all that attacked: 16 bits of its SHA-256, so that attacks with other sources have other keys, while nobody
/// can try out who was in it.
pub(super) fn set(findings: &[Finding]) -> [u8; 2] {
    let mut hash = Sha256::new();
    let attackers = findings.iter().filter(|finding| finding.class != Class::Legitimate);
    let mut addresses: Vec<_> = attackers.map(|finding| finding.address).collect();
    addresses.sort();
    addresses.iter().for_each(|address| hash.update(base::prefix::wide(*address).to_be_bytes()));
    let [first, second, ..]: [u8; 32] = hash.finalize().into();
    [first, second]
}

fn vector(shared: &Shared<'_>, at: usize, facts: &VectorFacts, total: u64) -> Vector {
    let octets = framed(facts.bytes, facts.packets);
    let ports = share::outliers(&facts.src_ports, 0.05, false);
    let source_port = match ports.as_slice() {
        [(port, part)] if *part > 0.9 => Spread::One(*port),
        _ => spread(&facts.src_ports, 0.1, false, u16::to_string),
    };
    let service = match source_port {
        Spread::One(port) => words::service(facts.ip_protocol, port),
        _ => None,
    };
    let dns = service == Some("DNS") && !facts.dns_questions.is_empty();
    let mut names = Counts::new();
    let mut types = Counts::new();
    for ((name, kind), packets) in &facts.dns_questions {
        *names.entry(name.clone()).or_insert(0) += packets;
        *types.entry(*kind).or_insert(0) += packets;
    }
    let mut source_ips: Vec<Place> = shared
        .sources
        .iter()
        .filter(|one| one.finding().vectors.contains(&at))
        .map(|one| Place::of(one.finding().address))
        .collect();
    source_ips.dedup();
    let frames: Counts<u64> =
        facts.lengths.iter().map(|(length, packets)| (u64::from(*length) + ETHERNET, *packets)).collect();
    let family = if shared.incident.target.is_ipv4() { "IPv4" } else { "IPv6" };
    Vector {
        service: service.map(str::to_owned),
        protocol: words::protocol(facts.ip_protocol),
        fraction_of_attack: Some(share::part(octets, total)),
        source_port,
        destination_ports: spread(&facts.dst_ports, 0.1, false, u16::to_string),
        tcp_flags: (facts.ip_protocol == 6)
            .then(|| spread(&facts.tcp_flags, 0.2, true, |flags| words::tcp_flags(*flags)))
            .filter(|flags| *flags != Spread::Random),
        nr_flows: None,
        nr_packets: Some(facts.packets),
        nr_megabytes: octets / 1_000_000,
        time_start: time::offset(facts.started),
        duration_seconds: facts.last.since(facts.started).secs(),
        source_ips,
        ethernet_type: Some(Spread::Shares(BTreeMap::from([(family.to_owned(), 1.0)]))),
        frame_len: Some(spread(&frames, 0.05, true, u64::to_string)),
        fragmentation_offset: Some(spread(&facts.fragment_offsets, 0.1, true, u16::to_string)),
        ttl: Some(spread(&facts.ttls, 0.1, true, u8::to_string)),
        dns_query_name: dns.then(|| spread(&names, 0.1, false, String::clone)),
        dns_query_type: dns.then(|| spread(&types, 0.1, false, |kind| words::dns_type(*kind))),
        icmp_type: matches!(facts.ip_protocol, 1 | 58)
            .then(|| spread(&facts.icmp_types, 0.1, true, |kind| words::icmp_type(*kind))),
        spillway: Some(OursOfVector {
            name: facts.name.clone(),
            shapes: facts.shapes.iter().take(SHAPES_MAX).map(|(shape, _)| shape.clone()).collect(),
            forged: facts.spoofed.map(|share| [share.low, share.estimate, share.high].map(share::rounded)),
            tools: facts.tools.iter().take(SHAPES_MAX).map(|(id, ..)| id.clone()).collect(),
        }),
    }
}

/// Shapes and tools of one vector that are named.
const SHAPES_MAX: usize = 8;

/// Octets of these packets as Ethernet frames.
const fn framed(octets: u64, packets: u64) -> u64 {
    octets.saturating_add(packets.saturating_mul(ETHERNET))
}

/// What stands out, with the rest as `others`; `random` where nothing does.
fn spread<K: Ord + Clone>(
    counts: &Counts<K>,
    least: f64,
    deviates: bool,
    text: impl Fn(&K) -> String,
) -> Spread {
    let found = share::outliers(counts, least, deviates);
    if found.is_empty() {
        return Spread::Random;
    }
    let told: f64 = found.iter().map(|(_, part)| part).sum();
    let mut shares: BTreeMap<String, f64> = found.iter().map(|(value, part)| (text(value), *part)).collect();
    if told < 0.99 {
        shares.insert("others".into(), share::rounded(1.0 - told));
    }
    Spread::Shares(shares)
}

fn tags(shared: &Shared<'_>) -> Vec<String> {
    let incident = shared.incident;
    let mut tags = Vec::new();
    if incident.vectors.len() > 1 {
        tags.push("Multi-vector attack".to_owned());
    }
    if !incident.target.is_host() {
        tags.push("Carpet bombing attack".to_owned());
    }
    for vector in &incident.vectors {
        tags.push(words::protocol(vector.ip_protocol));
        tags.push(match vector.name.as_str() {
            "tcp-syn-flood" => "TCP SYN flag attack".into(),
            "tcp-ack-flood" => "TCP ACK flag attack".into(),
            name if name.starts_with("udp-amplification-") => "Amplification attack".into(),
            name if name.contains("fragment") => "Fragmentation attack".into(),
            _ => format!("{} flood attack", words::protocol(vector.ip_protocol)),
        });
    }
    tags.sort();
    tags.dedup();
    tags
}
