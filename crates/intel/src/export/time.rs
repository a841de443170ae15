//! Times as the formats want them.

use base::{Span, Timestamp};

/// RFC 3339 in UTC to the microsecond, without zeros at the end, as `stix2` writes times when it computes ids; `+00:00` where
/// `zone` says so.
fn micros(at: Timestamp, zone: &str) -> String {
    let text = at.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.get(..6).unwrap_or_default().trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{whole}{point}{fraction}{zone}")
}

/// A time of STIX and XARF: `2021-04-28T10:30:21.09951Z`.
pub(crate) fn zulu(at: Timestamp) -> String {
    micros(at, "Z")
}

/// A time of IntelMQ and the Clearing House: `2021-04-28T10:30:21.09951+00:00`.
pub(crate) fn offset(at: Timestamp) -> String {
    micros(at, "+00:00")
}

/// `created` and `modified` of STIX, which have milliseconds.
pub(crate) fn millis(at: Timestamp) -> String {
    let text = at.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "000"));
    format!("{whole}.{}Z", fraction.get(..3).unwrap_or("000"))
}

/// The day: `2021-04-28`.
pub(crate) fn day(at: Timestamp) -> String {
    at.to_string().split('T').next().unwrap_or_default().to_owned()
}

/// Whole seconds, rounded up: what lasted is not 0 s long.
pub(crate) const fn seconds(span: Span) -> u64 {
    span.nanos().div_ceil(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_form_that_each_format_wants() {
        let at = Timestamp::from_nanos(1_619_605_821_099_510_123);
        assert_eq!(zulu(at), "2021-04-28T10:30:21.09951Z");
        assert_eq!(zulu(Timestamp::from_secs(0)), "1970-01-01T00:00:00Z");
        assert_eq!(offset(at), "2021-04-28T10:30:21.09951+00:00");
        assert_eq!(millis(at), "2021-04-28T10:30:21.099Z");
        assert_eq!(day(at), "2021-04-28");
        assert_eq!((seconds(Span::from_millis(500)), seconds(Span::ZERO)), (1, 0));
    }
}
