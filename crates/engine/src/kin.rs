//! Which own hosts are like which, by what they talk, and what each kind of them receives in peace.
//!
//! Behind a sampler a victim shows tens of honest packets or none, all hosts together thousands. A host's kind is its commonest
//! talk: a protocol, a service's port, and whether it serves or asks. A packet speaks for the kind that the *other* packets
//! of its host show, lest each kind seem to receive nothing but what names it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::map::{Map, Seed};
use base::prefix::{narrow, wide};
use base::{Prefix, Span, Timestamp};
use detect::sample::{BottomK, Sample};
use detect::signature::Kin;
use serde::{Deserialize, Serialize};
use wire::packet::{Headers, TCP, UDP, flags};

use crate::example::{Example, smallest};

/// Own hosts whose talk is known; the ones with the least known of them go first, counted in `evicted`.
const HOSTS_MAX: usize = 1 << 15;
/// Kinds of talk told apart for a host.
const TALKS_MAX: usize = 4;
/// Beyond so many packets older ones count half: a host may change.
const COUNT_MAX: u16 = 64;
/// Packets kept of a generation.
const POOL_MAX: usize = 1536;
/// Packets of a generation that outlive a restart, and hosts whose talk does.
const SAVED_MAX: (usize, usize) = (768, 8192);
/// How long a generation lasts; packets of this one and the last are kept.
const GENERATION: Span = Span::from_secs(3600);
/// A kind has so many packets; rarer ones are counted together.
const KIND_MIN: usize = 20;
/// A kind that the target is less likely of is left out.
const WEIGHT_MIN: f64 = 0.02;
/// Kinds told apart in one answer.
const KINDS_MAX: usize = 6;

/// What a host talks: protocol, port of the service (0 where neither side's port is one), and whether it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Talk {
    protocol: u8,
    port: u16,
    serves: bool,
}

impl Talk {
    /// Ports from here on are lent to clients.
    const EPHEMERAL: u16 = 32_768;

    /// Of a host that received (or sent) this; resets and errors tell of no service.
    fn of(h: &Headers, received: bool) -> Option<Self> {
        if h.tcp.is_some_and(|tcp| tcp.flags & flags::RST != 0) {
            return None;
        }
        let (theirs, ours) = match (h.protocol, h.ports) {
            (TCP | UDP, Some((src, dst))) if received => (src, dst),
            (TCP | UDP, Some((src, dst))) => (dst, src),
            (TCP | UDP, None) => return None,
            _ => (0, 0),
        };
        let port = Some(ours.min(theirs)).filter(|port| *port < Self::EPHEMERAL).unwrap_or(0);
        Some(Self { protocol: h.protocol, port, serves: port > 0 && ours <= theirs })
    }
}

impl std::fmt::Display for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let does = if self.serves { "serve" } else { "ask" };
        match (self.protocol, self.port) {
            (protocol, 0) => write!(f, "talk protocol {protocol}"),
            (TCP, port) => write!(f, "{does} tcp/{port}"),
            (_, port) => write!(f, "{does} udp/{port}"),
        }
    }
}

/// What one host talks, with counts.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Talks([Option<(Talk, u16)>; TALKS_MAX]);

impl Talks {
    /// Counts one; at the cap all lose one for it (Misra and Gries 1982).
    fn add(&mut self, talk: Talk) {
        let total: u16 = self.0.iter().flatten().map(|(_, count)| count).sum();
        let halved = total >= COUNT_MAX;
        if halved {
            self.0.iter_mut().flatten().for_each(|(_, count)| *count /= 2);
        }
        let slot = self.0.iter().position(|slot| slot.is_some_and(|(known, _)| known == talk));
        if let Some((_, count)) = slot.and_then(|at| self.0.get_mut(at)?.as_mut()) {
            *count += 1;
        } else if let Some(free) = self.0.iter_mut().find(|slot| slot.is_none_or(|(_, count)| count == 0)) {
            *free = Some((talk, 1));
        } else {
            self.0.iter_mut().flatten().for_each(|(_, count)| *count -= 1);
        }
    }

    fn total(&self) -> u16 {
        self.0.iter().flatten().map(|(_, count)| count).sum()
    }

    /// The commonest, when one of `less` is not counted.
    fn main_without(&self, less: Option<Talk>) -> Option<Talk> {
        let counts = self
            .0
            .iter()
            .flatten()
            .map(|(talk, count)| (count - u16::from(Some(*talk) == less && *count > 0), *talk));
        let most = counts.filter(|(count, _)| *count > 0).max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        most.map(|(_, talk)| talk)
    }
}

/// What hosts of all kinds receive.
#[derive(Debug)]
pub(crate) struct Kindred {
    talks: Map<u128, Talks>,
    now: BottomK,
    before: BottomK,
    turned: Timestamp,
    evicted: u64,
}

/// The same, as a snapshot has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kinds {
    talks: Vec<(IpAddr, Talks)>,
    now: Vec<Example>,
    before: Vec<Example>,
    turned: Timestamp,
}

/// Packets to hosts of one kind, and these hosts.
#[derive(Default)]
struct Kind {
    samples: Vec<Sample>,
    hosts: BTreeSet<u128>,
}

impl Kindred {
    pub(crate) fn new(seed: Seed) -> Self {
        let pool = || BottomK::new(POOL_MAX);
        Self { talks: Map::new(seed), now: pool(), before: pool(), turned: Timestamp::ZERO, evicted: 0 }
    }

    /// Learns from a packet to or from an own host.
    pub(crate) fn offer(&mut self, hash: u64, sample: &Sample, at: Timestamp) {
        if at.since(self.turned) >= GENERATION {
            self.before = std::mem::replace(&mut self.now, BottomK::new(POOL_MAX));
            self.turned = at;
        }
        let h = &sample.headers;
        let host = wide(if sample.outgoing { h.src } else { h.dst });
        if let Some(talk) = Talk::of(h, !sample.outgoing) {
            self.talks.get_or_insert_with(host, Talks::default).add(talk);
        }
        if !sample.outgoing {
            self.now.offer(hash, *sample);
        }
        if self.talks.len() > HOSTS_MAX {
            let mut least: Vec<(u16, u128)> =
                self.talks.sorted().into_iter().map(|(host, talks)| (talks.total(), *host)).collect();
            least.sort_unstable();
            for (_, host) in least.into_iter().take(HOSTS_MAX / 4) {
                self.talks.remove(&host);
                self.evicted += 1;
            }
        }
    }

    /// Gives up packets for which `keep` says no.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Sample) -> bool) {
        self.now.retain(&keep);
        self.before.retain(&keep);
    }

    /// What has to outlive a restart: some packets, and the talk of whom they went to and of these hosts.
    pub(crate) fn saved(&self, hosts: impl Iterator<Item = u128>) -> Kinds {
        let [now, before] = [&self.now, &self.before].map(|pool| smallest(pool.kept(), SAVED_MAX.0));
        let to = now.iter().chain(&before).map(|(_, sample)| wide(sample.headers.dst));
        let hosts: BTreeSet<u128> = to.chain(hosts).collect();
        let known = hosts.into_iter().filter_map(|host| Some((narrow(host), *self.talks.get(&host)?)));
        let examples = |pool: Vec<&(u64, Sample)>| pool.into_iter().map(Example::of).collect();
        Kinds {
            talks: known.take(SAVED_MAX.1).collect(),
            now: examples(now),
            before: examples(before),
            turned: self.turned,
        }
    }

    /// Takes up what an earlier run saved.
    pub(crate) fn restore(&mut self, saved: Kinds) {
        for (host, talks) in saved.talks.into_iter().take(HOSTS_MAX) {
            self.talks.insert(wide(host), talks);
        }
        for (pool, examples) in [(&mut self.now, saved.now), (&mut self.before, saved.before)] {
            examples
                .into_iter()
                .filter_map(Example::read)
                .for_each(|(hash, sample)| pool.offer(hash, sample));
        }
        self.turned = saved.turned;
    }

    /// What hosts receive that these targets may be like, and a word on them. A network is like all hosts together.
    pub(crate) fn of(&self, areas: &[Prefix]) -> (Vec<Kin>, String) {
        let target = match areas {
            [only] if only.is_host() => Some(wide(only.addr())),
            _ => None,
        };
        let mut kinds: BTreeMap<Option<Talk>, Kind> = BTreeMap::new();
        for (_, sample) in self.now.kept().iter().chain(self.before.kept()) {
            let (host, h) = (wide(sample.headers.dst), &sample.headers);
            if areas.iter().any(|area| area.contains(h.dst) || area.is_ipv4() != h.dst.is_ipv4()) {
                continue;
            }
            let kind = match target {
                None => None,
                Some(_) => {
                    match self.talks.get(&host).and_then(|talks| talks.main_without(Talk::of(h, true))) {
                        Some(talk) => Some(talk),
                        None => continue,
                    }
                }
            };
            let kind = kinds.entry(kind).or_default();
            kind.samples.push(*sample);
            kind.hosts.insert(host);
        }
        let kinds = common(kinds);
        let own = target.and_then(|host| self.talks.get(&host)).copied().unwrap_or_default();
        let hosts: usize = kinds.iter().map(|(_, kind)| kind.hosts.len()).sum();
        let named: Vec<Option<Talk>> = kinds.iter().map(|(talk, _)| *talk).collect();
        #[expect(clippy::cast_precision_loss, reason = "a share of counts")]
        let weight = |talk: Option<Talk>, kind: &Kind| {
            let shown = own.0.iter().flatten().filter(|(known, _)| {
                talk == Some(*known) || talk.is_none() && !named.contains(&Some(*known))
            });
            kind.hosts.len() as f64 / hosts.max(1) as f64
                + shown.map(|(_, count)| f64::from(*count)).sum::<f64>()
        };
        let all = 1.0 + f64::from(own.total());
        let mut words = Vec::new();
        let mut kin = Vec::new();
        for (talk, kind) in kinds {
            let weight = weight(talk, &kind) / all;
            if weight < WEIGHT_MIN {
                continue;
            }
            if let Some(talk) = talk {
                words.push(format!("{:.0} % that it is of those that {talk}", 100.0 * weight));
            }
            kin.push(Kin { weight, samples: kind.samples });
        }
        (kin, words.join(", "))
    }
}

/// The kinds with many packets, most first, and the others together.
fn common(kinds: BTreeMap<Option<Talk>, Kind>) -> Vec<(Option<Talk>, Kind)> {
    let mut kinds: Vec<(Option<Talk>, Kind)> = kinds.into_iter().collect();
    kinds.sort_by(|a, b| b.1.samples.len().cmp(&a.1.samples.len()).then(a.0.cmp(&b.0)));
    let many = kinds.iter().take(KINDS_MAX).take_while(|(_, kind)| kind.samples.len() >= KIND_MIN).count();
    let rare = kinds.split_off(many);
    let mut others = Kind::default();
    for (_, mut kind) in rare {
        others.samples.append(&mut kind.samples);
        others.hosts.append(&mut kind.hosts);
    }
    if !others.samples.is_empty() {
        kinds.push((None, others));
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: Talk = Talk { protocol: TCP, port: 443, serves: true };
    const ASKS: Talk = Talk { protocol: UDP, port: 53, serves: false };

    fn headers(protocol: u8, ports: (u16, u16)) -> Headers {
        Headers { protocol, ports: Some(ports), ..Headers::NOTHING }
    }

    #[test]
    fn talk_is_the_same_seen_from_either_direction() {
        assert_eq!(Talk::of(&headers(TCP, (50_000, 443)), true), Some(WEB));
        assert_eq!(Talk::of(&headers(TCP, (443, 50_000)), false), Some(WEB));
        assert_eq!(Talk::of(&headers(UDP, (53, 40_000)), true), Some(ASKS));
        assert_eq!(Talk::of(&headers(UDP, (40_000, 50_000)), true).map(|talk| talk.port), Some(0));
    }

    #[test]
    fn a_packet_does_not_speak_for_its_own_kind() {
        let mut talks = Talks::default();
        talks.add(WEB);
        assert_eq!((talks.main_without(None), talks.main_without(Some(WEB))), (Some(WEB), None));
        talks.add(ASKS);
        assert_eq!(talks.main_without(Some(WEB)), Some(ASKS));
    }

    #[test]
    fn a_host_that_changes_is_of_its_new_kind_soon() {
        let mut talks = Talks::default();
        (0..1000).for_each(|_| talks.add(ASKS));
        (0..60).for_each(|_| talks.add(WEB));
        assert_eq!(talks.main_without(None), Some(WEB));
        (0..1000u16).for_each(|port| talks.add(Talk { port, ..WEB }));
        assert!(talks.total() <= COUNT_MAX + 1);
    }
}
