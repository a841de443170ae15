//! `[history]`: flow samples that can be asked about later.

use base::Span;
use serde::Deserialize;
use toml::Spanned;

use super::check::Problems;
use super::values::{Octets, Wait};

/// What is kept of the addresses of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Addresses {
    /// Pseudonyms that keep prefixes, under a key a day (`[privacy]`).
    #[default]
    Pseudonym,
    /// Their networks: /24 and /48.
    Network,
    /// All of them.
    Full,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    enabled: Option<bool>,
    quota: Option<Spanned<Octets>>,
    min_free: Option<Octets>,
    samples_per_second: Option<Spanned<usize>>,
    attack_samples_per_second: Option<Spanned<usize>>,
    spill: Option<Spanned<Wait>>,
    addresses: Option<Addresses>,
}

/// Flow samples that can be asked about later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Whether there are any.
    pub enabled: bool,
    /// Octets of all segments; the oldest go first.
    pub quota: u64,
    /// Octets that the disk keeps free; below it the oldest go, then nothing is written.
    pub free: u64,
    /// Samples of hosts in peace; the rest is thinned, sums stay right.
    pub samples_per_second: usize,
    /// Samples of hosts under attack, likewise.
    pub attack_samples_per_second: usize,
    /// Samples are in memory alone for so long at most.
    pub spill: Span,
    /// What is kept of the addresses of others.
    pub addresses: Addresses,
}

impl Default for History {
    fn default() -> Self {
        Self {
            enabled: true,
            quota: 2 << 30,
            free: 1 << 30,
            samples_per_second: 20_000,
            attack_samples_per_second: 80_000,
            spill: Span::from_secs(60),
            addresses: Addresses::default(),
        }
    }
}

/// A second of all samples is in memory while it is chosen from.
const SAMPLES_MAX: usize = 1_000_000;
const QUOTA_MIN: u64 = 16 << 20;
const SPILL: (Span, Span) = (Span::from_secs(1), Span::from_secs(3_600));

pub(super) fn checked(problems: &mut Problems<'_>, section: &Section) -> History {
    let usual = History::default();
    let octets = |Octets(octets): Octets| u64::try_from(octets).unwrap_or(u64::MAX);
    let quota = section.quota.as_ref().map_or(usual.quota, |quota| {
        if octets(*quota.get_ref()) < QUOTA_MIN {
            problems.at(
                quota.span().start,
                "`quota` is at least \"16 MiB\"; `enabled = false` keeps nothing".to_owned(),
            );
        }
        octets(*quota.get_ref())
    });
    let spill = section.spill.as_ref().map_or(usual.spill, |spill| {
        let Wait(span) = *spill.get_ref();
        if !(SPILL.0..=SPILL.1).contains(&span) {
            problems.at(spill.span().start, "`spill` is from \"1s\" to \"1h\"".to_owned());
        }
        span
    });
    let mut samples = |key: &str, given: Option<&Spanned<usize>>, usual: usize| {
        given.map_or(usual, |given| {
            if *given.get_ref() > SAMPLES_MAX {
                problems.at(given.span().start, format!("`{key}` is at most {SAMPLES_MAX}"));
            }
            *given.get_ref()
        })
    };
    History {
        enabled: section.enabled.unwrap_or(usual.enabled),
        quota,
        free: section.min_free.map_or(usual.free, octets),
        samples_per_second: samples(
            "samples_per_second",
            section.samples_per_second.as_ref(),
            usual.samples_per_second,
        ),
        attack_samples_per_second: samples(
            "attack_samples_per_second",
            section.attack_samples_per_second.as_ref(),
            usual.attack_samples_per_second,
        ),
        spill,
        addresses: section.addresses.unwrap_or_default(),
    }
}
