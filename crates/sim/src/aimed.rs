//! One attack, aimed at somebody's own address: beside ordinary traffic of that address, and of the networks around it.

use base::{Prefix, Span, Timestamp};

use crate::background::talk;
use crate::event::{Event, Kind};
use crate::population::Role;
use crate::scenario::lines;
use crate::world::{Config, World};

/// What is aimed at whom.
#[derive(Clone, Debug)]
pub struct Aimed {
    /// By its name in the interface, see [`vectors`].
    pub vector: String,
    /// Whom it hits: a host, or each address of a network in turn.
    pub target: Prefix,
    /// Where it may be met: own networks, with the target.
    pub networks: Vec<Prefix>,
    /// Of the attack, packets per second.
    pub pps: f64,
    /// Of honest traffic to the target, packets per second.
    pub honest: f64,
    /// First packet of ordinary traffic.
    pub start: Timestamp,
    /// Ordinary traffic alone, before the attack.
    pub calm: Span,
    /// How long the attack goes on.
    pub lasts: Span,
    /// Only one of so many packets is made.
    pub thin: u32,
    /// Everything follows from it.
    pub seed: u64,
}

/// Vectors that can be aimed: all but a scan, which is about very many hosts.
pub fn vectors() -> impl Iterator<Item = String> {
    lines().filter(|(kind, ..)| !matches!(kind, Kind::Scan)).filter_map(|(kind, ..)| kind.vector())
}

impl Aimed {
    /// The world; `None`: there is no such vector.
    pub fn world(&self) -> Option<World> {
        let mut known = lines().filter(|(kind, ..)| !matches!(kind, Kind::Scan));
        let (kind, .., role) = known.find(|(kind, ..)| kind.vector().as_deref() == Some(&*self.vector))?;
        let config = Config {
            seed: self.seed,
            start: self.start,
            span: self.began().plus(self.lasts).since(self.start),
            networks: self.networks.clone(),
            hosts: HOSTS,
            share_v6: 0.3,
            pps: AROUND,
            diurnal: 0.0,
            thin: self.thin,
            routers: 1,
            ..Config::default()
        };
        let mut events = vec![Event::new(kind, self.target, self.began(), self.lasts, self.pps)];
        events.extend(ordinary(role).map(|(session, serves, share)| {
            let crowd = Kind::Crowd { session, serves };
            let event = Event::new(crowd, self.target, config.start, config.span, self.honest * share);
            event.sources(PEERS).named("ordinary")
        }));
        Some(World::new(config, events))
    }

    /// First packet of the attack.
    pub const fn began(&self) -> Timestamp {
        self.start.plus(self.calm)
    }
}

/// What a host that suffers this kind of attack talks, with the share of each.
fn ordinary(role: Role) -> impl Iterator<Item = (crate::session::Kind, bool, f64)> {
    let all = talk(role);
    let whole: f64 = all.iter().map(|(_, share, _)| share).sum();
    all.iter().map(move |(kind, share, serves)| (*kind, *serves, share / whole))
}

/// Busy hosts around the target.
const HOSTS: u32 = 4_096;
/// What all of them get and send, packets per second.
pub const AROUND: f64 = 20_000.0;
/// Honest peers of the target.
const PEERS: u32 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Nature;

    #[test]
    fn each_vector_hits_the_target_beside_honest_traffic_of_both_families() {
        for target in ["203.0.113.10/32", "2001:db8:1::10/128", "203.0.113.0/28"] {
            let target: Prefix = target.parse().unwrap();
            for vector in vectors() {
                let aimed = Aimed {
                    vector: vector.clone(),
                    target,
                    networks: vec![
                        if target.is_ipv4() { "203.0.113.0/24" } else { "2001:db8::/32" }.parse().unwrap(),
                    ],
                    pps: 50_000.0,
                    honest: 20_000.0,
                    start: Timestamp::from_secs(1_000),
                    calm: Span::from_secs(2),
                    lasts: Span::from_secs(2),
                    thin: 100,
                    seed: 7,
                };
                let (mut bad, mut good) = (0, 0);
                for packet in aimed.world().unwrap() {
                    if packet.truth.nature == Nature::Attack {
                        assert!(packet.at >= aimed.began(), "{vector}");
                        bad += u32::from(target.contains(packet.headers.dst));
                    } else {
                        good += u32::from(target.contains(packet.headers.dst));
                    }
                }
                assert!(bad > 300 && good > 200, "{vector} on {target}: {bad} bad, {good} good");
            }
        }
        assert!(
            Aimed {
                vector: "scan".into(),
                target: "203.0.113.1/32".parse().unwrap(),
                networks: Vec::new(),
                pps: 1.0,
                honest: 1.0,
                start: Timestamp::ZERO,
                calm: Span::ZERO,
                lasts: Span::ZERO,
                thin: 1,
                seed: 1
            }
            .world()
            .is_none()
        );
    }
}
