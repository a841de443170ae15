//! Days in UTC: what is kept by the day is named by them.

use core::fmt;
use core::str::FromStr;

use crate::Timestamp;
use crate::time::{SECS_PER_DAY, civil, days_from_civil};

/// A day in UTC, counted from 1970-01-01; its text is `2026-11-26`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    /// The day that this instant stands in.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.secs() / SECS_PER_DAY)
    }

    /// Its first instant.
    pub const fn begin(self) -> Timestamp {
        Timestamp::from_secs(self.0.saturating_mul(SECS_PER_DAY))
    }

    /// The first instant behind it.
    pub const fn end(self) -> Timestamp {
        Self(self.0.saturating_add(1)).begin()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What is wrong with a day's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadDay;

impl fmt::Display for BadDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a day like 2026-11-26")
    }
}

impl core::error::Error for BadDay {}

impl FromStr for Day {
    type Err = BadDay;

    fn from_str(text: &str) -> Result<Self, BadDay> {
        let mut parts = text.splitn(3, '-').map(|part| {
            if part.bytes().all(|octet| octet.is_ascii_digit()) { part.parse().ok() } else { None }
        });
        let mut next = || parts.next().flatten().ok_or(BadDay);
        days_from_civil(next()?, next()?, next()?).map(Self).ok_or(BadDay)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_written_and_holds_its_instants() {
        for text in ["1970-01-01", "2024-02-29", "2026-11-26", "2554-07-20"] {
            let day: Day = text.parse().unwrap();
            assert_eq!(day.to_string(), text);
            assert_eq!((Day::of(day.begin()), day.begin() < day.end()), (day, true), "{text}");
        }
        let day: Day = "2026-11-26".parse().unwrap();
        assert_eq!(Day::of(day.end()).to_string(), "2026-11-27");
        for text in ["2026-02-29", "2026-1", "", "2026-11-26T", "-1-1-1", "2026-+1-01"] {
            assert_eq!(text.parse::<Day>(), Err(BadDay), "{text}");
        }
    }
}
