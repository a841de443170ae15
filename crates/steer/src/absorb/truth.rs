//! Whether an absorber tells the truth about its load: what routers say is sent there against what it says it received.

use base::{Span, Timestamp};

use super::word::Load;

/// What is compared is what came in so long.
const WINDOW: Span = Span::from_secs(5);
/// Fewer sampled packets in a window say nothing: twice the standard error is below 20 % of the estimate.
const SAMPLES_MIN: u64 = 100;
/// Off by more than this factor, it is no error of measurement.
const FACTOR: f64 = 2.0;
/// So many windows one after the other have to show it, and as many that all is well again.
const WINDOWS: u32 = 2;
/// Who lied and gets nothing since cannot show that he tells the truth now: after so long it is tried, and one window ends the trial.
const TRIED_AFTER: Span = Span::from_secs(600);

/// What it tells wrongly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lie {
    /// Packets per second that routers sent there, by the smallest and by the largest account.
    pub sent: (f64, f64),
    /// Packets per second that it says it received.
    pub received: f64,
}

impl std::fmt::Display for Lie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sent: (least, most), received } = self;
        write!(
            f,
            "it says it receives {received:.0} packets/s, but routers send it {least:.0} to {most:.0}: its numbers are not believed, and no plan counts on it"
        )
    }
}

/// Compares.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    since: Option<Timestamp>,
    least: u64,
    most: u64,
    sampled: u64,
    /// Sum of packets/s over seconds, and how many seconds.
    received: u64,
    reports: u64,
    wrong: u32,
    right: u32,
    /// It lied, and is tried again.
    is_tried: bool,
    /// What it tells wrongly, and when that was seen last.
    lie: Option<(Timestamp, Lie)>,
}

impl Truth {
    /// Routers told since the last time: packets by the exporter that saw most, by all together, and how many of these were sampled.
    pub const fn sent(&mut self, least: u64, most: u64, sampled: u64) {
        self.least = self.least.saturating_add(least);
        self.most = self.most.saturating_add(most);
        self.sampled = self.sampled.saturating_add(sampled);
    }

    /// The absorber said how much it received in the last second.
    pub const fn received(&mut self, load: Load) {
        self.received = self.received.saturating_add(load.pps);
        self.reports = self.reports.saturating_add(1);
    }

    /// Nothing is led there, or routers do not tell all of it: what was told is no measure, and the window before this one may have
    /// lacked something too.
    pub fn pause(&mut self, now: Timestamp) {
        let lie = self.lie.filter(|(at, _)| now.since(*at) < TRIED_AFTER);
        let is_tried = self.is_tried || (self.lie.is_some() && lie.is_none());
        *self = Self { lie, is_tried, ..Self::default() };
    }

    /// Compares when it is time. While nobody tells enough, nothing is said against it, and nothing for it.
    #[expect(clippy::cast_precision_loss, reason = "packets of some seconds are far below 2^53")]
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let since = *self.since.get_or_insert(now);
        let span = now.since(since);
        if span < WINDOW {
            return;
        }
        let seconds = span.as_secs_f64();
        let sent = (self.least as f64 / seconds, self.most as f64 / seconds);
        if self.sampled >= SAMPLES_MIN && self.reports > 0 {
            let received = self.received as f64 / self.reports as f64;
            let is_wrong = received * FACTOR < sent.0 || received > sent.1 * FACTOR;
            (self.wrong, self.right) = if is_wrong { (self.wrong + 1, 0) } else { (0, self.right + 1) };
            let enough = if self.is_tried { 1 } else { WINDOWS };
            if self.wrong >= enough {
                self.lie = Some((now, Lie { sent, received }));
            } else if self.right >= WINDOWS {
                (self.lie, self.is_tried) = (None, false);
            }
        }
        let Self { wrong, right, is_tried, lie, .. } = *self;
        *self = Self { since: Some(now), wrong, right, is_tried, lie, ..Self::default() };
    }

    /// What it tells wrongly, if it does.
    pub const fn lie(&self) -> Option<Lie> {
        match self.lie {
            Some((_, lie)) => Some(lie),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(truth: &mut Truth, from: u64, seconds: u64, sent: u64, sampled: u64, said: u64) {
        for second in from..from + seconds {
            truth.sent(sent, sent, sampled);
            truth.received(Load { bps: 0, pps: said });
            truth.handle_timeout(Timestamp::from_secs(second));
        }
    }

    #[test]
    fn who_says_much_less_or_much_more_than_is_sent_is_found_and_who_mends_it_is_believed_again() {
        for said in [100, 20_000] {
            let mut truth = Truth::default();
            play(&mut truth, 1, 30, 5000, 50, 5200);
            assert_eq!(truth.lie(), None);
            play(&mut truth, 31, 30, 5000, 50, said);
            let lie = truth.lie().unwrap().to_string();
            assert!(lie.contains(&format!("receives {said} packets/s")), "{lie}");
            play(&mut truth, 61, 30, 5000, 50, 5200);
            assert_eq!(truth.lie(), None);
        }
    }

    #[test]
    fn while_a_router_is_silent_nothing_is_said_against_it() {
        let mut truth = Truth::default();
        play(&mut truth, 1, 10, 5000, 50, 5200);
        // One router of two, for eleven seconds; one second of it is not known yet when the window ends.
        play(&mut truth, 11, 6, 2000, 20, 5200);
        truth.pause(Timestamp::from_secs(17));
        for second in 17..22 {
            truth.pause(Timestamp::from_secs(second));
            truth.handle_timeout(Timestamp::from_secs(second));
        }
        play(&mut truth, 22, 20, 5000, 50, 5200);
        assert_eq!(truth.lie(), None);
        // Who lies goes on to lie, whoever is silent.
        play(&mut truth, 42, 20, 5000, 50, 100);
        truth.pause(Timestamp::from_secs(62));
        assert!(truth.lie().is_some());
    }

    #[test]
    fn who_lied_and_gets_nothing_since_is_tried_again_later_and_a_window_is_enough_to_end_that() {
        let mut truth = Truth::default();
        play(&mut truth, 1, 20, 5000, 50, 100);
        assert!(truth.lie().is_some());
        for second in (30..600).step_by(5) {
            truth.pause(Timestamp::from_secs(second));
        }
        assert!(truth.lie().is_some());
        truth.pause(Timestamp::from_secs(700));
        assert_eq!(truth.lie(), None);
        let mut honest = truth.clone();
        play(&mut honest, 701, 20, 5000, 50, 5200);
        assert_eq!(honest.lie(), None);
        play(&mut truth, 701, 6, 5000, 50, 100);
        assert!(truth.lie().is_some());
    }

    #[test]
    fn where_hardly_anything_is_sampled_nothing_is_said() {
        let mut truth = Truth::default();
        play(&mut truth, 1, 60, 5000, 2, 0);
        assert_eq!(truth.lie(), None);
    }
}
