//! What is normal for one host and class: one door, so that better memories can stand behind it.
//!
//! A slowly fading maximum of ten-second rates for each hour of the day, and for networks of each hour of the week too, which
//! is asked first: a first week is judged by the days before. A window teaches at most one and a half times what
//! was known, so that an attacker who ramps up teaches little at a time; while something accumulates in the test, nothing is
//! learned. Beside the rate the noise is learned: how much more than a count's own the amounts of single ticks scatter.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use base::{Span, Timestamp};

use crate::season::{Day, Week};

/// Rates are averaged over this.
const WINDOW: Span = Span::from_secs(10);
/// A stream without any memory takes its first idea from this.
const FIRST: Span = Span::from_secs(2);
/// Half-life of a maximum, seconds.
const HALF_LIFE_SECS: f32 = 7.0 * 86_400.0;
/// A window teaches at most this many times what was known.
const STEP_MAX: f32 = 1.5;

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
    /// The hour that was last written for, plus one: of the week, where that is remembered, else of the day.
    hour: u8,
    /// The fading maximum of each hour.
    hours: Day,
}

/// A baseline as it is kept over a restart: short, for there are many. The window being filled is lost.
#[derive(Serialize, Deserialize)]
struct Saved(f32, f32, u8, String);

impl From<Baseline> for Saved {
    fn from(b: Baseline) -> Self {
        Self(b.high, b.noise, b.hour, b.hours.into())
    }
}

impl From<Saved> for Baseline {
    fn from(Saved(high, noise, hour, hours): Saved) -> Self {
        Self { high, noise, hour, hours: hours.into(), ..Self::default() }
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

    /// What the stream itself has shown around this hour of the day, as a level of half octaves ([`crate::season::rate_of`]);
    /// 0: nothing.
    pub fn level(&self) -> u8 {
        self.hour.checked_sub(1).map_or(0, |hour| self.hours.level(hour))
    }

    /// Whether counting has begun and nothing is known yet.
    pub fn is_waiting(&self) -> bool {
        self.begun != 0 && self.high <= 0.0
    }

    /// Whether a whole window has taught it, in this run or one before.
    pub const fn is_learned(&self) -> bool {
        self.hour != 0
    }

    /// The highest rate of any hour that is remembered.
    pub fn highest(&self) -> f64 {
        f64::from(self.high).max(self.hours.highest())
    }

    /// Variance over mean of the amounts of single ticks, in the unit of the amounts; 0: not known yet.
    #[inline]
    pub fn noise(&self) -> f64 {
        f64::from(self.noise)
    }

    /// Counts the `amount` of a `tick` that ended at `now`; nothing is learned from a window in which `frozen` was ever said.
    #[inline]
    pub fn learn(&mut self, now: Timestamp, tick: Span, amount: f64, frozen: bool) {
        self.learn_weekly(now, tick, amount, frozen, None);
    }

    /// [`Self::learn`], with a memory of the hours of the week where there is one. Tells whether a window was full.
    #[inline]
    pub fn learn_weekly(
        &mut self,
        now: Timestamp,
        tick: Span,
        amount: f64,
        frozen: bool,
        week: Option<&mut Week>,
    ) -> bool {
        let now_ms = millis(now);
        #[expect(clippy::cast_possible_truncation, reason = "a sum of ten seconds needs no more digits")]
        let amount = amount.max(0.0) as f32;
        if self.begun == 0 || frozen {
            self.begun = now_ms;
            self.sum = if frozen { 0.0 } else { amount };
            self.squares = self.sum * self.sum;
            return false;
        }
        let age = now_ms.wrapping_sub(self.begun);
        let full = u64::from(age) >= WINDOW.nanos() / 1_000_000;
        if full {
            self.close(now, tick, age, week);
        } else if self.high == 0.0 && u64::from(age) >= FIRST.nanos() / 1_000_000 {
            // Better an early idea than none; the first whole window corrects it.
            self.high = self.sum / seconds(age);
            self.early = true;
        }
        self.sum += amount;
        self.squares += amount * amount;
        full
    }

    /// The window is full: it teaches, and what is expected follows the hours.
    fn close(&mut self, now: Timestamp, tick: Span, age: u32, mut week: Option<&mut Week>) {
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
        let (of_day, of_week) = (Day::hour(now), Week::hour(now));
        let hour = if week.is_some() { of_week } else { of_day };
        self.high = if self.hour == hour + 1 {
            faded.max(taught)
        } else {
            self.hour = hour + 1;
            let by_day = self.hours.enter(of_day);
            let by_week = week.as_mut().map_or(0.0, |week| week.enter(of_week));
            let known = [by_week, by_day, faded].into_iter().find(|rate| *rate > 0.0);
            known.unwrap_or(0.0).max(taught)
        };
        self.hours.teach(of_day, taught);
        if let Some(week) = week {
            week.teach(of_week, taught);
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
        steady(&mut b, 990, 9, 400.0);
        assert!(!b.is_learned() && b.expected() > 0.0, "an early idea is none that was learned");
        steady(&mut b, 1000, 30, 400.0);
        assert!(b.is_learned());
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
    fn a_rush_of_one_day_of_the_week_is_expected_on_that_day_only() {
        // A busy hour on Mondays, else quiet; 2026-11-23 was a Monday.
        let monday = 1_795_392_000;
        let (mut by_week, mut by_day, mut week) = (Baseline::default(), Baseline::default(), Week::default());
        let hour = |b: &mut Baseline, week: Option<&mut Week>, day: u64, rate: f64| {
            let mut week = week;
            for s in (0..3600).step_by(5) {
                let now = Timestamp::from_secs(monday + day * 86_400 + 8 * 3600 + s);
                b.learn_weekly(now, Span::from_secs(5), 5.0 * rate, false, week.as_deref_mut());
            }
        };
        for day in 0..14 {
            let rate = if day % 7 == 0 { 1000.0 } else { 50.0 };
            hour(&mut by_week, Some(&mut week), day, rate);
            hour(&mut by_day, None, day, rate);
        }
        // Sunday has just been; what is expected at the next Monday's first window?
        assert!(by_week.expected() < 60.0, "a Sunday: {}", by_week.expected());
        assert!(by_day.expected() > 500.0, "by the day alone it is a rush hour: {}", by_day.expected());
        let kept = Week::from(String::from(week));
        let (mut again, mut week) = (Baseline::from(Saved::from(by_week)), kept);
        for s in [0, 5, 10] {
            let now = Timestamp::from_secs(monday + 14 * 86_400 + 8 * 3600 + s);
            again.learn_weekly(now, Span::from_secs(5), 250.0, false, Some(&mut week));
        }
        assert!((650.0..1000.0).contains(&again.expected()), "the next Monday: {}", again.expected());
    }

    #[test]
    fn what_was_kept_by_the_day_serves_the_first_week() {
        let mut b = Baseline::default();
        steady(&mut b, 86_400 + 8 * 3600, 3600, 1000.0);
        steady(&mut b, 86_400 + 12 * 3600, 3600, 10.0);
        let mut kept: Baseline = Saved::from(b).into();
        let mut week = Week::default();
        for s in 0..30 {
            let now = Timestamp::from_secs(2 * 86_400 + 8 * 3600 + s);
            kept.learn_weekly(now, SECOND, 10.0, false, Some(&mut week));
        }
        assert!((800.0..1100.0).contains(&kept.expected()), "{}", kept.expected());
        assert!(kept.highest() >= kept.expected());
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
