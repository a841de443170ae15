//! What happens in the world of the demonstration: the same acts for each seed, with other victims, ports and rates.

use std::time::Duration;

use base::{Prefix, Span, Timestamp};
use sim::attack::reflector::named;
use sim::population::Role;
use sim::rng::Rng;
use sim::session;
use sim::{Config, Event, Kind, Shape, World};

/// The script.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) seed: u64,
    attacks: bool,
    config: Config,
    lines: Vec<Line>,
}

/// An event and how it is announced.
#[derive(Clone, Debug)]
struct Line {
    /// What the summary calls it.
    name: &'static str,
    announcement: &'static str,
    /// Seconds from the beginning.
    from: u64,
    secs: u64,
    target: Prefix,
    kind: Kind,
    pps: f64,
    port: Option<u16>,
    shape: Shape,
}

/// Something to be said at a time.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) at: Duration,
    pub(super) text: String,
}

/// What the world did, for the summary.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Deed {
    /// What the summary calls it.
    pub(super) name: &'static str,
    /// Whether it was an attack.
    pub(super) attack: bool,
    /// Its vector.
    pub(super) vector: Option<String>,
    /// Who suffered it.
    pub(super) target: Prefix,
    /// When it began.
    #[serde(skip)]
    pub(super) from: Duration,
}

/// Packets of which one is told, by each router.
pub(super) const SAMPLING: u32 = 1000;
/// Border routers.
pub(super) const ROUTERS: u16 = 4;
/// The ordinary hour at the beginning takes so long.
const LEAD: u64 = 10;
/// All of it.
const LENGTH: u64 = 40;
/// The world goes on for so long: a month.
const SPAN: u64 = 30 * 86_400;

impl Script {
    pub(super) fn new(seed: u64, attacks: bool) -> Self {
        let config = Config {
            seed,
            span: Span::from_secs(SPAN),
            thin: SAMPLING,
            routers: ROUTERS,
            // An hour's swing in the seconds of the opening.
            diurnal: 0.1,
            day: Span::from_secs(2 * LEAD),
            ..Config::default()
        };
        let mut rng = Rng::part(seed, 0x6465_6d6f);
        let people = World::population(&config);
        let mut rank = || rng.range(400, 4_000);
        let (home, shop, net, crowd) = (rank(), rank(), rank(), rank() / 40);
        let home = people.find(home, Role::Eyeballs, true);
        let shop = people.find(shop, Role::Web, rng.chance(0.7));
        let net = people.find(net, Role::Web, true);
        let crowd = people.find(crowd, Role::Web, true);
        let mut rate = |lo: u32, hi: u32| f64::from(rng.range(lo, hi)) * 1_000.0;
        let mut lines = vec![Line {
            name: "flash crowd",
            announcement: "A shop of ours is in the news. Very many people come at once: a flash crowd, and welcome.",
            from: 15,
            secs: LENGTH - 15,
            target: Prefix::host(crowd),
            kind: Kind::Crowd { session: session::Kind::Https, serves: true },
            pps: rate(35, 60),
            port: None,
            shape: Shape::Ramp { over: Span::from_secs(4) },
        }];
        if attacks {
            lines.push(Line {
                name: "DNS amplification",
                announcement: "Somebody asks open resolvers long questions in the name of one of our customers.",
                from: LEAD,
                secs: 10,
                target: Prefix::host(home),
                kind: named("dns").map_or(Kind::UdpFlood, Kind::Amplification),
                pps: rate(80, 140),
                port: None,
                shape: Shape::Steady,
            });
            lines.push(Line {
                name: "spoofed SYN flood",
                announcement: "A web server of ours gets SYNs from forged addresses.",
                from: 20,
                secs: 10,
                target: Prefix::host(shop),
                kind: Kind::SynFlood { forged: true },
                pps: rate(120, 250),
                port: Some(443),
                shape: Shape::Steady,
            });
            lines.push(Line {
                name: "carpet bombing",
                announcement: "UDP falls on a whole network of ours, on each address a little.",
                from: 30,
                secs: 10,
                target: Prefix::of(net, 24),
                kind: Kind::UdpFlood,
                pps: rate(600, 1_200),
                port: None,
                shape: Shape::Steady,
            });
        }
        lines.sort_by_key(|line| line.from);
        Self { seed, attacks, config, lines }
    }

    /// Networks of the world.
    pub(super) fn networks(&self) -> &[Prefix] {
        &self.config.networks
    }

    /// What the world is made of.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// How long the story takes.
    pub(super) const fn length(&self) -> Duration {
        Duration::from_secs(LENGTH)
    }

    /// Whether anything bad happens.
    pub(super) const fn attacks(&self) -> bool {
        self.attacks
    }

    /// What to say when.
    pub(super) fn acts(&self) -> Vec<Act> {
        let opening = Act {
            at: Duration::ZERO,
            text: "An ordinary hour, in time lapse: web, video, games, calls, mail, DNS, in both directions."
                .into(),
        };
        let told = self
            .lines
            .iter()
            .map(|line| Act { at: Duration::from_secs(line.from), text: line.announcement.into() });
        std::iter::once(opening).chain(told).collect()
    }

    /// What the world does.
    pub(super) fn deeds(&self) -> Vec<Deed> {
        let deed = |line: &Line| {
            let vector = line.kind.vector();
            let from = Duration::from_secs(line.from);
            Deed { name: line.name, attack: vector.is_some(), vector, target: line.target, from }
        };
        self.lines.iter().map(deed).collect()
    }

    /// The world, beginning now.
    pub(super) fn world(&self, start: Timestamp) -> World {
        let config = Config { start, ..self.config.clone() };
        let events = self.lines.iter().map(|line| {
            let from = start.plus(Span::from_secs(line.from));
            let event = Event::new(line.kind, line.target, from, Span::from_secs(line.secs), line.pps)
                .shape(line.shape);
            match line.port {
                Some(port) => event.port(port),
                None => event,
            }
        });
        World::new(config, events.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_changes_victims_and_the_switch_leaves_no_attack() {
        let targets =
            |seed| Script::new(seed, true).deeds().iter().map(|deed| deed.target).collect::<Vec<_>>();
        assert_ne!(targets(1), targets(2));
        assert_eq!(targets(3), targets(3));
        assert_eq!(Script::new(1, true).deeds().iter().filter(|deed| deed.attack).count(), 3);
        assert!(Script::new(1, false).deeds().iter().all(|deed| !deed.attack));
    }
}
