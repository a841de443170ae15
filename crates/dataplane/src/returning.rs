//! The way back of a scrubbing absorber: what no rule drops goes on to its owner, through a tunnel or not at all
//! (`bpf/returning.h`).
//!
//! A [`Returning`] is part of a [`crate::Policy`] and turns over with it: [`crate::Attachment::attach`] and
//! [`crate::Attachment::change`] put all of it in force at once, or nothing. [`Plane::returning`] reads back what the kernel
//! has, [`Plane::returned`] what it counted. Counters of a prefix go on while it is declared in one set after the other.
//!
//! Tunnels that bring traffic here end by [`crate::decap::Decap`]; traffic that is routed here needs none. The kernel finds the way
//! to the far end by its routes and neighbours, so forwarding has to be on for the interface (`net.ipv4.conf.IF.forwarding`), and
//! the neighbour has to be known: [`wake`] makes the kernel look for it, and belongs where somebody looks once in a while whether
//! [`Returned::no_way`] grows.

mod counted;
mod kernel;

use std::net::IpAddr;

use base::Prefix;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::lead;

pub use counted::Returned;

/// Declared prefixes of a set at most, returned and discarded ones together.
pub const PREFIXES_MAX: usize = 512;
/// Lengths that the declared prefixes of one family may have at most: each costs a look.
pub const LENGTHS_MAX: usize = 8;
/// The shortest [`Return::mtu`] for IPv4: what every host takes (RFC 791) is longer, but no way worth its name is shorter.
pub const MTU_MIN4: u16 = 576;
/// Likewise for IPv6 (RFC 8200 §5).
pub const MTU_MIN6: u16 = 1280;

/// How packets are wrapped on their way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Generic routing encapsulation without key, sum or numbers (RFC 2784, RFC 7676): 24 octets over IPv4, 44 over IPv6.
    Gre,
    /// IP in IP (RFC 2003, RFC 2473, RFC 4213): 20 octets over IPv4, 40 over IPv6.
    Ipip,
}

impl Kind {
    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gre => "gre",
            Self::Ipip => "ipip",
        }
    }
}

/// The way back of one prefix. The prefix and the ends of the tunnel may be of different families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// Destinations; of prefixes that hold each other the longest decides.
    pub prefix: Prefix,
    /// How they are wrapped.
    pub kind: Kind,
    /// Our end: an address of this box.
    pub local: IpAddr,
    /// The owner's end, outside all declared prefixes.
    pub remote: IpAddr,
    /// Octets of the longest IP packet within the tunnel; `None`: what the route to the far end takes, less the outer headers. Never
    /// more than that. MSS of TCP is clamped to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// The next hop towards the far end; `None`: as the routes say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
}

impl Return {
    /// Octets that the tunnel puts before each packet.
    pub const fn overhead(&self) -> u16 {
        let ip = if self.remote.is_ipv4() { 20 } else { 40 };
        match self.kind {
            Kind::Gre => ip + 4,
            Kind::Ipip => ip,
        }
    }

    /// Where the kernel looks for a way.
    pub(crate) fn hop(&self) -> IpAddr {
        self.via.unwrap_or(self.remote)
    }
}

/// What becomes of packets that came out of a tunnel to a destination that nobody declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undeclared {
    /// They are dropped and counted (`undeclared` among [`Plane::leaves`]): an absorber accepts what its owner declared. What the
    /// owner himself sends through his tunnel, from an address within his prefix, goes on all the same.
    #[default]
    Drop,
    /// They go up to the kernel, which forwards them by its routes.
    Pass,
}

/// Who gets back what passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returning {
    /// Prefixes with a way back.
    pub ways: Vec<Return>,
    /// Prefixes of which nothing goes back: all of it is counted, sampled and dropped, whatever rules would let pass.
    pub discard: Vec<Prefix>,
    /// What else comes out of tunnels.
    pub undeclared: Undeclared,
    /// "Packet too big" and "fragmentation needed" that this box sends a second at most; beyond them such packets are dropped
    /// and counted. 0: none.
    pub answers_max: u32,
    /// Likewise to the network of one sender: /24 (IPv4) or /64 (IPv6).
    pub answers_net_max: u32,
}

impl Default for Returning {
    fn default() -> Self {
        Self {
            ways: Vec::new(),
            discard: Vec::new(),
            undeclared: Undeclared::Drop,
            // What Linux sends of all ICMP (`net.ipv4.icmp_msgs_per_sec`).
            answers_max: 1000,
            answers_net_max: 20,
        }
    }
}

impl Returning {
    /// Refuses what would loop, what cannot be, and what does not fit.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let declared: Vec<Prefix> = self.prefixes().collect();
        if declared.len() > PREFIXES_MAX {
            return Err(Error::Declared { given: declared.len(), most: PREFIXES_MAX });
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut lengths = std::collections::BTreeSet::new();
        for prefix in &declared {
            if !seen.insert((prefix.addr(), prefix.bits())) {
                return Err(Error::DeclaredTwice(*prefix));
            }
            lengths.insert((prefix.is_ipv4(), prefix.bits()));
        }
        for four in [true, false] {
            let given = lengths.iter().filter(|(is_four, _)| *is_four == four).count();
            if given > LENGTHS_MAX {
                let family = if four { "IPv4" } else { "IPv6" };
                return Err(Error::Lengths { family, given, most: LENGTHS_MAX });
            }
        }
        self.ways.iter().try_for_each(|way| way.check(&declared))
    }

    /// Refuses a tunnel that would not begin at one of these addresses of this box.
    pub(crate) fn check_ends(&self, own: &[IpAddr]) -> Result<(), Error> {
        let strange = |way: &&Return| !own.contains(&way.local);
        self.ways.iter().find(strange).map_or(Ok(()), |way| {
            let why = format!("{} is no address of this box; see `ip address`", way.local);
            Err(Error::Return { prefix: way.prefix, why })
        })
    }

    /// All declared prefixes.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.ways.iter().map(|way| way.prefix).chain(self.discard.iter().copied())
    }
}

impl Return {
    fn check(&self, declared: &[Prefix]) -> Result<(), Error> {
        let prefix = self.prefix;
        let bad = |why: String| Err(Error::Return { prefix, why });
        if self.local.is_ipv4() != self.remote.is_ipv4() {
            return bad(format!(
                "{} and {} are of different families; a tunnel has both ends in one",
                self.local, self.remote
            ));
        }
        if self.local == self.remote {
            return bad(format!("both ends are {}; name the owner's end last", self.local));
        }
        for end in [self.local, self.remote] {
            if end.is_unspecified() || end.is_multicast() || end.is_loopback() {
                return bad(format!("{end} cannot be the end of a tunnel; name an address of a host"));
            }
            if let Some(around) = declared.iter().find(|prefix| prefix.contains(end)) {
                return Err(Error::Swallowed { prefix, end, around: *around });
            }
        }
        let least = if prefix.is_ipv4() { MTU_MIN4 } else { MTU_MIN6 };
        match self.mtu {
            Some(mtu) if mtu < least || mtu > u16::MAX - self.overhead() => {
                bad(format!("an MTU of {mtu} octets; {least} to {} are possible", u16::MAX - self.overhead()))
            }
            _ => Ok(()),
        }
    }
}

/// Makes the kernel look for the neighbours on the ways back: its programs can use a neighbour, not ask for one. It sends one empty
/// datagram to the discard service of each far end (or next hop).
pub fn wake(returning: &Returning) {
    returning.ways.iter().for_each(|way| lead::wake_towards(way.hop()));
}
