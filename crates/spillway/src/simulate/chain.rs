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
    /// Of the attack that was aimed: each report with the time of its decision, while the attack went on.
    pub(super) reports: Vec<(Timestamp, Attack)>,
    /// Reports of anything else.
    pub(super) others: usize,
}

impl Found {
    /// The attack as it was known last.
    pub(super) fn attack(&self) -> Option<&Attack> {
        self.reports.last().map(|(_, attack)| attack)
    }

    /// Seconds from its first packet to the decision.
    pub(super) fn delay(&self, aimed: &Aimed) -> Option<f64> {
        self.reports.first().map(|(at, _)| at.since(aimed.began()).as_secs_f64())
    }
}

/// Lets the engine of this configuration look at it, from calm to the end of the attack.
pub(super) fn run(config: &Config, aimed: &Aimed, router: IpAddr) -> anyhow::Result<Found> {
    let world = aimed.world().context("there is no such attack")?;
    let boot = aimed.start.minus(Span::from_secs(86_400));
    let settings = Settings { address: router, seed: aimed.seed, ..Settings::new(Format::Sflow, aimed.thin, boot) };
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
        let known = self.attack().map(|known| known.id.clone());
        let overlaps = attack.target.covers(&aimed.target) || aimed.target.covers(&attack.target);
        let is_it = overlaps
            && attack.direction == Direction::In
            && attack.severity == Severity::Attack
            && at >= aimed.began()
            && known.as_ref().is_none_or(|id| *id == attack.id);
        if is_it && attack.state == State::Active {
            self.reports.push((at, attack));
        } else if known != Some(attack.id) && attack.severity == Severity::Attack {
            self.others += 1;
        }
    }
}
