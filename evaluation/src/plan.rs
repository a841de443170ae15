//! What is run: the quick set and the whole.

use serde::{Deserialize, Serialize};
use sim::scenario::{self, Case};

use crate::event::EVENTS;
use crate::feed::Feed;
use crate::peer::{Bans, Duel, SEEDS, THRESHOLDS, TUNING_SEED, Variant};
use crate::quiet::{Days, Peace, Quiet};
use crate::recorded::{self, Seen, Splice, VIEWS, View};
use crate::resources::{Cost, Load};
use crate::trial::{Outcome, Trial, Which};

/// One piece of work.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Trial(Trial),
    Quiet(Quiet),
    Splice(Splice),
    Load(Load),
    Duel(Duel),
}

/// Its result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Row {
    Trial(Outcome),
    Quiet(Peace),
    Splice(Seen),
    Load(Cost),
    Duel(Bans),
}

/// Worlds of each event in the full run.
pub(crate) const WORLDS: u64 = 20;
/// Worlds of each event in the quick run.
const WORLDS_QUICK: u64 = 2;
/// Worlds of each event at 1:100, where there is ten times as much to reckon.
pub(crate) const WORLDS_DENSE: u64 = 10;
/// Worlds of each vector.
pub(crate) const WORLDS_VECTOR: u64 = 3;
/// Lead-ins of the comparison, seconds.
pub(crate) const LEADS: [u64; 2] = [10, 3600];
/// Lead-in through caches, which have told nothing before: seconds.
pub(crate) const LEAD_CACHES: u64 = 120;
/// Simulated weeks of peace, and those under the low floor.
pub(crate) const WEEKS: (u64, u64) = (20, 2);
const HOURS_A_WEEK: u32 = 168;
const HOURS_QUICK: u32 = 8;
/// A day is as long as a flow of 22 hours needs.
const HOURS_LONG: u32 = 23;

/// Other ways to be told, each with its sampling, its worlds and its lead-in.
pub(crate) const FEEDS: [(Feed, u32, u64, u64); 5] = [
    (Feed::Sflow, 100, WORLDS_DENSE, 10),
    (Feed::Sflow, 4000, WORLDS, 10),
    (Feed::Prompt, 1000, WORLDS, 10),
    (Feed::Cache60, 1000, WORLDS, LEAD_CACHES),
    (Feed::Cache10, 1000, WORLDS, LEAD_CACHES),
];

/// The parts of the work, by which it can be narrowed.
pub(crate) const PARTS: [&str; 7] =
    ["delays", "feeds", "vectors", "quiet", "recorded", "resources", "fastnetmon"];

/// Everything, the longest first.
pub(crate) fn full(peer: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    let weeks =
        |kind, seeds: u64, hours| (1..=seeds).map(move |seed| Job::Quiet(Quiet { kind, seed, hours }));
    jobs.extend(weeks(Days::Ordinary, WEEKS.0, HOURS_A_WEEK));
    jobs.extend(weeks(Days::LowFloor, WEEKS.1, HOURS_A_WEEK));
    jobs.extend(weeks(Days::LongFlows, 2, HOURS_LONG));
    for lead in LEADS.iter().rev() {
        jobs.extend(measured(Feed::Sflow, 1000, *lead, &seeds(WORLDS), true, |_| true));
    }
    for (feed, sampling, worlds, lead) in FEEDS {
        jobs.extend(measured(feed, sampling, lead, &seeds(worlds), false, |_| true));
    }
    for name in scenario::vectors() {
        for case in [Case::Attack, Case::Peace, Case::LookAlike] {
            jobs.extend((1..=WORLDS_VECTOR).map(|seed| {
                let world = Which::Vector { name: name.clone(), case };
                Job::Trial(Trial { world, seed, feed: Feed::Sflow, sampling: 1000, priced: false })
            }));
        }
    }
    jobs.extend(splices(&VIEWS));
    jobs.extend([Job::Load(Load::Generate), Job::Load(Load::Detect)]);
    if peer {
        jobs.extend(duels());
    }
    jobs
}

/// What `make test` runs.
pub(crate) fn quick() -> Vec<Job> {
    let mut jobs: Vec<Job> =
        (1..=2).map(|seed| Job::Quiet(Quiet { kind: Days::Ordinary, seed, hours: HOURS_QUICK })).collect();
    jobs.push(Job::Quiet(Quiet { kind: Days::LongFlows, seed: 1, hours: HOURS_LONG }));
    jobs.extend(measured(Feed::Sflow, 1000, 10, &seeds(WORLDS_QUICK), true, |_| true));
    let few = |name: &str| ["syn-200k", "dns-100k", "carpet-1M", "background"].contains(&name);
    for (feed, sampling, _, lead) in FEEDS {
        jobs.extend(measured(feed, sampling, lead, &seeds(1), false, few));
    }
    jobs.extend(splices(&[(View::Capture, 1), (View::Router(Feed::Sflow, 10), 1)]));
    jobs.extend([Job::Load(Load::Generate), Job::Load(Load::Detect)]);
    jobs
}

fn measured(
    feed: Feed,
    sampling: u32,
    lead: u64,
    seeds: &[u64],
    priced: bool,
    wanted: fn(&str) -> bool,
) -> Vec<Job> {
    let trial = |name, seed| {
        Job::Trial(Trial { world: Which::Measured { name, lead }, seed, feed, sampling, priced })
    };
    let events = EVENTS.iter().filter(|event| wanted(event.name));
    events.flat_map(|event| seeds.iter().map(move |seed| trial(event.name, *seed))).collect()
}

fn seeds(worlds: u64) -> Vec<u64> {
    (1..=worlds).collect()
}

fn splices(views: &[(View, u64)]) -> Vec<Job> {
    if recorded::data().is_none() {
        return Vec::new();
    }
    let attacks = || recorded::attacks().map(Some).chain([None]);
    let runs = views.iter().flat_map(|(view, seeds)| {
        attacks().flat_map(move |attack| (1..=*seeds).map(move |seed| Splice { attack, view: *view, seed }))
    });
    runs.map(Job::Splice).collect()
}

/// First the search for the best threshold, then the figures; which of them count is seen when all are there.
fn duels() -> Vec<Job> {
    let mut jobs = Vec::new();
    for event in EVENTS {
        let duel = |seed, variant| Job::Duel(Duel { event: event.name, seed, variant });
        for pps in THRESHOLDS {
            jobs.push(duel(TUNING_SEED, Variant::Tuned(pps)));
        }
        for seed in 1..=SEEDS {
            jobs.push(duel(seed, Variant::Shipped));
        }
    }
    jobs
}

/// The runs with the threshold that was found best.
pub(crate) fn best(pps: u32) -> Vec<Job> {
    let duel = |event, seed| Job::Duel(Duel { event, seed, variant: Variant::Tuned(pps) });
    EVENTS.iter().flat_map(|event| (1..=SEEDS).map(move |seed| duel(event.name, seed))).collect()
}

impl Job {
    /// A name under which its result is kept.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Trial(trial) => trial.key(),
            Self::Quiet(quiet) => quiet.key(),
            Self::Splice(splice) => splice.key(),
            Self::Load(load) => load.key(),
            Self::Duel(duel) => duel.key(),
        }
    }

    /// The part of the work to which it belongs, one of [`PARTS`].
    pub(crate) fn part(&self) -> &'static str {
        match self {
            Self::Trial(Trial { world: Which::Vector { .. }, .. }) => "vectors",
            Self::Trial(trial) if trial.priced => "delays",
            Self::Trial(_) => "feeds",
            Self::Quiet(_) => "quiet",
            Self::Splice(_) => "recorded",
            Self::Load(_) => "resources",
            Self::Duel(_) => "fastnetmon",
        }
    }

    /// The event or vector that it is about.
    pub(crate) fn about(&self) -> &str {
        match self {
            Self::Trial(Trial { world: Which::Vector { name, .. }, .. }) => name,
            Self::Trial(Trial { world: Which::Measured { name, .. }, .. }) => name,
            Self::Splice(splice) => splice.attack.unwrap_or("ordinary"),
            Self::Duel(duel) => duel.event,
            Self::Quiet(_) => "quiet",
            Self::Load(_) => "resources",
        }
    }

    pub(crate) fn run(&self) -> Result<Row, String> {
        Ok(match self {
            Self::Trial(trial) => Row::Trial(trial.run()?),
            Self::Quiet(quiet) => Row::Quiet(quiet.run()),
            Self::Splice(splice) => Row::Splice(splice.run()?),
            Self::Load(load) => Row::Load(load.run()?),
            Self::Duel(duel) => Row::Duel(duel.run()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_piece_of_work_has_its_own_name_and_a_part() {
        for jobs in [full(true), quick()] {
            let keys: BTreeSet<String> = jobs.iter().map(Job::key).collect();
            assert_eq!(keys.len(), jobs.len());
            assert!(jobs.iter().all(|job| PARTS.contains(&job.part())));
        }
    }

    #[test]
    fn the_quick_run_asks_for_every_event() {
        let asked: BTreeSet<String> = quick().iter().map(|job| job.about().to_owned()).collect();
        assert!(EVENTS.iter().all(|event| asked.contains(event.name)));
    }
}
