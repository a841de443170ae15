//! When visitors were served again.

use std::time::{Duration, Instant};

use super::super::super::honest::Outcome;

/// What is looked at at once.
const WINDOW: Duration = Duration::from_millis(1_000);
/// From one window to the next.
const STEP: Duration = Duration::from_millis(100);
/// Of the requests in a window at least so many of a hundred are answered, where visitors are served.
const SERVED: usize = 90;
/// One request that fails is no interruption.
const ALONE: usize = 1;

/// How long it took from an instant until they were served for good, as it is known at another; no time: nothing was to be
/// seen. `None`: they are not yet.
pub(super) fn back(outcomes: &[Outcome], from: Instant, to: Instant) -> Option<Duration> {
    let mut last = None;
    let mut begin = from;
    while begin + WINDOW <= to {
        let now = outcomes.iter().filter(|one| one.at >= begin && one.at < begin + WINDOW);
        let (all, answered) =
            now.fold((0, 0), |(all, answered), one| (all + 1, answered + usize::from(one.answered)));
        // Where nobody asks, all wait for answers, and these tell in the window in which they were asked for.
        if answered * 100 < all * SERVED && all - answered > ALONE {
            last = Some(begin + WINDOW);
        }
        begin += STEP;
    }
    match last {
        None => Some(Duration::ZERO),
        Some(end) => (end + WINDOW <= to).then(|| end - from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One request each 25 ms; those that begin in between these are not answered.
    fn asked(from: Instant, lost: std::ops::Range<u64>) -> Vec<Outcome> {
        let one = |n: u64| Outcome {
            at: from + Duration::from_millis(n * 25),
            took: Duration::from_millis(1),
            answered: !lost.contains(&(n * 25)),
        };
        (0..400).map(one).collect()
    }

    #[test]
    fn the_end_of_the_last_bad_window_is_when_they_were_back() {
        let from = Instant::now();
        let to = from + Duration::from_secs(10);
        assert_eq!(back(&asked(from, 0..0), from, to), Some(Duration::ZERO));
        // One that fails alone is no interruption.
        assert_eq!(back(&asked(from, 3_000..3_025), from, to), Some(Duration::ZERO));
        let after = back(&asked(from, 1_000..3_000), from, to).unwrap();
        assert!(after >= Duration::from_millis(3_000) && after <= Duration::from_millis(4_000), "{after:?}");
        assert_eq!(back(&asked(from, 8_000..11_000), from, to), None);
    }
}
