//! A small network under attack, to be changed in one place by each test.

use base::units::{BitRate, PacketRate};
use base::{Prefix, Span, Timestamp};
use steer::drill::{Log, Record, Witness};
use steer::ladder::{
    Absorber, Attack, Candidate, Choice, InForce, Link, Machine, Mode, Neighbor, Policy, Situation, Step,
    Volume, choose,
};
use steer::rails::{Class, Limits, Rails};

pub(crate) const MBPS: f64 = 1e6;

pub(crate) fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub(crate) fn candidate(text: &str, stops: f64, price: Option<f64>) -> Candidate {
    Candidate { rule: rules::parse::rules(text).unwrap().remove(0), stops, price }
}

/// An attack of 500 Mbps on one host behind a link of 1 Gbps, with a rule that stops nearly all of it.
pub(crate) struct Town {
    pub(crate) attack: Attack,
    /// See [`steer::allot::Claim::least`].
    pub(crate) least: Option<Volume>,
    pub(crate) links: Vec<Link>,
    pub(crate) machine: Option<Machine>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) neighbors: Vec<Neighbor>,
    pub(crate) absorbers: Vec<Absorber>,
    pub(crate) in_force: Vec<InForce>,
    pub(crate) policy: Policy,
    pub(crate) rails: Rails,
    pub(crate) drills: Log,
}

impl Town {
    pub(crate) fn new() -> Self {
        Self::under(500.0)
    }

    /// An attack of so many Mbps.
    pub(crate) fn under(mbps: f64) -> Self {
        let volume = |mbps: f64| Volume { bits: BitRate(mbps * MBPS), packets: PacketRate(mbps * 250.0) };
        Self {
            attack: Attack {
                targets: vec![prefix("198.51.100.7/32")],
                volume: volume(mbps),
                honest: volume(20.0),
                sure: true,
            },
            least: None,
            links: vec![link("uplink", mbps)],
            machine: Some(Machine { packets: Some(PacketRate(5e6)) }),
            candidates: vec![candidate(
                "r dst 198.51.100.7/32 proto udp src-port 53 -> drop for 10m",
                0.98,
                Some(0.001),
            )],
            neighbors: vec![neighbor("transit", &["uplink"])],
            absorbers: vec![Absorber {
                name: "scrubber".into(),
                prefix: prefix("198.51.100.0/24"),
                free: BitRate(20_000.0 * MBPS),
                carried: BitRate(100.0 * MBPS),
            }],
            in_force: Vec::new(),
            policy: Policy { steps: [Some(Mode::Enforce); 4], ..Policy::default() },
            rails: Rails::new(
                vec![prefix("198.51.100.0/22"), prefix("2001:db8::/32")],
                vec![prefix("198.51.100.0/24"), prefix("198.51.102.0/24"), prefix("2001:db8::/48")],
                vec![(prefix("198.51.102.1/32"), "the router".into())],
                Vec::new(),
                Limits { blackhole: (25, 64), ..Limits::default() },
            ),
            drills: Log::default(),
        }
    }

    pub(crate) fn choose(&self) -> Choice {
        let Self {
            attack,
            least: _,
            links,
            machine,
            candidates,
            neighbors,
            absorbers,
            in_force,
            policy,
            rails,
            drills,
        } = self;
        choose(
            at(0),
            &Situation {
                attack,
                links,
                machine: *machine,
                candidates,
                routed: candidates,
                neighbors,
                absorbers,
                in_force,
                policy,
                rails,
                drills,
                lot: None,
            },
        )
    }

    pub(crate) fn step(&self) -> Option<Step> {
        self.choose().plan.map(|plan| plan.step)
    }

    pub(crate) fn drilled(&mut self, class: Class, days_ago: u64, wrong: Option<&str>) {
        self.drills.note(Record {
            witness: Witness::Probe,
            neighbor: "transit".into(),
            class,
            prefix: prefix("198.51.100.250/32"),
            at: at(0).minus(Span::from_secs(days_ago * 86_400)),
            wrong: wrong.map(Into::into),
            acted: None,
            cleared: None,
        });
    }
}

pub(crate) fn link(name: &str, attack: f64) -> Link {
    Link {
        name: name.into(),
        capacity: Some(BitRate(1000.0 * MBPS)),
        attack: BitRate(attack * MBPS),
        share: 1.0,
        other: BitRate(200.0 * MBPS),
    }
}

pub(crate) fn neighbor(name: &str, links: &[&str]) -> Neighbor {
    Neighbor {
        name: name.into(),
        up: true,
        links: links.iter().map(|link| (*link).to_owned()).collect(),
        carries: Class::ALL.into_iter().flat_map(|class| [(class, true), (class, false)]).collect(),
        rules_left: 100,
        routes_left: 100,
    }
}
