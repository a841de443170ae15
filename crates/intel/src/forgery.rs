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
        let mut tallies: BTreeMap<(u8, u8), (u64, u64)> = BTreeMap::new();
        for claim in claims {
            let tally = tallies.entry((claim.form, claim.ttl)).or_default();
            tally.0 += 1;
            tally.1 += u64::from(claim.address.is_ipv4() && special(claim.address));
        }
        let pooled = if opinion.bogons_tell { (ratio(b, n4) / SPECIAL_SHARE).min(1.0) } else { 0.5 };
        // Sources from one place, of which none is special although some should be: forged from a list of real networks.
        let mut listed = 0;
        for (key, (n, bogons)) in &tallies {
            let spike = one_way.contains(key);
            let (forged, why) = if opinion.bogons_tell && (*bogons > 0 || !spike) {
                let leaning = LEAN * SPECIAL_SHARE * pooled;
                ((float(*bogons) + leaning) / (SPECIAL_SHARE * (float(*n) + LEAN)), Reason::D1)
            } else if spike {
                listed += *n;
                (0.97, Reason::T2)
            } else {
                continue;
            };
            if *n >= GROUP_MIN || spike {
                opinion.groups.insert(*key, Group { forged: forged.clamp(0.01, 0.99), why });
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
        opinion.share = opinion.measure(claims, proven, (b, n4), listed, drawn);
        opinion
    }

    fn measure(
        &self,
        claims: &[Claim],
        proven: u64,
        (bogons, n4): (u64, u64),
        listed: u64,
        drawn: bool,
    ) -> Option<Share> {
        let all = float(count(claims.len()) + proven);
        if all == 0.0 {
            return None;
        }
        let most = float(count(claims.len())) / all;
        let by_list = float(listed) / all;
        if self.bogons_tell {
            let rest = n4.saturating_sub(listed);
            let told = wilson(bogons, rest);
            let part = float(rest) / all / SPECIAL_SHARE;
            let at = |share: f64| (share * part + by_list).min(most);
            let share = Share { estimate: at(told.estimate), low: at(told.low), high: at(told.high) };
            // Sources of IPv6 say nothing by being special.
            let six = float(count(claims.len()) - n4) / all;
            return Some(Share { high: (share.high + six).min(most), ..share });
        }
        if listed > 0 {
            return Some(Share { estimate: by_list, low: by_list * 0.9, high: most });
        }
        if drawn {
            return Some(Share { estimate: most, low: most * 0.8, high: most });
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

/// Groups whose sources come from many networks and arrive in one way.
fn of_one_way(claims: &[Claim]) -> BTreeSet<(u8, u8)> {
    let mut forms: BTreeMap<u8, BTreeMap<u8, u64>> = BTreeMap::new();
    for claim in claims {
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
