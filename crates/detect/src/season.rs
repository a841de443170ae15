//! What is usual at each hour: of the day for everybody, of the week for networks. Hours are UTC.
//!
//! Each slot keeps a maximum that fades: by half in about a week for an hour of the day, which comes each day, and in four
//! weeks for an hour of the week, which is met seven times less often.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use base::Timestamp;

/// The first hour of all time (RFC 3339's epoch) in the week that begins on Monday: a Thursday.
const EPOCH_HOUR: u64 = 3 * 24;

/// A rate on a scale of eighths of an octave; 0: nothing known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Scaled(u8);

impl Scaled {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn of(rate: f32) -> Self {
        if rate <= 0.0 {
            Self(0)
        } else {
            Self((8.0 * libm::log2f(rate + 1.0) + 0.5).clamp(1.0, 255.0) as u8)
        }
    }

    fn rate(self) -> f32 {
        if self.0 == 0 { 0.0 } else { libm::exp2f(f32::from(self.0) / 8.0) - 1.0 }
    }
}

/// Eighths of an octave in a level.
const LEVEL: u8 = 4;

/// The lowest rate of a level; 0 for the lowest.
pub fn rate_of(level: u8) -> f64 {
    f64::from(Scaled(level.saturating_mul(LEVEL)).rate())
}

/// A fading maximum for each of `N` hours, an octet each; `FADE` eighths of an octave fade from one visit to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Hours<const N: usize, const FADE: u8>([Scaled; N]);

/// The hours of a day.
pub type Day = Hours<24, 1>;
/// The hours of a week, from Monday's first on.
pub type Week = Hours<168, 2>;

impl<const N: usize, const FADE: u8> Default for Hours<N, FADE> {
    fn default() -> Self {
        Self([Scaled(0); N])
    }
}

impl<const N: usize, const FADE: u8> Hours<N, FADE> {
    /// The hour that it is.
    #[inline]
    pub(crate) fn hour(now: Timestamp) -> u8 {
        u8::try_from((now.secs() / 3600 + EPOCH_HOUR) % N as u64).unwrap_or(0)
    }

    /// An hour has come again: it fades, and what is known of it and its neighbours is what to expect; 0: nothing.
    pub(crate) fn enter(&mut self, hour: u8) -> f32 {
        if let Some(slot) = self.0.get_mut(usize::from(hour)) {
            *slot = Scaled(slot.0.saturating_sub(FADE));
        }
        self.around(hour).rate()
    }

    /// The highest of an hour and its neighbours.
    fn around(&self, hour: u8) -> Scaled {
        let around = (0..3).filter_map(|offset| self.0.get((usize::from(hour) + N + offset - 1) % N));
        around.max().copied().unwrap_or_default()
    }

    /// The same in half octaves, for [`rate_of`].
    pub(crate) fn level(&self, hour: u8) -> u8 {
        self.around(hour).0 / LEVEL
    }

    /// A window of this hour had this rate.
    pub(crate) fn teach(&mut self, hour: u8, rate: f32) {
        if let Some(slot) = self.0.get_mut(usize::from(hour)) {
            *slot = (*slot).max(Scaled::of(rate));
        }
    }

    /// The highest of all hours.
    pub fn highest(&self) -> f64 {
        f64::from(self.0.iter().max().copied().unwrap_or_default().rate())
    }
}

/// Two hexadecimal digits a slot, as far as something is known.
impl<const N: usize, const FADE: u8> From<Hours<N, FADE>> for String {
    fn from(hours: Hours<N, FADE>) -> Self {
        let known = hours.0.iter().rposition(|slot| slot.0 > 0).map_or(0, |at| at + 1);
        hours.0.iter().take(known).map(|slot| format!("{:02x}", slot.0)).collect()
    }
}

/// What is missing or no number is not known.
impl<const N: usize, const FADE: u8> From<String> for Hours<N, FADE> {
    fn from(text: String) -> Self {
        let mut hours = Self::default();
        for (slot, digits) in hours.0.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let parsed = core::str::from_utf8(digits).ok().and_then(|d| u8::from_str_radix(d, 16).ok());
            *slot = Scaled(parsed.unwrap_or(0));
        }
        hours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_begins_on_monday() {
        // 2026-11-23 was one.
        let monday = Timestamp::from_secs(1_795_392_000);
        assert_eq!((Week::hour(monday), Day::hour(monday)), (0, 0));
        let sunday = monday.plus(base::Span::from_secs(6 * 86_400 + 23 * 3600 + 3599));
        assert_eq!((Week::hour(sunday), Day::hour(sunday)), (167, 23));
    }

    #[test]
    fn hours_are_kept_as_short_text() {
        let mut week = Week::default();
        assert_eq!(String::from(week), "");
        week.teach(2, 1000.0);
        assert_eq!(String::from(week).len(), 6);
        assert_eq!(Week::from(String::from(week)), week);
        assert_eq!(Week::from(String::from("zz01")).highest(), f64::from(Scaled(1).rate()));
    }
}
