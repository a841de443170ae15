//! Sources per country, network and prefix; who is not known of is counted as such.

use std::collections::BTreeMap;

use intel::dossier::Dossier;
use intel::finding::{Class, Finding};
use serde_json::{Value, json};

/// Rows shown of each table, by packets.
const ROWS: usize = 50;

/// `countries`, `networks` and `prefixes`: sources that are neither forged nor honest, with their packets. A forged address says
/// nothing of where its sender is.
pub fn aggregates(dossier: &Dossier) -> [(&'static str, Value); 3] {
    [
        ("countries", table(dossier, |finding| finding.country.clone().map(Value::from))),
        ("networks", table(dossier, |finding| finding.asn.map(Value::from))),
        ("prefixes", table(dossier, |finding| finding.prefix.map(|prefix| Value::from(prefix.to_string())))),
    ]
}

fn table(dossier: &Dossier, of: impl Fn(&Finding) -> Option<Value>) -> Value {
    let mut rows: BTreeMap<String, (Value, u64, u64)> = BTreeMap::new();
    let there = |class| !matches!(class, Class::Spoofed | Class::Legitimate);
    for finding in dossier.findings.iter().filter(|finding| there(finding.class)) {
        let name = of(finding).unwrap_or(Value::Null);
        let row = rows.entry(name.to_string()).or_insert((name, 0, 0));
        row.1 += 1;
        row.2 += finding.packets;
    }
    let mut rows: Vec<(String, (Value, u64, u64))> = rows.into_iter().collect();
    rows.sort_by(|(a, (_, _, pa)), (b, (_, _, pb))| pb.cmp(pa).then_with(|| a.cmp(b)));
    let row = |(_, (name, sources, packets)): (String, (Value, u64, u64))| json!({"name": name, "sources": sources, "packets": packets});
    rows.into_iter().take(ROWS).map(row).collect()
}
