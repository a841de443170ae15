//! What attacks have in common: those that are shown, and the folders of the past.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

use api::{Campaign, CampaignAttack, Intelligence, Likeness, NetworkLine, ReflectorLine};
use base::Timestamp;
use engine::report::Attack;
use intel::campaign::{Campaigns, Link, Trace};
use intel::dossier::Dossier;
use intel::finding::Class;
use serde::Deserialize;
use serde_json::Value;

use super::folder::{Place, read_short};
use crate::dossier::document;

/// Folders of the past that are looked at, the newest.
const FOLDERS_MAX: usize = 256;
/// Octets of one of their files; a longer one is left out and counted.
const FILE_MAX: u64 = 8 << 20;
/// Lines of each list.
const LINES_MAX: usize = 200;
/// Groups of misused servers of one attack.
const GROUPS_MAX: usize = 1024;

/// What of one attack is compared with others.
#[derive(Clone, Debug)]
pub(super) struct Insight {
    id: String,
    target: String,
    started: Timestamp,
    trace: Trace,
    /// By number of the network: sources that are not forged, and packets.
    networks: Vec<(Option<u32>, u64, u64)>,
    /// Misused servers by protocol and network, and packets.
    reflectors: Vec<(String, Option<u32>, u64, u64)>,
}

impl Insight {
    /// Of an attack that was concluded.
    pub(super) fn of(attack: &Attack, dossier: &Dossier, document: &Value) -> Self {
        let mut groups = Groups::default();
        for finding in dossier.findings.iter().filter(|finding| finding.class == Class::Reflector) {
            groups.add(finding.reflects.as_deref(), finding.asn, finding.packets);
        }
        Self {
            id: attack.id.clone(),
            target: attack.target.to_string(),
            started: attack.started_at,
            trace: Trace::of(dossier, document::TRACE_KEY),
            networks: networks(document),
            reflectors: groups.list(),
        }
    }

    /// Of a sealed folder; `None`: it cannot be read, or is too long.
    fn read(id: &str, place: &Place) -> Option<Self> {
        #[derive(Deserialize)]
        struct Line<'a> {
            verdict: &'a str,
            packets: u64,
            asn: Option<u32>,
            reflects: Option<&'a str>,
        }
        let attack: Value =
            serde_json::from_str(&read_short(&place.path().join("attack.json"), FILE_MAX)?).ok()?;
        let trace = serde_json::from_value(attack.get("trace")?.clone()).ok()?;
        let mut groups = Groups::default();
        for line in read_short(&place.path().join("sources.jsonl"), FILE_MAX).unwrap_or_default().lines() {
            if let Ok(Line { verdict: "reflector", packets, asn, reflects }) = serde_json::from_str(line) {
                groups.add(reflects, asn, packets);
            }
        }
        Some(Self {
            id: id.to_owned(),
            target: attack.get("target")?.as_str()?.to_owned(),
            started: attack.get("started_at")?.as_str()?.parse().ok()?,
            trace,
            networks: networks(&attack),
            reflectors: groups.list(),
        })
    }
}

/// Of a document as [`document::document`] makes it.
fn networks(document: &Value) -> Vec<(Option<u32>, u64, u64)> {
    let rows = document.pointer("/sources/networks").and_then(Value::as_array).into_iter().flatten();
    let number = |row: &Value, key: &str| row.get(key).and_then(Value::as_u64);
    rows.map(|row| {
        let asn = number(row, "name").and_then(|asn| u32::try_from(asn).ok());
        (asn, number(row, "sources").unwrap_or(0), number(row, "packets").unwrap_or(0))
    })
    .collect()
}

#[derive(Default)]
struct Groups(BTreeMap<(String, Option<u32>), (u64, u64)>);

impl Groups {
    fn add(&mut self, protocol: Option<&str>, asn: Option<u32>, packets: u64) {
        let key = (protocol.unwrap_or("not known").to_owned(), asn);
        if self.0.len() >= GROUPS_MAX && !self.0.contains_key(&key) {
            return;
        }
        let sum = self.0.entry(key).or_default();
        sum.0 += 1;
        sum.1 = sum.1.saturating_add(packets);
    }

    fn list(self) -> Vec<(String, Option<u32>, u64, u64)> {
        let of = |((protocol, asn), (sources, packets))| (protocol, asn, sources, packets);
        self.0.into_iter().map(of).collect()
    }
}

/// Of what is shown, and of the folders in this state folder.
pub(super) fn intelligence(shown: Vec<Insight>, state_dir: &Path) -> Intelligence {
    let live: BTreeSet<String> = shown.iter().map(|one| one.id.clone()).collect();
    let mut folders: Vec<(SystemTime, String, Place)> = Place::all(state_dir)
        .into_iter()
        .filter(|(id, place)| !live.contains(id) && place.is_sealed())
        .filter_map(|(id, place)| Some((std::fs::metadata(place.path()).ok()?.modified().ok()?, id, place)))
        .collect();
    folders.sort_by(|(a, x, _), (b, y, _)| b.cmp(a).then_with(|| x.cmp(y)));
    let mut left_out = folders.len().saturating_sub(FOLDERS_MAX);
    let mut all = shown;
    let before = all.len();
    for (_, id, place) in folders.into_iter().take(FOLDERS_MAX) {
        match Insight::read(&id, &place) {
            Some(one) => all.push(one),
            None => left_out += 1,
        }
    }
    let from_folders = all.len() - before;
    all.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
    Intelligence {
        attacks: count(all.len()),
        from_folders: count(from_folders),
        left_out: count(left_out),
        reflectors: reflectors(&all),
        networks: leaders(&all),
        campaigns: campaigns(all),
    }
}

fn campaigns(all: Vec<Insight>) -> Vec<Campaign> {
    let mut known = Campaigns::default();
    let mut out: BTreeMap<usize, Campaign> = BTreeMap::new();
    for one in all {
        let seconds = one.trace.seconds;
        let vectors = one.trace.vectors.clone();
        let Link { campaign, score, because, .. } = known.place(one.trace);
        let because = because.into_iter().map(|(what, weight)| Likeness { what: what.to_owned(), weight });
        let into = out.entry(campaign).or_default();
        into.number = count(campaign);
        into.attacks.push(CampaignAttack {
            id: one.id,
            target: one.target,
            started_at: one.started.to_string(),
            seconds,
            vectors,
            score: (score * 1e6).round() / 1e6,
            because: because.collect(),
        });
    }
    let mut out: Vec<Campaign> = out.into_values().collect();
    let newest = |one: &Campaign| one.attacks.last().map(|attack| attack.started_at.clone());
    out.sort_by(|a, b| newest(b).cmp(&newest(a)).then(a.number.cmp(&b.number)));
    out.truncate(LINES_MAX);
    out
}

fn reflectors(all: &[Insight]) -> Vec<ReflectorLine> {
    let mut sums: BTreeMap<(&str, Option<u32>), ReflectorLine> = BTreeMap::new();
    for (protocol, asn, sources, packets) in all.iter().flat_map(|one| &one.reflectors) {
        let line = sums.entry((protocol, *asn)).or_insert_with(|| ReflectorLine {
            protocol: protocol.clone(),
            asn: *asn,
            ..ReflectorLine::default()
        });
        line.sources += sources;
        line.packets = line.packets.saturating_add(*packets);
        line.attacks += 1;
    }
    let mut lines: Vec<ReflectorLine> = sums.into_values().collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.packets));
    lines.truncate(LINES_MAX);
    lines
}

fn leaders(all: &[Insight]) -> Vec<NetworkLine> {
    let mut sums: BTreeMap<Option<u32>, NetworkLine> = BTreeMap::new();
    for (asn, sources, packets) in all.iter().flat_map(|one| &one.networks) {
        let line = sums.entry(*asn).or_insert_with(|| NetworkLine { asn: *asn, ..NetworkLine::default() });
        line.sources += sources;
        line.packets = line.packets.saturating_add(*packets);
        line.attacks += 1;
    }
    let mut lines: Vec<NetworkLine> = sums.into_values().collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.packets));
    lines.truncate(LINES_MAX);
    lines
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
