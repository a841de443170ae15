//! Instants and spans on one clock, which is an input like any other.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds (as packet captures and flow exporters count).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

const NANOS_PER_SEC: u64 = 1_000_000_000;
pub(crate) const SECS_PER_DAY: u64 = 86_400;

impl Timestamp {
    /// The beginning of the clock.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the Unix epoch; saturates in the year 2554.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// From milliseconds since the Unix epoch; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn secs(self) -> u64 {
        self.0 / NANOS_PER_SEC
    }

    /// Time since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved forward, saturating.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This instant moved back, saturating at the epoch.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// Number of the tick of length `tick` that holds this instant, counted from the epoch.
    pub const fn tick(self, tick: Span) -> u64 {
        match self.0.checked_div(tick.0) {
            Some(number) => number,
            None => 0,
        }
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// In nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// In whole seconds.
    pub const fn secs(self) -> u64 {
        self.0 / NANOS_PER_SEC
    }

    /// In seconds with fraction.
    #[expect(
        clippy::cast_precision_loss,
        reason = "durations of interest are far below 2^53 ns = 104 days, and rounding beyond is harmless"
    )]
    pub const fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// `n` times as long, saturating.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

/// Year, month, day of a day number since the epoch (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) const fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

/// Day number since the epoch of a civil date; `None` before 1970 or for months and days that do not exist.
pub(crate) fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=2554).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y / 400;
    let yoe = y % 400;
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let doy = (153 * mp + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    let days = (era * 146_097 + doe).checked_sub(719_468)?;
    (civil(days) == (year, month, day)).then_some(days)
}

/// RFC 3339 in UTC with nine digits of fraction: `2021-04-28T10:30:21.099510000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.secs();
        let (year, month, day) = civil(secs / SECS_PER_DAY);
        let s = secs % SECS_PER_DAY;
        // Written for each source and line: digits by hand are several times as quick as by their formats.
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let mut put = |place: core::ops::Range<usize>, mut number: u64| {
            for octet in text.get_mut(place).unwrap_or_default().iter_mut().rev() {
                *octet = b'0' + u8::try_from(number % 10).unwrap_or(0);
                number /= 10;
            }
        };
        put(0..4, year);
        put(5..7, month);
        put(8..10, day);
        put(11..13, s / 3600);
        put(14..16, s / 60 % 60);
        put(17..19, s % 60);
        put(20..29, self.0 % NANOS_PER_SEC);
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

/// What is wrong with a time text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTime;

impl fmt::Display for BadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UTC time like 2021-04-28T10:30:21.099510000Z")
    }
}

impl core::error::Error for BadTime {}

impl FromStr for Timestamp {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let body = text.strip_suffix('Z').ok_or(BadTime)?;
        let (date, clock) = body.split_once('T').ok_or(BadTime)?;
        let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().map_err(|_| BadTime));
        let mut next = || date.next().ok_or(BadTime)?;
        let (year, month, day) = (next()?, next()?, next()?);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut parts = clock.splitn(3, ':').map(|part| part.parse::<u64>().map_err(|_| BadTime));
        let mut next = || parts.next().ok_or(BadTime)?;
        let (hour, minute, second) = (next()?, next()?, next()?);
        if hour > 23 || minute > 59 || second > 59 || fraction.is_empty() || fraction.len() > 9 {
            return Err(BadTime);
        }
        let mut nanos = fraction.parse::<u64>().map_err(|_| BadTime)?;
        for _ in fraction.len()..9 {
            nanos *= 10;
        }
        let days = days_from_civil(year, month, day).ok_or(BadTime)?;
        let secs = days * SECS_PER_DAY + hour * 3600 + minute * 60 + second;
        // The clock ends in July 2554.
        secs.checked_mul(NANOS_PER_SEC).and_then(|n| n.checked_add(nanos)).map(Self).ok_or(BadTime)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::string::String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The largest fitting whole unit: `15m`, `90s`, `250ms`, `7ns`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, nanos) in UNITS {
            if self.0 != 0 && self.0.is_multiple_of(nanos) {
                return write!(f, "{}{unit}", self.0 / nanos);
            }
        }
        write!(f, "{}s", self.secs())
    }
}

const UNITS: [(&str, u64); 7] = [
    ("d", SECS_PER_DAY * NANOS_PER_SEC),
    ("h", 3600 * NANOS_PER_SEC),
    ("m", 60 * NANOS_PER_SEC),
    ("s", NANOS_PER_SEC),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// What is wrong with a span text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSpan;

impl fmt::Display for BadSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a length of time; write a whole number with its unit, like 15m, 90s or 250ms")
    }
}

impl core::error::Error for BadSpan {}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or(BadSpan)?;
        let number: u64 = number.parse().map_err(|_| BadSpan)?;
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).ok_or(BadSpan)?;
        number.checked_mul(*nanos).map(Self).ok_or(BadSpan)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::string::String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn a_known_instant_reads_as_rfc_3339() {
        assert_eq!(
            Timestamp::from_nanos(1_619_605_821_099_510_000).to_string(),
            "2021-04-28T10:30:21.099510000Z"
        );
        assert_eq!(Timestamp::ZERO.to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!("2024-02-29T00:00:00Z".parse(), Ok(Timestamp::from_secs(1_709_164_800)));
        assert_eq!("2023-02-29T00:00:00Z".parse::<Timestamp>(), Err(BadTime));
    }

    #[test]
    fn a_span_needs_its_unit() {
        assert_eq!("15m".parse(), Ok(Span::from_secs(900)));
        assert_eq!("15".parse::<Span>(), Err(BadSpan));
        assert_eq!(Span::from_secs(90).to_string(), "90s");
        assert_eq!(Span::ZERO.to_string(), "0s");
    }

    proptest! {
        #[test]
        fn instants_survive_their_text(nanos in 0..u64::MAX) {
            let t = Timestamp::from_nanos(nanos);
            prop_assert_eq!(t.to_string().parse(), Ok(t));
        }

        #[test]
        fn spans_survive_their_text(nanos in 0..u64::MAX) {
            let s = Span::from_nanos(nanos);
            prop_assert_eq!(s.to_string().parse(), Ok(s));
        }
    }
}
