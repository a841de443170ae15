//! At which rate an exporter samples: what options said of samplers, interfaces and domains, and which of it holds for
//! a record. The largest source of wrong volumes in flow-based detection, hence all in one place.

use alloc::collections::BTreeMap;

use crate::element::Slot;
use crate::plan::Values;
use crate::record::{RateSource, Sampling};
use crate::truth::RATE_BELIEVED_MAX;

/// Announcements remembered per exporter; further ones are refused and counted as the fault `rates_full`.
const RATES_MAX: usize = 256;

/// What an announcement holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// The whole observation domain.
    Domain,
    /// A sampler (48) or selector (302).
    Sampler(u64),
    /// Packets that came in by an interface.
    Interface(u32),
}

/// What was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// N of 1:N.
    Rate(u32),
    /// An interval of 0: not sampled, if nobody says otherwise.
    Zero,
    /// A number that nobody would configure.
    Absurd,
}

/// N as announced by the fields of a record; the flag tells that it had to be corrected (S1).
pub(crate) fn announced(values: &Values) -> Option<(Announced, bool)> {
    let mut zero = false;
    let mut every = false;
    let mut absurd = false;
    let mut corrected = false;
    let mut best = None;
    let candidates = [
        proportion(values),
        spaced(values),
        probability(values),
        values.get(Slot::RandomInterval),
        values.get(Slot::Interval),
    ];
    for candidate in candidates.into_iter().flatten() {
        let (n, swapped) = plausible(candidate);
        corrected |= swapped;
        match n {
            None => absurd = true,
            Some(0) => zero = true,
            // A rate of 1 often stands next to the real one (305 = 1 and 309/310 = 1/256).
            Some(1) => every = true,
            Some(n) => best = best.or(Some(n)),
        }
    }
    let what = match best {
        Some(n) => Announced::Rate(n),
        None if every => Announced::Rate(1),
        None if absurd => Announced::Absurd,
        None if zero => Announced::Zero,
        None => return None,
    };
    Some((what, corrected))
}

/// samplingSize of samplingPopulation (RFC 5477 §8.2.4, §8.2.5).
fn proportion(values: &Values) -> Option<u64> {
    let (size, population) = (values.get(Slot::Size)?, values.get(Slot::Population)?);
    (size > 0 && population > 0).then(|| population.saturating_add(size / 2) / size)
}

/// samplingPacketInterval and samplingPacketSpace (RFC 5477 §8.2.2, §8.2.3): so many taken, then so many left out (S2).
/// An interval without a space says nothing in the RFC's sense; those who send it so mean 1:N.
fn spaced(values: &Values) -> Option<u64> {
    let interval = values.get(Slot::PacketInterval)?;
    match values.get(Slot::PacketSpace) {
        Some(space) if interval > 0 => Some(interval.saturating_add(space) / interval),
        _ => Some(interval),
    }
}

/// samplingProbability (RFC 5477 §8.2.6).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and 10^9 by the check before"
)]
fn probability(values: &Values) -> Option<u64> {
    let p = f64::from_bits(values.get(Slot::Probability)?);
    (p > 1e-9 && p <= 1.0).then(|| (1.0 / p + 0.5) as u64)
}

/// A number that may be a rate. RouterOS 6 sends it little-endian (S1); what is beyond belief is none (S14).
fn plausible(n: u64) -> (Option<u32>, bool) {
    let Ok(n) = u32::try_from(n) else { return (None, false) };
    if n <= RATE_BELIEVED_MAX {
        return (Some(n), false);
    }
    if n >= 1 << 24 && n & 0xffff == 0 {
        return (Some(n.swap_bytes()), true);
    }
    (None, true)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    rate: u32,
    /// Announced as 0.
    weak: bool,
}

/// The rates of a set of announcements, zeros left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Digest {
    #[default]
    Nothing,
    One(u32),
    Many,
}

impl Digest {
    const fn with(self, rate: u32) -> Self {
        match self {
            Self::Nothing => Self::One(rate),
            Self::One(other) if other == rate => self,
            _ => Self::Many,
        }
    }
}

/// Announcements of one exporter.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    entries: BTreeMap<(u32, Scope), Entry>,
    domains: BTreeMap<u32, Digest>,
    all: Digest,
    stale: bool,
    by_interface: bool,
}

/// What a record says of how it was chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) sampler: Option<u64>,
    pub(crate) selector: Option<u64>,
    pub(crate) input: Option<u32>,
}

impl Rates {
    /// Takes in an announcement; repeating it changes nothing (S16). False when there is no room.
    pub(crate) fn announce(&mut self, domain: u32, scope: Scope, announced: Announced) -> bool {
        let entry = match announced {
            Announced::Rate(rate) => Entry { rate, weak: false },
            Announced::Zero => Entry { rate: 1, weak: true },
            Announced::Absurd => return true,
        };
        let key = (domain, scope);
        match self.entries.get(&key) {
            Some(known) if *known == entry => return true,
            Some(_) => {}
            None if self.entries.len() >= RATES_MAX => return false,
            None => {}
        }
        self.entries.insert(key, entry);
        self.by_interface |= matches!(scope, Scope::Interface(_));
        self.stale = true;
        true
    }

    /// Whether rates hang on the interface, so that records must be looked at one by one.
    pub(crate) const fn by_interface(&self) -> bool {
        self.by_interface
    }

    /// The rate of a record: its sampler's, its domain's, that of another domain of the exporter if there is only one
    /// (S4), or unknown. Also says how many entries had to be looked at.
    pub(crate) fn resolve(&mut self, domain: u32, choice: Choice) -> (Sampling, usize) {
        let work = self.freshen() + 4;
        let found = |source| move |rate| Sampling { rate: Some(rate), source };
        let sampling = self
            .named(domain, choice, false)
            .map(found(RateSource::Sampler))
            .or_else(|| self.of_domain(domain).map(found(RateSource::Domain)))
            .or_else(|| self.of_exporter(choice).map(found(RateSource::Exporter)))
            .or_else(|| self.named(domain, choice, true).map(found(RateSource::Sampler)))
            .or_else(|| self.weak_domain(domain).map(found(RateSource::Domain)));
        (sampling.unwrap_or(Sampling::UNKNOWN), work)
    }

    /// All announcements, for persistence.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Scope, u32)> {
        self.entries
            .iter()
            .map(|((domain, scope), entry)| (*domain, *scope, if entry.weak { 0 } else { entry.rate }))
    }

    fn named(&self, domain: u32, choice: Choice, weak: bool) -> Option<u32> {
        let of = |scope| {
            let entry = self.entries.get(&(domain, scope))?;
            (entry.weak == weak).then_some(entry.rate)
        };
        let id = |id: Option<u64>| id.and_then(|id| of(Scope::Sampler(id)));
        id(choice.sampler)
            .or_else(|| id(choice.selector))
            .or_else(|| choice.input.and_then(|index| of(Scope::Interface(index))))
    }

    fn of_domain(&self, domain: u32) -> Option<u32> {
        if let Some(entry) = self.entries.get(&(domain, Scope::Domain)).filter(|entry| !entry.weak) {
            return Some(entry.rate);
        }
        match self.domains.get(&domain)? {
            Digest::One(rate) => Some(*rate),
            _ => None,
        }
    }

    fn of_exporter(&self, choice: Choice) -> Option<u32> {
        if let Digest::One(rate) = self.all {
            return Some(rate);
        }
        let id = choice.sampler.or(choice.selector)?;
        let mut digest = Digest::Nothing;
        for domain in self.domains.keys() {
            if let Some(entry) = self.entries.get(&(*domain, Scope::Sampler(id))).filter(|entry| !entry.weak)
            {
                digest = digest.with(entry.rate);
            }
        }
        match digest {
            Digest::One(rate) => Some(rate),
            _ => None,
        }
    }

    fn weak_domain(&self, domain: u32) -> Option<u32> {
        let only_zeros = self.domains.get(&domain) == Some(&Digest::Nothing);
        only_zeros.then_some(1)
    }

    fn freshen(&mut self) -> usize {
        if !self.stale {
            return 0;
        }
        self.stale = false;
        self.domains.clear();
        self.all = Digest::Nothing;
        for ((domain, _), entry) in &self.entries {
            let digest = self.domains.entry(*domain).or_default();
            if !entry.weak {
                *digest = digest.with(entry.rate);
                self.all = self.all.with(entry.rate);
            }
        }
        self.entries.len()
    }
}
