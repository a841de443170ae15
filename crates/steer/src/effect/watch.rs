//! What was seen of one measure, by place and by who looked, within a bound.

use std::collections::BTreeMap;

use base::units::{PacketCount, PacketRate};
use base::{Span, Timestamp};

use super::judge::SEEN_MIN;
use super::{Counted, Fate, Judgement, Measure, Place, Verdict, View, judge};

/// Those who look at one measure; further ones are left out and counted in [`Watch::left_out`].
const LOOKERS_MAX: usize = 64;

/// What somebody saw at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Packets, estimated where sampled.
    pub packets: u64,
    /// Packets as sampled; `u64::MAX` where a device counted every one.
    pub sampled: u64,
    /// What became of them.
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    packets: u64,
    sampled: u64,
}

impl Sum {
    const fn add(&mut self, seen: Seen) {
        self.packets = self.packets.saturating_add(seen.packets);
        self.sampled = self.sampled.saturating_add(seen.sampled);
    }

    fn over(self, span: Span) -> Counted {
        Counted { rate: PacketCount(self.packets).per(span).unwrap_or_default(), seen: self.sampled }
    }
}

/// One window: all that was sampled, of it forwarded and dropped; dropped, and told of one by one.
type Window = [Sum; 4];

#[derive(Clone, Debug, Default)]
struct Looker {
    usual: PacketRate,
    /// When it was heard last, with or without packets.
    heard: Timestamp,
    /// Before the measure: the window before, and the one that runs.
    before: [Window; 2],
    /// Since it should act, likewise.
    after: [Window; 2],
}

/// Two windows of the same length on each side of an announcement: the one that runs, and the whole one before it.
#[derive(Clone, Debug)]
pub struct Watch {
    window: Span,
    settle: Span,
    announced: Option<Timestamp>,
    /// When the window that runs began, and whether one was whole before it.
    began: Option<Timestamp>,
    whole: bool,
    /// How long the time before the measure was looked at, of what is kept.
    before: Span,
    lookers: BTreeMap<(Place, String), Looker>,
    /// What was said last, while something stronger is in force.
    frozen: Option<Judgement>,
    /// It was seen to be effective, and how.
    held: Option<Judgement>,
    /// Reports that were left out for want of room.
    pub left_out: u64,
}

impl Watch {
    /// Nothing seen yet. `window`: traffic is summed over this long; `settle`: what is seen so soon after the announcement
    /// counts for neither side.
    pub const fn new(window: Span, settle: Span) -> Self {
        Self {
            window,
            settle,
            announced: None,
            began: None,
            whole: false,
            before: Span::ZERO,
            lookers: BTreeMap::new(),
            frozen: None,
            held: None,
            left_out: 0,
        }
    }

    /// What passes this place in peace.
    pub fn usual(&mut self, by: &str, place: Place, rate: PacketRate) {
        if let Some(looker) = self.looker(by, place) {
            looker.usual = rate;
        }
    }

    /// The measure is announced.
    pub fn announced(&mut self, now: Timestamp) {
        self.turn(now);
        self.before = self.span(now);
        (self.announced, self.held) = (Some(now), None);
        (self.began, self.whole) = (Some(now.plus(self.settle)), false);
    }

    /// Somebody was heard: without a word since the announcement he is no witness of quiet.
    pub fn heard(&mut self, now: Timestamp, by: &str, place: Place) {
        self.see(now, by, place, Seen { packets: 0, sampled: 0, fate: Fate::Unknown });
    }

    /// Somebody saw packets that the measure shall stop.
    pub fn see(&mut self, now: Timestamp, by: &str, place: Place, seen: Seen) {
        let after = match self.announced {
            Some(announced) if now < announced.plus(self.settle) => return,
            announced => announced.is_some(),
        };
        self.turn(now);
        let Some(looker) = self.looker(by, place) else { return };
        looker.heard = now;
        let [_, [all, forwarded, dropped, notified]] =
            if after { &mut looker.after } else { &mut looker.before };
        match seen.fate {
            Fate::Notified => return notified.add(seen),
            Fate::Forwarded => forwarded.add(seen),
            Fate::Dropped => dropped.add(seen),
            Fate::Unknown => {}
        }
        all.add(seen);
    }

    /// Something stronger is in force from now on: what is missing is its doing, and what was said of this one stands.
    pub fn covered(&mut self, now: Timestamp, expected: f64, patience: Span) {
        self.frozen = self.judge(now, expected, patience);
    }

    /// It is not any more: what this one does is judged anew from now on, against the time before it was announced.
    pub fn uncovered(&mut self, now: Timestamp) {
        (self.frozen, self.held) = (None, None);
        if self.announced.is_some() {
            self.announced = Some(now);
            (self.began, self.whole) = (Some(now.plus(self.settle)), false);
            self.lookers.values_mut().for_each(|looker| looker.after = [Window::default(); 2]);
        }
    }

    /// What can be said now.
    pub fn judge(&mut self, now: Timestamp, expected: f64, patience: Span) -> Option<Judgement> {
        if self.frozen.is_some() {
            return self.frozen.clone();
        }
        let measure = Measure { announced: self.announced?, settle: self.settle, patience, expected };
        self.turn(now);
        let (before, after) = (self.before, self.span(now));
        let heard_from = now.minus(self.window.times(2)).max(measure.announced.plus(self.settle));
        let is_silent = |looker: &Looker| looker.heard < heard_from;
        let views: Vec<(Place, View)> = self
            .lookers
            .iter()
            .filter(|(_, looker)| !is_silent(looker))
            .map(|((place, _), looker)| {
                let both = |[a, b]: [Window; 2], part: fn(&Window) -> Sum, span: Span| {
                    let (a, b) = (part(&a), part(&b));
                    let sum = Sum {
                        packets: a.packets.saturating_add(b.packets),
                        sampled: a.sampled.saturating_add(b.sampled),
                    };
                    sum.over(span)
                };
                let view = View {
                    before: both(looker.before, |[all, ..]| *all, before),
                    after: both(looker.after, |[all, ..]| *all, after),
                    usual: looker.usual,
                    forwarded: both(looker.after, |[_, forwarded, ..]| *forwarded, after),
                    dropped: both(looker.after, |[_, _, dropped, _]| *dropped, after),
                    notified: both(looker.after, |[.., notified]| *notified, after),
                    spans: (before, after),
                };
                (*place, view)
            })
            .collect();
        let mut judgement = judge(now, &measure, &views);
        if judgement.stopped.is_none() {
            for (place, by) in self.lookers.iter().filter(|(_, l)| is_silent(l)).map(|(key, _)| key).take(3) {
                judgement.reason.push_str(&format!("; {by} ({}) is not heard since", place.as_str()));
            }
        }
        // Whatever is judged or comes through later takes its place.
        let is_seen = views.iter().any(|(_, view)| view.after.seen >= SEEN_MIN);
        if judgement.stopped.is_some() || is_seen {
            self.held = (judgement.verdict == Verdict::Effective).then(|| judgement.clone());
        }
        // An attack that has gone by itself takes nothing back of what was seen while it went on.
        let is_gone = |(_, view): &(Place, View)| view.after.seen == 0 && view.notified.seen == 0;
        let is_unsaid = judgement.stopped.is_none() && !views.is_empty() && views.iter().all(is_gone);
        if let Some(mut held) = self.held.clone().filter(|_| is_unsaid) {
            held.reason.push_str("; since then nothing of it was seen");
            return Some(held);
        }
        Some(judgement)
    }

    fn looker(&mut self, by: &str, place: Place) -> Option<&mut Looker> {
        let key = (place, by.to_owned());
        if self.lookers.len() >= LOOKERS_MAX && !self.lookers.contains_key(&key) {
            self.left_out += 1;
            return None;
        }
        Some(self.lookers.entry(key).or_default())
    }

    /// How long what is kept of the side that runs was looked at.
    fn span(&self, now: Timestamp) -> Span {
        let running = self.began.map_or(Span::ZERO, |began| now.since(began));
        let whole = if self.whole { self.window } else { Span::ZERO };
        Span::from_nanos(running.nanos().saturating_add(whole.nanos()))
    }

    /// Begins the next window when the one that runs is over.
    fn turn(&mut self, now: Timestamp) {
        let began = *self.began.get_or_insert(now);
        let windows = now.since(began).nanos() / self.window.nanos().max(1);
        if windows == 0 {
            return;
        }
        for looker in self.lookers.values_mut() {
            let side = if self.announced.is_some() { &mut looker.after } else { &mut looker.before };
            let [_, running] = *side;
            *side = match windows {
                1 => [running, Window::default()],
                _ => [Window::default(); 2],
            };
        }
        self.whole = true;
        self.began = Some(began.plus(self.window.times(windows)));
    }
}
