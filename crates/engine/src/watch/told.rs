//! A tick that tells of much more than itself: a router that empties its cache, because it is told to or has no room left, tells in
//! one tick what a quarter of a minute held. That is no burst; but what each of its seconds held is known at once.

use base::{Span, Timestamp};
use detect::cell::{Cell, Lasting};
use detect::class::Class;
use detect::sample::Sample;

/// Examples that show when it was.
const EXAMPLES_MIN: usize = 8;
/// Seconds told apart; what was before is of the first of them.
const SECONDS_MAX: usize = 128;
/// From this part on a single second is the burst that it looks like: a cache tells of many flows at the same age, and of a few
/// at others.
const BURST: f64 = 0.5;

/// How what came in a tick is spread over the seconds in which it was, oldest first, by the short flows among its examples;
/// `None` where half of it or more was in one second. What lasted longer than a tick is [`crate::pour`]'s.
pub(super) fn seconds<'s, I>(class: Class, cell: &Cell, examples: impl FnOnce() -> I) -> Option<Vec<f64>>
where
    I: Iterator<Item = &'s Sample>,
{
    if cell.last.since(cell.first) <= Span::from_secs(1) {
        return None;
    }
    let short = |s: &&Sample| s.class == class && s.lasting == Lasting::default();
    let mut told: Vec<(Timestamp, u64)> = examples().filter(short).map(|s| (s.last, s.packets)).collect();
    if told.len() < EXAMPLES_MIN {
        return None;
    }
    told.sort_unstable();
    let all: u64 = told.iter().map(|(_, packets)| packets).sum();
    #[expect(clippy::cast_precision_loss, reason = "packets of one tick")]
    let (all, most) = (all as f64, densest(&told) as f64);
    if most >= BURST * all {
        return None;
    }
    let newest = told.last()?.0;
    let mut seconds = Vec::new();
    for (last, packets) in told {
        let at = usize::try_from(newest.since(last).secs()).unwrap_or(usize::MAX).min(SECONDS_MAX - 1);
        if seconds.len() <= at {
            seconds.resize(at + 1, 0.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "packets of one tick")]
        let share = packets as f64 / all;
        seconds.get_mut(at).map(|sum| *sum += share)?;
    }
    seconds.reverse();
    Some(seconds)
}

/// The most packets in any second of these.
fn densest(told: &[(Timestamp, u64)]) -> u64 {
    let (mut tail, mut within, mut most) = (told.iter().peekable(), 0, 0);
    for (last, packets) in told {
        within += packets;
        while let Some((_, gone)) = tail.next_if(|(first, _)| last.since(*first) > Span::from_secs(1)) {
            within -= gone;
        }
        most = most.max(within);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use detect::sample::Sample;
    use telemetry::record::{Detail, Snip};
    use wire::Headers;

    const SECOND: u64 = 1_000_000_000;

    /// A flow of one packet, that long before the tick.
    fn flow(ago: u64) -> Sample {
        let at = Timestamp::from_secs(1_000);
        Sample {
            at,
            last: at.minus(Span::from_nanos(ago)),
            headers: Headers::NOTHING,
            class: Class::DNS_QUERY,
            detail: Detail::Flow,
            several: false,
            snip: Snip::EMPTY,
            packets: 1_000,
            bytes: 60_000,
            entry: (0, None),
            outgoing: false,
            unsolicited: false,
            lasting: Lasting::default(),
            unscaled: false,
            doubtful: false,
        }
    }

    fn spread(flows: &[Sample]) -> Option<Vec<f64>> {
        let of = |which: fn(Timestamp, Timestamp) -> Timestamp| flows.iter().map(|s| s.last).reduce(which);
        let (first, last) = (of(Timestamp::min).unwrap(), of(Timestamp::max).unwrap());
        seconds(Class::DNS_QUERY, &Cell { first, last, ..Cell::EMPTY }, || flows.iter())
    }

    #[test]
    fn a_cache_that_is_emptied_tells_of_each_of_its_seconds() {
        let emptied: Vec<Sample> = (0..150).map(|n| flow(n * SECOND / 10)).collect();
        let seconds = spread(&emptied).unwrap();
        assert_eq!(seconds.len(), 15);
        assert!(seconds.iter().all(|share| (share - 1.0 / 15.0).abs() < 0.01), "{seconds:?}");
    }

    #[test]
    fn what_a_cache_tells_at_one_age_is_a_burst_whatever_else_it_tells() {
        let mut aged: Vec<Sample> =
            (0..150).map(|n| flow(15 * SECOND - SECOND / 5 + n * SECOND / 400)).collect();
        assert_eq!(spread(&aged), None);
        // Connections that have ended are told at once.
        aged.extend((0..100).map(|n| flow(n * SECOND / 400)));
        assert_eq!(spread(&aged), None);
        // A few tell nothing.
        assert_eq!(spread(&[flow(0), flow(5 * SECOND), flow(9 * SECOND)]), None);
    }
}
