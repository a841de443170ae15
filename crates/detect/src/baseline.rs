//! What is normal for one host and class: one door, so that better memories can stand behind it.
//!
//! A slowly fading maximum of ten-second rates for each hour of the day. A window teaches at most one and a half times what
//! was known, so that an attacker who ramps up teaches little at a time; while something accumulates in the test, nothing is
//! learned. Beside the rate the noise is learned: how much more than a count's own the amounts of single ticks scatter.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use base::{Span, Timestamp};

/// Rates are averaged over this.
const WINDOW: Span = Span::from_secs(10);
/// A stream without any memory takes its first idea from this.
const FIRST: Span = Span::from_secs(2);
/// Half-life of a maximum, seconds.
const HALF_LIFE_SECS: f32 = 7.0 * 86_400.0;
/// A window teaches at most this many times what was known.
const STEP_MAX: f32 = 1.5;
/// Hours told apart.
const HOURS: usize = 24;

/// The learned rate of one stream, in any unit per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "Saved", from = "Saved")]
pub struct Baseline {
    /// What is expected at most now.
    high: f32,
    /// Counted in the window being filled.
    sum: f32,
    /// Squares of what came in each of its ticks.
    squares: f32,
    /// Variance over mean of the amounts of a tick, learned.
    noise: f32,
    /// Start of that window, in milliseconds, modulo 2³²; 0: none.
    begun: u32,
    /// What is expected comes from less than a window.
    early: bool,
    /// The hour that `hours` was last written for, plus one.
    hour: u8,
    /// The fading maximum of each hour, as [`Scaled`].
    hours: [Scaled; HOURS],
}

/// A baseline as it is kept over a restart: short, for there are many. The window being filled is lost.
#[derive(Serialize, Deserialize)]
struct Saved(f32, f32, u8, String);

impl From<Baseline> for Saved {
    fn from(b: Baseline) -> Self {
        let known = b.hours.iter().rposition(|slot| slot.0 > 0).map_or(0, |at| at + 1);
        let hours = b.hours.iter().take(known).map(|slot| format!("{:02x}", slot.0)).collect();
        Self(b.high, b.noise, b.hour, hours)
    }
}

impl From<Saved> for Baseline {
    fn from(Saved(high, noise, hour, text): Saved) -> Self {
        let mut baseline = Self { high, noise, hour, ..Self::default() };
        for (slot, digits) in baseline.hours.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let parsed = core::str::from_utf8(digits).ok().and_then(|d| u8::from_str_radix(d, 16).ok());
            *slot = Scaled(parsed.unwrap_or(0));
        }
        baseline
    }
}

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

impl Baseline {
    /// Of a stream that was watched and showed no more than this rate.
    pub fn quiet(rate: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a rate")]
        let high = rate as f32;
        Self { high, ..Self::default() }
    }

    /// Rate to be expected at most.
    #[inline]
    pub fn expected(&self) -> f64 {
        f64::from(self.high)
    }

    /// Variance over mean of the amounts of single ticks, in the unit of the amounts; 0: not known yet.
    #[inline]
    pub fn noise(&self) -> f64 {
        f64::from(self.noise)
    }

    /// Counts the `amount` of a `tick` that ended at `now`; nothing is learned from a window in which `frozen` was ever said.
    #[inline]
    pub fn learn(&mut self, now: Timestamp, tick: Span, amount: f64, frozen: bool) {
        let now_ms = millis(now);
        #[expect(clippy::cast_possible_truncation, reason = "a sum of ten seconds needs no more digits")]
        let amount = amount.max(0.0) as f32;
        if self.begun == 0 || frozen {
            self.begun = now_ms;
            self.sum = if frozen { 0.0 } else { amount };
            self.squares = self.sum * self.sum;
            return;
        }
        let age = now_ms.wrapping_sub(self.begun);
        if u64::from(age) >= WINDOW.nanos() / 1_000_000 {
            self.close(now, tick, age);
        } else if self.high == 0.0 && u64::from(age) >= FIRST.nanos() / 1_000_000 {
            // Better an early idea than none; the first whole window corrects it.
            self.high = self.sum / seconds(age);
            self.early = true;
        }
        self.sum += amount;
        self.squares += amount * amount;
    }

    /// The window is full: it teaches, and what is expected follows the hours.
    fn close(&mut self, now: Timestamp, tick: Span, age: u32) {
        let secs = seconds(age);
        #[expect(clippy::cast_possible_truncation, reason = "a length of a tick")]
        let ticks = secs / tick.as_secs_f64() as f32;
        let mean = self.sum / ticks;
        if mean > 0.0 {
            let noise = (self.squares / ticks - mean * mean) / mean;
            // A noisier window counts at once, a calmer one slowly.
            self.noise = noise.max(self.noise + 0.1 * (noise - self.noise));
        }
        let rate = self.sum / secs;
        let taught = if self.high > 0.0 { rate.min(self.high * STEP_MAX) } else { rate };
        let faded = if self.early { 0.1 } else { libm::exp2f(-secs / HALF_LIFE_SECS) } * self.high;
        self.early = false;
        let hour = u8::try_from(now.secs() / 3600 % HOURS as u64).unwrap_or(0);
        let at = |offset: usize| (usize::from(hour) + HOURS + offset - 1) % HOURS;
        if self.hour != hour + 1 {
            // A day has passed since this hour was last here: an eighth of an octave is what fades in one.
            if let Some(slot) = self.hours.get_mut(usize::from(hour)) {
                *slot = Scaled(slot.0.saturating_sub(1));
            }
            self.hour = hour + 1;
            let around = (0..3).filter_map(|offset| self.hours.get(at(offset))).max().copied();
            let known = around.unwrap_or_default().rate();
            self.high = if known > 0.0 { known.max(taught) } else { faded.max(taught) };
        } else {
            self.high = faded.max(taught);
        }
        if let Some(slot) = self.hours.get_mut(usize::from(hour)) {
            *slot = (*slot).max(Scaled::of(taught));
        }
        self.begun = millis(now);
        (self.sum, self.squares) = (0.0, 0.0);
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a window")]
fn seconds(ms: u32) -> f32 {
    ms as f32 / 1000.0
}

/// Milliseconds modulo 2³², never 0.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "modulo on purpose")]
fn millis(at: Timestamp) -> u32 {
    ((at.nanos() / 1_000_000) as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Span = Span::from_secs(1);

    fn steady(baseline: &mut Baseline, from: u64, secs: u64, pps: f64) {
        for s in from..from + secs {
            baseline.learn(Timestamp::from_secs(s), SECOND, pps, false);
        }
    }

    #[test]
    fn a_steady_rate_is_learned_in_one_window() {
        let mut b = Baseline::default();
        steady(&mut b, 1000, 30, 400.0);
        assert!((b.expected() - 400.0).abs() < 45.0, "{}", b.expected());
    }

    #[test]
    fn a_ramp_teaches_at_most_half_as_much_again_each_window() {
        let mut b = Baseline::default();
        steady(&mut b, 1000, 30, 100.0);
        steady(&mut b, 1030, 10, 100_000.0);
        b.learn(Timestamp::from_secs(1041), SECOND, 0.0, false);
        assert!(b.expected() < 251.0, "{}", b.expected());
    }

    #[test]
    fn nothing_is_learned_while_frozen() {
        let mut b = Baseline::default();
        steady(&mut b, 1000, 30, 100.0);
        let before = b.expected();
        for s in 1030..1100 {
            b.learn(Timestamp::from_secs(s), SECOND, 1e6, true);
        }
        assert!((b.expected() - before).abs() < 1.0);
    }

    #[test]
    fn what_is_learned_can_be_kept() {
        let mut b = Baseline::default();
        steady(&mut b, 7200, 4000, 400.0);
        let kept = Baseline::from(Saved::from(b));
        assert_eq!((kept.high, kept.noise, kept.hours), (b.high, b.noise, b.hours));
    }

    #[test]
    fn what_comes_in_bursts_is_known_as_noisy() {
        let (mut even, mut bursts) = (Baseline::default(), Baseline::default());
        steady(&mut even, 1000, 60, 100.0);
        for s in 1000..1060 {
            bursts.learn(Timestamp::from_secs(s), SECOND, if s % 5 == 0 { 500.0 } else { 0.0 }, false);
        }
        assert!(even.noise() < 1.0, "{}", even.noise());
        assert!((300.0..500.0).contains(&bursts.noise()), "{}", bursts.noise());
        assert!((even.expected() / bursts.expected() - 1.0).abs() < 0.3);
    }

    #[test]
    fn each_hour_of_the_day_has_its_own_memory() {
        let mut b = Baseline::default();
        let day = 86_400;
        for hour in 0..48 {
            // Twelve busy hours, twelve quiet ones.
            steady(&mut b, day + hour * 3600, 3600, if hour % 24 < 12 { 1000.0 } else { 10.0 });
        }
        steady(&mut b, 3 * day + 5 * 3600, 60, 1000.0);
        assert!((900.0..1300.0).contains(&b.expected()), "a busy hour: {}", b.expected());
        steady(&mut b, 3 * day + 18 * 3600, 60, 10.0);
        assert!(b.expected() < 30.0, "a quiet hour: {}", b.expected());
        steady(&mut b, 4 * day + 11 * 3600, 60, 10.0);
        assert!((800.0..1300.0).contains(&b.expected()), "before the day begins again: {}", b.expected());
    }
}
