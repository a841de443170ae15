//! What the world can do, round after round of the story or when somebody asks for it.

use base::{Prefix, Span};
use sim::attack::reflector::named;
use sim::population::Role;
use sim::session;
use sim::{Kind, Shape};

/// One act.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    /// By this it is asked for.
    pub(super) name: &'static str,
    /// A few words.
    pub(super) title: &'static str,
    /// What the teller says.
    pub(super) announcement: &'static str,
    what: What,
    /// Whom it hits, and the length of the prefix; `None`: one host.
    pub(super) victim: (Role, Option<u8>),
    /// Least and most packets/s, in thousands.
    pub(super) kpps: (u32, u32),
    pub(super) port: Option<u16>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Amplification(&'static str),
    Plain(Kind),
}

/// So long each takes.
pub(super) const SECS: u64 = 30;

impl Act {
    /// By its name.
    pub(super) fn find(name: &str) -> Option<(usize, &'static Self)> {
        REPERTOIRE.iter().enumerate().find(|(_, act)| act.name == name)
    }

    /// What it is to the world.
    pub(super) fn kind(&self) -> Kind {
        match self.what {
            What::Amplification(name) => named(name).map_or(Kind::UdpFlood, Kind::Amplification),
            What::Plain(kind) => kind,
        }
    }

    /// Whether it is an attack.
    pub(super) fn is_attack(&self) -> bool {
        self.kind().vector().is_some()
    }

    /// The victim's address, or its network.
    pub(super) fn target(&self, host: std::net::IpAddr) -> Prefix {
        self.victim.1.map_or_else(|| Prefix::host(host), |bits| Prefix::of(host, bits))
    }

    /// How its rate runs.
    pub(super) const fn shape(&self) -> Shape {
        match self.what {
            What::Plain(Kind::Crowd { .. }) => Shape::Ramp { over: Span::from_secs(4) },
            _ => Shape::Steady,
        }
    }
}

/// In the order of the story.
pub(super) const REPERTOIRE: [Act; 8] = [
    Act {
        name: "dns-amplification",
        title: "DNS amplification",
        announcement: "Somebody asks open resolvers long questions in the name of one of our customers.",
        what: What::Amplification("dns"),
        victim: (Role::Eyeballs, None),
        kpps: (80, 140),
        port: None,
    },
    Act {
        name: "syn-flood",
        title: "SYN flood, forged",
        announcement: "A web server of ours gets SYNs from forged addresses.",
        what: What::Plain(Kind::SynFlood { forged: true }),
        victim: (Role::Web, None),
        kpps: (120, 250),
        port: Some(443),
    },
    Act {
        name: "flash-crowd",
        title: "flash crowd",
        announcement: "A shop of ours is in the news. Very many people come at once: a flash crowd, and welcome.",
        what: What::Plain(Kind::Crowd { session: session::Kind::Https, serves: true }),
        victim: (Role::Web, None),
        kpps: (35, 60),
        port: None,
    },
    Act {
        name: "carpet-bombing",
        title: "carpet bombing",
        announcement: "UDP falls on a whole network of ours, on each address a little.",
        what: What::Plain(Kind::UdpFlood),
        victim: (Role::Web, Some(24)),
        kpps: (600, 1_200),
        port: None,
    },
    Act {
        name: "ntp-amplification",
        title: "NTP amplification",
        announcement: "Clocks of others are asked for the list of all who ever asked them, in the name of a player of ours.",
        what: What::Amplification("ntp"),
        victim: (Role::Games, None),
        kpps: (100, 200),
        port: None,
    },
    Act {
        name: "ack-flood",
        title: "ACK flood",
        announcement: "ACKs of connections that never were fall on a web server of ours.",
        what: What::Plain(Kind::AckFlood),
        victim: (Role::Web, None),
        kpps: (150, 250),
        port: Some(443),
    },
    Act {
        name: "memcached-amplification",
        title: "memcached amplification",
        announcement: "A few forgotten caches send a gigabit and more to somebody at home.",
        what: What::Amplification("memcached"),
        victim: (Role::Eyeballs, None),
        kpps: (100, 180),
        port: None,
    },
    Act {
        name: "udp-flood",
        title: "UDP flood",
        announcement: "Cameras and boxes of others send UDP to a game server of ours, all they can.",
        what: What::Plain(Kind::UdpFlood),
        victim: (Role::Games, None),
        kpps: (150, 300),
        port: Some(27_015),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_act_has_a_name_of_its_own_and_is_what_it_says() {
        for (at, act) in REPERTOIRE.iter().enumerate() {
            assert_eq!(Act::find(act.name).unwrap().0, at);
            assert_eq!(act.is_attack(), act.name != "flash-crowd");
            if let What::Amplification(name) = act.what {
                assert_eq!(act.kind().vector().unwrap(), format!("udp-amplification-{name}"));
            }
        }
    }
}
