//! The price of rules: what share of benign packets, octets and peers they would hit, and how sure that is.

mod beta;

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use base::Prefix;
use base::prefix::wide;
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
    /// One-sided 95 % upper bound (Clopper and Pearson).
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
    peers: BTreeMap<u128, bool>,
    peers_left_out: u64,
}

impl Tally {
    /// Counts a sample that stands for so many packets and octets.
    pub fn add(&mut self, hit: bool, peer: IpAddr, packets: u64, bytes: u64) {
        self.packets.add(hit, packets);
        self.bytes.add(hit, bytes);
        let key = match peer {
            IpAddr::V4(_) => wide(peer),
            IpAddr::V6(_) => wide(Prefix::of(peer, 64).addr()),
        };
        let room = self.peers.len() < PEERS_MAX;
        match self.peers.get_mut(&key) {
            Some(seen) => *seen |= hit,
            None if room => {
                self.peers.insert(key, hit);
            }
            None => self.peers_left_out += 1,
        }
    }

    /// The shares; `None` when nothing was counted.
    pub fn collateral(&self) -> Option<Collateral> {
        let hit = self.peers.values().filter(|hit| **hit).count();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let (hit, all) = (count(hit), count(self.peers.len()));
        Some(Collateral {
            packets: self.packets.share()?,
            bytes: self.bytes.share().or_else(|| self.packets.share())?,
            peers: Share { estimate: ratio(hit, all)?, upper95: clopper_pearson_upper(hit, all) },
        })
    }

    /// Counts so many packets, each seen by itself, whatever their octets.
    pub fn add_each(&mut self, hit: bool, peer: IpAddr, packets: u64) {
        self.packets.add_each(hit, packets);
        self.add(hit, peer, 0, 0);
    }

    /// What is hit at least; `None` when nothing was counted.
    pub fn least(&self) -> Option<Least> {
        let hit = self.peers.values().filter(|hit| **hit).count();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let (hit, all) = (count(hit), count(self.peers.len()));
        (all > 0).then(|| Least {
            packets: self.packets.least(),
            peers: 1.0 - clopper_pearson_upper(all - hit, all),
        })
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

/// Weights of samples. Those that stand for many packets are still one observation each: the bound goes by the
/// effective number of observations (Kish), sum squared over sum of squares.
#[derive(Clone, Copy, Debug, Default)]
struct Weighed {
    hit: u64,
    all: u64,
    squares: f64,
}

impl Weighed {
    #[expect(clippy::cast_precision_loss, reason = "a bound needs no more than 53 bits")]
    fn add(&mut self, hit: bool, weight: u64) {
        self.all = self.all.saturating_add(weight);
        self.hit = self.hit.saturating_add(if hit { weight } else { 0 });
        self.squares += weight as f64 * weight as f64;
    }

    #[expect(clippy::cast_precision_loss, reason = "a bound needs no more than 53 bits")]
    fn add_each(&mut self, hit: bool, count: u64) {
        self.all = self.all.saturating_add(count);
        self.hit = self.hit.saturating_add(if hit { count } else { 0 });
        self.squares += count as f64;
    }

    /// The lower bound is that of not being hit from above.
    #[expect(clippy::cast_precision_loss, reason = "a bound needs no more than 53 bits")]
    fn least(&self) -> f64 {
        let Some(estimate) = ratio(self.hit, self.all) else { return 0.0 };
        let observations = self.all as f64 * self.all as f64 / self.squares;
        1.0 - beta::upper((1.0 - estimate) * observations, observations)
    }

    #[expect(clippy::cast_precision_loss, reason = "a bound needs no more than 53 bits")]
    fn share(&self) -> Option<Share> {
        let estimate = ratio(self.hit, self.all)?;
        let observations = self.all as f64 * self.all as f64 / self.squares;
        Some(Share { estimate, upper95: beta::upper(estimate * observations, observations) })
    }
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
