//! When a flow was: from five clocks to one.

use base::{Span, Timestamp};

use crate::stats::Faults;

/// A time this far from the export is no time of a flow but an absurdity (T18). Flows last hours, clocks are set wrong
/// by time zones; uptime wraps after 49.7 days.
const ABSURD: Span = Span::from_secs(60 * 86_400);
/// Seconds from 1900 (NTP, RFC 5905) to 1970.
const NTP_OFFSET: u64 = 2_208_988_800;

/// From milliseconds of uptime, by the uptime and time of the export. The difference is taken modulo 2³² and signed,
/// so that a counter which wrapped in between gives the same result (T18).
#[inline]
pub(crate) fn of_uptime(then: u32, now: u32, export: Timestamp) -> Timestamp {
    let age = now.wrapping_sub(then).cast_signed();
    let span = Span::from_millis(u64::from(age.unsigned_abs()));
    if age >= 0 { export.minus(span) } else { export.plus(span) }
}

/// From the NTP format of microseconds and nanoseconds (RFC 7011 §6.1.9, §6.1.10), or, where that gives nonsense and
/// a plain count since 1970 does not, from that: some exporters never read that section.
pub(crate) fn of_ntp(value: u64, plain_unit: u64, export: Timestamp) -> Timestamp {
    let fraction = (u128::from(value & 0xffff_ffff) * 1_000_000_000) >> 32;
    let nanos = Span::from_nanos(u64::try_from(fraction).unwrap_or(0));
    let seconds = value >> 32;
    // Seconds below the offset belong to the era that begins in 2036.
    let since_1970 =
        if seconds >= NTP_OFFSET { seconds - NTP_OFFSET } else { seconds + (1 << 32) - NTP_OFFSET };
    let ntp = Timestamp::from_secs(since_1970).plus(nanos);
    let plain = Timestamp::from_nanos(value.saturating_mul(plain_unit));
    if distance(ntp, export) <= distance(plain, export) { ntp } else { plain }
}

#[inline]
fn distance(a: Timestamp, b: Timestamp) -> Span {
    if a > b { a.since(b) } else { b.since(a) }
}

/// Both ends made believable: absurd ones are unknown, an end before its start is its start (T16).
#[inline]
pub(crate) fn ordered(
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    export: Timestamp,
    faults: &mut Faults,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let mut believable = |t: Option<Timestamp>| {
        let t = t?;
        if distance(t, export) > ABSURD {
            faults.count("time_absurd");
            return None;
        }
        Some(t)
    };
    match (believable(start), believable(end)) {
        (Some(start), Some(end)) if end < start => {
            faults.count("time_reversed");
            (Some(start), Some(start))
        }
        both => both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_counts_back_from_the_export_across_its_wrap() {
        let export = Timestamp::from_secs(1_600_000_000);
        assert_eq!(of_uptime(1000, 3000, export), export.minus(Span::from_secs(2)));
        assert_eq!(of_uptime(u32::MAX - 999, 1000, export), export.minus(Span::from_secs(2)));
        assert_eq!(of_uptime(3005, 3000, export), export.plus(Span::from_millis(5)));
    }

    #[test]
    fn t17_nanoseconds_are_ntp_or_plain() {
        let export = Timestamp::from_secs(1_600_000_000);
        let ntp = (1_600_000_000u64 + NTP_OFFSET) << 32 | 0x8000_0000;
        assert_eq!(of_ntp(ntp, 1, export), Timestamp::from_millis(1_600_000_000_500));
        assert_eq!(of_ntp(1_600_000_000_500_000_000, 1, export), Timestamp::from_millis(1_600_000_000_500));
        assert_eq!(of_ntp(1_600_000_000_500_000, 1000, export), Timestamp::from_millis(1_600_000_000_500));
    }
}
