//! What is remembered of one possible victim: a host, or a prefix of them.

use base::{Span, Timestamp};
use detect::baseline::Baseline;
use detect::cell::Cell;
use detect::class::Class;
use detect::cusum::Cusum;
use detect::season::{self, Week};
use detect::usual::{Origins, Packets};

use crate::limits::Totals;
use crate::report::Direction;
use crate::sketch::Sketch;

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

/// One class of packets towards one target. There are hundreds of thousands of these: single precision, no padding, and what
/// every tick needs in the first of its cache lines.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Stream {
    touched: Timestamp,
    /// As of `touched`, like `excused`.
    pub(crate) lately: Faded,
    /// Packets of half a minute, and of these the ones that other packets excuse.
    pub(crate) excused: (f32, f32),
    /// Of packets, and of octets.
    pub(crate) tests: [Cusum; 2],
    /// Suspect packets of the run.
    pub(crate) run: f32,
    /// Packets behind one sample when last seen, 0: never; and units of octets in one packet.
    pub(crate) scale: f32,
    pub(crate) length: f32,
    /// First suspect packet after the last second without any.
    pub(crate) run_begun: Timestamp,
    /// Last suspect packet.
    pub(crate) last: Timestamp,
    pub(crate) class: Class,
    /// What its peers know of it: [`Baseline::level`] of each, 0 where that is quiet.
    pub(crate) levels: [u8; 2],
    /// Whether a baseline has learned since `levels` were looked at.
    pub(crate) moved: bool,
    /// Suspect packets since the onset, and units of their octets.
    pub(crate) suspect: [f32; 2],
    /// Highest rates since then.
    pub(crate) rates_max: [f32; 2],
    /// Normal rates of what is suspect.
    pub(crate) baselines: [Baseline; 2],
    /// Normal rate of the whole class.
    pub(crate) usual: Baseline,
    /// First suspect packet since the test last stood at zero.
    pub(crate) onset: Timestamp,
    /// First suspect packet of the tick in which the test rose.
    pub(crate) risen: Timestamp,
    /// Who sent while it simmered.
    pub(crate) senders: Sketch,
    /// What `baselines` and `usual` were at each hour of the week: the networks of customers.
    pub(crate) week: Option<Box<[Week; 3]>>,
    /// What its packets look like, where it matters.
    pub(crate) packets: Option<Box<Packets>>,
}

/// A possible victim's streams.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// By class.
    pub(crate) streams: Vec<Stream>,
    /// Bit by class: which there are, so that one is found without a look at the others.
    classes: u64,
    /// Where fixed limits hold.
    pub(crate) totals: Option<Box<Totals>>,
    /// Where its packets come from, where one of its streams matters.
    pub(crate) origins: Option<Box<Origins>>,
    pub(crate) touched: Timestamp,
    /// Bit by class: whose tests have risen. The others need not be looked at in a tick that brings them nothing.
    risen: u64,
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
        Self { streams: Vec::new(), classes: 0, totals: None, origins: None, touched: now, risen: 0 }
    }

    /// Lets time pass: totals fade, and tests fall by the ticks in which nothing came. Sums of streams fade when they are
    /// wanted.
    pub(crate) fn pass(&mut self, now: Timestamp, ticks_idle: f64, normal: impl Fn(&Stream) -> [f64; 2]) {
        if let Some(totals) = &mut self.totals {
            totals.fade(fade(now.since(self.touched).as_secs_f64() / FADE_SECS));
        }
        self.touched = now;
        if ticks_idle > 0.0 {
            self.each_risen(0, |stream| stream.idle(ticks_idle, normal(stream)));
        }
    }

    /// Visits the streams whose tests have risen, but for the classes of `except`.
    pub(crate) fn each_risen(&mut self, except: u64, mut visit: impl FnMut(&mut Stream)) {
        if self.risen & !except == 0 {
            return;
        }
        let risen = self.risen & !except;
        for stream in self.streams.iter_mut().filter(|s| risen & 1 << s.class.0 != 0) {
            stream.fade(self.touched);
            visit(stream);
            if stream.is_calm() {
                self.risen &= !(1 << stream.class.0);
            }
        }
    }

    /// Whether no test has risen.
    pub(crate) const fn is_calm(&self) -> bool {
        self.risen == 0
    }

    /// Takes note of whether the tests of a class stand above zero.
    pub(crate) const fn note(&mut self, class: Class, calm: bool) {
        self.risen = self.risen & !(1 << class.0) | (!calm as u64) << class.0;
    }

    /// The stream of a class; one that was not there has shown no more than `quiet` packets/s, if that is known.
    pub(crate) fn stream_mut(&mut self, class: Class, quiet: f64) -> &mut Stream {
        let at = self.place(class);
        if self.classes & 1 << class.0 == 0 {
            self.classes |= 1 << class.0;
            self.streams.reserve_exact(1);
            self.streams.insert(at, Stream::new(class, quiet));
        }
        self.streams.get_mut(at).expect("found or just inserted there")
    }

    /// The stream of a class, if there is one.
    pub(crate) fn held(&mut self, class: Class) -> Option<&mut Stream> {
        self.stream(class)?;
        let at = self.place(class);
        self.streams.get_mut(at)
    }

    pub(crate) fn stream(&self, class: Class) -> Option<&Stream> {
        if self.classes & 1 << class.0 == 0 {
            return None;
        }
        self.streams.get(self.place(class))
    }

    /// Streams of lower classes.
    const fn place(&self, class: Class) -> usize {
        (self.classes & ((1 << class.0) - 1)).count_ones() as usize
    }

    /// Streams whose weeks are remembered.
    pub(crate) fn weeks(&self) -> usize {
        self.streams.iter().filter(|stream| stream.week.is_some()).count()
    }

    /// Packets of a class lately.
    pub(crate) fn lately(&self, class: Class) -> Faded {
        self.stream(class).map_or_else(Faded::default, |s| s.lately_at(self.touched))
    }
}

impl Stream {
    /// Takes what came in a tick: of what is suspect the packets and units of octets, and all packets that were `received`.
    pub(crate) fn learn(
        &mut self,
        now: Timestamp,
        tick: Span,
        (suspect, received): ([f64; 2], f64),
        frozen: bool,
    ) {
        let [packets, octets, all] = match self.week.as_deref_mut() {
            Some(week) => week.each_mut().map(Some),
            None => [const { None }; 3],
        };
        let of_suspect = self.baselines.iter_mut().zip(suspect).zip([packets, octets]);
        for ((baseline, suspect), week) in of_suspect {
            self.moved |= baseline.learn_weekly(now, tick, suspect.max(0.0), frozen, week);
        }
        self.usual.learn_weekly(now, tick, received, frozen, all);
    }

    /// Lets its sums fade.
    pub(crate) fn fade(&mut self, now: Timestamp) {
        self.lately = self.lately_at(now);
        let slowly = fade(now.since(self.touched).as_secs_f64() / EXCUSED_SECS);
        self.excused.0 *= slowly;
        self.excused.1 *= slowly;
        self.touched = now;
    }

    fn lately_at(&self, now: Timestamp) -> Faded {
        let factor = fade(now.since(self.touched).as_secs_f64() / FADE_SECS);
        let Faded { received, unsolicited, sent } = self.lately;
        Faded { received: factor * received, unsolicited: factor * unsolicited, sent: factor * sent }
    }

    /// Whether no test has risen.
    pub(crate) fn is_calm(&self) -> bool {
        self.tests.iter().all(Cusum::is_zero)
    }

    /// Whether a test has risen above this.
    pub(crate) fn is_above(&self, value: f64) -> bool {
        self.tests.iter().any(|test| test.value() > value)
    }

    /// The tests fall by ticks in which nothing came, where so much is normal in one: by the samples that this would make.
    pub(crate) fn idle(&mut self, ticks: f64, normal: [f64; 2]) {
        let scale = f64::from(self.scale.max(1.0));
        self.tests.iter_mut().zip(normal).for_each(|(test, normal)| test.idle(ticks, normal / scale));
    }

    /// A tick in which none of the class came: what the target sent meanwhile excuses what came before. Behind a sampler a
    /// packet and its answer are seldom seen in the same tick.
    pub(crate) fn absent(
        &mut self,
        normal: [f64; 2],
        excused: f64,
        phis: impl Fn(&Self, f64, f64) -> [f64; 2],
    ) {
        let (scale, length) = (f64::from(self.scale.max(1.0)), f64::from(self.length));
        #[expect(clippy::cast_possible_truncation, reason = "a stream keeps single precision")]
        let more = excused as f32;
        self.excused.1 = (self.excused.1 + more).min(self.excused.0);
        let phis = phis(self, scale, length);
        let excused = [excused, excused * length];
        for (((test, excused), normal), phi) in self.tests.iter_mut().zip(excused).zip(normal).zip(phis) {
            test.update(-excused / scale, normal / scale, phi, f64::INFINITY);
        }
    }

    /// Rates to be expected at most, of packets and of units of octets.
    pub(crate) fn expected(&self) -> [f64; 2] {
        self.baselines.each_ref().map(Baseline::expected)
    }

    /// Units of octets a second that the class has, suspect or not, as long as the suspect packets are.
    pub(crate) fn usual_octets(&self) -> f64 {
        let [packets, octets] = self.expected();
        let length = if packets > 0.0 { octets / packets } else { 0.0 };
        octets.max(self.usual.expected() * length)
    }

    /// Takes note of its levels, and tells those before where they were others.
    pub(crate) fn relevel(&mut self, quiet: f64) -> Option<[u8; 2]> {
        if !std::mem::take(&mut self.moved) {
            return None;
        }
        let level = |baseline: &Baseline| {
            let level = baseline.level();
            if season::rate_of(level) < quiet { 0 } else { level }
        };
        let levels = self.baselines.each_ref().map(level);
        let before = std::mem::replace(&mut self.levels, levels);
        (before != levels).then_some(before)
    }

    /// Whether it never had more than this rate, at any hour that is remembered.
    pub(crate) fn is_below(&self, rate: f64) -> bool {
        let weeks = self.week.iter().flat_map(|weeks| weeks.iter());
        self.expected().iter().all(|expected| *expected < rate)
            && self.baselines.iter().all(|baseline| baseline.highest() < rate)
            && weeks.copied().all(|w| w.highest() < rate)
    }

    fn new(class: Class, quiet: f64) -> Self {
        Self {
            onset: Timestamp::ZERO,
            risen: Timestamp::ZERO,
            run_begun: Timestamp::ZERO,
            last: Timestamp::ZERO,
            tests: Default::default(),
            lately: Faded::default(),
            touched: Timestamp::ZERO,
            excused: (0.0, 0.0),
            run: 0.0,
            suspect: [0.0; 2],
            rates_max: [0.0; 2],
            scale: 0.0,
            length: 1.0,
            senders: Sketch::default(),
            baselines: [Baseline::quiet(quiet); 2],
            usual: Baseline::quiet(quiet),
            class,
            levels: [0; 2],
            // A baseline may be put into it.
            moved: true,
            week: None,
            packets: None,
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
        stream.tests.iter_mut().for_each(|test| test.update(5.0, 0.1, 1.0, 100.0));
        stream.excused.0 = 5000.0;
        stream
    }

    #[test]
    fn a_test_falls_by_samples_not_by_packets() {
        let mut stream = risen();
        stream.idle(4.0, [60.0; 2]);
        assert!(!stream.is_calm());
        stream.idle(400.0, [60.0; 2]);
        assert!(stream.is_calm());
    }

    #[test]
    fn an_answer_seen_later_excuses() {
        let mut stream = risen();
        let [before, _] = stream.tests.map(|test| test.value());
        stream.absent([60.0; 2], 0.0, |_, _, _| [1.0; 2]);
        assert!(stream.is_above(before / 2.0));
        stream.absent([60.0; 2], 20_000.0, |_, _, _| [1.0; 2]);
        assert!(stream.is_calm() && stream.excused.1 == 5000.0);
    }
}
