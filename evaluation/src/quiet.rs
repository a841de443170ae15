//! Weeks in which nothing happens that calls for action, and what is called an attack in them.

use base::{Prefix, Span};
use engine::{Floor, Profile, Settings};
use serde::{Deserialize, Serialize};
use sim::event::Shape;
use sim::exporter::{Fleet, Format, Settings as Router};
use sim::population::Role;
use sim::session;
use sim::{Config, Event, Kind, World};

use crate::feed::Feed;
use crate::{judge, watch};

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quiet {
    pub(crate) kind: Days,
    pub(crate) seed: u64,
    pub(crate) hours: u32,
}

/// Of which kind the days are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Days {
    /// 100 kpps at sFlow 1:1000, with the day's swing, restless hosts, bulk transfers, and each day a crowd and an elephant.
    Ordinary,
    /// The same under `floor = "low"`.
    LowFloor,
    /// Flows that a router without an active timeout tells at their end, after 22 hours.
    LongFlows,
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Peace {
    pub(crate) hours: u32,
    pub(crate) hosts: u32,
    /// What was called an attack.
    pub(crate) alarms: Vec<String>,
    pub(crate) suspicions: usize,
    pub(crate) records: u64,
    /// CPU seconds of decoding, counting and deciding.
    pub(crate) cpu: f64,
}

/// How long those flows last.
const LONG: Span = Span::from_secs(22 * 3600);

impl Quiet {
    pub(crate) fn key(&self) -> String {
        format!("quiet {:?} {} h seed {}", self.kind, self.hours, self.seed)
    }

    pub(crate) fn run(&self) -> Peace {
        let span = Span::from_secs(u64::from(self.hours) * 3600);
        let mut config = Config { seed: self.seed, span, ..Config::default() };
        let events = match self.kind {
            Days::Ordinary | Days::LowFloor => {
                config.bursts_per_hour = 4.0;
                self.days(&config)
            }
            Days::LongFlows => {
                config.pps = 20_000.0;
                long_flows(&config)
            }
        };
        let floor = if self.kind == Days::LowFloor { Floor::Low } else { Floor::Default };
        let settings = Settings { networks: config.networks.clone(), floor, ..Settings::of(Profile::Daemon) };
        let mut routers = Feed::Sflow.routers(config.routers, config.thin, config.start, self.seed);
        if self.kind == Days::LongFlows {
            routers = Feed::Cache60
                .routers(config.routers, config.thin, config.start, self.seed)
                .into_iter()
                .map(|router| Router { format: Format::NetFlow9, ..router }.cache(span, Span::from_secs(15)))
                .collect();
        }
        let (start, hosts) = (config.start, config.hosts);
        let seen = watch::datagrams(Fleet::new(World::new(config, events), routers), settings, |_| false);
        Peace {
            hours: self.hours,
            hosts,
            alarms: seen.alarms.iter().map(|alarm| judge::short(alarm, start)).collect(),
            suspicions: seen.suspicions,
            records: seen.records,
            cpu: seen.cpu.as_secs_f64(),
        }
    }

    /// Each day a crowd of ten minutes that gathers within one, and a transfer of one minute.
    fn days(&self, config: &Config) -> Vec<Event> {
        let people = World::population(config);
        let crowd = Kind::Crowd { session: session::Kind::Https, serves: true };
        let mut events = Vec::new();
        for day in 0..=self.hours / 24 {
            let at = |hour: u64| config.start.plus(Span::from_secs(u64::from(day) * 86_400 + hour * 3600));
            let shop = Prefix::host(people.find(40 + 13 * day, Role::Web, true));
            let home = Prefix::host(people.find(900 + 13 * day, Role::Eyeballs, day % 2 == 0));
            let pps = 30_000.0 + 5_000.0 * f64::from(day % 7);
            events.push(
                Event::new(crowd, shop, at(1), Span::from_secs(600), pps)
                    .shape(Shape::Ramp { over: Span::from_secs(60) }),
            );
            events.push(Event::new(
                Kind::Elephant { receives: true },
                home,
                at(2),
                Span::from_secs(60),
                80_000.0,
            ));
        }
        events.retain(|event| event.start < config.start.plus(config.span));
        events
    }
}

/// Three transfers of 22 hours.
fn long_flows(config: &Config) -> Vec<Event> {
    let people = World::population(config);
    let lines = [(300, 1_000.0), (600, 2_000.0), (900, 5_000.0)];
    let flow = |(rank, pps): (u32, f64)| {
        let home = Prefix::host(people.find(rank, Role::Eyeballs, true));
        let start = config.start.plus(Span::from_secs(600));
        Event::new(Kind::Elephant { receives: true }, home, start, LONG, pps)
    };
    lines.into_iter().map(flow).collect()
}
