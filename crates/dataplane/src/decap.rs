//! Tunnels that end here: `bpf/decap.h`.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use base::Prefix;
use base::prefix::wide;

use crate::abi::put;
use crate::error::Error;
use crate::plane::Plane;
use crate::policy::Policy;

/// Peers of a set at most: they are compared one by one.
pub const PEERS_MAX: usize = 16;
/// Addresses of this box at most, likewise.
pub const LOCALS_MAX: usize = 32;
/// Octets of `struct peers`.
const PEERS: usize = 8 + 2 * PEERS_MAX * WIDE + LOCALS_MAX * WIDE;
const WIDE: usize = 16;
/// An IPv4 address in the form of IPv6.
const MAPPED: u128 = 0xffff_0000_0000;

/// Whose tunnels end here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decap {
    /// Outer sources.
    pub peers: Vec<Prefix>,
    /// Outer destinations: addresses of this box. A tunnel to anybody else goes on.
    pub locals: Vec<IpAddr>,
}

impl Decap {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let over = |what, given, most| Err(Error::Peers { what, given, most });
        match (self.peers.len(), self.locals.len()) {
            (given, _) if given > PEERS_MAX => over("tunnel peers", given, PEERS_MAX),
            (_, given) if given > LOCALS_MAX => over("addresses of this box", given, LOCALS_MAX),
            _ => Ok(()),
        }
    }

    /// `struct peers`.
    fn octets(&self) -> [u8; PEERS] {
        let mut out = [0; PEERS];
        let count = |n: usize| u32::try_from(n).unwrap_or(0).to_ne_bytes();
        put(&mut out, 0, &count(self.peers.len()));
        put(&mut out, 4, &count(self.locals.len()));
        let mut add = |number: u128, place: usize| {
            let at = 8 + place * WIDE;
            let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0).to_ne_bytes();
            put(&mut out, at, &half(number >> 64));
            put(&mut out, at + 8, &half(number));
        };
        for (place, peer) in self.peers.iter().enumerate() {
            let (front, mapped) = if peer.is_ipv4() { (96, MAPPED) } else { (0, 0) };
            add(wide(peer.addr()) | mapped, place);
            let free = 128 - (front + u32::from(peer.bits()));
            add(u128::MAX.checked_shl(free).unwrap_or(0), PEERS_MAX + place);
        }
        for (place, local) in self.locals.iter().enumerate() {
            let mapped = if local.is_ipv4() { MAPPED } else { 0 };
            add(wide(*local) | mapped, 2 * PEERS_MAX + place);
        }
        out
    }
}

impl Plane {
    /// Writes whose tunnels end here while a set is in force.
    pub(crate) fn write_peers(&self, policy: &Policy, set: u32) -> Result<(), Error> {
        policy.decap.as_ref().map_or(Ok(()), |decap| self.maps.write("peers", set, &decap.octets()))
    }
}
