//! Which exporters are heard as usual. An attack ends when telemetry shows that it is gone, not when telemetry is gone.
//!
//! For each exporter three things are learned: how many records it usually tells, how long its usual pauses are, and how much
//! of what it sent is lost lately (its own sequence numbers, and what the kernel dropped). From them it is heard as usual,
//! heard in part, or silent. What follows from it for an attack is [`crate::sight`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use telemetry::discard::Discard;

use crate::late::Hold;

/// Exporters followed; further ones are not, and an attack of which only they tell ends by time alone.
const FEEDS_MAX: usize = 8192;
/// A pause of at least this, and of [`PAUSES`] times the longest usual one, is silence.
const SILENT_AFTER: Span = Span::from_secs(10);
const PAUSES: f64 = 4.0;
/// While little is known of an exporter, no pause beyond this is taken for a usual one.
const PAUSE_FIRST_MAX: f64 = 30.0;
/// The longest pause is forgotten by half in a day.
const PAUSE_HALF_LIFE: f64 = 86_400.0;
/// Sums of what came and what was lost fade by e in this many seconds.
const FADE: f64 = 10.0;
/// Heard in part: more than the first share is lost, until it is less than the second.
const LOST: (f64, f64) = (0.5, 0.25);
/// Heard in part: less than the first share of the usual records comes, until it is more than the second.
const FEW: (f64, f64) = (0.2, 0.4);
/// The present rate is a mean over so many seconds that this many records are usual in them…
const RECORDS_MIN: f64 = 20.0;
/// …but at least and at most these. Who tells too little for the longest is judged by pauses and losses alone.
const WINDOW: (f64, f64) = (5.0, 60.0);
/// The usual rate is a mean over this many seconds, and known after the second number of them.
const LEARN: (f64, f64) = (600.0, 60.0);
/// Few records for so long, without a gap in their numbers, are the new usual.
const RESIGN: Span = Span::from_secs(900);
/// Learning waits no longer than this for an exporter.
const FREEZE_MAX: Span = Span::from_secs(3600);
/// An exporter that is silent for a day is gone for good; one that was hardly known, much sooner.
const FORGET: (Span, Span) = (Span::from_secs(86_400), Span::from_secs(600));
/// Share of an attack, or of all records, whose exporters have to be heard.
pub(crate) const SHARE: f64 = 0.1;

/// What came of one exporter since the last time.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Its index in records.
    pub exporter: u32,
    /// Its address, under which it is known also after a restart.
    pub address: IpAddr,
    /// Datagrams.
    pub datagrams: u64,
    /// Flow records and packet samples in them.
    pub records: u64,
    /// Datagrams that its sequence numbers miss.
    pub lost_datagrams: u64,
    /// Records that its sequence numbers miss.
    pub lost_records: u64,
    /// Where its numbers are doubtful: how many times what it tells its interfaces count, or can have passed.
    pub doubt: Option<f64>,
    /// It tells of flows: from the first packet to the arrival of 99 of 100, and how long they last.
    pub delay: Option<(Span, Span)>,
    /// Packets that it told it dropped by policy.
    pub discards: Vec<Discard>,
}

/// How an exporter is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hearing {
    /// As usual.
    #[default]
    Whole,
    /// Most of it is lost, or far less comes than usual.
    Part,
    /// Nothing comes.
    Silent,
}

impl Hearing {
    /// `whole`, `part` or `silent`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Part => "part",
            Self::Silent => "silent",
        }
    }
}

/// An exporter, as it is heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Whose.
    pub address: IpAddr,
    /// How.
    pub hearing: Hearing,
    /// Since when.
    pub since: Timestamp,
    /// Its usual records per second; `None` while that is not known yet.
    pub usual: Option<f64>,
    /// Where its numbers are doubtful: how many times what it tells its interfaces count, or can have passed.
    pub doubt: Option<f64>,
}

/// What is remembered of one exporter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Records per second, as usual and lately.
    usual: f64,
    lately: f64,
    /// Seconds that taught the usual rate.
    taught: f64,
    /// The longest usual time between datagrams, seconds.
    pause: f64,
    heard: Timestamp,
    pub(crate) hearing: Hearing,
    since: Timestamp,
    datagrams: Passed,
    records: Passed,
    #[serde(default)]
    pub(crate) doubt: Option<f64>,
    #[serde(skip)]
    pub(crate) delay: Option<(Span, Span)>,
}

/// What came and what did not, fading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Passed {
    came: f64,
    lost: f64,
}

impl Passed {
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    fn count(&mut self, keep: f64, came: u64, lost: u64, part: f64) {
        self.came = self.came * keep + came as f64;
        self.lost = self.lost * keep + lost as f64 * part;
    }

    /// The share that is lost; one or two missing among few say nothing.
    fn share(&self) -> f64 {
        if self.lost < 2.0 { 0.0 } else { self.lost / (self.came + self.lost) }
    }
}

/// All exporters.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    memories: BTreeMap<IpAddr, Memory>,
    /// Addresses by index in records.
    names: BTreeMap<u32, IpAddr>,
    /// What the kernel dropped, of all exporters together.
    kernel: Passed,
    until: Timestamp,
}

impl Silence {
    /// With what an earlier run knew; the time in which it did not run is nobody's silence.
    pub(crate) fn of(saved: Vec<(IpAddr, Memory)>) -> Self {
        let awake = |(address, memory)| (address, Memory { heard: Timestamp::ZERO, ..memory });
        Self { memories: saved.into_iter().take(FEEDS_MAX).map(awake).collect(), ..Self::default() }
    }

    /// All of it, for the next run.
    pub(crate) fn saved(&self) -> Vec<(IpAddr, Memory)> {
        self.memories.iter().map(|(address, memory)| (*address, memory.clone())).collect()
    }

    /// Whether anybody tells how exporters are heard; without that, silence cannot be told from peace.
    pub(crate) fn listens(&self) -> bool {
        self.until > Timestamp::ZERO
    }

    /// The address behind an index.
    pub(crate) fn address(&self, exporter: u32) -> Option<IpAddr> {
        self.names.get(&exporter).copied()
    }

    pub(crate) fn memory(&self, address: &IpAddr) -> Option<&Memory> {
        self.memories.get(address)
    }

    /// Whether all are heard as usual, and there is somebody.
    pub(crate) fn is_whole(&self) -> bool {
        self.somebody() && self.memories.values().all(|memory| memory.hearing == Hearing::Whole)
    }

    /// Whose numbers are doubtful, and by which factor.
    pub(crate) fn doubtful(&self) -> impl Iterator<Item = (IpAddr, f64)> + '_ {
        self.memories.iter().filter_map(|(address, memory)| Some((*address, memory.doubt?)))
    }

    /// Who tells of flows, and when.
    pub(crate) fn delayed(&self) -> impl Iterator<Item = (IpAddr, (Span, Span))> + '_ {
        self.memories.iter().filter_map(|(address, memory)| Some((*address, memory.delay?)))
    }

    /// The most of what was learned of how long they hold back a flow that has ended.
    pub(crate) fn hold(&self) -> Hold {
        let hold = |(export, lasting): (Span, Span)| export.nanos().saturating_sub(lasting.nanos());
        self.delayed().map(|(_, delay)| hold(delay)).max().map(Span::from_nanos)
    }

    /// Whether somebody is heard as usual.
    pub(crate) fn somebody(&self) -> bool {
        self.memories.values().any(|memory| memory.hearing == Hearing::Whole)
    }

    /// Exporters known for a while.
    pub(crate) fn heard(&self) -> impl Iterator<Item = Heard> + '_ {
        self.memories.iter().filter(|(_, memory)| memory.is_known()).map(|(address, memory)| Heard {
            address: *address,
            hearing: memory.hearing,
            since: memory.since,
            usual: memory.is_known().then_some(memory.usual),
            doubt: memory.doubt,
        })
    }

    /// Whether so much is missing that what comes would teach the wrong thing.
    pub(crate) fn confuses(&self) -> bool {
        let known = || self.memories.values().filter(|memory| memory.is_known());
        let all: f64 = known().map(|memory| memory.usual).sum();
        let lately = |memory: &&Memory| self.until.since(memory.since) < FREEZE_MAX;
        let missing = known().filter(|memory| memory.hearing != Hearing::Whole).filter(lately);
        let missing: f64 = missing.map(|memory| memory.usual).sum();
        missing > 0.0 && missing >= SHARE * all
    }

    /// Takes in what came up to `until`. Nothing is learned of those in `busy`: they tell of an attack.
    pub(crate) fn hear(&mut self, until: Timestamp, feeds: &[Feed], dropped: u64, busy: &BTreeSet<IpAddr>) {
        let secs = if self.listens() { until.since(self.until).as_secs_f64() } else { 0.0 };
        self.until = self.until.max(until);
        let mut news: BTreeMap<IpAddr, Feed> = BTreeMap::new();
        for feed in feeds {
            self.names.insert(feed.exporter, feed.address);
            let counts = || Feed { discards: Vec::new(), ..feed.clone() };
            news.entry(feed.address).and_modify(|sum| sum.add(feed)).or_insert_with(counts);
        }
        let came = feeds.iter().map(|feed| feed.datagrams).sum();
        self.kernel.count((-secs / FADE).exp(), came, dropped, 1.0);
        let dropped = self.kernel.share();
        for (address, feed) in &news {
            let room = self.memories.len() < FEEDS_MAX && feed.datagrams > 0;
            if room && !self.memories.contains_key(address) {
                self.memories.insert(*address, Memory { since: until, ..Memory::default() });
            }
        }
        self.memories.retain(|address, memory| {
            memory.hear(until, secs, news.get(address), dropped, busy.contains(address));
            let patience = if memory.is_known() { FORGET.0 } else { FORGET.1 };
            until.since(memory.heard) < patience
        });
        let memories = &self.memories;
        self.names.retain(|_, address| memories.contains_key(address));
    }
}

impl Feed {
    fn add(&mut self, other: &Self) {
        self.datagrams += other.datagrams;
        self.records += other.records;
        self.lost_datagrams += other.lost_datagrams;
        self.lost_records += other.lost_records;
        self.doubt = self.doubt.or(other.doubt);
        self.delay = self.delay.or(other.delay);
    }
}

impl Memory {
    fn is_known(&self) -> bool {
        self.taught >= LEARN.1
    }

    fn hear(&mut self, until: Timestamp, secs: f64, news: Option<&Feed>, dropped: f64, busy: bool) {
        if self.heard == Timestamp::ZERO {
            self.heard = until;
        }
        // Before what just came: a pause that ends now was one all the same.
        let pause = until.since(self.heard).as_secs_f64();
        let silent = pause > SILENT_AFTER.as_secs_f64().max(PAUSES * self.pause);
        self.count(secs, pause, news);
        let lost = self.datagrams.share().max(self.records.share()).max(dropped);
        let came = news.is_some_and(|feed| feed.datagrams > 0);
        if let Some(feed) = news {
            (self.doubt, self.delay) = (feed.doubt, feed.delay);
        }
        let now = if silent {
            Hearing::Silent
        } else if !came {
            // A pause says nothing until it is too long.
            self.hearing
        } else if self.in_part(lost) {
            Hearing::Part
        } else {
            Hearing::Whole
        };
        if now != self.hearing {
            (self.hearing, self.since) = (now, until);
        }
        let resigned = now == Hearing::Part && lost < SHARE && until.since(self.since) >= RESIGN;
        if resigned {
            self.usual = self.lately;
        }
        if came {
            self.heard = until;
            self.learn_pause(pause);
        }
        if now == Hearing::Whole && lost < SHARE && !busy && secs > 0.0 {
            self.learn(secs, news);
        }
    }

    fn count(&mut self, secs: f64, pause: f64, news: Option<&Feed>) {
        let keep = (-secs / FADE).exp();
        // What a pause swallowed was lost all along it, not just now.
        let part = (FADE / pause.max(FADE)).min(1.0);
        let (datagrams, records, lost_datagrams, lost_records) =
            news.map_or((0, 0, 0, 0), |f| (f.datagrams, f.records, f.lost_datagrams, f.lost_records));
        self.datagrams.count(keep, datagrams, lost_datagrams, part);
        self.records.count(keep, records, lost_records, part);
        if secs > 0.0 {
            self.lately += (rate(records, secs) - self.lately) * (1.0 - (-secs / self.window()).exp());
        }
    }

    /// Seconds over which the present rate is a mean.
    fn window(&self) -> f64 {
        (RECORDS_MIN / self.usual.max(1e-9)).clamp(WINDOW.0, WINDOW.1)
    }

    fn in_part(&self, lost: f64) -> bool {
        let was = self.hearing != Hearing::Whole;
        let judged = self.is_known() && self.usual * WINDOW.1 >= RECORDS_MIN;
        let few = if was { FEW.1 } else { FEW.0 };
        lost > if was { LOST.1 } else { LOST.0 } || judged && self.lately < few * self.usual
    }

    fn learn_pause(&mut self, pause: f64) {
        let most = if self.is_known() { 1.5 * self.pause.max(1.0) } else { PAUSE_FIRST_MAX };
        let faded = self.pause * (-pause / PAUSE_HALF_LIFE).exp2();
        self.pause = faded.max(pause.min(most));
    }

    fn learn(&mut self, secs: f64, news: Option<&Feed>) {
        self.taught += secs;
        let weight = (secs / self.taught).max(1.0 - (-secs / LEARN.0).exp());
        self.usual += (rate(news.map_or(0, |feed| feed.records), secs) - self.usual) * weight;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
fn rate(count: u64, secs: f64) -> f64 {
    count as f64 / secs
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    /// Ticks of a quarter second; each second brings this much.
    fn ticks(silence: &mut Silence, from: u64, secs: u64, datagrams: u64, records: u64, lost: u64) {
        for tick in from * 4..(from + secs) * 4 {
            let feed = Feed {
                exporter: 0,
                address: EXPORTER,
                datagrams: u64::from(tick.is_multiple_of(4)) * datagrams,
                records: u64::from(tick.is_multiple_of(4)) * records,
                lost_datagrams: u64::from(tick.is_multiple_of(4)) * lost,
                lost_records: 0,
                doubt: None,
                delay: None,
                discards: Vec::new(),
            };
            silence.hear(Timestamp::from_millis(250 * (tick + 1)), &[feed], 0, &BTreeSet::new());
        }
    }

    fn hearing(silence: &Silence) -> Hearing {
        silence.memory(&EXPORTER).unwrap().hearing
    }

    #[test]
    fn silence_losses_and_scarcity_are_told_from_peace() {
        let mut silence = Silence::default();
        ticks(&mut silence, 1000, 300, 10, 80, 0);
        assert_eq!(hearing(&silence), Hearing::Whole);
        let usual = silence.heard().next().unwrap().usual.unwrap();
        assert!((75.0..85.0).contains(&usual), "{usual}");
        // A fifth lost or half as much traffic is an ordinary day.
        ticks(&mut silence, 1300, 60, 8, 64, 2);
        ticks(&mut silence, 1360, 60, 5, 40, 0);
        assert_eq!(hearing(&silence), Hearing::Whole);
        ticks(&mut silence, 1420, 20, 1, 8, 9);
        assert_eq!(hearing(&silence), Hearing::Part);
        ticks(&mut silence, 1440, 30, 10, 80, 0);
        assert_eq!(hearing(&silence), Hearing::Whole);
        ticks(&mut silence, 1470, 12, 0, 0, 0);
        assert_eq!(hearing(&silence), Hearing::Silent);
        assert!(silence.confuses());
        ticks(&mut silence, 1482, 30, 10, 80, 0);
        assert_eq!(hearing(&silence), Hearing::Whole);
        assert!(!silence.confuses());
        // Numbers without a gap, but hardly any of them: the exporter itself leaves most out.
        ticks(&mut silence, 1512, 60, 1, 5, 0);
        assert_eq!(hearing(&silence), Hearing::Part);
        // After a quarter of an hour that is how it is.
        ticks(&mut silence, 1572, 1000, 1, 5, 0);
        assert_eq!(hearing(&silence), Hearing::Whole);
    }

    #[test]
    fn what_the_kernel_drops_is_lost_for_all() {
        let mut silence = Silence::default();
        ticks(&mut silence, 1000, 100, 10, 80, 0);
        for tick in 0..40 {
            let feed = Feed {
                exporter: 0,
                address: EXPORTER,
                datagrams: 3,
                records: 24,
                lost_datagrams: 0,
                lost_records: 0,
                doubt: None,
                delay: None,
                discards: Vec::new(),
            };
            silence.hear(Timestamp::from_millis(1_100_000 + 250 * tick), &[feed], 30, &BTreeSet::new());
        }
        assert_eq!(hearing(&silence), Hearing::Part);
    }

    #[test]
    fn an_exporter_with_long_pauses_is_silent_only_after_longer_ones() {
        let mut silence = Silence::default();
        for minute in 0..20u64 {
            ticks(&mut silence, 1000 + 25 * minute, 1, 1, 5, 0);
            ticks(&mut silence, 1001 + 25 * minute, 24, 0, 0, 0);
            assert!(minute < 2 || hearing(&silence) == Hearing::Whole, "{minute}");
        }
        ticks(&mut silence, 1500, 60, 0, 0, 0);
        assert_eq!(hearing(&silence), Hearing::Whole);
        ticks(&mut silence, 1560, 60, 0, 0, 0);
        assert_eq!(hearing(&silence), Hearing::Silent);
        ticks(&mut silence, 1620, 90_000, 0, 0, 0);
        assert!(silence.memory(&EXPORTER).is_none(), "a day of silence is a farewell");
    }

    #[test]
    fn a_restart_is_nobodys_silence() {
        let mut silence = Silence::default();
        ticks(&mut silence, 1000, 100, 10, 80, 0);
        let mut again = Silence::of(silence.saved());
        assert!(!again.listens());
        ticks(&mut again, 5000, 5, 10, 80, 0);
        assert_eq!(hearing(&again), Hearing::Whole);
    }
}
