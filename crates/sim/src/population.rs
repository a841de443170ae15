//! Who lives in the world: our hosts, the rest of the Internet, and the border between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;
use base::hash::Mixer;
use base::prefix::wide;

use crate::packet::Packet;
use crate::rng::{Alias, Rng};

/// Hosts that send and receive, by rank: 0 is the busiest.
#[derive(Clone, Debug)]
pub struct Population {
    networks_v4: Vec<(Ipv4Addr, u64)>,
    networks_v6: Vec<Ipv6Addr>,
    share_v6: f64,
    key: u64,
    table: Alias,
    routers: u16,
}

/// What a host is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves the web, TCP and QUIC.
    Web,
    /// People at home or in an office.
    Eyeballs,
    /// Serves games over UDP.
    Games,
    /// Resolves names for others and serves a zone.
    Resolver,
    /// Keeps time for others, too.
    Clock,
    /// Ends tunnels and carries voice.
    Gateway,
}

/// An odd prime larger than any network here: multiplying by it permutes the addresses of one.
const SPREAD: u64 = 4_294_967_311;
/// Hosts of the Internet that ever talk to us.
const REMOTES: f64 = 300_000.0;
/// Servers of the Internet that most of our people talk to.
const CLOUDS: f64 = 3_000.0;

impl Population {
    /// `hosts` busy hosts in `networks`, their shares by Zipf's law with this exponent; `share_v6` of them speak IPv6.
    pub fn new(networks: &[Prefix], hosts: u32, zipf: f64, share_v6: f64, routers: u16, seed: u64) -> Self {
        let mut networks_v4 = Vec::new();
        let mut networks_v6 = Vec::new();
        for network in networks {
            match network.addr() {
                IpAddr::V4(v4) => networks_v4.push((v4, 1u64 << (32 - network.bits().min(32)))),
                IpAddr::V6(v6) => networks_v6.push(v6),
            }
        }
        let share_v6 = match (networks_v4.is_empty(), networks_v6.is_empty()) {
            (true, _) => 1.0,
            (_, true) => 0.0,
            _ => share_v6,
        };
        let key = Mixer::new(seed).with(0x706f_7075).finish();
        let table = Alias::zipf(hosts.max(1), zipf);
        Self { networks_v4, networks_v6, share_v6, key, table, routers: routers.max(1) }
    }

    /// Rank of a host, by its share of the traffic.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        self.table.draw(rng)
    }

    /// Address of the host of this rank.
    pub fn host(&self, rank: u32) -> IpAddr {
        let hash = Mixer::new(self.key).with(u64::from(rank)).finish();
        if unit(hash) < self.share_v6 { self.host_v6(rank, hash) } else { IpAddr::V4(self.host_v4(rank)) }
    }

    /// What the host of this rank is there for.
    pub fn role(&self, rank: u32) -> Role {
        match Mixer::new(self.key).with(0x726f_6c65).with(u64::from(rank)).finish() % 100 {
            0..38 => Role::Web,
            38..86 => Role::Eyeballs,
            86..91 => Role::Games,
            91..94 => Role::Resolver,
            94..95 => Role::Clock,
            _ => Role::Gateway,
        }
    }

    /// The first rank at or behind `from` with this role and family: where an event finds its victim.
    pub fn find(&self, from: u32, role: Role, v4: bool) -> IpAddr {
        (from..from.saturating_add(5000))
            .find(|&rank| self.role(rank) == role && self.host(rank).is_ipv4() == v4)
            .map_or_else(|| self.host(from), |rank| self.host(rank))
    }

    /// A host of the Internet of the same family as `like`: some come often, most seldom.
    pub fn remote(&self, like: IpAddr, rng: &mut Rng) -> IpAddr {
        let at = libm::pow(rng.unit(), 2.5) * REMOTES;
        internet(Mixer::new(self.key).with(1).with(crate::rng::round(at)).finish(), like)
    }

    /// One of the clouds that serve our people.
    pub fn cloud(&self, like: IpAddr, rng: &mut Rng) -> IpAddr {
        let at = libm::pow(rng.unit(), 3.0) * CLOUDS;
        internet(Mixer::new(self.key).with(2).with(crate::rng::round(at)).finish(), like)
    }

    /// Names the router and the interfaces that a packet passes: the way depends on the remote network and on our host.
    pub fn route(&self, packet: &mut Packet) {
        let h = &packet.headers;
        let (ours, theirs) = if packet.inbound { (h.dst, h.src) } else { (h.src, h.dst) };
        let way =
            Mixer::new(self.key).with_wide(wide(theirs) >> if theirs.is_ipv4() { 16 } else { 96 }).finish();
        let site = Mixer::new(self.key).with_wide(wide(ours)).finish();
        packet.router = low16(way % u64::from(self.routers));
        let external = 1 + low16((way >> 32) % 2);
        let customer = 101 + low16(site % 8);
        (packet.input_if, packet.output_if) =
            if packet.inbound { (external, customer) } else { (customer, external) };
    }

    fn host_v4(&self, rank: u32) -> Ipv4Addr {
        let total: u64 = self.networks_v4.iter().map(|(_, size)| size).sum();
        let mut at = (u64::from(rank) * SPREAD + self.key % total.max(1)) % total.max(1);
        for (base, size) in &self.networks_v4 {
            if at < *size {
                return Ipv4Addr::from_bits(base.to_bits() + u32::try_from(at).unwrap_or(0));
            }
            at -= size;
        }
        Ipv4Addr::UNSPECIFIED
    }

    /// One network of 64 bits for each host, and a small interface identifier, as servers have them.
    fn host_v6(&self, rank: u32, hash: u64) -> IpAddr {
        let count = self.networks_v6.len() as u64;
        let base = usize::try_from(hash >> 32)
            .ok()
            .and_then(|at| self.networks_v6.get(at % usize::try_from(count.max(1)).unwrap_or(1)));
        let bits = base.map_or(0, |base| base.to_bits());
        IpAddr::V6(Ipv6Addr::from_bits(
            bits | u128::from(rank & 0xffff) << 64 | u128::from(rank >> 16) << 16 | 1,
        ))
    }
}

/// A public unicast address made of 64 random bits, of the family of `like`.
pub fn internet(hash: u64, like: IpAddr) -> IpAddr {
    let mut rng = Rng::new(hash);
    if like.is_ipv4() {
        for _ in 0..64 {
            let bits = rng.u32();
            if public(bits >> 24, bits >> 16 & 0xff) {
                return IpAddr::V4(Ipv4Addr::from_bits(bits));
            }
        }
        return IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4));
    }
    let block =
        rng.pick(&[0x2a00u128, 0x2a01, 0x2a02, 0x2a03, 0x2a0d, 0x2400, 0x2404, 0x2600, 0x2607, 0x2804]);
    let network = u128::from(rng.bits() & 0xffff_ffff_ffff) << 64;
    let interface = if rng.chance(0.3) { u128::from(rng.below(64) + 1) } else { u128::from(rng.bits()) };
    IpAddr::V6(Ipv6Addr::from_bits(block << 112 | network | interface))
}

/// Any address at all, as a careless forger draws it.
pub fn forged(rng: &mut Rng, like: IpAddr) -> IpAddr {
    if like.is_ipv4() {
        IpAddr::V4(Ipv4Addr::from_bits(rng.u32()))
    } else {
        let high = u128::from(0x2000_0000_0000_0000 | rng.bits() >> 3);
        IpAddr::V6(Ipv6Addr::from_bits(high << 64 | u128::from(rng.bits())))
    }
}

/// Time to live of packets from `addr` where we see them: what its system starts with, less the way.
pub fn ttl(addr: IpAddr, near: bool) -> u8 {
    let host = Mixer::new(0x7474_6c31).with_wide(wide(addr)).finish();
    let way = Mixer::new(0x7474_6c32).with_wide(wide(addr) >> if addr.is_ipv4() { 12 } else { 88 }).finish();
    let start = match host % 100 {
        0..62 => 64,
        62..95 => 128,
        _ => 255u8,
    };
    let hops = if near { way % 3 + 1 } else { 5 + way % 9 + (way >> 8) % 9 };
    start - u8::try_from(hops).unwrap_or(12)
}

/// Neither private nor special (RFC 6890), by the first two octets.
const fn public(a: u32, b: u32) -> bool {
    !matches!(
        (a, b),
        (0 | 10 | 127 | 224.., _)
            | (100, 64..=127)
            | (169, 254)
            | (172, 16..=31)
            | (192, 0 | 2 | 168)
            | (198, 18..=19 | 51)
            | (203, 0)
    )
}

fn low16(value: u64) -> u16 {
    u16::try_from(value & 0xffff).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are enough for a share")]
fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_rank_has_its_own_address_inside_the_networks() {
        let networks: Vec<Prefix> = ["198.18.0.0/17", "198.51.100.0/24", "2001:db8::/32"]
            .iter()
            .map(|p| p.parse().unwrap())
            .collect();
        let people = Population::new(&networks, 30_000, 1.0, 0.1, 4, 7);
        let hosts: BTreeSet<IpAddr> = (0..30_000).map(|rank| people.host(rank)).collect();
        assert_eq!(hosts.len(), 30_000);
        assert!(hosts.iter().all(|host| networks.iter().any(|network| network.contains(*host))));
        let v6 = hosts.iter().filter(|host| host.is_ipv6()).count();
        assert!((2_700..3_300).contains(&v6), "{v6}");
    }

    #[test]
    fn the_internet_is_public() {
        let like = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for seed in 0..10_000 {
            let IpAddr::V4(v4) = internet(seed, like) else { panic!("asked for IPv4") };
            assert!(!v4.is_private() && !v4.is_multicast() && !v4.is_loopback() && !v4.is_unspecified());
        }
    }
}
