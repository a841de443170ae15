//! One world, one feed, one run: what became of its event.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use base::{Span, Timestamp};
use engine::{Floor, Profile, Settings};
use serde::{Deserialize, Serialize};
use sim::event::{Shape, Story};
use sim::exporter::Fleet;
use sim::rng::Rng;
use sim::scenario::{Case, Scale, Scenario};
use sim::{Event, Nature, scenario};

use crate::feed::Feed;
use crate::price::{Price, price};
use crate::watch::{self, Alarm};
use crate::{event, judge};

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) world: Which,
    pub(crate) seed: u64,
    pub(crate) feed: Feed,
    pub(crate) sampling: u32,
    /// Whether the rules are priced, too.
    pub(crate) priced: bool,
}

/// Which world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// An event of the comparison, after so many seconds of lead-in.
    Measured { name: &'static str, lead: u64 },
    /// A vector at 100 kpps.
    Vector { name: String, case: Case },
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Whether there was anything to be found.
    pub(crate) attack: bool,
    /// Seconds from its first packet to its alarm.
    pub(crate) delay: Option<f64>,
    /// Seconds from its first packet to the first datagram that tells of it.
    pub(crate) told: Option<f64>,
    /// The vector that was named.
    pub(crate) called: Option<String>,
    /// Whether that is the right one.
    pub(crate) named: bool,
    /// Alarms raised for it.
    pub(crate) alarms: usize,
    /// How soon each pulse behind the first was answered.
    pub(crate) pulses: Vec<Option<f64>>,
    /// Alarms that nothing explains, from the event's first packet on.
    pub(crate) strays: Vec<String>,
    /// The same in the lead-in.
    pub(crate) early: Vec<String>,
    pub(crate) price: Option<Price>,
    pub(crate) records: u64,
    /// CPU seconds of decoding, counting and deciding.
    pub(crate) cpu: f64,
}

impl Outcome {
    /// Alarms that nothing explains, whenever they came.
    pub(crate) fn unexplained(&self) -> Vec<String> {
        self.early.iter().chain(&self.strays).cloned().collect()
    }
}

impl Trial {
    /// A name under which its result is kept.
    pub(crate) fn key(&self) -> String {
        let world = match &self.world {
            Which::Measured { name, lead } => format!("{name} lead {lead}"),
            Which::Vector { name, case } => format!("{name} {case:?}"),
        };
        let feed = self.feed.name();
        let priced = if self.priced { " priced" } else { "" };
        format!("{world} seed {} {feed} 1:{}{priced}", self.seed, self.sampling)
    }

    pub(crate) fn run(&self) -> Result<Outcome, String> {
        let scenario = self.scenario().ok_or_else(|| format!("no such world: {}", self.key()))?;
        let floor = match &self.world {
            Which::Measured { name, .. } => event::named(name).map_or(Floor::Default, |line| line.floor),
            Which::Vector { .. } => Floor::Default,
        };
        Ok(run(&scenario, self.feed, floor, self.seed, self.priced))
    }

    fn scenario(&self) -> Option<Scenario> {
        let mut scenario = match &self.world {
            Which::Measured { name, lead } => scenario::measured(name, lead_in(*lead, self.seed), self.seed)?,
            Which::Vector { name, case } => {
                let mut scenario = scenario::build(name, *case, Scale::Provider, true, self.seed)?;
                for event in &mut scenario.events {
                    event.start = event.start.plus(lead_in(0, self.seed));
                }
                scenario
            }
        };
        scenario.config.thin = self.sampling;
        // What a cache holds back has to come out before the end.
        scenario.config.span =
            Span::from_nanos(scenario.config.span.nanos() + self.feed.holds().nanos() + 1_000_000_000);
        Some(scenario)
    }
}

/// So many seconds and a part of one: attacks do not wait for the tick of whoever looks out for them.
pub(crate) fn lead_in(seconds: u64, seed: u64) -> Span {
    Span::from_nanos(Span::from_secs(seconds).nanos() + Rng::part(seed, 0x7068_6173).below(1_000_000_000))
}

/// Runs a scenario; its attack is the first event that is one.
fn run(scenario: &Scenario, feed: Feed, floor: Floor, seed: u64, priced: bool) -> Outcome {
    let attack = scenario.events.iter().find(|event| event.kind.vector().is_some());
    let story = attack.map(Event::story);
    let config = &scenario.config;
    let settings = Settings { networks: config.networks.clone(), floor, ..Settings::of(Profile::Daemon) };
    let routers = feed.routers(config.routers, config.thin, config.start, seed);
    // Who talks to whom in the attack, to know the first record of it.
    let pairs: RefCell<BTreeSet<(IpAddr, IpAddr)>> = RefCell::default();
    let world = scenario.world();
    let (from, until) = (world.now(), world.end());
    let packets = world.inspect(|packet| {
        if packet.truth.nature == Nature::Attack {
            pairs.borrow_mut().insert((packet.headers.src, packet.headers.dst));
        }
    });
    let seen = watch::datagrams(Fleet::over(packets, from, until, routers), settings, |record| {
        pairs.borrow().contains(&(record.headers.src, record.headers.dst))
    });
    let late = |story: &Story| story.end.plus(feed.holds()).plus(Span::from_secs(1));
    let attacks: Vec<(&Story, Timestamp)> = story.iter().map(|story| (story, late(story))).collect();
    let start = scenario.events.iter().map(|event| event.start).min().unwrap_or(config.start);
    let (strays, early): (Vec<&Alarm>, Vec<&Alarm>) =
        judge::strays(&seen.alarms, &attacks).into_iter().partition(|alarm| alarm.first >= start);
    let short = |alarms: &[&Alarm]| alarms.iter().map(|alarm| judge::short(alarm, start)).collect();
    let mut outcome = Outcome {
        attack: story.is_some(),
        delay: None,
        told: seen.told.map(|at| at.since(start).as_secs_f64()),
        called: None,
        named: false,
        alarms: 0,
        pulses: Vec::new(),
        strays: short(&strays),
        early: short(&early),
        price: None,
        records: seen.records,
        cpu: seen.cpu.as_secs_f64(),
    };
    if let (Some(event), Some(story)) = (attack, &story) {
        let verdict = judge::verdict(&seen.alarms, story, &pulses(event), late(story));
        outcome.named = verdict.called.as_ref().is_some_and(|name| story.vectors.contains(name));
        outcome.price = found(&seen.alarms, story, late(story))
            .filter(|_| priced)
            .map(|alarm| price(scenario, story, &alarm.last.rules, alarm.first));
        (outcome.delay, outcome.called) = (verdict.delay, verdict.called);
        (outcome.alarms, outcome.pulses) = (verdict.alarms, verdict.pulses);
    }
    outcome
}

/// The alarm that found it.
fn found<'a>(alarms: &'a [Alarm], story: &Story, until: Timestamp) -> Option<&'a Alarm> {
    alarms.iter().find(|a| judge::fits(&a.last, story) && a.first >= story.start && a.first <= until)
}

/// When each pulse begins.
fn pulses(event: &Event) -> Vec<Timestamp> {
    let Shape::Pulses { period, .. } = event.shape else { return Vec::new() };
    let starts = (0..).map(|n| event.start.plus(period.times(n)));
    starts.take_while(|start| *start < event.end()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(name: &'static str, feed: Feed) -> Trial {
        Trial { world: Which::Measured { name, lead: 3 }, seed: 1, feed, sampling: 1000, priced: true }
    }

    #[test]
    fn the_same_trial_has_the_same_outcome() {
        let trial = trial("syn-200k", Feed::Prompt);
        let one = Outcome { cpu: 0.0, ..trial.run().unwrap() };
        let other = Outcome { cpu: 0.0, ..trial.run().unwrap() };
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
        assert!(one.attack && one.records > 1_000, "{one:?}");
        // Told within the flush of the router and the sampling of 200 kpps at 1:1000.
        assert!(one.told.is_some_and(|told| (0.0..0.25).contains(&told)), "{one:?}");
    }

    #[test]
    fn lead_ins_begin_at_any_part_of_a_second() {
        let parts: BTreeSet<u64> =
            (1..=20).map(|seed| lead_in(10, seed).nanos() % 1_000_000_000 / 250_000_000).collect();
        assert_eq!(parts, BTreeSet::from([0, 1, 2, 3]));
        assert!((1..=20).all(|seed| (10.0..11.0).contains(&lead_in(10, seed).as_secs_f64())));
    }

    #[test]
    fn pulses_begin_once_a_period() {
        let scenario = scenario::measured("pulses-150k", Span::from_secs(10), 1).unwrap();
        let event = &scenario.events[0];
        let starts: Vec<u64> = pulses(event).iter().map(|at| at.since(event.start).secs()).collect();
        assert_eq!(starts, [0, 10, 20, 30, 40]);
    }
}
