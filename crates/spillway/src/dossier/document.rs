//! `attack.json` and `sources.jsonl`: the attack's own document with what is known of its sources, and a line per source.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use engine::report::Attack;
use intel::campaign::{Link, Trace};
use intel::dossier::{Dossier, VectorFacts};
use intel::finding::{Class, Finding, Reason};
use intel::shape_id;
use serde::Serialize;
use serde_json::{Value, json};

/// A line of `sources.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    address: std::net::IpAddr,
    verdict: Class,
    confidence: f64,
    reasons: &'a [Reason],
    packets: u64,
    asn: Option<u32>,
    country: Option<&'a str>,
    bytes: u64,
    first: base::Timestamp,
    last: base::Timestamp,
    vectors: Vec<&'a str>,
    prefix: Option<base::Prefix>,
    city: Option<&'a str>,
    reflects: Option<&'a str>,
    tool: Option<&'a str>,
    lists: Vec<&'a str>,
}

/// The key under which traces are made: the same for all who want to compare.
pub const TRACE_KEY: u64 = 0x7472_6163_6531_0001;

/// Writes both files into `folder`, which is made where it is missing; what stands in `attack.json`.
///
/// # Errors
/// When the disk does not take it.
pub fn write(
    folder: &Path,
    attack: &Attack,
    dossier: &Dossier,
    (trace, link): (&Trace, &Link),
) -> anyhow::Result<String> {
    sources(folder, dossier)?;
    about(folder, attack, dossier, (trace, link))
}

/// Writes `attack.json` alone; what stands in it.
///
/// # Errors
/// When the disk does not take it.
pub fn about(
    folder: &Path,
    attack: &Attack,
    dossier: &Dossier,
    (trace, link): (&Trace, &Link),
) -> anyhow::Result<String> {
    std::fs::create_dir_all(folder).with_context(|| failed(folder))?;
    let path = folder.join("attack.json");
    let mut document = document(attack, dossier)?;
    if let Some(document) = document.as_object_mut() {
        document.insert("trace".into(), serde_json::to_value(trace)?);
        document.insert("campaign".into(), campaign(link));
    }
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    std::fs::write(&path, &text).with_context(|| failed(&path))?;
    Ok(text)
}

/// Writes `sources.jsonl` alone.
///
/// # Errors
/// When the disk does not take it.
pub fn sources(folder: &Path, dossier: &Dossier) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| failed(folder))?;
    let path = folder.join("sources.jsonl");
    let mut out = BufWriter::with_capacity(WRITTEN, File::create(&path).with_context(|| failed(&path))?);
    for finding in &dossier.findings {
        serde_json::to_writer(&mut out, &line(finding, dossier))?;
        out.write_all(b"\n").with_context(|| failed(&path))?;
    }
    out.flush().with_context(|| failed(&path))
}

/// Octets written at once.
const WRITTEN: usize = 1 << 16;

fn failed(path: &Path) -> String {
    format!("{}: cannot be written; name a folder that can", path.display())
}

/// The lines of `sources.jsonl`, each with the packets of its source.
pub(crate) fn lines(dossier: &Dossier) -> impl Iterator<Item = (u64, String)> {
    let text = |finding| serde_json::to_string(&line(finding, dossier)).ok();
    dossier.findings.iter().filter_map(move |finding| Some((finding.packets, text(finding)?)))
}

fn line<'a>(finding: &'a Finding, dossier: &'a Dossier) -> Line<'a> {
    let name = |place: &usize| dossier.incident.vectors.get(*place).map(|vector| vector.name.as_str());
    Line {
        address: finding.address,
        verdict: finding.class,
        confidence: rounded(finding.confidence),
        reasons: &finding.reasons,
        packets: finding.packets,
        asn: finding.asn,
        country: finding.country.as_deref(),
        bytes: finding.bytes,
        first: finding.first,
        last: finding.last,
        vectors: finding.vectors.iter().filter_map(name).collect(),
        prefix: finding.prefix,
        city: finding.city.as_deref(),
        reflects: finding.reflects.as_deref(),
        tool: finding.tool.as_deref(),
        lists: finding.lists.iter().map(AsRef::as_ref).collect(),
    }
}

/// Which of the recording's attacks it belongs to, and why.
fn campaign(link: &Link) -> Value {
    let because: Vec<Value> =
        link.because.iter().map(|(what, weight)| json!({"what": what, "weight": weight})).collect();
    json!({"number": link.campaign, "new": link.is_new, "score": rounded(link.score), "because": because})
}

/// The attack's document; its sources are what the dossier says of them.
pub(crate) fn document(attack: &Attack, dossier: &Dossier) -> anyhow::Result<Value> {
    let mut document = serde_json::to_value(attack)?;
    let nature = dossier.nature();
    if let Some(sources) = document.get_mut("sources").and_then(Value::as_object_mut) {
        sources.insert("nature".into(), json!(nature.class.name()));
        sources.insert("confidence".into(), json!(rounded(nature.confidence)));
        sources.insert("count".into(), json!(dossier.incident.source_count));
        sources.insert("verdicts".into(), verdicts(dossier));
        for (name, counts) in crate::dossier::aggregate::aggregates(dossier) {
            sources.insert(name.into(), counts);
        }
    }
    if let Some(vectors) = document.get_mut("vectors").and_then(Value::as_array_mut) {
        for vector in vectors {
            let of = |facts: &&VectorFacts| vector.get("name").and_then(Value::as_str) == Some(&facts.name);
            let facts = dossier.incident.vectors.iter().find(of);
            if let (Some(facts), Some(vector)) = (facts, vector.as_object_mut()) {
                vector.extend(told(facts));
            }
        }
    }
    Ok(document)
}

/// Sources and packets by class.
fn verdicts(dossier: &Dossier) -> Value {
    let mut classes: BTreeMap<Class, (u64, u64)> = BTreeMap::new();
    for finding in &dossier.findings {
        let count = classes.entry(finding.class).or_default();
        count.0 += 1;
        count.1 += finding.packets;
    }
    let name = |class| serde_json::to_value(class).ok().and_then(|v| v.as_str().map(String::from));
    let counts = |(sources, packets)| json!({"sources": sources, "packets": packets});
    classes.into_iter().filter_map(|(class, count)| Some((name(class)?, counts(count)))).collect()
}

/// Values shown of each table.
const TOP: usize = 16;

fn told(facts: &VectorFacts) -> serde_json::Map<String, Value> {
    let share = |packets: u64| rounded(ratio(packets, facts.packets));
    let shapes: Vec<Value> = facts
        .shapes
        .iter()
        .take(TOP)
        .map(|(text, packets)| {
            json!({"id": shape_id(text), "text": text, "packets": packets, "share": share(*packets)})
        })
        .collect();
    let tools: Vec<Value> = facts
        .tools
        .iter()
        .map(|(rule, name, packets)| {
            json!({"rule": rule, "name": name, "packets": packets, "share": share(*packets)})
        })
        .collect();
    let spoofed = facts
        .spoofed
        .map(|s| json!({"estimate": rounded(s.estimate), "low": rounded(s.low), "high": rounded(s.high)}));
    let questions: Vec<Value> = top(&facts.dns_questions)
        .into_iter()
        .map(|((name, kind), packets)| json!({"name": name, "type": kind, "packets": packets}))
        .collect();
    let plain = |counts: Vec<(String, u64)>| -> Value {
        counts.into_iter().map(|(value, packets)| (value, json!(packets))).collect()
    };
    let text = |(value, packets): (u64, u64)| (value.to_string(), packets);
    let numbers = |counts: Vec<(u64, u64)>| plain(counts.into_iter().map(text).collect());
    [
        ("packets", json!(facts.packets)),
        ("bytes", json!(facts.bytes)),
        ("ip_protocol", json!(facts.ip_protocol)),
        ("spoofed", json!(spoofed)),
        ("shapes", json!(shapes)),
        ("tools", json!(tools)),
        ("ttls", numbers(wide(&facts.ttls))),
        ("lengths", numbers(wide(&facts.lengths))),
        ("tcp_flags", numbers(wide(&facts.tcp_flags))),
        ("src_ports", numbers(wide(&facts.src_ports))),
        ("dst_ports", numbers(wide(&facts.dst_ports))),
        ("icmp_types", numbers(wide(&facts.icmp_types))),
        ("dns_questions", json!(questions)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn wide<K: Copy + Ord + Into<u64>>(counts: &BTreeMap<K, u64>) -> Vec<(u64, u64)> {
    top(counts).into_iter().map(|(value, packets)| (value.into(), packets)).collect()
}

/// The most frequent values, equals by value.
fn top<K: Clone + Ord>(counts: &BTreeMap<K, u64>) -> Vec<(K, u64)> {
    let mut all: Vec<(K, u64)> = counts.iter().map(|(value, packets)| (value.clone(), *packets)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(TOP);
    all
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
