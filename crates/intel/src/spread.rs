//! How spread out values are, and how sure a share is.

use std::collections::BTreeMap;

use crate::dossier::Share;

/// How many values there would be if all were equally frequent: the exponential of Shannon's entropy.
pub(crate) fn effective<K: Ord>(counts: &BTreeMap<K, u64>) -> f64 {
    let total: u64 = counts.values().sum();
    let entropy: f64 = counts
        .values()
        .filter(|n| **n > 0)
        .map(|n| crate::tally::ratio(*n, total))
        .map(|p| -p * libm::log(p))
        .sum();
    libm::exp(entropy)
}

/// Wilson's 95 % interval of a share (Wilson 1927), from counts.
#[expect(clippy::cast_precision_loss, reason = "counts of sources")]
pub(crate) fn wilson(hits: u64, of: u64) -> Share {
    /// Of the normal distribution, 97.5 %.
    const Z: f64 = 1.959_964;
    if of == 0 {
        return Share { estimate: 0.0, low: 0.0, high: 1.0 };
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * libm::sqrt(p * (1.0 - p) / n + Z * Z / (4.0 * n * n));
    Share { estimate: p, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
}

/// Whether counts by first octet look drawn at random from all public addresses of IPv4: the chi-square statistic per degree of
/// freedom stays below 2, where populations of real hosts have tens.
#[expect(clippy::cast_precision_loss, reason = "counts of sources")]
pub(crate) fn uniform(by_first_octet: &BTreeMap<u8, u64>) -> bool {
    let open: Vec<u8> = (1..=223).filter(|octet| !matches!(octet, 10 | 127)).collect();
    let total: u64 = open.iter().filter_map(|octet| by_first_octet.get(octet)).sum();
    let expected = total as f64 / open.len() as f64;
    if expected < 4.0 {
        return false;
    }
    let chi: f64 = open
        .iter()
        .map(|octet| by_first_octet.get(octet).copied().unwrap_or(0) as f64 - expected)
        .map(|off| off * off / expected)
        .sum();
    chi / (open.len() as f64 - 1.0) < 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::Mixer;

    #[test]
    fn equal_values_count_whole_and_one_counts_one() {
        assert!((effective(&BTreeMap::from([(1, 5), (2, 5), (3, 5)])) - 3.0).abs() < 1e-9);
        assert!((effective(&BTreeMap::from([(1, 1000)])) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn wilson_is_the_published_interval() {
        let share = wilson(15, 50);
        assert!((share.low - 0.1910).abs() < 5e-4 && (share.high - 0.4375).abs() < 5e-4, "{share:?}");
    }

    #[test]
    fn drawn_octets_look_uniform_and_a_population_does_not() {
        let mut drawn = BTreeMap::new();
        let mut lived = BTreeMap::new();
        for n in 0..20_000u64 {
            let [octet, other, ..] = Mixer::new(5).with(n).finish().to_le_bytes();
            *drawn.entry(octet).or_default() += 1;
            *lived.entry(if other < 128 { octet / 4 } else { octet }).or_default() += 1;
        }
        assert!(uniform(&drawn) && !uniform(&lived));
    }
}
