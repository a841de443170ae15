//! How far a count of rare events bounds their mean (Garwood 1936: exact, from the Poisson sums).

/// Mean counts that a count of `k` does not contradict with 95 % confidence, 2.5 % left out on each side.
pub(crate) fn interval95(k: u32) -> (f64, f64) {
    (if k == 0 { 0.0 } else { solve(k - 1, 0.975) }, solve(k, 0.025))
}

/// The mean that a count of `k` contradicts with 95 % confidence if it is larger.
pub(crate) fn upper95(k: u32) -> f64 {
    solve(k, 0.05)
}

/// The mean at which counts of at most `k` have this probability; it falls with the mean.
fn solve(k: u32, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 2.0 * f64::from(k) + 20.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if at_most(k, middle) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// P(X ≤ k) of a Poisson count with this mean.
fn at_most(k: u32, mean: f64) -> f64 {
    let mut log_factorial = 0.0;
    let mut sum = (-mean).exp();
    for i in 1..=k {
        log_factorial += f64::from(i).ln();
        sum += (f64::from(i) * mean.ln() - mean - log_factorial).exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the tables in every textbook.
    #[test]
    fn the_bounds_are_garwoods() {
        let near = |a: f64, b: f64| (a - b).abs() < 0.005;
        for (k, low, high) in [
            (0, 0.0, 3.689),
            (1, 0.025, 5.572),
            (2, 0.242, 7.225),
            (10, 4.795, 18.390),
            (100, 81.364, 121.627),
        ] {
            let found = interval95(k);
            assert!(near(found.0, low) && near(found.1, high), "{k}: {found:?}");
        }
        assert!(near(upper95(0), 2.996) && near(upper95(1), 4.744) && near(upper95(20), 29.062));
    }
}
