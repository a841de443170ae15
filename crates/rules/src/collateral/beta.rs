//! The regularised incomplete beta function, and the bound that its inverse gives.

/// One minus this is the confidence of the bound.
pub(super) const DOUBT: f64 = 0.05;
/// More observations are taken as this many: the bound only gets wider by it.
const OBSERVATIONS_MAX: f64 = 1e6;

/// The p for which seeing at most `k` of `n` has a probability of [`DOUBT`]: `I_p(k + 1, n − k) = 1 − DOUBT`. Both
/// may be fractions, as weighted samples make them.
pub(super) fn upper(k: f64, n: f64) -> f64 {
    // Also what is not a number ends here.
    if !(n > 0.0 && k < n) {
        return 1.0;
    }
    if k <= 0.0 {
        // (1 − p)^n = DOUBT, solved.
        return -libm::expm1(libm::log(DOUBT) / n);
    }
    let (k, n) = if n > OBSERVATIONS_MAX { (k * OBSERVATIONS_MAX / n, OBSERVATIONS_MAX) } else { (k, n) };
    let (a, b) = (k + 1.0, n - k);
    let (mut low, mut high) = (k / n, 1.0);
    // Halved to the last bit: 60 times are enough for any interval in 0…1.
    for _ in 0..60 {
        let middle = low + (high - low) / 2.0;
        if regularised(middle, a, b) < 1.0 - DOUBT {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The probability that a share of this beta distribution is larger than `x`.
pub(super) fn beyond(x: f64, a: f64, b: f64) -> f64 {
    if a <= 1.0 && x < 1.0 { libm::exp(b * libm::log1p(-x)) } else { 1.0 - regularised(x, a, b) }
}

/// The logarithm of the beta function.
pub(super) fn ln(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

/// `I_x(a, b)`.
fn regularised(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = libm::exp(
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x),
    );
    // The fraction converges fast on the left of its turning point; on the right, by symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of DLMF 8.17.22, by Lentz's method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    /// Keeps denominators off zero.
    const TINY: f64 = 1e-300;
    /// Some times the square root of [`OBSERVATIONS_MAX`].
    const STEPS_MAX: u32 = 5_000;
    let off_zero = |v: f64| if libm::fabs(v) < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for step in 1..STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / off_zero(1.0 + even * d);
        c = off_zero(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / off_zero(1.0 + odd * d);
        c = off_zero(1.0 + odd / c);
        let change = d * c;
        h *= change;
        if libm::fabs(change - 1.0) < 1e-15 {
            break;
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-9 * wanted.max(1e-3), "{found} is not {wanted}");
    }

    /// `I_x(1, b) = 1 − (1 − x)^b`, `I_x(a, 1) = x^a`, `I_x(2, 2) = x²(3 − 2x)`.
    #[test]
    fn closed_forms_are_met() {
        for x in [0.001, 0.1, 0.5, 0.9, 0.999] {
            close(regularised(x, 1.0, 7.0), 1.0 - (1.0 - x).powi(7));
            close(regularised(x, 9.0, 1.0), x.powi(9));
            close(regularised(x, 2.0, 2.0), x * x * (3.0 - 2.0 * x));
        }
    }

    #[test]
    fn the_bound_solves_the_binomial() {
        // Probability of at most k of n by direct summation.
        let at_most = |k: i32, n: i32, p: f64| {
            let mut choose = 1.0;
            let mut sum = 0.0;
            for i in 0..=k {
                sum += choose * p.powi(i) * (1.0 - p).powi(n - i);
                choose = choose * f64::from(n - i) / f64::from(i + 1);
            }
            sum
        };
        for (k, n) in [(0, 1), (0, 10), (1, 10), (5, 10), (9, 10), (3, 60), (2, 300), (40, 300)] {
            close(at_most(k, n, upper(f64::from(k), f64::from(n))), 0.05);
        }
    }

    #[test]
    fn many_observations_keep_the_bound_above_the_share() {
        for n in [1e3, 1e5, 1e6, 1e9, 1e15] {
            for share in [1e-6, 0.01, 0.5, 0.999] {
                let bound = upper(share * n, n);
                assert!(bound > share && bound <= 1.0, "{share} of {n}: {bound}");
                assert!(
                    bound < share + 2.0 / f64::sqrt(n.min(1e6)) + 4.0 / n.min(1e6),
                    "{share} of {n}: {bound}"
                );
            }
        }
        assert_eq!([upper(0.0, 0.0), upper(3.0, 3.0), upper(f64::NAN, f64::NAN)], [1.0; 3]);
    }
}
