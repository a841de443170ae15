//! The result only moves with the input.

use base::{Span, Timestamp};

use super::detection::told;
use super::frames::{Frame, files, load, rebased, span, spliced};
use super::judge::{Story, attacks, severe, stories};
use super::transform::{Counts, MOVES};
use super::truth::ATTACKS;
use crate::support::data;

#[test]
fn attacks_move_with_their_input() {
    let Some(data) = data() else { return };
    let mut wrong = Vec::new();
    for recorded in ATTACKS {
        let frames = load(&data.join("attacks").join(recorded.file));
        let before = attacks(&frames);
        for step in MOVES {
            let after = attacks(&(step.input)(&frames));
            let mut expected: Vec<Story> = stories(&before);
            expected.iter_mut().for_each(|story| story.target = (step.target)(story.target));
            expected.sort();
            if stories(&after) != expected {
                wrong.push(format!(
                    "{}, {}: {}, was {}",
                    recorded.file,
                    step.name,
                    told(&after),
                    told(&before)
                ));
                continue;
            }
            for (now, was) in severe(&after).iter().zip(severe(&before)) {
                let near = |a: u64, b: u64| a.abs_diff(b) * 50 <= a.max(b);
                let as_many = match step.counts {
                    Counts::Same => now.packets == was.packets && now.sources.count == was.sources.count,
                    Counts::Near => {
                        near(now.packets, was.packets) && near(now.sources.count, was.sources.count)
                    }
                    Counts::Fewer => now.packets < was.packets,
                };
                if !as_many {
                    wrong.push(format!(
                        "{}, {}: {} packets of {} sources, was {} of {}",
                        recorded.file,
                        step.name,
                        now.packets,
                        now.sources.count,
                        was.packets,
                        was.sources.count
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ordinary_traffic_stays_ordinary_when_it_moves() {
    let Some(data) = data() else { return };
    let mut wrong = Vec::new();
    // pairwise: each recording with two moves, each move with a quarter of the recordings
    for (number, file) in files(&data.join("benign")).iter().enumerate() {
        let frames = load(file);
        for step in [&MOVES[number % MOVES.len()], &MOVES[(number + 3) % MOVES.len()]] {
            let after = attacks(&(step.input)(&frames));
            if !severe(&after).is_empty() {
                wrong.push(format!("{}, {}: {}", name(file), step.name, told(&after)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_attack_is_the_same_within_any_ordinary_traffic() {
    let Some(data) = data() else { return };
    let mut wrong = Vec::new();
    let recorded: Vec<(_, Vec<Frame>, Vec<Story>)> = ATTACKS
        .iter()
        .map(|recorded| {
            let frames = load(&data.join("attacks").join(recorded.file));
            let alone = stories(&attacks(&frames));
            (recorded.file, frames, alone)
        })
        .collect();
    // pairwise: each ordinary recording with one attack, each attack with four or five of them
    for (benign, (attack_name, attack, alone)) in
        files(&data.join("benign")).iter().zip(recorded.iter().cycle())
    {
        let after = attacks(&embedded(attack, &load(benign)));
        if stories(&after) != *alone {
            wrong.push(format!("{attack_name} in {}: {}", name(benign), told(&after)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The attack begins a third of the way into the ordinary traffic, whose gaps are cut.
pub(crate) fn embedded(attack: &[Frame], benign: &[Frame]) -> Vec<Frame> {
    let start = Timestamp::ZERO.plus(Span::from_secs(1_700_000_000));
    let benign = rebased(benign, start);
    let into = Span::from_nanos(span(&benign).nanos() / 3);
    spliced(&benign, &rebased(attack, start.plus(into)))
}

fn name(file: &std::path::Path) -> String {
    file.file_name().unwrap().to_string_lossy().into_owned()
}
