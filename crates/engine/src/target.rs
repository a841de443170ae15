//! What is remembered of one possible victim: a host, or a prefix of them.

use base::Timestamp;
use detect::baseline::Baseline;
use detect::cell::Cell;
use detect::class::Class;
use detect::cusum::Cusum;

use crate::limits::Totals;
use crate::report::Direction;
use crate::senders::Senders;

/// A possible victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TargetKey {
    /// First address, as [`base::prefix::wide`].
    pub(crate) addr: u128,
    /// Bits of the prefix, in its own family.
    pub(crate) bits: u8,
    /// Towards us or from us.
    pub(crate) direction: Direction,
}

/// Sums fade by e in this many seconds.
const FADE_SECS: f64 = 1.0;
/// How noisy excuses are is known from so many seconds.
const EXCUSED_SECS: f64 = 30.0;

/// Packets of one class lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faded {
    pub(crate) received: f32,
    pub(crate) unsolicited: f32,
    pub(crate) sent: f32,
}

/// One class of packets towards one target. There are hundreds of thousands of these: single precision, no padding.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// First suspect packet since the test last stood at zero.
    pub(crate) onset: Timestamp,
    /// First suspect packet of the tick in which the test rose.
    pub(crate) risen: Timestamp,
    /// First suspect packet after the last second without any.
    pub(crate) run_begun: Timestamp,
    /// Last suspect packet.
    pub(crate) last: Timestamp,
    pub(crate) cusum: Cusum,
    pub(crate) lately: Faded,
    /// Packets of half a minute, and of these the ones that other packets excuse.
    pub(crate) excused: (f32, f32),
    /// Suspect packets of the run.
    pub(crate) run: f32,
    /// Suspect packets since the onset.
    pub(crate) suspect: f32,
    /// Highest rate since then, packets/s.
    pub(crate) rate_max: f32,
    /// Packets behind one sample when last seen; 0: never.
    pub(crate) scale: f32,
    /// Who sent while it simmered.
    pub(crate) senders: Senders,
    /// Normal rate of what is suspect.
    pub(crate) baseline: Baseline,
    /// Normal rate of the whole class.
    pub(crate) usual: Baseline,
    pub(crate) class: Class,
}

/// A possible victim's streams.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) streams: Vec<Stream>,
    /// Where fixed limits hold.
    pub(crate) totals: Option<Box<Totals>>,
    pub(crate) touched: Timestamp,
}

/// One tick's counts of one target and class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TickCounts {
    pub(crate) class: Class,
    pub(crate) received: Cell,
    /// Packets sent in this class, scaled.
    pub(crate) sent: f64,
}

impl Target {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self { streams: Vec::new(), totals: None, touched: now }
    }

    /// Lets time pass: sums fade, and tests fall by the ticks in which nothing came.
    pub(crate) fn pass(&mut self, now: Timestamp, ticks_idle: f64, normal: impl Fn(&Stream) -> f64) {
        let age = now.since(self.touched).as_secs_f64();
        let (factor, slowly) = (fade(age / FADE_SECS), fade(age / EXCUSED_SECS));
        if let Some(totals) = &mut self.totals {
            totals.fade(factor);
        }
        for stream in &mut self.streams {
            stream.excused.0 *= slowly;
            stream.excused.1 *= slowly;
            stream.lately.received *= factor;
            stream.lately.unsolicited *= factor;
            stream.lately.sent *= factor;
            if ticks_idle > 0.0 && !stream.cusum.is_zero() {
                let expected = normal(stream);
                stream.idle(ticks_idle, expected);
            }
        }
        self.touched = now;
    }

    /// The stream of a class; one that was not there has shown no more than `quiet` packets/s, if that is known.
    pub(crate) fn stream_mut(&mut self, class: Class, quiet: f64) -> &mut Stream {
        let at = self.streams.binary_search_by_key(&class, |s| s.class).unwrap_or_else(|at| {
            self.streams.reserve_exact(1);
            self.streams.insert(at, Stream::new(class, quiet));
            at
        });
        self.streams.get_mut(at).expect("found or just inserted there")
    }

    pub(crate) fn stream(&self, class: Class) -> Option<&Stream> {
        let at = self.streams.binary_search_by_key(&class, |s| s.class).ok()?;
        self.streams.get(at)
    }

    /// Packets of a class lately.
    pub(crate) fn lately(&self, class: Class) -> Faded {
        self.stream(class).map_or_else(Faded::default, |s| s.lately)
    }
}

impl Stream {
    /// The test falls by ticks in which nothing came where so many packets are expected: by the samples that these would make.
    pub(crate) fn idle(&mut self, ticks: f64, expected: f64) {
        self.cusum.idle(ticks, expected / f64::from(self.scale.max(1.0)), 1.0);
    }

    /// A tick in which none of the class came: what the target sent meanwhile excuses what came before. Behind a sampler a
    /// packet and its answer are seldom seen in the same tick.
    pub(crate) fn absent(&mut self, expected: f64, excused: f64, phi: impl Fn(&Self, f64) -> f64) {
        let scale = f64::from(self.scale.max(1.0));
        #[expect(clippy::cast_possible_truncation, reason = "a stream keeps single precision")]
        let more = excused as f32;
        self.excused.1 = (self.excused.1 + more).min(self.excused.0);
        let phi = phi(self, scale);
        self.cusum.update(-excused / scale, expected / scale, phi, f64::INFINITY);
    }

    fn new(class: Class, quiet: f64) -> Self {
        Self {
            onset: Timestamp::ZERO,
            risen: Timestamp::ZERO,
            run_begun: Timestamp::ZERO,
            last: Timestamp::ZERO,
            cusum: Cusum::default(),
            lately: Faded::default(),
            excused: (0.0, 0.0),
            run: 0.0,
            suspect: 0.0,
            rate_max: 0.0,
            scale: 0.0,
            senders: Senders::default(),
            baseline: Baseline::quiet(quiet),
            usual: Baseline::quiet(quiet),
            class,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a factor below one")]
fn fade(times: f64) -> f32 {
    (-times).exp() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn risen() -> Stream {
        let mut stream = Stream { scale: 1000.0, ..Stream::new(Class::UDP_OTHER, 0.0) };
        stream.cusum.update(5.0, 0.1, 1.0, 100.0);
        stream.excused.0 = 5000.0;
        stream
    }

    #[test]
    fn a_test_falls_by_samples_not_by_packets() {
        let mut stream = risen();
        stream.idle(4.0, 60.0);
        assert!(!stream.cusum.is_zero());
        stream.idle(400.0, 60.0);
        assert!(stream.cusum.is_zero());
    }

    #[test]
    fn an_answer_seen_later_excuses() {
        let mut stream = risen();
        let before = stream.cusum.value();
        stream.absent(60.0, 0.0, |_, _| 1.0);
        assert!(stream.cusum.value() > before / 2.0);
        stream.absent(60.0, 20_000.0, |_, _| 1.0);
        assert!(stream.cusum.is_zero() && stream.excused.1 == 5000.0);
    }
}
