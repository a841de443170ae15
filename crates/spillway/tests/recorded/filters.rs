//! What the derived filters do, measured with the binary: `replay --apply whole` and `--apply live`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use base::Timestamp;
use serde_json::Value;

use super::frames::{Frame, files, load, write_pcapng};
use super::moves::embedded;
use super::truth::{ATTACKS, Packets, Recorded};
use crate::support::{Scratch, data, spillway, stderr};

/// Of the attack packets a filter removes at least.
const REMOVED_MIN: f64 = 0.95;
/// Of the ordinary packets, and of the ordinary peers, a filter hits at most.
const HIT_MAX: f64 = 0.01;

#[test]
fn the_final_rules_remove_the_attack_and_nothing_ordinary() {
    let Some(data) = data() else { return };
    let mut wrong = Vec::new();
    for (recorded, packets) in told_packet_by_packet() {
        let file = data.join("attacks").join(recorded.file);
        let victim: IpAddr = recorded.victim.parse().unwrap();
        let split = apply(&file, "whole");
        let count = |frames: &[Frame], is: fn(&Frame, IpAddr) -> bool| {
            frames.iter().filter(|f| is(f, victim)).count()
        };
        let removed = count(&split.dropped, packets.is_attack);
        let hit = count(&split.dropped, packets.is_ordinary);
        println!("{}: {removed} of {} attack packets dropped, {hit} ordinary", recorded.file, packets.count);
        if share(removed, packets.count) < REMOVED_MIN || hit > 0 {
            wrong.push(format!(
                "{}: {removed} of {}, {hit} ordinary: {}",
                recorded.file, packets.count, split.rules
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn in_spliced_worlds_the_filters_spare_honest_packets_and_peers() {
    let Some(data) = data() else { return };
    let scratch = Scratch::new("spliced");
    let mut wrong = Vec::new();
    let benign = files(&data.join("benign"));
    for (number, (benign, (recorded, packets))) in
        benign.iter().zip(told_packet_by_packet().collect::<Vec<_>>().iter().cycle()).enumerate()
    {
        let ordinary = load(benign);
        if ordinary.len() < 100 {
            // one packet hit of a few dozen is already over the bound
            continue;
        }
        let world = World::new(&load(&data.join("attacks").join(recorded.file)), &ordinary);
        let file = scratch.path(&format!("{number}.pcapng"));
        write_pcapng(&world.frames, &file);
        let name = format!("{} in {}", recorded.file, benign.file_name().unwrap().display());
        for mode in ["whole", "live"] {
            let split = apply(&file, mode);
            let Some(seen) = world.seen(&split, recorded, packets, mode) else {
                wrong.push(format!("{name}, {mode}: nothing installed"));
                continue;
            };
            if !seen.good() {
                wrong.push(format!("{name}, {mode}: {seen:?}: {}", split.rules));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Two recordings in one, remembering which packet came from where.
struct World {
    frames: Vec<Frame>,
    ordinary: BTreeSet<Frame>,
}

/// Shares after the rules stood.
#[derive(Debug)]
#[expect(dead_code, reason = "read through Debug in a failed test's message")]
struct Seen {
    removed: f64,
    packets_hit: f64,
    peers_hit: f64,
    attack_packets: usize,
}

impl Seen {
    fn good(&self) -> bool {
        self.removed >= REMOVED_MIN && self.packets_hit <= HIT_MAX && self.peers_hit <= HIT_MAX
    }
}

impl World {
    fn new(attack: &[Frame], benign: &[Frame]) -> Self {
        let frames = embedded(attack, benign);
        let only_benign: BTreeSet<Frame> = embedded(&[], benign).into_iter().collect();
        Self { frames, ordinary: only_benign }
    }

    /// `None` where rules should have stood and none did. A live rule that came after the last packet has nothing to do.
    fn seen(&self, split: &Split, recorded: &Recorded, packets: &Packets, mode: &str) -> Option<Seen> {
        let victim: IpAddr = recorded.victim.parse().unwrap();
        let installed = match (mode, split.installed) {
            ("live", Some(at)) => at,
            ("live", None) => return None,
            _ => Timestamp::ZERO,
        };
        let (mut attack, mut removed, mut honest, mut hit) = (0, 0, 0, 0);
        let mut peers: BTreeMap<IpAddr, bool> = BTreeMap::new();
        let both = split.passed.iter().map(|f| (f, false)).chain(split.dropped.iter().map(|f| (f, true)));
        for (frame, dropped) in both.filter(|(frame, _)| frame.at >= installed) {
            if self.ordinary.contains(frame) {
                honest += 1;
                hit += usize::from(dropped);
                if let Some(parsed) = frame.parse() {
                    *peers.entry(parsed.headers.src).or_default() |= dropped;
                }
            } else if (packets.is_attack)(frame, victim) {
                attack += 1;
                removed += usize::from(dropped);
            }
        }
        let peers_hit = peers.values().filter(|hit| **hit).count();
        // the recording ends before a rule can act: nothing to remove
        let removed = if attack == 0 { 1.0 } else { share(removed, attack) };
        Some(Seen {
            removed,
            packets_hit: share(hit, honest),
            peers_hit: share(peers_hit, peers.len()),
            attack_packets: attack,
        })
    }
}

/// What `replay --apply` made of a file.
struct Split {
    passed: Vec<Frame>,
    dropped: Vec<Frame>,
    rules: String,
    /// When the first rule began to act live.
    installed: Option<Timestamp>,
}

fn apply(file: &Path, mode: &str) -> Split {
    let scratch = Scratch::new(&format!("apply-{mode}-{}", file.file_stem().unwrap().display()));
    let (passed, dropped) = (scratch.path("passed.pcapng"), scratch.path("dropped.pcapng"));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (file, passed_at, dropped_at) = (text(file), text(&passed), text(&dropped));
    let args =
        ["replay", &file, "-o", "jsonl", "--apply", mode, "--passed", &passed_at, "--dropped", &dropped_at];
    let output = spillway(args);
    assert!(output.status.success(), "{file}: {}", stderr(&output));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let severe = || lines.iter().filter(|line| line["event"] == "attack" && line["severity"] == "attack");
    let detected = severe().filter_map(|line| line["detected_at"].as_str()?.parse::<Timestamp>().ok()).min();
    let rules: BTreeSet<&str> = severe()
        .filter_map(|line| line["rules"].as_array())
        .flatten()
        .filter_map(|rule| rule["text"].as_str())
        .collect();
    let split = Split {
        passed: load(&passed),
        dropped: load(&dropped),
        rules: rules.into_iter().collect::<Vec<_>>().join(" | "),
        installed: detected.map(|at| at.plus(INSTALL_DELAY)),
    };
    let summary = lines.last().unwrap();
    assert_eq!(
        summary["packets"],
        summary["passed_packets"].as_u64().unwrap() + summary["dropped_packets"].as_u64().unwrap()
    );
    assert_eq!(summary["dropped_packets"], split.dropped.len());
    split
}

/// From decision to effect, as configured for captures.
const INSTALL_DELAY: base::Span = base::Span::from_millis(50);

fn told_packet_by_packet() -> impl Iterator<Item = (&'static Recorded, &'static Packets)> {
    ATTACKS.iter().filter_map(|recorded| Some((recorded, recorded.packets.as_ref()?)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets in a file")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
