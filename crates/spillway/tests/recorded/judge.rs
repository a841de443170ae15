//! What the engine says of a recording.

use std::collections::BTreeMap;

use base::Prefix;
use base::map::Seed;
use engine::report::{Attack, Direction, Severity};
use engine::{Output, Profile, Replay, Settings};
use telemetry::Record;

use super::frames::Frame;

/// Final state of each attack, by target and start.
pub(crate) fn attacks(frames: &[Frame]) -> Vec<Attack> {
    attacks_with(frames, 1, 0)
}

/// The same over this many shards and with this seed of the tables.
pub(crate) fn attacks_with(frames: &[Frame], shards: usize, seed: u64) -> Vec<Attack> {
    let mut replay = Replay::new(Settings::of(Profile::Capture), shards, &Seed::new(seed));
    let mut last = BTreeMap::new();
    let mut collect = |replay: &mut Replay| {
        while let Some(Output::Attack { attack, .. }) = replay.poll_output() {
            last.insert(attack.id.clone(), *attack);
        }
    };
    for frame in frames {
        if let Some(parsed) = frame.parse() {
            replay.record(&Record::packet(frame.at, &parsed));
            collect(&mut replay);
        }
    }
    replay.finish();
    collect(&mut replay);
    let mut attacks: Vec<Attack> = last.into_values().collect();
    attacks.sort_by_key(|attack| (attack.target, attack.started_at));
    attacks
}

/// Those that call for action.
pub(crate) fn severe(attacks: &[Attack]) -> Vec<&Attack> {
    attacks.iter().filter(|attack| attack.severity == Severity::Attack).collect()
}

/// What has to stay the same when the input moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Story {
    pub(crate) target: Prefix,
    pub(crate) inbound: bool,
    pub(crate) vectors: Vec<String>,
}

/// The severe attacks in short.
pub(crate) fn stories(attacks: &[Attack]) -> Vec<Story> {
    let mut stories: Vec<Story> = severe(attacks)
        .iter()
        .map(|attack| {
            let mut vectors: Vec<String> = attack.vectors.iter().map(|vector| vector.name.clone()).collect();
            vectors.sort();
            Story { target: attack.target, inbound: attack.direction == Direction::In, vectors }
        })
        .collect();
    stories.sort();
    stories
}
