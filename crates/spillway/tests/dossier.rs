//! `spillway replay --dossier`: who attacked, a verdict per source.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::{Scratch, data, json_lines, spillway, stderr};

/// A dossier as it stands in its folder.
struct Told {
    attack: Value,
    sources: Vec<Value>,
}

/// Replays a file and reads all folders.
fn dossiers(file: &Path, scratch: &Scratch, more: &[&str]) -> Vec<Told> {
    let folder = scratch.path("dossier");
    let (file, folder) = (file.to_str().unwrap(), folder.to_str().unwrap());
    let mut args = vec!["replay", file, "-o", "jsonl", "--dossier", folder];
    args.extend(more);
    let output = spillway(args);
    assert!(output.status.success(), "{file}: {}", stderr(&output));
    let ids: Vec<String> = json_lines(&output)
        .iter()
        .filter(|line| line["event"] == "attack")
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect();
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    assert!(folders.iter().all(|f| ids.contains(&f.file_name().unwrap().to_str().unwrap().to_owned())));
    folders.iter().map(|folder| read(folder)).collect()
}

fn read(folder: &Path) -> Told {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let sources = text("sources.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Told { attack: serde_json::from_str(&text("attack.json")).unwrap(), sources }
}

impl Told {
    fn verdicts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for source in &self.sources {
            *counts.entry(source["verdict"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    fn count(&self, verdict: &str) -> usize {
        self.verdicts().get(verdict).copied().unwrap_or(0)
    }
}

/// File, nature, and the verdict that most of so many sources get: what the data's table says.
const NATURES: [(&str, &str, &str, usize); 5] = [
    ("tcp-syn-flood-spoofed-port25565.pcap", "spoofed", "spoofed", 37_623),
    ("tcp-synack-reflection.pcap", "reflectors", "reflector", 6_035),
    ("udp-ike-natt4500-reflection.pcap", "reflectors", "reflector", 2_767),
    ("udp-snmp161-amplification.pcap", "reflectors", "reflector", 4_028),
    // Some of its 52 sent only later fragments, which prove nothing.
    ("udp-dns-rrsig-amplification-fragmented-with-background.pcap", "reflectors", "reflector", 50),
];

#[test]
fn recorded_attacks_have_the_nature_that_their_publisher_gives() {
    let Some(data) = data() else { return };
    let mut wrong = Vec::new();
    for (file, nature, verdict, sources) in NATURES {
        let scratch = Scratch::new(file);
        for told in dossiers(&data.join("attacks").join(file), &scratch, &[]) {
            println!("{file}: {} {:?}", told.attack["sources"]["nature"], told.verdicts());
            let most = told.count(verdict);
            let near = most * 100 >= sources * 99 && most <= sources;
            let forbidden = if verdict == "spoofed" { "reflector" } else { "spoofed" };
            if told.attack["sources"]["nature"] != nature || !near || told.count(forbidden) > 0 {
                wrong.push(format!("{file}: {} {:?}", told.attack["sources"], told.verdicts()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_dossier_does_not_depend_on_seed_or_shards() {
    let Some(data) = data() else { return };
    let file = data.join("attacks/tcp-synack-reflection.pcap");
    let (a, b) = (Scratch::new("one"), Scratch::new("other"));
    let first = dossiers(&file, &a, &[]);
    let second = dossiers(&file, &b, &["--seed", "9", "--shards", "7"]);
    assert_eq!(first.len(), second.len());
    for (a, b) in first.iter().zip(&second) {
        assert_eq!((&a.attack, &a.sources), (&b.attack, &b.sources));
    }
}
