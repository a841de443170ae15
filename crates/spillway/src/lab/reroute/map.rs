//! The Internet of the rerouting lab: places, the cables between them, and routes as they are in peace.

use super::super::link;
use super::super::namespace::Namespace;
use super::super::network::{Site, VISITORS, prefix, remove, running_as_root};
use super::victims::{VICTIMS, Victim};

/// What routes have that lead in peace; what BIRD learns has a smaller one.
pub(super) const PEACE_METRIC: u32 = 1000;
/// What a narrow link and a ring of so many packets are for `tc`.
const BURST: &str = "64kb";
const RING: &str = "256";

/// One of the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Between the world and the edges.
    Transit,
    /// Where attacks come from.
    Attackers,
    /// Honest clients.
    Clients,
    /// Routers of the network that is protected.
    Edge(u8),
    /// Where edges, absorbers and the brain meet: a switch.
    Exchange,
    /// Who takes what is diverted.
    Absorber(u8),
    /// Where `spillway run` decides.
    Brain,
    /// Where the victims are, behind both edges.
    Customers,
}

/// Their names, as in those of namespaces.
pub(crate) const NAMES: [&str; 10] = [
    "transit",
    "attackers",
    "clients",
    "edge1",
    "edge2",
    "exchange",
    "absorber1",
    "absorber2",
    "brain",
    "customers",
];

impl Place {
    const ALL: [Self; 10] = [
        Self::Transit,
        Self::Attackers,
        Self::Clients,
        Self::Edge(1),
        Self::Edge(2),
        Self::Exchange,
        Self::Absorber(1),
        Self::Absorber(2),
        Self::Brain,
        Self::Customers,
    ];

    /// As in the name of its namespace.
    pub(super) fn name(self) -> &'static str {
        let at = Self::ALL.iter().position(|place| *place == self);
        at.and_then(|at| NAMES.get(at)).copied().unwrap_or_default()
    }
}

/// One end of a cable: whose, its name behind the tag, and its addresses, if it has any.
type End = (Place, &'static str, Option<(&'static str, &'static str)>);

/// All cables. Addresses are those that RFCs 5737, 2544, 6598 and 3849 set apart.
const CABLES: [(End, End); 11] = [
    (
        (Place::Transit, "-tat", Some(("203.0.113.1/24", "2001:db8:a::1/64"))),
        (Place::Attackers, "-at", Some(("203.0.113.2/24", "2001:db8:a::2/64"))),
    ),
    (
        (Place::Transit, "-tcl", Some(("198.51.100.1/24", "2001:db8:c::1/64"))),
        (Place::Clients, "-cl", Some(("198.51.100.2/24", "2001:db8:c::2/64"))),
    ),
    (
        (Place::Transit, "-te1", Some(("100.64.1.1/24", "2001:db8:6401::1/64"))),
        (Place::Edge(1), "-e1o", Some(("100.64.1.2/24", "2001:db8:6401::2/64"))),
    ),
    (
        (Place::Transit, "-te2", Some(("100.64.2.1/24", "2001:db8:6402::1/64"))),
        (Place::Edge(2), "-e2o", Some(("100.64.2.2/24", "2001:db8:6402::2/64"))),
    ),
    (
        (Place::Edge(1), "-e1i", Some(("100.64.11.1/24", "2001:db8:6411::1/64"))),
        (Place::Customers, "-c1", Some(("100.64.11.2/24", "2001:db8:6411::2/64"))),
    ),
    (
        (Place::Edge(2), "-e2i", Some(("100.64.12.1/24", "2001:db8:6412::1/64"))),
        (Place::Customers, "-c2", Some(("100.64.12.2/24", "2001:db8:6412::2/64"))),
    ),
    (
        (Place::Exchange, "-xe1", None),
        (Place::Edge(1), "-e1x", Some(("100.64.0.11/24", "2001:db8:64::11/64"))),
    ),
    (
        (Place::Exchange, "-xe2", None),
        (Place::Edge(2), "-e2x", Some(("100.64.0.12/24", "2001:db8:64::12/64"))),
    ),
    (
        (Place::Exchange, "-xa1", None),
        (Place::Absorber(1), "-a1", Some(("100.64.0.21/24", "2001:db8:64::21/64"))),
    ),
    (
        (Place::Exchange, "-xa2", None),
        (Place::Absorber(2), "-a2", Some(("100.64.0.22/24", "2001:db8:64::22/64"))),
    ),
    ((Place::Exchange, "-xbr", None), (Place::Brain, "-br", Some(("100.64.0.5/24", "2001:db8:64::5/64")))),
];

/// The brain's address at the exchange.
pub(super) const BRAIN: &str = "100.64.0.5";

/// An edge's address at the exchange.
pub(super) fn edge(number: u8) -> String {
    format!("100.64.0.1{number}")
}

/// An absorber's addresses at the exchange.
pub(super) fn absorber(number: u8) -> [String; 2] {
    [format!("100.64.0.2{number}"), format!("2001:db8:64::2{number}")]
}

/// Where tunnels to the customers end, behind an edge.
pub(super) fn tunnel_end(number: u8) -> [String; 2] {
    [format!("100.64.1{number}.2"), format!("2001:db8:641{number}::2")]
}

/// The names of all interfaces of a lab.
pub(crate) fn interfaces(tag: &str) -> impl Iterator<Item = String> + '_ {
    CABLES.iter().flat_map(move |(near, far)| [near.1, far.1].map(|name| format!("{tag}{name}")))
}

impl Drop for Map {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next.
        let _ = remove(&self.tag);
    }
}

/// The namespaces, as long as this lives.
#[derive(Debug)]
pub(super) struct Map {
    tag: String,
}

impl Map {
    /// Builds it, after what a killed one of this tag has left.
    pub(super) fn build(tag: &str) -> anyhow::Result<Self> {
        running_as_root()?;
        remove(tag)?;
        let map = Self { tag: tag.to_owned() };
        for place in Place::ALL {
            map.at(place).add()?;
            for key in ["net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter"] {
                map.at(place).set(key, "0")?;
            }
            if !matches!(place, Place::Attackers | Place::Clients | Place::Brain) {
                map.at(place).set("net.ipv4.ip_forward", "1")?;
                map.at(place).set("net.ipv6.conf.all.forwarding", "1")?;
            }
            // Several paths are chosen by both addresses, as routers do it.
            map.at(place).set("net.ipv6.fib_multipath_hash_policy", "0")?;
        }
        map.run(Place::Exchange, "link add switch type bridge mcast_snooping 0")?;
        map.run(Place::Exchange, "link set switch up")?;
        for (near, far) in CABLES {
            map.connect(near, far)?;
        }
        map.routes()?;
        Ok(map)
    }

    /// A place's namespace.
    pub(super) fn at(&self, place: Place) -> Namespace {
        Namespace::named(format!("{}{}", prefix(&self.tag), place.name()))
    }

    /// An interface, by its name behind the tag.
    pub(super) fn interface(&self, name: &str) -> String {
        format!("{}{name}", self.tag)
    }

    /// Runs `ip` with these words in a place; `@` stands for the tag.
    pub(super) fn run(&self, place: Place, words: &str) -> anyhow::Result<String> {
        let words = words.replace('@', &self.tag);
        self.at(place).run("ip", &words.split(' ').collect::<Vec<_>>())
    }

    /// Makes a link narrow in the direction out of this interface.
    pub(super) fn narrow(&self, place: Place, interface: &str, rate: &str) -> anyhow::Result<()> {
        link::shape(&self.at(place), &self.interface(interface), (rate, BURST), RING)
    }

    fn connect(&self, near: End, far: End) -> anyhow::Result<()> {
        let (own, other) = (self.interface(near.1), self.interface(far.1));
        let space = self.at(far.0);
        let pair = ["link", "add", &own, "type", "veth", "peer", "name", &other, "netns", space.name()];
        self.at(near.0).run("ip", &pair)?;
        for (place, name, addresses) in [(near.0, &own, near.2), (far.0, &other, far.2)] {
            let space = self.at(place);
            // What programs of the kernel send on must have whole checksums, and be no longer than the link takes.
            let plain = ["-K", name, "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"];
            space.run("ethtool", &plain)?;
            match addresses {
                Some((v4, v6)) => {
                    self.run(place, &format!("address add {v4} dev {name}"))?;
                    self.run(place, &format!("address add {v6} dev {name} nodad"))?;
                }
                None => self.run(place, &format!("link set {name} master switch")).map(drop)?,
            }
            self.run(place, &format!("link set {name} up"))?;
        }
        Ok(())
    }

    fn routes(&self) -> anyhow::Result<()> {
        let both = |place: Place, lines: &[(&str, &str)]| {
            lines.iter().try_for_each(|(v4, v6)| {
                self.run(place, &format!("route add {v4}"))?;
                self.run(place, &format!("-6 route add {v6}")).map(drop)
            })
        };
        let [visitors4, visitors6] = VISITORS;
        // Whatever has no place in the lab ends in the transit, without a word.
        both(Place::Transit, &[("blackhole default", "blackhole default")])?;
        let (to4, to6) = (Site::Clients.v4(2), Site::Clients.v6(2));
        both(Place::Transit, &[(&format!("{visitors4} via {to4}"), &format!("{visitors6} via {to6}"))])?;
        let local = |visitors: &str| format!("local {visitors} dev lo");
        both(Place::Clients, &[(&local(visitors4), &local(visitors6))])?;
        self.at(Place::Clients).set("net.ipv6.ip_nonlocal_bind", "1")?;
        both(Place::Attackers, &[("default via 203.0.113.1", "default via 2001:db8:a::1")])?;
        both(Place::Clients, &[("default via 198.51.100.1", "default via 2001:db8:c::1")])?;
        for n in [1, 2] {
            let (v4, v6) = (format!("default via 100.64.{n}.1"), format!("default via 2001:db8:640{n}::1"));
            both(Place::Edge(n), &[(&v4, &v6)])?;
            // The ends of tunnels, each behind its edge.
            for m in [1, 2] {
                let v4 = format!("100.64.1{m}.0/24 via 100.64.0.1{m}");
                let v6 = format!("2001:db8:641{m}::/64 via 2001:db8:64::1{m}");
                both(Place::Absorber(n), &[(&v4, &v6)])?;
            }
            both(Place::Absorber(n), &[("default via 100.64.0.11", "default via 2001:db8:64::11")])?;
        }
        both(Place::Customers, &[("default via 100.64.11.1", "default via 2001:db8:6411::1")])?;
        VICTIMS.iter().try_for_each(|victim| self.house(victim))
    }

    /// A victim's address, and the ways to it in peace: half of its visitors come by either edge.
    fn house(&self, victim: &Victim) -> anyhow::Result<()> {
        let paths = |hop: fn(u8) -> String| format!("nexthop via {} nexthop via {}", hop(1), hop(2));
        for (prefix, address, family, out, inside) in [
            (
                victim.prefixes()[0],
                victim.addresses()[0],
                "-4",
                paths(|n| format!("100.64.{n}.2")),
                [11, 12].map(|n| format!("100.64.{n}.2")),
            ),
            (
                victim.prefixes()[1],
                victim.addresses()[1],
                "-6",
                paths(|n| format!("2001:db8:640{n}::2")),
                [1, 2].map(|n| format!("2001:db8:641{n}::2")),
            ),
        ] {
            self.run(Place::Transit, &format!("{family} route add {prefix} {out}"))?;
            for (n, hop) in (1..).zip(inside) {
                self.run(
                    Place::Edge(n),
                    &format!("{family} route add {prefix} via {hop} metric {PEACE_METRIC}"),
                )?;
            }
            self.run(Place::Customers, &format!("address add {address} dev lo nodad"))?;
        }
        Ok(())
    }
}
