//! How large an attack is taken for: an upper quantile of what was seen of it lately.

use std::collections::{BTreeMap, VecDeque};

use base::Prefix;

use super::document::Document;

/// Samples remembered of one attack; the oldest goes first.
const SAMPLES_MAX: usize = 64;
/// Attacks remembered; a sample of another one is not taken in, counted in [`Sizes::refused`].
const ATTACKS_MAX: usize = 100_000;

/// What was seen lately of attacks, by target and entry.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// Bits/s and packets/s.
    seen: BTreeMap<(Prefix, String), VecDeque<(f64, f64)>>,
    refused: u64,
}

impl Sizes {
    /// Takes in a sample: bits/s and packets/s. What is no number is not taken in.
    pub fn see(&mut self, target: Prefix, entry: &str, bps: f64, pps: f64) {
        let key = (target, entry.to_owned());
        let room = self.seen.len() < ATTACKS_MAX || self.seen.contains_key(&key);
        if !room || !bps.is_finite() || !pps.is_finite() || bps < 0.0 || pps < 0.0 {
            self.refused += 1;
            return;
        }
        let samples = self.seen.entry(key).or_default();
        if samples.len() >= SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back((bps, pps));
    }

    /// This quantile (0…1, nearest rank) of what was seen of an attack, bits/s and packets/s, and never less than what was
    /// seen last; `None`: nothing was.
    pub fn of(&self, target: Prefix, entry: &str, quantile: f64) -> Option<(f64, f64)> {
        let samples = self.seen.get(&(target, entry.to_owned()))?;
        let last = samples.back()?;
        let bps = rank(samples.iter().map(|(bps, _)| *bps), quantile)?;
        let pps = rank(samples.iter().map(|(_, pps)| *pps), quantile)?;
        Some((bps.max(last.0), pps.max(last.1)))
    }

    /// Samples that are remembered of an attack.
    pub fn seen(&self, target: Prefix, entry: &str) -> usize {
        self.seen.get(&(target, entry.to_owned())).map_or(0, VecDeque::len)
    }

    /// Forgets an attack that is over.
    pub fn forget(&mut self, target: Prefix, entry: &str) {
        self.seen.remove(&(target, entry.to_owned()));
    }

    /// Samples that were not taken in.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Sets the attacks' sizes to this quantile (0…1, nearest rank) of their samples; those without samples stay.
    pub fn apply(&self, document: &mut Document, quantile: f64) {
        for attack in &mut document.attacks {
            let Some(samples) = self.seen.get(&(attack.target, attack.entry.clone())) else { continue };
            if let Some(bps) = rank(samples.iter().map(|(bps, _)| *bps), quantile) {
                attack.bps = bps;
            }
            if let Some(pps) = rank(samples.iter().map(|(_, pps)| *pps), quantile) {
                attack.pps = pps;
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most as many as samples are remembered"
)]
fn rank(samples: impl Iterator<Item = f64>, quantile: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = samples.collect();
    sorted.sort_by(f64::total_cmp);
    let at = libm::ceil(sorted.len() as f64 * quantile.clamp(0.0, 1.0)) as usize;
    sorted.get(at.saturating_sub(1)).copied()
}
