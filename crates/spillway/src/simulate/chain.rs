//! The world through a router's flow export, the collector and the engine.

use std::net::IpAddr;

use anyhow::Context as _;
use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Direction, Severity, State};
use engine::{Output, Replay};
use sim::aimed::Aimed;
use sim::exporter::{Fleet, Format, Settings};
use telemetry::{Collector, Record};

use crate::config::Config;

/// What the engine said of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Of attacks on the target or a part of it: each report with the time of its decision, while the attack went on.
    pub(super) reports: Vec<(Timestamp, Attack)>,
    /// Reports of anything else.
    pub(super) others: usize,
}

impl Found {
    /// The attacks as they were known last, the earliest first: one that falls on many hosts may be told in parts.
    pub(super) fn attacks(&self) -> Vec<&Attack> {
        latest(self.reports.iter().map(|(_, attack)| attack))
    }

    /// The largest of them.
    pub(super) fn attack(&self) -> Option<&Attack> {
        self.attacks().into_iter().max_by_key(|attack| attack.packets)
    }

    /// Seconds from its first packet to the decision.
    pub(super) fn delay(&self, aimed: &Aimed) -> Option<f64> {
        self.reports.first().map(|(at, _)| at.since(aimed.began()).as_secs_f64())
    }
}

/// The last report of each attack, in the order of the first ones.
pub(super) fn latest<'a>(reports: impl Iterator<Item = &'a Attack>) -> Vec<&'a Attack> {
    let mut all: Vec<&Attack> = Vec::new();
    for attack in reports {
        match all.iter_mut().find(|known| known.id == attack.id) {
            Some(known) => *known = attack,
            None => all.push(attack),
        }
    }
    all
}

/// Lets the engine of this configuration look at it, from calm to the end of the attack.
pub(super) fn run(config: &Config, aimed: &Aimed, router: IpAddr) -> anyhow::Result<Found> {
    let world = aimed.world().context("there is no such attack")?;
    let boot = aimed.start.minus(Span::from_secs(86_400));
    let settings =
        Settings { address: router, seed: aimed.seed, ..Settings::new(Format::Sflow, aimed.thin, boot) };
    let mut collector = Collector::new(config.telemetry(), Seed::default());
    let mut replay = Replay::new(config.engine(), 1, &Seed::default());
    let mut found = Found::default();
    for sent in Fleet::new(world, vec![settings]) {
        collector.datagram(sent.at, router, &sent.bytes, &mut |_, record| {
            if let Some(record) = record {
                replay.record(&Record { at: sent.at, ..*record });
            }
        });
        while let Some(Output::Attack { at, attack }) = replay.poll_output() {
            found.hear(aimed, at, *attack);
        }
    }
    Ok(found)
}

impl Found {
    fn hear(&mut self, aimed: &Aimed, at: Timestamp, attack: Attack) {
        if attack.severity != Severity::Attack || attack.state != State::Active {
            return;
        }
        let overlaps = attack.target.covers(&aimed.target) || aimed.target.covers(&attack.target);
        if overlaps && attack.direction == Direction::In && at >= aimed.began() {
            self.reports.push((at, attack));
        } else {
            self.others += 1;
        }
    }
}
