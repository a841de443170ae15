//! Named scenarios: for each vector an attack, a peace and a look-alike; and the events that peers were measured with.

use std::net::IpAddr;

use base::{Prefix, Span};

use crate::attack::reflector::{REFLECTORS, named};
use crate::event::{Event, Kind, Shape};
use crate::population::Role;
use crate::session;
use crate::world::{Config, World};

/// What a scenario is meant to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// It happens.
    Attack,
    /// The same service on an ordinary day.
    Peace,
    /// Honest traffic that looks like it, at the attack's rate.
    LookAlike,
}

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Every packet of a small network, for captures: 2 kpps, and 5 kpps on top.
    Capture,
    /// A provider seen through 1:1000 sampling: 100 kpps, and 100 kpps on top.
    Provider,
}

/// A world and its script.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `tcp-syn-flood/attack`, or the name of a measured event.
    pub name: String,
    /// The world.
    pub config: Config,
    /// The script.
    pub events: Vec<Event>,
}

impl Scenario {
    /// Brings it to life.
    pub fn world(&self) -> World {
        World::new(self.config.clone(), self.events.clone())
    }
}

/// Name of a vector, what attacks, and what looks alike: who talks what, whether our host serves.
pub(crate) type Line = (Kind, session::Kind, bool, Role);

/// One line for each vector; amplifications have their own table.
const VECTORS: &[Line] = &[
    (Kind::SynFlood { forged: true }, session::Kind::Https, true, Role::Web),
    (Kind::AckFlood, session::Kind::Upload, true, Role::Web),
    (Kind::RstFinFlood, session::Kind::Request, true, Role::Web),
    (Kind::OddFlagsFlood, session::Kind::Https, true, Role::Web),
    (Kind::SynAckReflection, session::Kind::Request, false, Role::Eyeballs),
    (Kind::MiddleboxReflection, session::Kind::Http, false, Role::Eyeballs),
    (Kind::ConnectionFlood, session::Kind::Request, true, Role::Web),
    (Kind::Slow, session::Kind::Interactive, true, Role::Web),
    (Kind::TlsHandshakeFlood, session::Kind::Https, true, Role::Web),
    (Kind::HttpFlood, session::Kind::Http, true, Role::Web),
    (Kind::UdpFlood, session::Kind::Voice, true, Role::Games),
    (Kind::UdpFragmentFlood, session::Kind::DnsLarge, false, Role::Resolver),
    (Kind::IpFragmentFlood, session::Kind::DnsLarge, false, Role::Resolver),
    (Kind::IcmpFlood, session::Kind::Ping, true, Role::Web),
    (Kind::GreFlood, session::Kind::Encapsulated(47), true, Role::Gateway),
    (Kind::OtherProtocolFlood, session::Kind::Encapsulated(50), true, Role::Gateway),
    (Kind::QuicFlood, session::Kind::Quic, true, Role::Web),
    (Kind::DnsQueryFlood, session::Kind::Dns, true, Role::Resolver),
    (Kind::Scan, session::Kind::Request, false, Role::Eyeballs),
];

/// Names of all vectors that a scenario can be built for.
pub fn vectors() -> Vec<String> {
    lines().filter_map(|(kind, ..)| kind.vector()).collect()
}

pub(crate) fn lines() -> impl Iterator<Item = Line> {
    let amplified = REFLECTORS.iter().map(|reflector| {
        (Kind::Amplification(reflector), session::Kind::Service(reflector), false, Role::Eyeballs)
    });
    VECTORS.iter().copied().chain(amplified)
}

/// The scenario of this vector and case; `None` for a vector that does not exist.
pub fn build(vector: &str, case: Case, scale: Scale, v4: bool, seed: u64) -> Option<Scenario> {
    let (kind, talk, serves, role) = lines().find(|(kind, ..)| kind.vector().as_deref() == Some(vector))?;
    let config = config(scale, seed);
    let (from, span, pps) = match scale {
        Scale::Capture => (Span::from_secs(8), Span::from_secs(8), 5_000.0),
        Scale::Provider => (Span::from_secs(20), Span::from_secs(20), 100_000.0),
    };
    let people = World::population(&config);
    let ours = people.find(5, role, v4);
    let start = config.start.plus(from);
    let crowd = Kind::Crowd { session: talk, serves };
    let event = match case {
        Case::Attack if matches!(kind, Kind::Scan) => {
            scan(&people.find(9, Role::Eyeballs, v4), &config, from, span, pps)
        }
        Case::Attack => Event::new(kind, Prefix::host(ours), start, span, slow(kind, pps)),
        Case::Peace => {
            Event::new(crowd, Prefix::host(ours), config.start, config.span, slow(kind, pps) / 25.0)
        }
        Case::LookAlike => Event::new(crowd, Prefix::host(ours), start, span, slow(kind, pps)),
    };
    let tail = match case {
        Case::Attack => "attack",
        Case::Peace => "peace",
        Case::LookAlike => "look-alike",
    };
    Some(Scenario { name: format!("{vector}/{tail}"), config, events: vec![event] })
}

/// Slow attacks are slow.
const fn slow(kind: Kind, pps: f64) -> f64 {
    if matches!(kind, Kind::Slow) { pps / 25.0 } else { pps }
}

/// One of our hosts asks a /16 of the Internet for port 23.
fn scan(own: &IpAddr, config: &Config, from: Span, span: Span, pps: f64) -> Event {
    let like = if own.is_ipv4() {
        IpAddr::from([93, 184, 0, 0])
    } else {
        IpAddr::from([0x2a02, 0x26f0, 0, 0, 0, 0, 0, 0])
    };
    let target = Prefix::of(like, if own.is_ipv4() { 16 } else { 48 });
    Event::new(Kind::Scan, target, config.start.plus(from), span, pps / 5.0).port(23).outgoing(vec![*own])
}

fn config(scale: Scale, seed: u64) -> Config {
    match scale {
        Scale::Capture => Config {
            seed,
            span: Span::from_secs(20),
            hosts: 200,
            pps: 2_000.0,
            conversations: true,
            share_out: None,
            ..Config::default()
        },
        Scale::Provider => Config { seed, ..Config::default() },
    }
}

/// The events of the comparison with peers: rates and shapes as they were measured, over 100 kpps at 1:1000, each on its own
/// victim of middling rank. `lead` is the time before the event.
pub fn measured(name: &str, lead: Span, seed: u64) -> Option<Scenario> {
    let mut config = Config {
        seed,
        span: Span::from_nanos(lead.nanos() + Span::from_secs(60).nanos()),
        ..Config::default()
    };
    let people = World::population(&config);
    let start = config.start.plus(lead);
    let web = Prefix::host(people.find(700, Role::Web, true));
    let crowded = Prefix::host(people.find(40, Role::Web, true));
    let home = Prefix::host(people.find(900, Role::Eyeballs, true));
    let net = Prefix::of(people.find(5_000, Role::Web, true), 24);
    let v6 = Prefix::host(people.find(800, Role::Web, false));
    let event =
        |kind, target, secs, pps| Event::new(kind, target, start, Span::from_secs(secs), pps).named(name);
    let pulses = |on| Shape::Pulses { on: Span::from_millis(on), period: Span::from_secs(10) };
    let syn = Kind::SynFlood { forged: true };
    let crowd = Kind::Crowd { session: session::Kind::Https, serves: true };
    let events = match name {
        "syn-200k" => vec![event(syn, web, 20, 200e3).port(443)],
        "syn-25k" => vec![event(syn, web, 30, 25e3).port(443)],
        "syn-v6-200k" => vec![event(syn, v6, 20, 200e3).port(443)],
        "dns-100k" => vec![event(Kind::Amplification(named("dns")?), home, 20, 100e3)],
        "ntp-40k" => vec![event(Kind::Amplification(named("ntp")?), home, 20, 40e3)],
        "pulses-150k" => vec![event(Kind::UdpFlood, web, 41, 150e3).shape(pulses(1_000))],
        "short-pulses-100k" => vec![event(Kind::UdpFlood, web, 41, 100e3).shape(pulses(300))],
        "carpet-1M" => vec![event(Kind::UdpFlood, net, 30, 1e6)],
        "low-and-slow-2k" => vec![event(Kind::UdpFlood, home, 50, 2e3).sources(300)],
        "crowd-60k" => vec![event(crowd, crowded, 45, 60e3)],
        "crowd-syn-twin" => vec![event(syn, crowded, 45, 60e3).port(443)],
        "crowd-ack-twin" => vec![event(Kind::AckFlood, crowded, 45, 60e3).port(443)],
        "crowd-handshake-twin" => vec![event(Kind::ConnectionFlood, crowded, 45, 60e3).port(443)],
        "crowd-with-flood" => vec![event(crowd, crowded, 45, 60e3), event(syn, crowded, 30, 60e3).port(443)],
        "outgoing-syn" => {
            let victim = Prefix::host(IpAddr::from([93, 184, 216, 34]));
            vec![
                event(Kind::SynFlood { forged: false }, victim, 30, 50e3)
                    .port(80)
                    .outgoing(vec![home.addr()]),
            ]
        }
        "outgoing-scan" => vec![scan(&home.addr(), &config, lead, Span::from_secs(30), 100e3)],
        "elephant" => vec![event(Kind::Elephant { receives: true }, home, 45, 80e3)],
        "background" => Vec::new(),
        "background-1M" => {
            config.pps = 1e6;
            Vec::new()
        }
        _ => return None,
    };
    Some(Scenario { name: name.into(), config, events })
}

/// All names that [`measured`] knows.
pub const MEASURED: &[&str] = &[
    "syn-200k",
    "dns-100k",
    "ntp-40k",
    "syn-25k",
    "pulses-150k",
    "short-pulses-100k",
    "carpet-1M",
    "low-and-slow-2k",
    "syn-v6-200k",
    "crowd-60k",
    "crowd-syn-twin",
    "crowd-ack-twin",
    "crowd-handshake-twin",
    "crowd-with-flood",
    "outgoing-syn",
    "outgoing-scan",
    "elephant",
    "background",
    "background-1M",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Nature;

    #[test]
    fn each_vector_has_three_scenarios_and_only_attacks_attack() {
        let names = vectors();
        assert_eq!(names.len(), 19 + REFLECTORS.len());
        // Amplifications differ in their table only: each fifth will do.
        for vector in names[..19].iter().chain(names[19..].iter().step_by(5)) {
            for case in [Case::Attack, Case::Peace, Case::LookAlike] {
                let scenario = build(vector, case, Scale::Provider, true, 3).unwrap();
                let attacks = scenario.world().filter(|p| p.truth.nature == Nature::Attack).count();
                assert_eq!(attacks > 0, case == Case::Attack, "{}", scenario.name);
            }
        }
    }

    #[test]
    fn each_measured_event_can_be_built() {
        for name in MEASURED {
            let scenario = measured(name, Span::from_secs(10), 1).unwrap();
            let events = scenario.world().filter(|p| p.truth.event.is_some()).count();
            assert_eq!(events > 0, !name.starts_with("background"), "{name}");
        }
    }
}
