//! Where rules lead packets: `bpf/lead.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use rules::{Action, Encapsulation, Rule};

use crate::abi::put;
use crate::error::Error;
use crate::plane::Plane;
use crate::policy::{self, Policy};
use crate::returning::{self, Kind};

/// Octets of `struct target`.
const TARGET: usize = 36;

/// The discard service (RFC 863): an empty datagram to it makes the kernel ask for the neighbour, and hurts nobody.
const DISCARD: u16 = 9;

impl Plane {
    /// Writes where rules lead, the first of them at this place.
    pub(crate) fn write_targets(&self, rules: &[Rule], base: u32) -> Result<(), Error> {
        let targets = self.maps.get("targets")?;
        for (place, rule) in (base..).zip(rules) {
            let Some(to) = policy::leads(rule) else { continue };
            let value = match rule.action {
                Action::Tunnel(kind, _) => target(to, Some((kind, our_end(&rule.id, to)?))),
                _ => target(to, None),
            };
            targets.set(&place.to_ne_bytes(), &value).map_err(Error::system("writing where a rule leads"))?;
        }
        Ok(())
    }
}

/// `LEAD_GRE`.
pub(crate) const GRE: u8 = 1;
/// `LEAD_IPIP`.
const IPIP: u8 = 2;

/// `struct target` of a tunnel between these ends.
pub(crate) fn tunnel(kind: Kind, local: IpAddr, remote: IpAddr) -> [u8; TARGET] {
    let kind = match kind {
        Kind::Gre => Encapsulation::Gre,
        Kind::Ipip => Encapsulation::Ipip,
    };
    target(remote, Some((kind, local)))
}

/// `struct target`; a tunnel has its end here.
fn target(to: IpAddr, tunnel: Option<(Encapsulation, IpAddr)>) -> [u8; TARGET] {
    let mut out = [0; TARGET];
    let kind = match tunnel {
        None => 0,
        Some((Encapsulation::Gre, _)) => GRE,
        Some((Encapsulation::Ipip, _)) => IPIP,
    };
    put(&mut out, 0, &[if to.is_ipv4() { 4 } else { 6 }, kind]);
    for (at, address) in [(4, Some(to)), (20, tunnel.map(|(_, from)| from))] {
        match address {
            Some(IpAddr::V4(address)) => put(&mut out, at, &address.octets()),
            Some(IpAddr::V6(address)) => put(&mut out, at, &address.octets()),
            None => {}
        }
    }
    out
}

fn socket(to: IpAddr) -> std::io::Result<UdpSocket> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((to, DISCARD))?;
    Ok(socket)
}

/// The address from which this box talks to another.
fn our_end(rule: &str, to: IpAddr) -> Result<IpAddr, Error> {
    let end = socket(to).and_then(|socket| socket.local_addr());
    end.map(|end| end.ip()).map_err(|cause| Error::NoWay { rule: rule.to_owned(), to, cause })
}

/// Makes the kernel look for the neighbours on the way to where rules lead: its programs can use a neighbour, not ask for
/// one. What fails now is counted at the packets.
pub(crate) fn wake(policy: &Policy) {
    policy.leads().for_each(|(_, to)| wake_towards(to));
    policy.returning.iter().for_each(returning::wake);
}

/// Likewise, for one of them.
pub(crate) fn wake_towards(to: IpAddr) {
    let _ = socket(to).and_then(|socket| socket.send(&[]));
}
