//! The watch over what own hosts ask of foreign ones: an attack is known by its victim, a scan by its sender.

use std::collections::BTreeSet;

use base::Prefix;
use base::map::{Map, Seed};
use base::prefix::wide;
use base::{Span, Timestamp};
use detect::cell::{CellKey, Side};
use detect::class::Class;
use detect::evidence::{self, Term};
use detect::vector::scan::{self, Asking};

use crate::reach;
use crate::settings::{Profile, Settings};
use crate::tick::Tick;

/// Own hosts that ask, at most; beyond it those that asked little go.
const ASKERS_MAX: usize = 1 << 14;
/// Places of one asker told apart; further ones are not looked at.
const PLACES_MAX: usize = 1 << 14;
/// Sums fade by e in so many seconds.
const FADE: Span = Span::from_secs(4);
/// A rate is that of so long at least: who asks a page full of things at once is no scanner.
const RATE_OVER: Span = Span::from_secs(1);
/// Whoever asked fewer than this lately begins anew.
const LATELY_MIN: f64 = 2.0;
/// An asker is judged this often.
const JUDGE_EVERY: Span = Span::from_millis(250);
/// SYNs looked at before anything is said, in a capture and live.
const EXAMPLES_MIN: (u64, u64) = (50, 12);
/// SYNs per second that are harmless in a capture: what a busy peer-to-peer program asks. Live the floor holds.
const CAPTURE_FLOOR: f64 = 30.0;

/// An own host that scans.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) host: u128,
    pub(crate) began: Timestamp,
    /// The smallest prefix with all that it asked.
    pub(crate) target: Prefix,
    pub(crate) terms: Vec<Term>,
}

/// All own hosts that ask.
#[derive(Debug)]
pub(crate) struct Scans {
    askers: Map<u128, Asker>,
    /// Of these, those that have asked more than once lately: their answers are counted.
    hearing: BTreeSet<u128>,
    seed: Seed,
}

#[derive(Debug)]
struct Asker {
    touched: Timestamp,
    began: Timestamp,
    judged: Timestamp,
    asked: f64,
    answered: f64,
    carried_on: f64,
    examples: u64,
    /// Address and port, and how often.
    places: Map<(u128, u16), u32>,
}

impl Scans {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { askers: Map::new(seed.clone()), hearing: BTreeSet::new(), seed }
    }

    /// Takes a tick and says who scans.
    pub(crate) fn tick(&mut self, settings: &Settings, tick: &Tick) -> Vec<Scan> {
        let syns = tick.counts.chosen.samples.iter().map(|(_, s)| s);
        let mut asked: Vec<u128> = Vec::new();
        for sample in syns.filter(|s| s.outgoing && s.class == Class::TCP_SYN) {
            let host = wide(sample.headers.src);
            let asker = self.askers.get_or_insert_with(host, || Asker::new(sample.at, &self.seed));
            asker.fade(sample.at);
            #[expect(clippy::cast_precision_loss, reason = "packets behind one example")]
            let packets = sample.packets as f64;
            if asker.asked < LATELY_MIN * packets {
                *asker = Asker { asked: asker.asked, ..Asker::new(sample.at, &self.seed) };
            }
            asker.ask(wide(sample.headers.dst), sample.headers.dst_port().unwrap_or(0), packets);
            asked.push(host);
        }
        asked.sort_unstable();
        asked.dedup();
        // Behind a sampler a SYN and its answer are seldom seen in the same tick.
        let hears = |asker: &Asker| asker.examples > 1 && tick.until.since(asker.touched) < FADE;
        self.hearing.retain(|host| self.askers.get(host).is_some_and(hears));
        self.hearing.extend(asked.iter().filter(|host| self.askers.get(host).is_some_and(hears)));
        for host in &self.hearing {
            let Some(asker) = self.askers.get_mut(host) else { continue };
            asker.answered += cell(tick, *host, Side::Received, &[Class::TCP_SYNACK]);
            asker.carried_on += cell(tick, *host, Side::Sent, &[Class::TCP_ACK, Class::TCP_DATA]);
        }
        let mut found = Vec::new();
        for host in asked {
            let Some(asker) = self.askers.get_mut(&host) else { continue };
            if tick.until.since(asker.judged) >= JUDGE_EVERY {
                asker.judged = tick.until;
                found.extend(asker.judge(settings, host));
            }
        }
        if self.askers.len() > ASKERS_MAX {
            self.askers.retain(|_, asker| asker.examples > 4 && tick.until.since(asker.touched) < FADE);
        }
        found
    }
}

impl Asker {
    fn new(at: Timestamp, seed: &Seed) -> Self {
        let places = Map::new(seed.clone());
        let (asked, answered, carried_on) = (0.0, 0.0, 0.0);
        Self {
            touched: at,
            began: at,
            judged: Timestamp::ZERO,
            asked,
            answered,
            carried_on,
            examples: 0,
            places,
        }
    }

    fn fade(&mut self, now: Timestamp) {
        let factor = (-now.since(self.touched).as_secs_f64() / FADE.as_secs_f64()).exp();
        self.asked *= factor;
        self.answered *= factor;
        self.carried_on *= factor;
        self.touched = self.touched.max(now);
    }

    fn ask(&mut self, host: u128, port: u16, packets: f64) {
        self.asked += packets;
        if self.places.len() >= PLACES_MAX && !self.places.contains_key(&(host, port)) {
            return;
        }
        self.examples += 1;
        *self.places.get_or_insert_with((host, port), || 0) += 1;
    }

    fn judge(&self, settings: &Settings, host: u128) -> Option<Scan> {
        let capture = settings.profile == Profile::Capture;
        let least = if capture { EXAMPLES_MIN.0 } else { EXAMPLES_MIN.1 };
        let floor = if capture { CAPTURE_FLOOR } else { settings.profile.floor_pps(settings.floor) };
        // A recording is not in a hurry.
        let secs = if capture { FADE.as_secs_f64() } else { self.over_secs() };
        let rate = self.asked / secs;
        if self.examples < least || rate < floor || self.answered > 0.5 * self.asked {
            return None;
        }
        let terms = scan::judge(&self.asking(rate, floor)).0;
        let target = self.target().filter(|_| evidence::sum(&terms) >= evidence::ATTACK)?;
        Some(Scan { host, began: self.began, target, terms })
    }

    /// Seconds that the faded sums stand for: all of [`FADE`] only when they have filled.
    fn over_secs(&self) -> f64 {
        let (age, fade) = (self.touched.since(self.began).max(RATE_OVER).as_secs_f64(), FADE.as_secs_f64());
        fade * (1.0 - (-age / fade).exp())
    }

    /// The smallest prefix that holds nearly all that was asked: what an honest program of the same host asks is left out.
    fn target(&self) -> Option<Prefix> {
        reach::nearly_all(self.places.sorted().into_iter().map(|((host, _), _)| *host).collect())
    }

    #[expect(clippy::cast_precision_loss, reason = "shares of counts")]
    fn asking(&self, rate: f64, floor: f64) -> Asking {
        let places = self.places.sorted();
        let mut hosts: Vec<u128> = places.iter().map(|((host, _), _)| *host).collect();
        hosts.dedup();
        let mut ports: Vec<(u16, u32)> = places.iter().map(|((_, port), n)| (*port, **n)).collect();
        ports.sort_unstable();
        ports.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            kept.1 += if same { later.1 } else { 0 };
            same
        });
        let top = ports.iter().map(|(_, n)| *n).max().unwrap_or(0);
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Asking {
            rate,
            floor,
            examples: self.examples,
            places: count(places.len()),
            hosts: count(hosts.len()),
            ports: count(ports.len()),
            port_top: f64::from(top) / self.examples.max(1) as f64,
            answered: self.answered / self.asked.max(1.0),
            carried_on: self.carried_on / self.asked.max(1.0),
        }
    }
}

/// Packets of one host's cells.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
fn cell(tick: &Tick, host: u128, side: Side, classes: &[Class]) -> f64 {
    let cells = &tick.counts.cells;
    let of = |class: &Class| {
        let key = CellKey { host, side, class: *class };
        let at = cells.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        cells.get(at).map(|(_, cell)| cell.packets as f64)
    };
    classes.iter().filter_map(of).sum()
}
