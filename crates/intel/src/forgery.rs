//! Vector first: how many of its sources are forged, and which of them look like it.
//!
//! Sources without a proof fall into groups by the form of their packets and the TTL with which they arrive: what one
//! machine forges arrives in one way. Two things tell forged groups from others.
//!
//! * Of addresses drawn at random, 13.8 % are special-purpose ones that nobody has ([`SPECIAL_SHARE`]). So many times fewer
//!   there are, so many times fewer are forged. This holds only where such addresses are forged ones: not where a publisher
//!   has put them in the place of real ones (then they are too many, or of one private network, or they answer).
//! * Hosts of hundreds of networks are hundreds of different ways away; packets of hundreds of networks that all arrive with
//!   one TTL come from one place.
//!
//! Neither seen: not measurable, and said so. Transit networks may drop special-purpose sources, so none of them proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::Prefix;

use crate::dossier::Share;
use crate::finding::Reason;
use crate::special::{SPECIAL_SHARE, beyond_unicast, special};
use crate::spread::{effective, uniform, wilson};
use crate::tally::ratio;

/// A source without a proof, of one vector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) address: IpAddr,
    pub(crate) form: u8,
    pub(crate) ttl: u8,
    pub(crate) packets: u64,
}

/// What is thought of a vector's sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opinion {
    /// Whether special-purpose sources are forged ones here.
    pub(crate) bogons_tell: bool,
    groups: BTreeMap<(u8, u8), Group>,
    /// What holds for sources of no group.
    rest: Option<f64>,
    /// Share of all its sources that is forged; `None`: not measurable.
    pub(crate) share: Option<Share>,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    forged: f64,
    why: Reason,
}

/// Sources that make a group; smaller ones are judged with the rest.
const GROUP_MIN: u64 = 30;
/// Sources of one form from which their TTLs say something, and networks (/16, /32 of IPv6) from which they come.
const TTL_SOURCES_MIN: u64 = 200;
const TTL_NETWORKS_MIN: usize = 100;
/// As many ways away as hosts of one form are, at least, when they are spread over the Internet.
const WAYS_MIN: f64 = 4.0;
/// Special-purpose sources from which their share says something.
const BOGONS_MIN: u64 = 5;
/// More of them than chance makes of drawn addresses: somebody put them there.
const BOGONS_MOST: f64 = 0.25;
/// Of drawn special-purpose addresses nine of ten are multicast or class E; of private networks none.
const BEYOND_UNICAST_MIN: f64 = 0.6;
/// Sources from which their spread over the address space says something.
const UNIFORM_MIN: usize = 1000;
/// Groups lean to what holds for all by as much as so many sources.
const LEAN: f64 = 20.0;

impl Opinion {
    /// Of a vector with these unproven sources and `proven` others that are no forgeries. `bogon_answers`: special-purpose
    /// addresses have proven that they are somebody.
    pub(crate) fn of(claims: &[Claim], proven: u64, bogon_answers: bool) -> Self {
        let mut opinion = Self::default();
        let n4 = count(claims.iter().filter(|c| c.address.is_ipv4()).count());
        let bogons: Vec<&Claim> =
            claims.iter().filter(|c| c.address.is_ipv4() && special(c.address)).collect();
        let b = count(bogons.len());
        let beyond = count(bogons.iter().filter(|c| beyond_unicast(c.address)).count());
        opinion.bogons_tell = !bogon_answers
            && b >= BOGONS_MIN
            && ratio(b, n4) <= BOGONS_MOST
            && ratio(beyond, b) >= BEYOND_UNICAST_MIN;
        let one_way = of_one_way(claims);
        let mut tallies: Tallies = BTreeMap::new();
        // Of the sources that come from no one place.
        let (mut rest4, mut rest_bogons) = (0, 0);
        for claim in claims {
            let key = (claim.form, claim.ttl);
            let bogon = u64::from(claim.address.is_ipv4() && special(claim.address));
            let tally = tallies.entry(key).or_default();
            tally.0 += 1;
            tally.1 += bogon;
            if !one_way.contains(&key) {
                rest4 += u64::from(claim.address.is_ipv4());
                rest_bogons += bogon;
            }
        }
        let pooled =
            if opinion.bogons_tell { (ratio(rest_bogons, rest4) / SPECIAL_SHARE).min(1.0) } else { 0.5 };
        // What comes from one place is forged whether special or not: a forger may take addresses from a list of real networks.
        let mut placed = Placed::default();
        for (key, (n, bogons)) in &tallies {
            if one_way.contains(key) {
                let natural = beside(&tallies, &one_way, *key).min(float(*n));
                placed.add(*n, *bogons, natural);
                let forged = (1.0 - natural / float(*n)).clamp(0.5, 0.97);
                opinion.groups.insert(*key, Group { forged, why: Reason::T2 });
            } else if opinion.bogons_tell && *n >= GROUP_MIN {
                let leaning = LEAN * SPECIAL_SHARE * pooled;
                let forged = (float(*bogons) + leaning) / (SPECIAL_SHARE * (float(*n) + LEAN));
                opinion.groups.insert(*key, Group { forged: forged.clamp(0.01, 0.99), why: Reason::D1 });
            }
        }
        let drawn = claims.len() >= UNIFORM_MIN && drawn_at_random(claims);
        opinion.rest = if opinion.bogons_tell {
            Some(pooled.clamp(0.05, 0.95))
        } else if drawn && one_way.is_empty() {
            Some(0.93)
        } else {
            None
        };
        opinion.share = opinion.measure(count(claims.len()), proven, (rest_bogons, rest4), &placed, drawn);
        opinion
    }

    fn measure(
        &self,
        claims: u64,
        proven: u64,
        (bogons, rest4): (u64, u64),
        placed: &Placed,
        drawn: bool,
    ) -> Option<Share> {
        let all = float(claims + proven);
        if all == 0.0 {
            return None;
        }
        let most = float(claims) / all;
        let at = |low: f64, estimate: f64, high: f64| {
            let part = |sources: f64| (sources / all).clamp(0.0, most);
            Some(Share { estimate: part(estimate), low: part(low), high: part(high) })
        };
        let (placed_low, placed_high) = placed.interval();
        let rest = float(claims - placed.sources);
        if self.bogons_tell {
            let told = wilson(bogons, rest4);
            let of = |share: f64| (share / SPECIAL_SHARE).min(1.0) * float(rest4);
            // Sources of IPv6 say nothing by being special.
            let six = rest - float(rest4);
            return at(
                placed_low + of(told.low),
                placed.forged + of(told.estimate),
                placed_high + of(told.high) + six,
            );
        }
        if placed.sources > 0 {
            // Of the rest, nothing is known.
            return at(placed_low, placed.forged, placed_high + rest);
        }
        if drawn {
            return at(0.8 * rest, rest, rest);
        }
        (float(proven) / all >= 0.9).then_some(Share { estimate: 0.0, low: 0.0, high: most })
    }

    /// How likely a source is forged by what its group is, and why; `None`: nothing is known of it.
    pub(crate) fn forged(&self, claim: &Claim) -> Option<(f64, Reason)> {
        match self.groups.get(&(claim.form, claim.ttl)) {
            Some(group) => Some((group.forged, group.why)),
            None => self.rest.map(|forged| (forged, Reason::D1)),
        }
    }
}

/// Sources and special-purpose ones by form and TTL.
type Tallies = BTreeMap<(u8, u8), (u64, u64)>;

/// Sources that come from one place in the name of many.
#[derive(Clone, Copy, Debug, Default)]
struct Placed {
    sources: u64,
    /// Of these, those that are no chance.
    forged: f64,
    /// Real hosts that happen to be as far away.
    natural: f64,
    /// Special-purpose ones: forged in any case.
    bogons: u64,
}

impl Placed {
    fn add(&mut self, sources: u64, bogons: u64, natural: f64) {
        self.sources += sources;
        self.forged += float(sources) - natural;
        self.natural += natural;
        self.bogons += bogons;
    }

    /// How many are forged at least and at most: how many real ones are as far away is read from those that are nearly as far.
    fn interval(&self) -> (f64, f64) {
        let unsure = self.natural + 2.0 * libm::sqrt(self.natural);
        let least = (self.forged - unsure).max(float(self.bogons)).max(0.0);
        (least, (self.forged + unsure).min(float(self.sources)))
    }
}

/// Sources of the same form that are nearly as far away, per TTL: what would be there if nothing was forged.
fn beside(tallies: &Tallies, one_way: &BTreeSet<(u8, u8)>, (form, ttl): (u8, u8)) -> f64 {
    let near = (ttl.saturating_sub(3)..=ttl.saturating_add(3)).map(|ttl| (form, ttl));
    let others: Vec<u64> = near
        .filter(|key| key.1 != ttl && !one_way.contains(key))
        .map(|key| tallies.get(&key).map_or(0, |(n, _)| *n))
        .collect();
    float(others.iter().sum()) / float(count(others.len()).max(1))
}

/// Groups whose sources come from many networks and arrive in one way.
fn of_one_way(claims: &[Claim]) -> BTreeSet<(u8, u8)> {
    let mut forms: BTreeMap<u8, BTreeMap<u8, u64>> = BTreeMap::new();
    // Flow export mostly tells no TTL (0): then all are alike and it says nothing.
    for claim in claims.iter().filter(|claim| claim.ttl > 0) {
        *forms.entry(claim.form).or_default().entry(claim.ttl).or_default() += 1;
    }
    let mut spikes = BTreeSet::new();
    for (form, ttls) in &forms {
        let total: u64 = ttls.values().sum();
        if total < TTL_SOURCES_MIN {
            continue;
        }
        let few = effective(ttls) < WAYS_MIN;
        for (ttl, n) in ttls {
            let beside = |other: Option<u8>| other.and_then(|t| ttls.get(&t)).copied().unwrap_or(0);
            let lonely = *n >= 3 * beside(ttl.checked_sub(1)).max(beside(ttl.checked_add(1)));
            let share = ratio(*n, total);
            if few && share >= 0.05 || lonely && share >= 0.15 {
                spikes.insert((*form, *ttl));
            }
        }
    }
    let mut networks: BTreeMap<(u8, u8), BTreeSet<Prefix>> = BTreeMap::new();
    for claim in claims.iter().filter(|claim| spikes.contains(&(claim.form, claim.ttl))) {
        let seen = networks.entry((claim.form, claim.ttl)).or_default();
        if seen.len() < TTL_NETWORKS_MIN {
            let bits = if claim.address.is_ipv4() { 16 } else { 32 };
            seen.insert(Prefix::of(claim.address, bits));
        }
    }
    networks.into_iter().filter(|(_, seen)| seen.len() >= TTL_NETWORKS_MIN).map(|(key, _)| key).collect()
}

/// Nearly each packet has a source of its own, and those are spread over all of IPv4.
fn drawn_at_random(claims: &[Claim]) -> bool {
    let packets: u64 = claims.iter().map(|claim| claim.packets).sum();
    let mut octets: BTreeMap<u8, u64> = BTreeMap::new();
    for claim in claims {
        if let IpAddr::V4(v4) = claim.address {
            let [first, ..] = v4.octets();
            *octets.entry(first).or_default() += 1;
        }
    }
    packets < 2 * count(claims.len()) && uniform(&octets)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts of sources")]
const fn float(n: u64) -> f64 {
    n as f64
}
