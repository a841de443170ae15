//! How sources are asked to prove themselves by `challenge` rules.

use crate::abi::{self, put};
use serde::{Deserialize, Serialize};

/// Octets of `struct protection`.
pub(crate) const SIZE: usize = 32;
/// Where it says whether the kernel's SYN proxy is needed.
pub(crate) const GATEWAY_AT: usize = 29;

/// What a SYN that a `challenge` rule decides is met with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// Host for this machine's own addresses, gateway for what it forwards.
    #[default]
    Auto,
    /// The cookie of the kernel's own listener.
    Host,
    /// A cookie that the kernel's SYN proxy takes back; it then opens the connection to the server. Needs both directions
    /// of a connection on this machine.
    Gateway,
    /// An answer whose number is wrong: a real client resets it, and comes again. Needs only what arrives.
    Reset,
    /// None: the first SYN is dropped, a real client sends it again. Needs only what arrives, and is the weakest.
    First,
}

/// What TCP packets without a SYN are met with, where a `challenge` rule decides them and their source has proven nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stray {
    /// They pass.
    #[default]
    Pass,
    /// They are counted, and pass.
    Count,
    /// They pass up to so many packets a second to one destination.
    Limit(u32),
}

/// Settings of challenges. Each processor counts for itself, and gets its share of what is allowed: a flood is spread over
/// them. A second is 2^30 ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// What SYNs are met with.
    pub challenge: Challenge,
    /// SYNs a second to one destination that pass unasked; what it usually gets. 0: all are challenged.
    pub challenge_above: u32,
    /// Answers a second of this box at most; beyond them the first SYN is dropped and its repetition passes.
    pub answers_max: u32,
    /// Likewise to one claimed network: /24 (IPv4) or /64 (IPv6). Also SYNs a second of one source that has proven itself.
    pub answers_net_max: u32,
    /// TCP packets without a SYN.
    pub stray: Stray,
    /// Largest TCP segment that the gateway's answers offer, over IPv4 and IPv6.
    pub gateway_mss: [u16; 2],
    /// Scale of the receive window in the gateway's answers: as the servers behind it choose it, or below.
    pub gateway_scale: u8,
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            challenge: Challenge::Auto,
            challenge_above: 0,
            answers_max: 2_000_000,
            answers_net_max: 1000,
            stray: Stray::Pass,
            gateway_mss: [1460, 1440],
            // Linux with its default of 6 MiB for `net.ipv4.tcp_rmem`.
            gateway_scale: 7,
        }
    }
}

impl Protection {
    /// What each of so many processors may do.
    pub(crate) fn octets(&self, processors: u32, gateway: bool) -> [u8; SIZE] {
        let share = |all| abi::share(all, processors);
        let mode = match self.challenge {
            Challenge::Auto => 0u32,
            Challenge::Host => 1,
            Challenge::Gateway => 2,
            Challenge::Reset => 3,
            Challenge::First => 4,
        };
        let (stray, strays) = match self.stray {
            Stray::Pass => (0, 0),
            Stray::Count => (1, 0),
            Stray::Limit(most) => (2, share(most)),
        };
        let (above, most) = (share(self.challenge_above), share(self.answers_max));
        let words = [mode, above, most, share(self.answers_net_max), stray, strays];
        let mut out = [0; SIZE];
        for (place, word) in words.into_iter().enumerate() {
            put(&mut out, place * 4, &word.to_ne_bytes());
        }
        let [m4, m6] = self.gateway_mss;
        put(&mut out, 24, &m4.to_ne_bytes());
        put(&mut out, 26, &m6.to_ne_bytes());
        put(&mut out, 28, &[self.gateway_scale]);
        put(&mut out, GATEWAY_AT, &[u8::from(gateway)]);
        out
    }
}
