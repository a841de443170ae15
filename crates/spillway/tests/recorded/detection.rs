//! Every must-detect recording at its vector and victim, and no ordinary traffic.

use base::Prefix;

use super::frames::{files, load};
use super::judge::{attacks, attacks_with, severe};
use super::truth::{ATTACKS, NOT_A_MUST};
use crate::support::data;

#[test]
fn the_table_counts_what_the_recordings_hold() {
    let Some(data) = data() else { return };
    for recorded in ATTACKS {
        let Some(packets) = &recorded.packets else { continue };
        let victim = recorded.victim.parse().unwrap();
        let frames = load(&data.join("attacks").join(recorded.file));
        let count = frames.iter().filter(|frame| (packets.is_attack)(frame, victim)).count();
        assert_eq!(count, packets.count, "{}", recorded.file);
        assert!(!frames.iter().any(|f| (packets.is_attack)(f, victim) && (packets.is_ordinary)(f, victim)));
    }
}

#[test]
fn every_recorded_attack_is_found_at_its_vector_and_victim() {
    let Some(data) = data() else { return };
    let mut wrong = Vec::new();
    for recorded in ATTACKS {
        let found = attacks(&load(&data.join("attacks").join(recorded.file)));
        let victim = Prefix::host(recorded.victim.parse().unwrap());
        let at_victim: Vec<_> = severe(&found).into_iter().filter(|attack| attack.target == victim).collect();
        let as_told = match at_victim.as_slice() {
            [attack] => {
                let mut names = attack.vectors.iter().map(|vector| vector.name.as_str());
                names.next() == Some(recorded.vector) && names.all(|name| recorded.also.contains(&name))
            }
            _ => false,
        };
        if !as_told || severe(&found).len() != 1 {
            wrong.push(format!("{}: {}", recorded.file, told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ordinary_traffic_is_no_attack() {
    let Some(data) = data() else { return };
    let mut wrong = Vec::new();
    for file in files(&data.join("benign")) {
        let found = attacks(&load(&file));
        if !severe(&found).is_empty() {
            wrong.push(format!("{}: {}", file.file_name().unwrap().display(), told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn light_web_use_with_the_label_attack_is_read_to_its_end() {
    let Some(data) = data() else { return };
    let frames = load(&data.join("attacks").join(NOT_A_MUST));
    assert_eq!(frames.len(), 3104);
    println!("{NOT_A_MUST}: {}", told(&attacks(&frames)));
}

#[test]
fn neither_seed_nor_number_of_shards_changes_a_letter() {
    let Some(data) = data() else { return };
    for recorded in ATTACKS {
        let frames = load(&data.join("attacks").join(recorded.file));
        let once = text(&attacks_with(&frames, 1, 0));
        for (shards, seed) in [(2, 1), (7, 0), (7, 99)] {
            assert_eq!(
                once,
                text(&attacks_with(&frames, shards, seed)),
                "{}: {shards}, {seed}",
                recorded.file
            );
        }
    }
}

fn text(attacks: &[engine::report::Attack]) -> String {
    attacks.iter().map(|attack| serde_json::to_string(attack).unwrap() + "\n").collect()
}

/// One line for a person who reads a failed test.
pub(crate) fn told(attacks: &[engine::report::Attack]) -> String {
    let one = |attack: &engine::report::Attack| {
        let vectors: Vec<String> =
            attack.vectors.iter().map(|vector| format!("{} {:.2}", vector.name, vector.share)).collect();
        let direction = attack.direction.name();
        format!("{} {direction} {:?} [{}]", attack.target, attack.severity, vectors.join(", "))
    };
    let all: Vec<String> = attacks.iter().map(one).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("; ") }
}
