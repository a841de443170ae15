//! The price of rules: what share of benign packets, octets and peers they would hit, and how sure that is.

mod beta;
mod crowd;
mod pooled;

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use base::Prefix;
use base::prefix::wide;
pub use crowd::Crowd;
pub use pooled::{Kin, pooled};
use serde::{Serialize, Serializer};
use wire::packet::Parsed;

use crate::rule::Action;
use crate::set::RuleSet;

/// Distinct peers remembered in one tally; more are counted in [`Tally::peers_left_out`] and do not enter the share.
pub const PEERS_MAX: usize = 1 << 20;

/// A share and the bound that it exceeds with a probability of 5 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// As seen.
    pub estimate: f64,
    /// One-sided 95 % upper bound: Clopper and Pearson's, or [`pooled`]'s.
    pub upper95: f64,
}

/// The three shares of benign traffic that rules hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collateral {
    /// Of packets.
    pub packets: Share,
    /// Of layer-3 octets.
    pub bytes: Share,
    /// Of distinct peers: IPv4 addresses and IPv6 /64s. A peer is hit when one of its packets is.
    pub peers: Share,
}

/// `{"packets":…,"bytes":…,"peers":…,"packets_upper95":…,…}`.
impl Serialize for Collateral {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat {
            packets: f64,
            bytes: f64,
            peers: f64,
            packets_upper95: f64,
            bytes_upper95: f64,
            peers_upper95: f64,
        }
        Flat {
            packets: self.packets.estimate,
            bytes: self.bytes.estimate,
            peers: self.peers.estimate,
            packets_upper95: self.packets.upper95,
            bytes_upper95: self.bytes.upper95,
            peers_upper95: self.peers.upper95,
        }
        .serialize(serializer)
    }
}

/// A sample of benign traffic.
#[derive(Clone, Copy, Debug)]
pub struct Benign<'a> {
    /// What it looks like.
    pub packet: Parsed<'a>,
    /// Who is at the other end: the source of what comes in, the destination of what goes out.
    pub peer: IpAddr,
    /// Packets it stands for.
    pub packets: u64,
    /// Layer-3 octets it stands for.
    pub bytes: u64,
}

/// What these rules cost together. A packet that a rule passes is spared; one under a rate counts as hit, because how
/// much the rate will let pass is not known. `None` without benign evidence: no evidence is not no collateral.
pub fn price<'a>(rules: &RuleSet, benign: impl IntoIterator<Item = Benign<'a>>) -> Option<Collateral> {
    let mut tally = Tally::default();
    for sample in benign {
        let hit = rules.decide(&sample.packet).is_some_and(|rule| rule.action != Action::Pass);
        tally.add(hit, sample.peer, sample.packets, sample.bytes);
    }
    tally.collateral()
}

/// Benign samples, counted by whether they were hit.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    packets: Weighed,
    bytes: Weighed,
    peers: BTreeMap<u128, Peer>,
    peers_left_out: u64,
}

/// What one peer sent.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    hit: bool,
    packets: u64,
    bytes: u64,
}

impl Tally {
    /// Counts a sample that stands for so many packets and octets.
    pub fn add(&mut self, hit: bool, peer: IpAddr, packets: u64, bytes: u64) {
        let key = match peer {
            IpAddr::V4(_) => wide(peer),
            IpAddr::V6(_) => wide(Prefix::of(peer, 64).addr()),
        };
        self.add_by(hit, key, packets, bytes);
    }

    /// The same for a peer that goes by a number: for samples of several receivers, one number for each pair.
    pub fn add_by(&mut self, hit: bool, peer: u128, packets: u64, bytes: u64) {
        self.packets.add(hit, packets);
        self.bytes.add(hit, bytes);
        let room = self.peers.len() < PEERS_MAX;
        match self.peers.get_mut(&peer) {
            Some(seen) => {
                seen.hit |= hit;
                seen.packets = seen.packets.saturating_add(packets);
                seen.bytes = seen.bytes.saturating_add(bytes);
            }
            None if room => {
                self.peers.insert(peer, Peer { hit, packets, bytes });
            }
            None => {
                self.packets.alone += square(packets);
                self.bytes.alone += square(bytes);
                self.peers_left_out += 1;
            }
        }
    }

    /// The shares; `None` when nothing was counted.
    pub fn collateral(&self) -> Option<Collateral> {
        self.crowd().collateral()
    }

    /// The same without who is who.
    pub fn crowd(&self) -> Crowd {
        let peers = self.peers.values().map(|peer| (peer.packets, peer.bytes));
        let hit = self.peers.values().filter(|peer| peer.hit).count();
        Crowd::of(self.packets, self.bytes, peers).with_peers_hit(hit)
    }

    /// Counts so many packets, each seen by itself, whatever their octets.
    pub fn add_each(&mut self, hit: bool, peer: IpAddr, packets: u64) {
        self.packets.add_each(hit, packets);
        self.add(hit, peer, 0, 0);
    }

    /// What is hit at least; `None` when nothing was counted.
    pub fn least(&self) -> Option<Least> {
        let [packets, _, peers] = self.crowd().trials()?;
        Some(Least { packets: packets.least(), peers: peers.least() })
    }

    /// Samples of peers beyond the cap.
    pub const fn peers_left_out(&self) -> u64 {
        self.peers_left_out
    }
}

/// Shares of benign traffic that are exceeded with a probability of 95 % (Clopper and Pearson).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Least {
    /// Of packets.
    pub packets: f64,
    /// Of distinct peers.
    pub peers: f64,
}

/// Independent observations, and those of them that were hit; neither need be whole.
#[derive(Clone, Copy, Debug, Default)]
struct Trials {
    hit: f64,
    all: f64,
}

impl Trials {
    fn estimate(self) -> f64 {
        if self.all > 0.0 { self.hit / self.all } else { 0.0 }
    }

    fn share(self) -> Share {
        Share { estimate: self.estimate(), upper95: beta::upper(self.hit, self.all) }
    }

    /// The lower bound is that of not being hit from above.
    fn least(self) -> f64 {
        1.0 - beta::upper(self.all - self.hit, self.all)
    }
}

/// Weights of samples. What one peer sends hangs together: a conversation is hit as a whole or not at all, so that all of it
/// is one observation. The bound goes by the effective number of these (Kish 1965), sum squared over sum of squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Weighed {
    hit: u64,
    all: u64,
    /// Squares of what belongs to nobody.
    alone: f64,
}

impl Weighed {
    fn add(&mut self, hit: bool, weight: u64) {
        self.all = self.all.saturating_add(weight);
        self.hit = self.hit.saturating_add(if hit { weight } else { 0 });
    }

    #[expect(clippy::cast_precision_loss, reason = "a bound needs no more than 53 bits")]
    fn add_each(&mut self, hit: bool, count: u64) {
        self.add(hit, count);
        self.alone += count as f64;
    }

    #[expect(clippy::cast_precision_loss, reason = "a bound needs no more than 53 bits")]
    fn trials(&self, squares: f64) -> Option<Trials> {
        let estimate = ratio(self.hit, self.all)?;
        let all = self.all as f64 * self.all as f64 / (self.alone + squares);
        Some(Trials { hit: estimate * all, all })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bound needs no more than 53 bits")]
fn square(weight: u64) -> f64 {
    weight as f64 * weight as f64
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The share that `k` of `n` stays below with 95 % confidence (Clopper and Pearson 1934, one-sided). 1 when nothing
/// was observed.
#[expect(clippy::cast_precision_loss, reason = "a bound needs no more than 53 bits")]
pub fn clopper_pearson_upper(k: u64, n: u64) -> f64 {
    beta::upper(k as f64, n as f64)
}
