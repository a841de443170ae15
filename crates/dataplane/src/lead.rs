//! Where rules lead packets: `bpf/lead.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use crate::abi::{RULES_MAX, put};
use crate::error::Error;
use crate::plane::Plane;
use crate::policy::Policy;

/// Octets of `struct target`.
const TARGET: usize = 36;

/// The discard service (RFC 863): an empty datagram to it makes the kernel ask for the neighbour, and hurts nobody.
const DISCARD: u16 = 9;

/// A tunnel that begins here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// How packets are wrapped.
    pub kind: TunnelKind,
    /// Our end; `None`: the address from which this box would talk to the far end.
    pub from: Option<IpAddr>,
}

/// How packets are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelKind {
    /// RFC 2784, without key and sum.
    Gre,
    /// RFC 2003, RFC 2473 and RFC 4213: an IP packet in an IP packet.
    Ipip,
}

impl Plane {
    /// Writes where the rules of a set lead.
    pub(crate) fn write_targets(&self, policy: &Policy, set: u32) -> Result<(), Error> {
        let targets = self.maps.get("targets")?;
        for (place, rule, to) in policy.leads() {
            let tunnel = policy.tunnels.get(&rule.id);
            let from = tunnel.map(|tunnel| tunnel.from.map_or_else(|| our_end(&rule.id, to), Ok));
            let value = target(to, tunnel, from.transpose()?);
            let key = (set * RULES_MAX + place).to_ne_bytes();
            targets.set(&key, &value).map_err(Error::system("writing where a rule leads"))?;
        }
        Ok(())
    }
}

/// `struct target`.
fn target(to: IpAddr, tunnel: Option<&Tunnel>, from: Option<IpAddr>) -> [u8; TARGET] {
    let mut out = [0; TARGET];
    let kind = match tunnel.map(|tunnel| tunnel.kind) {
        None => 0,
        Some(TunnelKind::Gre) => 1,
        Some(TunnelKind::Ipip) => 2,
    };
    put(&mut out, 0, &[if to.is_ipv4() { 4 } else { 6 }, kind]);
    for (at, address) in [(4, Some(to)), (20, from)] {
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
    for (_, _, to) in policy.leads() {
        let _ = socket(to).and_then(|socket| socket.send(&[]));
    }
}
