//! Counts as shares and rates.

use base::Span;

use crate::dossier::Counts;

/// What comes to each second of a length of time; all of it where that is zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an average is rounded anyway; `as` saturates"
)]
pub(crate) fn per_second(count: u64, span: Span) -> u64 {
    let seconds = span.as_secs_f64();
    if seconds > 0.0 { libm::round(count as f64 / seconds) as u64 } else { count }
}

/// A share with three digits, as documents say it.
pub(crate) fn rounded(share: f64) -> f64 {
    libm::round(share.clamp(0.0, 1.0) * 1e3) / 1e3
}

/// A part of a whole, 0 to 1, with three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits remain")]
pub(crate) fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { rounded(part as f64 / whole as f64) }
}

/// Values that stand out among counts, with their shares, the largest first, the smaller value first where they are equal.
///
/// As the Clearing House's dissector has it: more than `share` of the packets, or, with `deviates`, more than two standard
/// deviations above the mean.
#[expect(clippy::cast_precision_loss, reason = "three digits remain")]
pub(crate) fn outliers<K: Ord + Clone>(counts: &Counts<K>, share: f64, deviates: bool) -> Vec<(K, f64)> {
    let total: u64 = counts.values().sum();
    if total == 0 {
        return Vec::new();
    }
    let parts: Vec<f64> = counts.values().map(|packets| *packets as f64 / total as f64).collect();
    let n = parts.len() as f64;
    let mean = 1.0 / n;
    let variance: f64 = parts.iter().map(|part| (part - mean) * (part - mean)).sum::<f64>() / (n - 1.0);
    let high = mean + 2.0 * libm::sqrt(variance);
    let mut found: Vec<_> = counts
        .iter()
        .zip(&parts)
        .filter(|(_, part)| **part > share || deviates && **part > high)
        .map(|((value, packets), part)| (core::cmp::Reverse(*packets), value.clone(), rounded(*part)))
        .collect();
    found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    found.into_iter().map(|(_, value, part)| (value, part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_out_does_so_by_share_or_by_deviation() {
        let counts: Counts<u16> = (0..20).map(|value| (value, if value == 7 { 9 } else { 1 })).collect();
        assert_eq!(outliers(&counts, 0.5, false), []);
        assert_eq!(outliers(&counts, 0.5, true), [(7, 0.321)]);
        assert_eq!(outliers(&Counts::from([(53_u16, 4)]), 0.1, true), [(53, 1.0)]);
        assert_eq!(outliers(&Counts::<u16>::new(), 0.1, true), []);
    }

    #[test]
    fn rates_and_parts_are_rounded() {
        assert_eq!(per_second(400, Span::from_millis(500)), 800);
        assert_eq!(per_second(400, Span::ZERO), 400);
        assert!((part(1, 3) - 0.333).abs() < 1e-9);
    }
}
